import type { INotebookTree } from '@jupyter-notebook/tree';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { TreeTab } from '../notebook_tree/tab';
import { RecentRoles } from '../picker/recent_roles';
import { DOMAIN, IAwsRoles } from '../tokens';

/** The tab "AWS roles" of Notebook 7's file page; Notebook 7 has no launcher. */
export const tree: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:tree',
  description: 'Lets the user pick an AWS role on the tree page of Jupyter Notebook.',
  autoStart: true,
  requires: [IAwsRoles],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, model: IAwsRoles, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const recent = new RecentRoles(app.serviceManager.serverSettings.baseUrl);
    // Not awaited: the tree exists only after the application has started.
    void notebookTree(app).then(tree => {
      tree?.addWidget(new TreeTab({ model, recent, commands: app.commands, trans }));
    });
  }
};

/**
 * Return the tabs of the file page; null if there are none.
 *
 * The token belongs to Notebook: JupyterLab does not have it, and would not load an extension that
 * requires it. It must come from Notebook's own module to be the same object.
 */
async function notebookTree(app: JupyterFrontEnd): Promise<INotebookTree | null> {
  let token: typeof INotebookTree;
  try {
    token = (await import('@jupyter-notebook/tree')).INotebookTree;
  } catch {
    return null;
  }
  return app.resolveOptionalService(token);
}
