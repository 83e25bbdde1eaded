import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { askForReload } from '../reload';
import { DOMAIN, IAwsRoles } from '../tokens';
import { VERSION } from '../version';

/** Asks the user to reload a page whose server has been upgraded. */
export const reload: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:reload',
  description: 'Asks the user to reload a page that is older than its server.',
  autoStart: true,
  requires: [IAwsRoles],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, model: IAwsRoles, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    // JupyterLab shows no toast for what is emitted before it has started.
    void app.restored.then(() => {
      askForReload(model, {
        version: VERSION,
        trans,
        reload: () => window.location.reload()
      });
    });
  }
};
