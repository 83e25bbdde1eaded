import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { Api } from '../server/api';
import { Live } from '../server/events';
import { nextExpiry } from '../server/expiry';
import { Model } from '../server/model';
import { readAgain } from '../server/retry';
import { IAwsRoles } from '../tokens';

/** The state that everything else shows, kept up to date by the server's events. */
export const model: JupyterFrontEndPlugin<IAwsRoles> = {
  id: 'jupyterlab-wb-aws:model',
  description: 'Knows the AWS roles and role sessions of the server.',
  autoStart: true,
  provides: IAwsRoles,
  activate: (app: JupyterFrontEnd) => {
    const settings = app.serviceManager.serverSettings;
    const api = new Api(settings, (time, sent) => model.noteServerTime(time, sent));
    const model = new Model(api);
    const live = new Live(settings, {
      connected: () => void model.read({ roles: true, server: true }),
      // The server may be gone, or only refuse the stream: the state is read whenever that is tried.
      unavailable: () => void model.read({ roles: true }),
      looked: () => void model.read(),
      event: name => model.hint(name)
    });
    let timer = 0;
    model.changed.connect((_, view) => {
      window.clearTimeout(timer);
      const wait = nextExpiry(view, model.now());
      if (wait !== null) {
        timer = window.setTimeout(() => void model.read(), wait);
      }
    });
    readAgain(model, () => live.isOpen);
    return model;
  }
};
