import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { askForReload } from '../reload';
import { DOMAIN, IAwsRoles } from '../tokens';
import { VERSION } from '../version';

/** Asks for a reload where the server has been upgraded under an open page. */
export const reload: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:reload',
  description: 'Asks for a reload of a page that is older than its server.',
  autoStart: true,
  requires: [IAwsRoles],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, model: IAwsRoles, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    // What is emitted before JupyterLab listens is never shown as a toast.
    void app.restored.then(() => {
      askForReload(model, {
        version: VERSION,
        trans,
        reload: () => window.location.reload()
      });
    });
  }
};
