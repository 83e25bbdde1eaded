import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Api } from '../server/api';
import { backgroundReads } from '../server/background';
import { EventStream } from '../server/events';
import { nextExpiry } from '../server/expiry';
import { changedBy, Model } from '../server/model';
import { retryReads } from '../server/retry';
import { IAwsRoles } from '../tokens';

/** The state that everything else shows, kept up to date by the server's events. */
export const model: JupyterFrontEndPlugin<IAwsRoles> = {
  id: 'jupyterlab-wb-aws:model',
  description: 'Provides the AWS roles and role sessions of the server.',
  autoStart: true,
  provides: IAwsRoles,
  activate: (app: JupyterFrontEnd) => {
    const settings = app.serviceManager.serverSettings;
    const api = new Api(settings, (time, sent) => model.noteServerTime(time, sent));
    const model = new Model(api);
    const read = backgroundReads(model);
    const stream = new EventStream(settings, {
      connected: () => read({ roles: true, server: true }),
      // The server may be gone, or may only refuse the stream: reading shows which.
      unavailable: () => read({ roles: true }),
      shownAgain: () => void model.read(),
      event: name => read(changedBy(name))
    });
    let timer = 0;
    model.changed.connect((_, snapshot) => {
      window.clearTimeout(timer);
      const wait = nextExpiry(snapshot, model.now());
      if (wait !== null) {
        timer = window.setTimeout(() => read(), wait);
      }
    });
    retryReads(model, read, () => stream.isOpen);
    return model;
  }
};
