import { CommandRegistry } from '@lumino/commands';

import { CommandIDs } from '../commands';
import type { SignIn } from '../server/api';
import { FakeRoles } from '../testing';
import { signIn } from './sign_in';

// JupyterLab's own dialog: its `launch` settles a few moments after it has closed.
jest.mock('@jupyterlab/apputils', () => ({
  Clipboard: {},
  Notification: {},
  Dialog: jest.requireActual<{ Dialog: object }>('@jupyterlab/apputils/lib/dialog').Dialog,
  ReactWidget: jest.requireActual<{ ReactWidget: object }>('@jupyterlab/ui-components').ReactWidget
}));
jest.mock('@jupyterlab/ui-components', () => ({
  ...jest.requireActual<object>('@jupyterlab/ui-components'),
  ...jest.requireActual<object>('@jupyterlab/ui-components/lib/components/button'),
  ...jest.requireActual<object>('@jupyterlab/ui-components/lib/components/styling')
}));

const SIGNED_OUT: SignIn = {
  state: 'signed_out',
  user: null,
  expires_at: null,
  flows: ['code'],
  problem: null
};

const dialogs = () => document.querySelectorAll<HTMLElement>('.jp-Dialog');

/** Close the only dialog with its button. */
function close(): void {
  dialogs()[0]!.querySelector<HTMLElement>('.jp-Dialog-footer button')!.click();
}

/** Let everything happen that waits for a promise. */
const settled = () => new Promise(resolve => setTimeout(resolve));

function someCommands(): CommandRegistry {
  const commands = new CommandRegistry();
  const model = new FakeRoles({ signIn: SIGNED_OUT });
  void signIn.activate({ commands } as never, model, null, null);
  return commands;
}

afterEach(async () => {
  dialogs().forEach(close);
  await settled();
});

test('the command shows the dialog that is open', async () => {
  const commands = someCommands();

  void commands.execute(CommandIDs.signIn);
  void commands.execute(CommandIDs.signIn);
  await settled();

  expect(dialogs()).toHaveLength(1);
});

test('a dialog that has just closed does not keep the next from opening', async () => {
  const commands = someCommands();
  void commands.execute(CommandIDs.signIn);
  await settled();

  close();
  void commands.execute(CommandIDs.signIn);
  await settled();
  expect(dialogs()).toHaveLength(1);

  void commands.execute(CommandIDs.signIn);
  await settled();
  expect(dialogs()).toHaveLength(1);
});
