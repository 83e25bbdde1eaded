import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { RoleSession, SignIn } from '../server/api';
import { type IView, type Model, NOTHING_KNOWN } from '../server/model';
import type { Settings } from '../settings';
import { aProblem, aSession } from '../testing';
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

/** A model whose view and clock the test sets, with a notifier on it. */
function aModel() {
  const model = {
    view: NOTHING_KNOWN,
    time: NOON,
    now: () => model.time,
    changed: new Signal<unknown, IView>({}),
    ended: new Signal<unknown, { session: RoleSession }>({}),
    show: (...sessions: RoleSession[]) => {
      model.view = { ...NOTHING_KNOWN, situation: 'ready', sessions, signIn: SIGNED_OUT };
      model.changed.emit(model.view);
    }
  };
  const settings = {
    values: { notifications: true },
    changed: new Signal<unknown, unknown>({}),
    set: (notifications: boolean) => {
      settings.values = { notifications };
      settings.changed.emit(undefined);
    }
  };
  const signIn = jest.fn();
  new Notifier(
    model as unknown as Model,
    settings as unknown as Settings,
    { trans: nullTranslator.load('any'), kernelName: id => id },
    signIn
  );
  return { model, settings, signIn };
}

function messages(): string[] {
  return Notification.manager.notifications.map(notification => notification.message);
}

beforeEach(() => {
  jest.useFakeTimers();
  Notification.dismiss();
});

test('a notification comes, and goes by itself', () => {
  const { model } = aModel();
  model.show(OUT);
  expect(messages()).toEqual([expect.stringContaining('Sign in again')]);
  model.show({ ...OUT, state: 'active' });
  expect(messages()).toEqual([]);
});

test('its button signs in, and leaves it up until that is done', () => {
  const { model, signIn } = aModel();
  model.show(OUT);
  const [action] = Notification.manager.notifications[0]?.options.actions ?? [];
  const click = new MouseEvent('click', { cancelable: true });
  action?.callback(click);

  expect(signIn).toHaveBeenCalledTimes(1);
  expect(click.defaultPrevented).toBe(true);
  expect(messages()).toHaveLength(1);
});

test('one that the user has dismissed does not come again for the same thing', () => {
  const { model } = aModel();
  model.show(OUT);
  Notification.dismiss();
  model.show(OUT);
  expect(messages()).toEqual([]);
});

test('its minutes go by in place, without opening a toast that was closed', () => {
  const { model } = aModel();
  model.show({ ...DEGRADED, state: 'active' });
  model.show(DEGRADED);
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

test('something new in it opens the toast again', () => {
  const { model } = aModel();
  model.show();
  for (const name of ['analyst', 'auditor']) {
    model.ended.emit({ session: aSession(name, { state: 'ended', end_reason: 'idle' }) });
  }
  expect(messages()).toEqual([expect.stringContaining('analyst, auditor')]);
  expect(Notification.manager.notifications[0]?.options.autoClose).toBe(false);
});

test('whoever wants no notifications is told only that they have to sign in', () => {
  const { model, settings } = aModel();
  model.show();
  model.ended.emit({ session: aSession('auditor', { state: 'ended', end_reason: 'idle' }) });
  model.show(OUT);
  expect(messages()).toHaveLength(2);
  settings.set(false);
  expect(messages()).toEqual([expect.stringContaining('Sign in again')]);
});
