import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { LauncherRole } from '../launcher/section';
import { RecentRoles } from '../picker/recent_roles';
import { DOMAIN, IAwsRoles, IAwsRoleSettings } from '../tokens';

/** The section "AWS role" above the cards of each launcher. */
export const launcher: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:launcher',
  description: 'Lets the user pick an AWS role in the launcher.',
  autoStart: true,
  requires: [IAwsRoles, IAwsRoleSettings],
  optional: [ILabShell, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IAwsRoles,
    settings: IAwsRoleSettings,
    shell: ILabShell | null,
    translator: ITranslator | null
  ) => {
    if (shell === null) {
      return; // Notebook 7 has no launcher.
    }
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const recent = new RecentRoles(app.serviceManager.serverSettings.baseUrl);
    const dressed = new WeakSet<Widget>();
    const sections = new Set<LauncherRole>();

    // The launcher accepts only cards and has no event for a new one: look for it at each change of the layout.
    const dress = () => {
      for (const widget of shell.widgets('main')) {
        const isLauncher =
          widget instanceof MainAreaWidget && (widget.content as Widget).hasClass('jp-Launcher');
        if (isLauncher && !dressed.has(widget)) {
          dressed.add(widget);
          const section = new LauncherRole(model, recent, app.commands, trans);
          section.setHidden(!settings.values.launcher);
          sections.add(section);
          section.disposed.connect(() => sections.delete(section));
          widget.contentHeader.addWidget(section);
        }
      }
    };
    settings.changed.connect((_, values) => {
      sections.forEach(section => section.setHidden(!values.launcher));
    });
    shell.layoutModified.connect(dress);
    void app.restored.then(dress);
  }
};
