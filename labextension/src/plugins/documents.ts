import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  ISessionContextDialogs,
  IToolbarWidgetRegistry,
  SessionContextDialogs
} from '@jupyterlab/apputils';
import { type ConsolePanel, IConsoleTracker } from '@jupyterlab/console';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import {
  consoleDocument,
  followKernel,
  type IDocument,
  notebookDocument
} from '../documents/document';
import { DocumentButton } from '../documents/toolbar_button';
import { RecentRoles } from '../picker/recent_roles';
import { DOMAIN, IAwsRoles } from '../tokens';

/** The item's name in `schema/documents.json`. */
const ITEM = 'awsRole';
/** JupyterLab's plugin for consoles. */
const CONSOLES = '@jupyterlab/console-extension:tracker';

/** The AWS role of a notebook's or console's kernel, in its toolbar. */
export const documents: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:documents',
  description: 'Shows the AWS role of a notebook or console in its toolbar, and changes it.',
  autoStart: true,
  requires: [IAwsRoles, IToolbarWidgetRegistry],
  optional: [ISessionContextDialogs, ITranslator, IConsoleTracker, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    model: IAwsRoles,
    toolbars: IToolbarWidgetRegistry,
    dialogs: ISessionContextDialogs | null,
    translator: ITranslator | null,
    consoles: IConsoleTracker | null,
    settings: ISettingRegistry | null
  ) => {
    const open = new Set<IDocument>();
    const options = {
      model,
      open,
      recent: new RecentRoles(app.serviceManager.serverSettings.baseUrl),
      commands: app.commands,
      dialogs: dialogs ?? new SessionContextDialogs({ translator: translator ?? nullTranslator }),
      trans: (translator ?? nullTranslator).load(DOMAIN)
    };
    // JupyterLab may make a panel's toolbar again: the document is the same.
    const known = new WeakMap<object, IDocument>();
    const control = <T extends object>(panel: T, asDocument: (panel: T) => IDocument) => {
      let document = known.get(panel);
      if (document === undefined) {
        document = asDocument(panel);
        known.set(panel, document);
        follow(document);
      }
      return new DocumentButton(document, options);
    };
    const follow = (document: IDocument) => {
      open.add(document);
      document.sessionContext.disposed.connect(() => open.delete(document));
      followKernel(document, model);
    };
    toolbars.addFactory<NotebookPanel>('Notebook', ITEM, panel => control(panel, notebookDocument));
    toolbars.addFactory<ConsolePanel>('ConsolePanel', ITEM, panel =>
      control(panel, consoleDocument)
    );
    void app.restored.then(async () => {
      if (consoles === null || settings === null || (await fillsConsoleToolbars(settings))) {
        return;
      }
      const add = (panel: ConsolePanel) => {
        panel.toolbar.addItem(ITEM, control(panel, consoleDocument));
      };
      consoles.forEach(add);
      consoles.widgetAdded.connect((_, panel) => add(panel));
    });
  }
};

/** Whether JupyterLab fills the toolbars of consoles; before 4.4 they stay empty. */
async function fillsConsoleToolbars(settings: ISettingRegistry): Promise<boolean> {
  try {
    const { schema } = await settings.load(CONSOLES);
    return schema['jupyter.lab.toolbars']?.['ConsolePanel'] !== undefined;
  } catch {
    return true; // The plugin is disabled.
  }
}
