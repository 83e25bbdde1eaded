import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { Notifier } from '../notifications/notifier';
import { DOMAIN, IAwsRoles, IAwsRoleSettings } from '../tokens';
import { processNames } from '../words/process_names';

/** Notifies the user only of what needs them. */
export const notifications: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:notifications',
  description: 'Notifies the user when AWS roles need attention.',
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
    // JupyterLab shows no toast for what is emitted before it has started.
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
