import { nullTranslator } from '@jupyterlab/translation';

import type { SignIn } from '../server/api';
import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { aProblem, aRole, aSession } from '../testing';
import { statusOf } from './words';

const trans = nullTranslator.load('test');
const NOW = Date.parse('2026-11-25T10:00:00Z');
const READY: ISnapshot = { ...NOTHING_KNOWN, situation: 'ready' };
const CHOSEN = { session_id: 'id-analyst', chosen: true, ended: null };
const SIGNED_OUT: SignIn = {
  state: 'signed_out',
  user: null,
  expires_at: null,
  flows: ['code'],
  problem: null
};

function withRole(change: Parameters<typeof aSession>[1] = {}): ISnapshot {
  return { ...READY, choice: CHOSEN, sessions: [aSession('analyst', change)] };
}

function said(snapshot: ISnapshot): string | null {
  const status = statusOf(snapshot, NOW, trans);
  return (
    status && [status.icon, status.label, status.account, status.health].filter(Boolean).join(' | ')
  );
}

test.each<[string, ISnapshot, string | null]>([
  ['nothing while nothing is known', NOTHING_KNOWN, null],
  ['what to do first', { ...READY, roles: [aRole('x')] }, 'role | Pick an AWS role'],
  ['that there is no role to pick', READY, 'role | No AWS role'],
  [
    'that there is no list of roles',
    { ...READY, rolesProblem: aProblem('token_source_failed') },
    'role | AWS roles unavailable'
  ],
  [
    '"no AWS role" where that was chosen',
    { ...READY, choice: { session_id: null, chosen: true, ended: null } },
    'role | No AWS role'
  ],
  [
    'who has to sign in first',
    { ...READY, signIn: SIGNED_OUT },
    'sign_in_required | Sign in for AWS'
  ],
  [
    'that a sign-in is under way',
    { ...READY, signIn: { ...SIGNED_OUT, state: 'pending' } },
    'sign_in_required | Sign in for AWS'
  ],
  [
    'a role that this page starts, by its label',
    { ...READY, roles: [aRole('x', { label: 'Analyst' })], starting: [aRole('x').arn] },
    'starting | Starting Analyst…'
  ],
  [
    'the role while another is started',
    { ...withRole(), starting: ['arn:aws:iam::111122223333:role/other'] },
    'active | analyst | 111122223333 | active'
  ],
  ['no expiry while all is well', withRole(), 'active | analyst | 111122223333 | active'],
  [
    'a role session that is starting',
    withRole({ state: 'starting', identity: null, token_expires_at: null }),
    'starting | analyst | 111122223333 | starting'
  ],
  [
    'for how long a degraded one still works',
    withRole({ state: 'degraded' }),
    'degraded | analyst | 111122223333 | degraded, 15 minutes left'
  ],
  [
    'no time that is over',
    withRole({ state: 'degraded', token_expires_at: '2026-11-25T09:59:00Z' }),
    'degraded | analyst | 111122223333 | degraded'
  ],
  [
    'a required sign-in, and how long there is for it',
    withRole({ state: 'sign_in_required' }),
    'sign_in_required | analyst | 111122223333 | sign-in required, 15 minutes left'
  ],
  ['an expired one', withRole({ state: 'expired' }), 'expired | analyst | 111122223333 | expired'],
  [
    'what was known of a server that went away, as old',
    { ...withRole(), situation: 'unreachable' },
    'offline | analyst | 111122223333 | server not reachable'
  ],
  [
    'that a server does not answer of which nothing is known',
    { ...NOTHING_KNOWN, situation: 'unreachable' },
    'offline | AWS roles | server not reachable'
  ],
  [
    'that a server answers, and can’t say',
    { ...withRole(), situation: 'unreachable', message: 'The disk is full.' },
    'offline | analyst | 111122223333 | unknown at the moment'
  ],
  [
    'a server without the extension, quietly',
    { ...NOTHING_KNOWN, situation: 'missing' },
    'role | AWS roles unavailable'
  ],
  [
    'an extension that nobody has set up, quietly',
    { ...NOTHING_KNOWN, situation: 'not_configured', message: 'Set token_source.' },
    'role | AWS roles unavailable'
  ],
  [
    'that the user may not ask, quietly',
    { ...NOTHING_KNOWN, situation: 'refused', message: 'You may not.' },
    'role | AWS roles unavailable'
  ]
])('it says %s', (_, snapshot, words) => {
  expect(said(snapshot)).toBe(words);
});

test.each(['not_configured', 'refused'] as const)('%s: the server’s own sentence', situation => {
  const snapshot = { ...NOTHING_KNOWN, situation, message: 'What the server said.' };

  expect(statusOf(snapshot, NOW, trans)?.sentence).toBe('What the server said.');
});

test.each([
  ['', 'The Jupyter server does not answer.'],
  ['The disk is full.', 'The Jupyter server can’t answer at the moment: The disk is full.']
])('of a server that said “%s” it says so, and that the rest is old', (message, words) => {
  const snapshot: ISnapshot = { ...withRole(), situation: 'unreachable', message };
  const { sentence } = statusOf(snapshot, NOW, trans)!;

  expect(sentence).toContain(words);
  expect(sentence).toContain('the last known state');
});

test('an ended role session is not called the user’s choice', () => {
  const choice = { session_id: null, chosen: true, ended: 'Analyst' };

  expect(statusOf({ ...READY, choice }, NOW, trans)?.sentence).toContain(
    'The role session of Analyst has ended'
  );
  expect(
    statusOf({ ...READY, choice: { ...choice, ended: null } }, NOW, trans)?.sentence
  ).toContain('There is no default role');
});

test('the sentence says that the role is for what starts next', () => {
  expect(statusOf(withRole(), NOW, trans)?.sentence).toBe(
    'What you start next uses analyst. AWS credentials are kept fresh.'
  );
});

test('the role’s color is the catalogue’s', () => {
  const snapshot = {
    ...withRole(),
    roles: [aRole('auditor'), aRole('analyst', { color: '#c00' })]
  };

  expect(statusOf(snapshot, NOW, trans)?.color).toBe('#c00');
});

test('a role that has left the catalogue has no color', () => {
  expect(statusOf(withRole(), NOW, trans)?.color).toBeNull();
});
