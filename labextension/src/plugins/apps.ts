import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { askToRelaunch, relaunchAndReport } from '../dialogs/dialogs';
import { runningApps } from '../running/app_roles';
import { appTitles } from '../running/app_titles';
import { RunningApps } from '../running/apps';
import { DOMAIN, IAwsRoles } from '../tokens';

/** Lists the AWS roles of proxied apps (VS Code, Shiny …), and relaunches them. */
export const apps: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:apps',
  description: 'Lists the AWS roles of proxied apps among what is running, and relaunches them.',
  autoStart: true,
  requires: [IAwsRoles],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    { commands, serviceManager }: JupyterFrontEnd,
    model: IAwsRoles,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const named = (id: unknown) => runningApps(model.snapshot, trans).find(app => app.id === id);
    commands.addCommand(CommandIDs.relaunch, {
      label: args => {
        const id = typeof args.app_id === 'string' ? args.app_id : '';
        return trans.__('Relaunch %1…', model.snapshot.appTitles[id] ?? id);
      },
      isEnabled: args => model.snapshot.situation === 'ready' && named(args.app_id) !== undefined,
      execute: async args => {
        const app = named(args.app_id);
        if (app !== undefined) {
          await askToRelaunch(model, app, trans);
        }
      }
    });
    // A group can't be removed again: add it when an app runs, since most servers have none.
    const add = () => {
      if (runningApps(model.snapshot, trans).length > 0) {
        model.changed.disconnect(add);
        void appTitles(serviceManager.serverSettings).then(titles => model.nameApps(titles));
        managers?.add(
          new RunningApps(model, trans, {
            relaunch: app => void askToRelaunch(model, app, trans),
            relaunchAll: apps => void relaunchAndReport(model, apps, trans)
          })
        );
      }
    };
    model.changed.connect(add);
    add();
  }
};
