import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import type { RoleSession, SignIn } from '../server/api';
import { aProblem, aSession, FakeRoles, FakeSettings } from '../testing';
import { GRACE } from './notices';
import { Notifier } from './notifier';

// The real notifications; the rest of the package wants a browser that can drag.
jest.mock('@jupyterlab/apputils', () => ({
  ...jest.requireActual<object>('@jupyterlab/apputils/lib/notification'),
  Clipboard: { copyToSystem: jest.fn() }
}));

const NOON = Date.parse('2026-11-25T12:00:00Z');
const OUT = aSession('analyst', { state: 'sign_in_required' });
const SIGNED_OUT: SignIn = {
  state: 'signed_out',
  user: null,
  expires_at: null,
  flows: ['code'],
  problem: null
};
const DEGRADED = aSession('analyst', {
  state: 'degraded',
  problem: aProblem('token_source_failed'),
  token_expires_at: '2026-11-25T12:08:30Z'
});

/** A model and settings that the test changes, with a notifier on them. */
function aModel() {
  const model = new FakeRoles({ situation: 'loading' });
  model.time = NOON;
  const settings = new FakeSettings();
  const signIn = jest.fn();
  const words = { trans: nullTranslator.load('any'), kernelName: (id: string) => id };
  new Notifier(model, settings, words, signIn);
  const show = (...sessions: RoleSession[]) =>
    model.show({ situation: 'ready', sessions, signIn: SIGNED_OUT });
  return { model, settings, show, signIn };
}

function messages(): string[] {
  return Notification.manager.notifications.map(notification => notification.message);
}

beforeEach(() => {
  jest.useFakeTimers();
  Notification.dismiss();
});

test('a notification appears, and goes when its reason is over', () => {
  const { show } = aModel();
  show(OUT);
  expect(messages()).toEqual([expect.stringContaining('Sign in again')]);
  show({ ...OUT, state: 'active' });
  expect(messages()).toEqual([]);
});

test('its button signs in; the notification stays until that is done', () => {
  const { show, signIn } = aModel();
  show(OUT);
  const [action] = Notification.manager.notifications[0]?.options.actions ?? [];
  const click = new MouseEvent('click', { cancelable: true });
  action?.callback(click);

  expect(signIn).toHaveBeenCalledTimes(1);
  expect(click.defaultPrevented).toBe(true);
  expect(messages()).toHaveLength(1);
});

test('a dismissed notification does not come back for the same reason', () => {
  const { show } = aModel();
  show(OUT);
  Notification.dismiss();
  show(OUT);
  expect(messages()).toEqual([]);
});

test('its minutes are updated in place, without opening a closed toast', () => {
  const { model, show } = aModel();
  show({ ...DEGRADED, state: 'active' });
  show(DEGRADED);
  model.time += GRACE;
  jest.advanceTimersByTime(GRACE);
  const id = Notification.manager.notifications[0]?.id;
  expect(messages()).toEqual([expect.stringContaining('8 minutes left')]);
  expect(Notification.manager.notifications[0]?.options.autoClose).toBe(false);

  model.time += 60_000;
  jest.advanceTimersByTime(60_000);
  expect(messages()).toEqual([expect.stringContaining('7 minutes left')]);
  expect(Notification.manager.notifications[0]?.id).toBe(id);
  expect(Notification.manager.notifications[0]?.options.autoClose).toBe(0); // silent: no toast is open

  const toast = document.createElement('div');
  toast.id = id ?? '';
  document.body.append(toast);
  model.time += 60_000;
  jest.advanceTimersByTime(60_000);
  toast.remove();
  expect(messages()).toEqual([expect.stringContaining('6 minutes left')]);
  expect(Notification.manager.notifications[0]?.options.autoClose).toBe(false);
});

test('a new topic opens the toast again', () => {
  const { model, show } = aModel();
  show();
  for (const name of ['analyst', 'auditor']) {
    model.ended.emit(aSession(name, { state: 'ended', end_reason: 'idle' }));
  }
  expect(messages()).toEqual([expect.stringContaining('analyst, auditor')]);
  expect(Notification.manager.notifications[0]?.options.autoClose).toBe(false);
});

test('a user without notifications still gets the one to sign in', () => {
  const { model, settings, show } = aModel();
  show();
  model.ended.emit(aSession('auditor', { state: 'ended', end_reason: 'idle' }));
  show(OUT);
  expect(messages()).toHaveLength(2);
  settings.set({ notifications: false });
  expect(messages()).toEqual([expect.stringContaining('Sign in again')]);
});
