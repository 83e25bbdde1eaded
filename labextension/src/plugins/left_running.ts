import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { askToEndClients, endClients } from '../dialogs/dialogs';
import { LeftRunningPrograms } from '../running/left_running';
import { backgroundReads } from '../server/background';
import { DOMAIN, IAwsRoles } from '../tokens';
import { leftRunning, ownerNames } from '../words/left_running';
import { processNames } from '../words/process_names';

/** Lists programs that were left running with an AWS role, and ends their AWS access. */
export const leftRunningPrograms: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:left-running',
  description:
    'Lists programs left running with AWS roles among what is running, and ends their AWS access.',
  autoStart: true,
  requires: [IAwsRoles],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    { serviceManager }: JupyterFrontEnd,
    model: IAwsRoles,
    managers: IRunningSessionManagers | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { sessions, terminals } = serviceManager;
    // By the ids of kernels: once they have gone, nobody else knows their documents.
    const kernels = new Map<string, string>();
    const remember = () => {
      for (const { kernel, name, path } of sessions.running()) {
        if (kernel !== null) {
          kernels.set(kernel.id, name || path);
        }
      }
    };
    const nameOf = ownerNames(processNames(sessions, trans), kernels, trans);
    // The server sends no event when a kernel or terminal goes and leaves something running.
    const read = backgroundReads(model);
    const look = () => {
      remember();
      if (model.snapshot.endpointClients.length > 0) {
        read();
      }
    };
    sessions.runningChanged.connect(look);
    terminals.runningChanged.connect(look);
    remember();
    // A group can't be removed again: add it when something was left running, which is rare.
    const add = () => {
      if (leftRunning(model.snapshot, nameOf).length > 0) {
        model.changed.disconnect(add);
        managers?.add(
          new LeftRunningPrograms(model, nameOf, trans, {
            end: left => void askToEndClients(model, [left], trans),
            endAll: left => void endClients(model, left, trans)
          })
        );
      }
    };
    model.changed.connect(add);
    add();
  }
};
