import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { Notifier } from '../notifier';
import { DOMAIN, IAwsRoles, IAwsRoleSettings } from '../tokens';

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
    const kernelName = (id: string) => {
      for (const session of app.serviceManager.sessions.running()) {
        if (session.kernel?.id === id) {
          return session.name || session.path;
        }
      }
      return trans.__('A kernel');
    };
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    // What is emitted before JupyterLab listens is never shown as a toast.
    void app.restored.then(() => {
      new Notifier(
        model,
        settings,
        { trans, kernelName },
        () => void app.commands.execute(CommandIDs.signIn)
      );
    });
  }
};
