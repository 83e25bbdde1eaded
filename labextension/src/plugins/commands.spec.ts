import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';

import { NOTHING_KNOWN } from '../server/snapshot';
import { commands as plugin } from './commands';

jest.mock('@jupyterlab/apputils', () => ({ Dialog: jest.fn(), Notification: {}, Clipboard: {} }));

test('a new snapshot notifies our own commands and no others', () => {
  const commands = new CommandRegistry();
  const changed = new Signal<unknown, unknown>({});
  const serviceManager = { serverSettings: { baseUrl: '/' } };
  const app = { commands, serviceManager };
  void plugin.activate(app as never, { snapshot: NOTHING_KNOWN, changed }, null, null);
  const notified: (string | undefined)[] = [];
  commands.commandChanged.connect((_, { id }) => notified.push(id));

  changed.emit(undefined);

  expect(notified.sort()).toEqual(commands.listCommands().sort());
});
