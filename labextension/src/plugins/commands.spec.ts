import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';

import { CommandIDs } from '../commands';
import { NOTHING_KNOWN } from '../server/snapshot';
import { aRole, FakeRoles } from '../testing';
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

test.each([
  ['a terminal', 'jp-Terminal', { name: '1' }, 'endpoint', [true, true]],
  ['a notebook', 'jp-Notebook', undefined, 'endpoint', [true, false]],
  ['a terminal that is not connected', 'jp-Terminal', undefined, 'endpoint', [true, false]],
  [
    'a terminal, without a role to switch to,',
    'jp-Terminal',
    { name: '1' },
    'web_identity',
    [false, true]
  ]
] as const)('with %s in front, a terminal’s role can be changed or not', (...row) => {
  const [, shape, session, delivery, expected] = row;
  const commands = new CommandRegistry();
  const content = { hasClass: (name: string) => name === shape, session };
  const app = {
    commands,
    serviceManager: { serverSettings: { baseUrl: '/' } },
    shell: { currentWidget: { content } }
  };
  const model = new FakeRoles({ roles: [aRole('analyst', { delivery })] });
  void plugin.activate(app as never, model, null, null);

  const { switchTerminal } = CommandIDs;
  expect([commands.isVisible(switchTerminal), commands.isEnabled(switchTerminal)]).toEqual(
    expected
  );
});
