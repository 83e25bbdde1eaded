import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot, type Root } from 'react-dom/client';

import { Refused } from '../server/api';
import type { ISnapshot } from '../server/snapshot';
import { aProblem, aRole, FakeRoles, NO_RECENT_ROLES } from '../testing';
import { Picker } from './picker';

jest.mock('@jupyterlab/apputils', () => ({
  Clipboard: { copyToSystem: jest.fn() },
  Notification: { error: jest.fn() }
}));

const trans = nullTranslator.load('any');
const ANALYST = aRole('analyst', { label: 'Analyst' });
const AUDITOR = aRole('auditor', { label: 'Auditor' });
const WHERE = 'https://example.com/ask';

let root: Root;

beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
});

afterEach(() => {
  React.act(() => root.unmount());
  document.body.replaceChildren();
});

/** A picker on the page, and what the user does in it. */
function aPicker(onPick: (arn: string | null) => Promise<unknown> = () => Promise.resolve()) {
  const model = new FakeRoles({ roles: [ANALYST, AUDITOR] });
  const picks = jest.fn(onPick);
  const node = document.body.appendChild(document.createElement('div'));
  root = createRoot(node);
  const show = (selected?: string | null) =>
    React.act(() =>
      root.render(
        <Picker
          model={model}
          recent={NO_RECENT_ROLES}
          trans={trans}
          label="Roles"
          selected={selected}
          selectedLabel="default"
          onPick={picks}
        />
      )
    );
  show();
  const input = node.querySelector('input')!;
  return {
    node,
    picks,
    show,
    offer: (...roles: ISnapshot['roles']) => React.act(() => model.show({ roles })),
    type: (text: string) =>
      React.act(() => {
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!.call(
          input,
          text
        );
        input.dispatchEvent(new Event('input', { bubbles: true }));
      }),
    press: (key: string, init: KeyboardEventInit = {}) =>
      React.act(async () => {
        input.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, ...init }));
        await Promise.resolve();
      }),
    count: () => node.querySelector('.jp-AwsRoles-count')?.textContent,
    said: () => node.querySelector('[role=status]')?.textContent,
    alert: () => node.querySelector('[role=alert]')?.textContent ?? null
  };
}

function refusing(): Promise<never> {
  const problem = aProblem('role_not_allowed', { request_url: WHERE });
  return Promise.reject(new Refused(problem));
}

test('the number of roles is shown, and how many match the query', () => {
  const { type, count, node, offer } = aPicker();
  expect(count()).toBe('2 roles');

  type('aud');
  expect(count()).toBe('1 of 2 roles');
  type('arn:aws:iam::111122223333:role/elsewhere');
  expect(count()).toBe('0 of 2 roles');
  type('');
  offer(ANALYST);

  expect(count()).toBe('1 role');
  const described = node.querySelector('input')!.getAttribute('aria-describedby')!;
  expect(document.getElementById(described)?.textContent).toBe('1 role');
});

test('without roles there is no count', () => {
  const { count, offer } = aPicker();

  offer();

  expect(count()).toBe('');
});

test('the message about a pick disappears when the user types', async () => {
  const { type, press, said } = aPicker();
  type('aud');
  await press('Enter');
  expect(said()).toBe('Auditor is ready.');

  type('ana');

  expect(said()).toBe('1 role');
});

test('the failure of a pick disappears when the user types', async () => {
  const { type, press, alert } = aPicker(refusing);
  type('aud');
  await press('Enter');
  expect(alert()).toContain('Title of role_not_allowed');

  type('ana');

  expect(alert()).toBeNull();
});

test('the message stays with the role that was picked, and disappears when another is chosen elsewhere', async () => {
  const { type, press, said, show } = aPicker();
  type('aud');
  await press('Enter');
  show(AUDITOR.arn);
  expect(said()).toBe('Auditor is ready.');

  show(ANALYST.arn);

  expect(said()).toBe('');
});

test('the failure of a pick disappears when the role is chosen elsewhere', async () => {
  const { type, press, alert, show } = aPicker(refusing);
  type('aud');
  await press('Enter');
  expect(alert()).not.toBeNull();

  show(AUDITOR.arn);

  expect(alert()).toBeNull();
});

test('Enter of an input method picks nothing', async () => {
  const { type, press, picks } = aPicker();
  type('aud');
  await press('Enter', { isComposing: true });
  expect(picks).not.toHaveBeenCalled();

  await press('Enter');

  expect(picks).toHaveBeenCalledWith(AUDITOR.arn);
});

test('if the marked role has left the list, Enter does not start another one', async () => {
  const { type, press, picks, offer } = aPicker();
  type('a');
  await press('ArrowDown');
  offer(ANALYST);

  await press('Enter');

  expect(picks).not.toHaveBeenCalled();
});

test('a failure after the list was closed is notified with what to do, and where to ask', async () => {
  let fail: () => void = () => undefined;
  const { type, press } = aPicker(
    () => new Promise((_, reject) => (fail = () => void refusing().catch(reject)))
  );
  type('aud');
  await press('Enter');
  React.act(() => root.render(<p />));
  const open = jest.spyOn(window, 'open').mockReturnValue(null);

  await React.act(async () => {
    fail();
    await Promise.resolve();
  });

  const [message, options] = jest.mocked(Notification.error).mock.calls[0]!;
  expect(message).toBe('Title of role_not_allowed\nDetail of role_not_allowed. What to do.');
  expect(options?.actions?.map(action => action.label)).toEqual(['Ask for this role']);
  options?.actions?.[0]?.callback(new MouseEvent('click'));
  expect(open).toHaveBeenCalledWith(WHERE, '_blank', 'noopener');
});

const BY_ENDPOINT = aRole('auditor', { label: 'Auditor', delivery: 'endpoint' });

test.each([
  ['of both kinds', [ANALYST, BY_ENDPOINT], ['Auditor']],
  ['that can all be switched', [BY_ENDPOINT], []],
  ['of which none can be switched', [ANALYST, AUDITOR], []],
  ['of a server that does not say so', [ANALYST, { ...AUDITOR, delivery: undefined }], []]
])('in a list of roles %s, %j are marked as such', (_, roles, marked) => {
  const { node, offer } = aPicker();

  offer(...(roles as (typeof ANALYST)[]));

  const lines = [...node.querySelectorAll('[role=option]')].filter(option =>
    option.textContent.includes('can be switched in a running notebook')
  );
  expect(
    lines.map(option => option.querySelector('.jp-AwsRoles-optionLabel')?.textContent)
  ).toEqual(marked);
});
