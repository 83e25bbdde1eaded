import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { askToEnd, endAndReport } from '../dialogs/dialogs';
import { RunningRoleSessions } from '../running/role_sessions';
import { DOMAIN, IAwsRoles } from '../tokens';
import { processNames } from '../words/process_names';

/** The group "AWS role sessions" in JupyterLab's panel "Running Terminals and Kernels". */
export const running: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:running',
  description: 'Lists the AWS role sessions among what is running.',
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
    const nameOf = processNames(serviceManager.sessions, trans);
    // A group can't be removed again: add it once the server turns out to have the extension.
    const add = () => {
      if (model.snapshot.situation === 'ready') {
        model.changed.disconnect(add);
        managers?.add(
          new RunningRoleSessions(model, nameOf, trans, {
            open: session =>
              void commands.execute(CommandIDs.showIdentity, { session_id: session.id }),
            end: session => void askToEnd(model, [session], nameOf, trans),
            endAll: () => void endAndReport(model, model.snapshot.sessions, trans)
          })
        );
      }
    };
    model.changed.connect(add);
    add();
  }
};
