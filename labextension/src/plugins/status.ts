import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import { CommandIDs } from '../commands';
import { StatusItem } from '../status/item';
import { DOMAIN, IAwsRoles, IAwsRoleSettings } from '../tokens';

/** The AWS role in the status bar. */
export const status: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:status',
  description: 'Shows the AWS role in the status bar.',
  autoStart: true,
  requires: [IAwsRoles, IAwsRoleSettings],
  optional: [IStatusBar, ITranslator],
  activate: (
    { commands }: JupyterFrontEnd,
    model: IAwsRoles,
    settings: IAwsRoleSettings,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (statusBar === null) {
      return; // Notebook 7 has no status bar.
    }
    const item = new StatusItem(model, (translator ?? nullTranslator).load(DOMAIN), {
      pick: () => void commands.execute(CommandIDs.pick),
      signIn: () => void commands.execute(CommandIDs.signIn),
      signOut: () => void commands.execute(CommandIDs.signOut),
      end: () => void commands.execute(CommandIDs.end),
      relaunch: appId => void commands.execute(CommandIDs.relaunch, { app_id: appId }),
      doctor: () => void commands.execute(CommandIDs.doctor)
    });
    const activeStateChanged = new Signal<StatusItem, void>(item);
    model.changed.connect(() => activeStateChanged.emit());
    settings.changed.connect(() => activeStateChanged.emit());
    statusBar.registerStatusItem('jupyterlab-wb-aws:status', {
      item,
      align: 'left',
      rank: 1.5, // after the running kernels and terminals
      priority: 1, // in narrow windows too
      isActive: () => settings.values.statusBar && model.snapshot.situation !== 'loading',
      activeStateChanged
    });
  }
};
