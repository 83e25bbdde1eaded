import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { SignIn as SignInState } from '../server/api';
import { aProblem, FakeRoles } from '../testing';
import { SignIn } from './dialog';

jest.mock('@jupyterlab/apputils', () => ({ Clipboard: {} }));

const SIGNED_OUT: SignInState = {
  state: 'signed_out',
  user: null,
  expires_at: null,
  flows: ['code'],
  problem: null
};
const SHARED = { code: 'server_shared', message: 'Others can work as you.' };

function drawn(change: Partial<SignInState>): string {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const model = new FakeRoles({ signIn: { ...SIGNED_OUT, ...change } });
  const node = document.createElement('div');
  const props = { onSignedIn: () => undefined, onSignOut: () => undefined };
  React.act(() =>
    createRoot(node).render(<SignIn model={model} trans={nullTranslator.load('any')} {...props} />)
  );
  return node.textContent;
}

test('the dialog says before the sign-in that others may use the server', () => {
  expect(drawn({ notices: [SHARED] })).toContain(SHARED.message);
});

test('it says nothing on an unshared server, or after the sign-in', () => {
  expect(drawn({})).not.toContain('work as you');
  expect(drawn({ state: 'signed_in', notices: [SHARED] })).not.toContain(SHARED.message);
});

test.each([
  ['sign_in_failed', false],
  ['flow_not_available', false],
  ['token_source_failed', true]
] as const)('the hint of %s is shown: %s', (code, shown) => {
  const hint = 'Do this next.';
  const text = drawn({ flows: [], problem: aProblem(code, { hint }) });

  expect(text.includes(hint)).toBe(shown);
});
