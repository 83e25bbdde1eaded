import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { Notifier } from '../notifications/notifier';
import { DOMAIN, IAwsRoles, IAwsRoleSettings } from '../tokens';
import { processNames } from '../words/process_names';

/** Notifications for what needs the user, and for nothing else. */
export const notifications: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:notifications',
  description: 'Notifies the user when AWS needs them.',
  autoStart: true,
  requires: [IAwsRoles, IAwsRoleSettings],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IAwsRoles,
    settings: IAwsRoleSettings,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const nameOf = processNames(app.serviceManager.sessions, trans);
    // What is emitted before JupyterLab listens is never shown as a toast.
    void app.restored.then(() => {
      new Notifier(
        model,
        settings,
        { trans, kernelName: id => nameOf({ kind: 'kernel', id }) },
        () => void app.commands.execute(CommandIDs.signIn)
      );
    });
  }
};
