import type { SignIn } from '../server/api';
import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { aProblem } from '../testing';
import { type IAttempt, otherWay, stepOf } from './attempt';

const NOON = Date.parse('2026-11-25T12:00:00Z');
const ALICE = { name: 'Alice Archer', subject: 'alice', groups: [] };

function aSnapshot(signIn: Partial<SignIn>, change: Partial<ISnapshot> = {}): ISnapshot {
  return {
    ...NOTHING_KNOWN,
    situation: 'ready',
    signIn: {
      state: 'signed_out',
      user: null,
      expires_at: null,
      flows: ['code', 'device'],
      problem: null,
      ...signIn
    },
    ...change
  };
}

const CODE: IAttempt = {
  flow: 'code',
  begun: { flow: 'code', authorization_url: 'https://idp.example/authorize?state=s' },
  error: null,
  window: 'open'
};
const DEVICE: IAttempt = {
  flow: 'device',
  begun: {
    flow: 'device',
    user_code: 'BCDF-GHJK',
    verification_uri: 'https://idp.example/device',
    expires_at: '2026-11-25T12:10:00Z'
  },
  error: null,
  window: 'blocked'
};
const PENDING = { state: 'pending', expires_at: '2026-11-25T12:10:00Z' } as const;

function device(change: Record<string, string>): IAttempt {
  return { ...DEVICE, begun: { ...DEVICE.begun!, ...change } };
}

test.each([
  ['nothing is known yet', { situation: 'loading', signIn: null }, 'unavailable'],
  ['the extension is missing', { situation: 'missing', signIn: null }, 'unavailable'],
  [
    'the server is away, and nothing was known',
    { situation: 'unreachable', signIn: null },
    'unavailable'
  ]
] as const)('where %s, nothing can be begun', (_, change, kind) => {
  expect(stepOf(aSnapshot({}, change), null, NOON).kind).toBe(kind);
});

test('where no sign-in is needed, the dialog says so', () => {
  expect(stepOf(aSnapshot({ state: 'not_needed' }), null, NOON)).toEqual({ kind: 'not_needed' });
});

test('the site’s first flow is offered, and the other as another way', () => {
  const snapshot = aSnapshot({ flows: ['device', 'code'] });
  const step = stepOf(snapshot, null, NOON);
  expect(step).toEqual({ kind: 'start', flow: 'device', reason: '' });
  expect(otherWay(snapshot, step)).toBe('code');
});

test('one flow leaves no other way', () => {
  const snapshot = aSnapshot({ flows: ['code'] });
  expect(otherWay(snapshot, stepOf(snapshot, null, NOON))).toBeNull();
});

test('the dialog says why the last sign-in ended', () => {
  const problem = aProblem('sign_in_required');
  expect(stepOf(aSnapshot({ problem }), null, NOON)).toMatchObject({ reason: problem.detail });
});

test('without a flow the user can’t sign in, and the reason is shown', () => {
  const problem = aProblem('identity_provider_unavailable');
  expect(stepOf(aSnapshot({ flows: [], problem }), null, NOON)).toEqual({
    kind: 'no_way',
    problem
  });
});

test('a sign-in that began elsewhere does not prevent one here', () => {
  expect(stepOf(aSnapshot(PENDING), null, NOON).kind).toBe('start');
});

test('while the server is asked, the dialog says so', () => {
  expect(stepOf(aSnapshot({}), { ...CODE, begun: null }, NOON)).toEqual({
    kind: 'beginning',
    flow: 'code'
  });
});

test('a refusal of the server is shown', () => {
  const error = new Error('no');
  expect(stepOf(aSnapshot({}), { ...CODE, begun: null, error }, NOON)).toMatchObject({
    kind: 'failed',
    flow: 'code',
    error
  });
});

test.each(['open', 'closed', 'blocked'] as const)('the window of the code flow is %s', window => {
  const snapshot = aSnapshot(PENDING);
  const step = stepOf(snapshot, { ...CODE, window }, NOON);
  expect(step).toEqual({ kind: 'code', address: 'https://idp.example/authorize?state=s', window });
  expect(otherWay(snapshot, step)).toBe('device');
});

test('a device code is shown with the page that has it filled in', () => {
  const complete = 'https://idp.example/device?user_code=BCDF-GHJK';
  expect(stepOf(aSnapshot(PENDING), device({ verification_uri_complete: complete }), NOON)).toEqual(
    {
      kind: 'device',
      userCode: 'BCDF-GHJK',
      place: 'https://idp.example/device',
      address: complete,
      expiresAt: '2026-11-25T12:10:00Z'
    }
  );
});

test.each([
  ['https://idp.example/device', 'https://idp.example/device'],
  ['javascript:alert(1)', null],
  ['/relative', null]
])('a browser is sent to %j as %j', (verification_uri, address) => {
  expect(stepOf(aSnapshot(PENDING), device({ verification_uri }), NOON)).toMatchObject({ address });
});

test('the code flow never sends a browser to a script', () => {
  const begun = { flow: 'code', authorization_url: 'javascript:alert(1)' } as const;
  expect(stepOf(aSnapshot(PENDING), { ...CODE, begun }, NOON).kind).toBe('no_way');
});

test.each([
  ['device', DEVICE],
  ['code', CODE]
])('a %s that is too old has expired', (_, attempt) => {
  const later = Date.parse('2026-11-25T12:10:00Z');
  expect(stepOf(aSnapshot(PENDING), attempt, later - 1).kind).not.toBe('expired');
  expect(stepOf(aSnapshot(PENDING), attempt, later).kind).toBe('expired');
});

test.each([
  ['device', DEVICE],
  ['code', CODE]
])('a %s sign-in that the provider refused has failed, with its reason', (flow, attempt) => {
  const problem = aProblem('sign_in_failed');
  expect(stepOf(aSnapshot({ problem }), attempt, NOON)).toEqual({
    kind: 'failed',
    flow,
    error: null,
    problem
  });
});

test('a refusal in the window counts while a device code is still valid', () => {
  const snapshot = aSnapshot({ ...PENDING, problem: aProblem('sign_in_failed') });
  expect(stepOf(snapshot, CODE, NOON).kind).toBe('failed');
  expect(stepOf(snapshot, DEVICE, NOON).kind).toBe('device');
});

test('a provider that does not answer does not end a sign-in', () => {
  const snapshot = aSnapshot({ ...PENDING, problem: aProblem('identity_provider_timeout') });
  expect(stepOf(snapshot, CODE, NOON).kind).toBe('code');
});

test('an old answer of the server does not end a sign-in', () => {
  const snapshot = aSnapshot({}, { situation: 'unreachable' });
  expect(stepOf(snapshot, DEVICE, NOON).kind).toBe('device');
});

test('a server that was restarted knows nothing of the sign-in', () => {
  expect(stepOf(aSnapshot({}), DEVICE, NOON)).toMatchObject({ kind: 'failed', problem: null });
});

test('a signed-in user sees that, even if a sign-in had begun', () => {
  const snapshot = aSnapshot({ state: 'signed_in', user: ALICE });
  for (const attempt of [null, CODE, DEVICE, { ...CODE, error: new Error('no') }]) {
    expect(stepOf(snapshot, attempt, NOON)).toEqual({ kind: 'signed_in', user: ALICE });
  }
});
