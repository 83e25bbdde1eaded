import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { Role, SignIn } from '../server/api';
import { aRole, FakeRoles } from '../testing';
import { type IPopoverActions, Popover } from './popover';

jest.mock('@jupyterlab/apputils', () => ({ Clipboard: {} }));

/** The popover's buttons, by their labels. */
function buttons(state: SignIn['state'], roles: Role[] = []) {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const signIn: SignIn = { state, user: null, expires_at: null, flows: ['code'], problem: null };
  const actions: IPopoverActions = {
    pick: jest.fn(),
    signIn: jest.fn(),
    signOut: jest.fn(),
    end: jest.fn(),
    relaunch: jest.fn(),
    doctor: jest.fn()
  };
  const node = document.createElement('div');
  const model = new FakeRoles({ signIn, roles });
  const trans = nullTranslator.load('any');
  React.act(() =>
    createRoot(node).render(<Popover model={model} trans={trans} actions={actions} />)
  );
  const shown = new Map([...node.querySelectorAll('button')].map(each => [each.textContent, each]));
  return { actions, shown };
}

test('a signed-in user can sign out', () => {
  const { actions, shown } = buttons('signed_in');

  shown.get('Sign out…')!.click();

  expect(actions.signOut).toHaveBeenCalledTimes(1);
  expect(shown.has('Sign in…')).toBe(false);
});

test('a signed-out user can sign in instead', () => {
  const { actions, shown } = buttons('signed_out');

  shown.get('Sign in…')!.click();

  expect(actions.signIn).toHaveBeenCalledTimes(1);
  expect(shown.has('Sign out…')).toBe(false);
});

test('where no sign-in is needed, there is neither', () => {
  const { shown } = buttons('not_needed');

  expect([...shown.keys()].filter(label => label.startsWith('Sign'))).toEqual([]);
});

test('a role can be picked only where one is offered', () => {
  const label = 'Pick an AWS role…';

  expect(buttons('not_needed').shown.get(label)!.getAttribute('aria-disabled')).toBe('true');
  expect(
    buttons('not_needed', [aRole('analyst')])
      .shown.get(label)!
      .getAttribute('aria-disabled')
  ).not.toBe('true');
});
