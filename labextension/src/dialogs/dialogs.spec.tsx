import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import type * as React from 'react';
import { act } from 'react';
import { createRoot } from 'react-dom/client';

import type { ISnapshot } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { aRole, aSession, FakeRoles, NO_RECENT_ROLES } from '../testing';
import { endAndReport, pickInDialog } from './dialogs';

interface IShown {
  title: string;
  body: unknown;
  buttons: { label: string }[];
  isDisposed: boolean;
}
const shown: IShown[] = [];

jest.mock('@jupyterlab/apputils', () => ({
  Clipboard: {},
  Notification: { info: jest.fn(), error: jest.fn() },
  Dialog: class {
    static okButton: (_: object) => object = options => options;
    static cancelButton: (_: object) => object = options => options;
    isDisposed = false;
    constructor(options: object) {
      shown.push(Object.assign(this, options) as never);
    }
    reject() {}
    launch() {
      return Promise.resolve({ button: { accept: true } });
    }
  }
}));
// A dialog's body as what it draws: the test draws it.
jest.mock('@jupyterlab/ui-components', () => ({
  ...jest.requireActual<object>('@jupyterlab/ui-components'),
  ReactWidget: { create: (body: unknown) => body }
}));

const trans = nullTranslator.load('any');
const ANALYST = aRole('analyst', { label: 'Analyst' });
const AUDITOR = aRole('auditor', { label: 'Auditor' });
const SNAPSHOT: Partial<ISnapshot> = {
  roles: [ANALYST, AUDITOR],
  sessions: [aSession('analyst'), aSession('auditor')],
  choice: { session_id: 'id-analyst', chosen: true, ended: null }
};

function aModel(change: Partial<IAwsRoles> = {}) {
  return Object.assign(new FakeRoles(SNAPSHOT), change);
}

beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  shown.length = 0;
});

test.each([
  [['id-1'], [], [], 1],
  [['id-1', 'id-2'], [], [], 1],
  [['id-1'], ['id-2'], ['Not every role session ended'], 1],
  [[], ['id-1'], ['The role session did not end'], 0],
  [[], ['id-1', 'id-2'], ['The role sessions did not end'], 0]
])('if %j end and %j don’t, it says so', async (ending, failing, titles, toasts) => {
  const info = jest.mocked(Notification.info).mockClear();
  const end = (id: string) =>
    failing.includes(id)
      ? Promise.reject(new Error('No.'))
      : Promise.resolve({ credentials_expire_at: null, clients_stop_by: null });
  const sessions = [...ending, ...failing].map(id => aSession('analyst', { id }));

  await endAndReport(aModel({ end }), sessions, trans);

  expect(shown.map(dialog => dialog.title)).toEqual(titles);
  expect(info).toHaveBeenCalledTimes(toasts);
});

/** Open the dialog to pick a role, and draw what is in it. */
async function pickDialog(model: ReturnType<typeof aModel>) {
  await pickInDialog(model, NO_RECENT_ROLES, {} as never, trans);
  const [dialog] = shown;
  const node = document.createElement('div');
  act(() => createRoot(node).render(dialog!.body as React.ReactElement));
  const option = (label: string) =>
    [...node.querySelectorAll('[role=option]')].find(each => each.textContent.includes(label))!;
  return { dialog: dialog!, node, option };
}

test('the dialog to pick a role follows the default role', async () => {
  const model = aModel();
  const { dialog, option } = await pickDialog(model);
  expect(dialog.buttons.map(button => button.label)).toEqual(['Close']);
  expect(option('Analyst').getAttribute('aria-selected')).toBe('true');

  act(() => model.show({ choice: { session_id: 'id-auditor', chosen: true, ended: null } }));

  expect(option('Analyst').getAttribute('aria-selected')).toBe('false');
  expect(option('Auditor').getAttribute('aria-selected')).toBe('true');
});

test.each([
  ['closed meanwhile', true, 1],
  ['open still', false, 0]
])('if the dialog is %s, a notification says that the role is ready, or not', async (...row) => {
  const [, isDisposed, toasts] = row;
  const info = jest.mocked(Notification.info).mockClear();
  const model = aModel({
    pick: () => {
      shown[0]!.isDisposed = isDisposed;
      model.show({ choice: { session_id: 'id-auditor', chosen: true, ended: null } });
      return Promise.resolve(aSession('auditor', { label: 'Auditor' }));
    }
  });
  const { option } = await pickDialog(model);

  await act(async () => {
    option('Auditor').dispatchEvent(new MouseEvent('click', { bubbles: true }));
    await Promise.resolve();
  });

  expect(info).toHaveBeenCalledTimes(toasts);
});
