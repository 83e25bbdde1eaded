import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { SignIn as SignInState } from '../server/api';
import { type IView, type Model, NOTHING_KNOWN } from '../server/model';
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
  const view: IView = {
    ...NOTHING_KNOWN,
    situation: 'ready',
    signIn: { ...SIGNED_OUT, ...change }
  };
  const model = { view, now: () => 0, changed: new Signal<unknown, IView>({}) };
  const node = document.createElement('div');
  const props = { onSignedIn: () => undefined, onSignOut: () => undefined };
  React.act(() =>
    createRoot(node).render(
      <SignIn model={model as unknown as Model} trans={nullTranslator.load('any')} {...props} />
    )
  );
  return node.textContent;
}

test('that others may use the server is said before the sign-in', () => {
  expect(drawn({ notices: [SHARED] })).toContain(SHARED.message);
});

test('a server of one’s own has nothing to say, nor has one where somebody is signed in', () => {
  expect(drawn({})).not.toContain('work as you');
  expect(drawn({ state: 'signed_in', notices: [SHARED] })).not.toContain(SHARED.message);
});
