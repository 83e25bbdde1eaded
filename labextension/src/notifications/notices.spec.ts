import { nullTranslator } from '@jupyterlab/translation';

import type { Assignment, HealthProblem, RoleSession, SignIn } from '../server/api';
import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { anAssignment, aProblem, aSession } from '../testing';
import { MAX_MESSAGE } from '../words/notification';
import {
  GRACE,
  type IRemembered,
  nextLook,
  nextNotices,
  NOTHING_REMEMBERED,
  withEnding,
  withoutNotice
} from './notices';

const NOON = Date.parse('2026-11-25T12:00:00Z');
const WORDS = {
  trans: nullTranslator.load('any'),
  kernelName: (id: string) => `${id}.ipynb`
};
const SIGNED_OUT: SignIn = {
  state: 'signed_out',
  user: null,
  expires_at: null,
  flows: ['code'],
  problem: null
};

function aSnapshot(sessions: RoleSession[], change: Partial<ISnapshot> = {}): ISnapshot {
  return { ...NOTHING_KNOWN, situation: 'ready', sessions, signIn: SIGNED_OUT, ...change };
}

/** Look at one snapshot after the other; `[snapshot, seconds after noon]`, or what the user does. */
function after(
  ...steps: ([ISnapshot, number] | ((known: IRemembered) => IRemembered))[]
): IRemembered {
  return steps.reduce(
    (known, step) =>
      typeof step === 'function'
        ? step(known)
        : nextNotices(known, step[0], NOON + 1000 * step[1], WORDS),
    NOTHING_REMEMBERED
  );
}

function keys(known: IRemembered): string[] {
  return known.notices.map(notice => notice.key);
}

function messages(known: IRemembered): string[] {
  return known.notices.map(notice => notice.message);
}

const ACTIVE = aSession('analyst');
const DOWN = aProblem('identity_provider_unavailable', {
  title: 'The identity provider can’t be reached',
  admin_hint: 'Look at its log.'
});
const AILING = { problem: DOWN, token_expires_at: '2026-11-25T12:08:30Z' };
const DEGRADED = aSession('analyst', { state: 'degraded', ...AILING });
const EXPIRED = aSession('analyst', { state: 'expired', problem: DOWN });
const OUT = aSession('analyst', {
  state: 'sign_in_required',
  problem: aProblem('sign_in_required')
});
const CALM: [ISnapshot, number] = [aSnapshot([ACTIVE]), 0];

describe('when the page is opened', () => {
  test.each([
    ['an active role session', [ACTIVE], []],
    ['one without which there is a sign-in', [OUT], ['sign-in-required']],
    ['a degraded one, which the status bar shows', [DEGRADED], []],
    ['an expired one, which the status bar shows', [EXPIRED], []]
  ])('%s', (_, sessions, expected) => {
    expect(keys(after([aSnapshot(sessions), 0], [aSnapshot(sessions), 60]))).toEqual(expected);
  });

  test('a user without a role session is not asked to sign in', () => {
    expect(keys(after([aSnapshot([]), 0]))).toEqual([]);
  });

  test('a degraded role session that expires is reported', () => {
    expect(keys(after([aSnapshot([DEGRADED]), 0], [aSnapshot([EXPIRED]), 60]))).toEqual([
      'expired:identity_provider_unavailable'
    ]);
  });

  test.each(['loading', 'missing', 'not_configured', 'refused'] as const)('%s', situation => {
    expect(keys(after([aSnapshot([OUT], { situation }), 0]))).toEqual([]);
  });
});

describe('signing in', () => {
  test('is one notification for any number of role sessions', () => {
    const known = after(CALM, [
      aSnapshot([OUT, aSession('auditor', { state: 'sign_in_required' })]),
      1
    ]);
    expect(known.notices).toMatchObject([
      { key: 'sign-in-required', type: 'warning', actions: [{ kind: 'sign-in' }] }
    ]);
    expect(messages(known)[0]).toContain('analyst, auditor');
  });

  test('is withdrawn once somebody has signed in', () => {
    expect(keys(after([aSnapshot([OUT]), 0], [aSnapshot([ACTIVE]), 5]))).toEqual([]);
  });

  test('has no button if no sign-in is needed', () => {
    const signIn = { ...SIGNED_OUT, state: 'not_needed' } as const;
    expect(after([aSnapshot([OUT], { signIn }), 0]).notices[0]?.actions).toEqual([]);
  });

  test('is shown once while it lasts, and again when it is needed again', () => {
    const away = (known: IRemembered) => withoutNotice(known, 'sign-in-required');
    expect(keys(after([aSnapshot([OUT]), 0], away, [aSnapshot([OUT]), 5]))).toEqual([]);
    expect(
      keys(after([aSnapshot([OUT]), 0], away, [aSnapshot([ACTIVE]), 5], [aSnapshot([OUT]), 9]))
    ).toEqual(['sign-in-required']);
  });
});

describe('a failed refresh', () => {
  const SOON = GRACE / 1000;

  test('is reported after a moment, with the time that is left, and the cause', () => {
    expect(messages(after(CALM, [aSnapshot([DEGRADED]), 0]))).toEqual([]);
    expect(
      messages(after(CALM, [aSnapshot([DEGRADED]), 0], [aSnapshot([DEGRADED]), SOON]))
    ).toEqual([
      'Couldn’t refresh AWS access as analyst; 8 minutes left.\n' +
        'The identity provider can’t be reached. It is retried automatically.'
    ]);
  });

  test('is not reported if the next attempt succeeds', () => {
    expect(
      keys(
        after(
          CALM,
          [aSnapshot([DEGRADED]), 0],
          [aSnapshot([ACTIVE]), 2],
          [aSnapshot([DEGRADED]), SOON]
        )
      )
    ).toEqual([]);
  });

  test('stays one notification as time goes by', () => {
    const first = after(CALM, [aSnapshot([DEGRADED]), 0], [aSnapshot([DEGRADED]), SOON]);
    const later = nextNotices(first, aSnapshot([DEGRADED]), NOON + 300_000, WORDS);
    expect(keys(later)).toEqual(keys(first));
    expect(later.notices[0]?.topics).toEqual(first.notices[0]?.topics);
    expect(messages(later)[0]).toContain('3 minutes left');
  });

  test('of several role sessions for one cause is one notification', () => {
    const both = aSnapshot([DEGRADED, aSession('auditor', { state: 'degraded', ...AILING })]);
    const known = after(CALM, [both, 0], [both, SOON]);
    expect(known.notices).toMatchObject([
      { topics: ['degraded:id-analyst', 'degraded:id-auditor'] }
    ]);
    expect(messages(known)[0]).toContain('analyst, auditor');
  });

  test('is over when it recovers, and reported again the next time', () => {
    const spell: [ISnapshot, number][] = [
      [aSnapshot([DEGRADED]), 0],
      [aSnapshot([DEGRADED]), SOON],
      [aSnapshot([ACTIVE]), 10]
    ];
    expect(keys(after(CALM, ...spell))).toEqual([]);
    expect(
      keys(after(CALM, ...spell, [aSnapshot([DEGRADED]), 20], [aSnapshot([DEGRADED]), 20 + SOON]))
    ).toEqual(['degraded:identity_provider_unavailable']);
  });

  test('gives way to the expiry, which is reported even if the user has dismissed it', () => {
    const away = (known: IRemembered) => withoutNotice(known, keys(known)[0]!);
    const known = after(CALM, [aSnapshot([DEGRADED]), 0], [aSnapshot([DEGRADED]), SOON], away, [
      aSnapshot([EXPIRED]),
      510
    ]);
    expect(known.notices).toMatchObject([
      { key: 'expired:identity_provider_unavailable', type: 'error' }
    ]);
  });

  test('can be handed to the administrator', () => {
    expect(
      after(CALM, [aSnapshot([DEGRADED]), 0], [aSnapshot([DEGRADED]), SOON]).notices[0]?.actions
    ).toEqual([{ kind: 'copy', problem: DOWN }]);
    const plain = aSession('analyst', { ...DEGRADED, problem: aProblem('token_source_failed') });
    expect(
      after(CALM, [aSnapshot([plain]), 0], [aSnapshot([plain]), SOON]).notices[0]?.actions
    ).toEqual([]);
  });

  test('is checked again after the grace period, then as the minutes pass', () => {
    const known = after(CALM, [aSnapshot([DEGRADED]), 0]);
    expect(nextLook(known, NOON + 1000)).toBe(GRACE - 1000);
    expect(nextLook(known, NOON + GRACE)).toBe(15_000);
    expect(nextLook(after(CALM), NOON)).toBeNull();
  });
});

describe('a role session that ended', () => {
  const ended =
    (reason: RoleSession['end_reason'], name = 'analyst') =>
    (known: IRemembered) =>
      withEnding(known, aSession(name, { state: 'ended', end_reason: reason }));

  test.each([
    ['role_withdrawn', ['ended:role_withdrawn'], 'no longer use'],
    ['identity_changed', ['ended:identity_changed'], 'Another user'],
    ['idle', ['ended:idle'], 'Nothing used']
  ] as const)('by %s', (reason, expected, words) => {
    const known = after(CALM, ended(reason), [aSnapshot([]), 1]);
    expect(keys(known)).toEqual(expected);
    expect(messages(known)[0]).toContain(words);
    expect(messages(known)[0]).toContain('analyst');
  });

  test.each(['by_user', 'signed_out', 'process_ended', null] as const)(
    'by %s is not reported',
    reason => {
      expect(keys(after(CALM, ended(reason), [aSnapshot([]), 1]))).toEqual([]);
    }
  );

  test('together with others is one notification', () => {
    const known = after(
      CALM,
      ended('identity_changed'),
      [aSnapshot([]), 1],
      ended('identity_changed', 'auditor'),
      [aSnapshot([]), 1]
    );
    expect(known.notices).toMatchObject([{ topics: ['ended:id-analyst', 'ended:id-auditor'] }]);
  });

  test('is no longer reported when the user has picked the role again or read it', () => {
    const again = aSession('analyst', { id: 'another' });
    expect(keys(after(CALM, ended('idle'), [aSnapshot([]), 1], [aSnapshot([again]), 2]))).toEqual(
      []
    );
    const own = aSession('analyst', { id: 'own', shared: false });
    expect(
      keys(after(CALM, ended('idle'), [aSnapshot([]), 1], [aSnapshot([own]), 2]))
    ).toHaveLength(1);
    const away = (known: IRemembered) => withoutNotice(known, 'ended:idle');
    const known = after(CALM, ended('idle'), [aSnapshot([]), 1], away, [aSnapshot([]), 2]);
    expect(keys(known)).toEqual([]);
    expect(known.ended).toEqual([]);
  });
});

test('a role session that AWS refuses by now is reported with what the administrator needs', () => {
  const problem = aProblem('trust_refused', { admin_hint: 'The trust policy lacks sub.' });
  const known = after(CALM, [aSnapshot([aSession('analyst', { state: 'degraded', problem })]), 1]);
  expect(known.notices).toMatchObject([
    { key: 'refused:trust_refused', type: 'error', actions: [{ kind: 'copy', problem }] }
  ]);
});

describe('a kernel whose role session has ended', () => {
  function kernel(change: Partial<Assignment>): Assignment {
    return anAssignment('k', null, {
      chosen: { session_id: 'gone', how: 'by_default' },
      ...change
    });
  }
  const found = (assignment: Assignment) =>
    keys(after(CALM, [aSnapshot([ACTIVE], { assignments: [assignment] }), 1]));

  test.each([
    ['has started without it', {}, ['without-role']],
    [
      'runs with it still',
      { running: { session_id: 'gone', role_arn: 'arn', label: 'Analyst' } },
      []
    ],
    ['lives in another', { chosen: { session_id: 'id-analyst', how: 'by_user' } as const }, []],
    ['was given no role', { chosen: { session_id: null, how: 'by_user' } as const }, []],
    ['was never given one', { chosen: null }, []],
    ['is a terminal', { kind: 'terminal' as const }, []]
  ])('%s', (_, change, expected) => {
    expect(found(kernel(change))).toEqual(expected);
  });

  test('is named, and not reported if it was so when the page opened', () => {
    const snapshot = aSnapshot([], { assignments: [kernel({})] });
    expect(messages(after(CALM, [snapshot, 1]))[0]).toContain('k.ipynb runs without an AWS role');
    expect(keys(after([snapshot, 0], [snapshot, 1]))).toEqual([]);
  });
});

test('while the server does not answer, notifications stay', () => {
  const lost = aSnapshot([OUT], { situation: 'unreachable' });
  expect(keys(after([aSnapshot([OUT]), 0], [lost, 5]))).toEqual(['sign-in-required']);
  expect(keys(after([aSnapshot([]), 0], [lost, 5]))).toEqual([]);
});

test('no message is longer than JupyterLab shows', () => {
  const long = (state: RoleSession['state'], number: number) =>
    aSession(`a-role-with-quite-a-long-name-${number}-${'x'.repeat(60)}`, {
      state,
      problem: { ...DOWN, title: 'A long title '.repeat(8) },
      token_expires_at: '2026-11-25T13:59:00Z'
    });
  const ended = (['role_withdrawn', 'identity_changed', 'idle'] as const).map(
    end_reason => (known: IRemembered) =>
      [1, 2].reduce(
        (so_far, number) =>
          withEnding(so_far, {
            ...long('ended', number),
            id: `${end_reason}${number}`,
            end_reason
          }),
        known
      )
  );
  const sessions = [0, 1, 2, 3, 4, 5].map(number =>
    long((['degraded', 'expired', 'sign_in_required'] as const)[number % 3]!, number)
  );
  const refused = {
    ...long('degraded', 9),
    problem: aProblem('trust_refused', { title: 'x'.repeat(90) })
  };
  const assignments: Assignment[] = ['a'.repeat(50), 'b'.repeat(50)].map(id =>
    anAssignment(id, null, { chosen: { session_id: 'gone', how: 'by_user' } })
  );
  const none = aSnapshot([]);
  const all = aSnapshot([...sessions, refused], { assignments });
  const known = [after(CALM, [all, 0], [all, 10]), after(CALM, ...ended, [none, 1])].flatMap(
    each => each.notices
  );

  expect(known.length).toBe(8);
  for (const { message } of known) {
    expect(message.length).toBeLessThanOrEqual(MAX_MESSAGE);
    expect(message).not.toMatch(/undefined|%\d/);
  }
});

describe('when the credential endpoint does not answer', () => {
  const problem: HealthProblem = {
    code: 'endpoint_not_running',
    detail: 'The credential endpoint does not answer.',
    hint: 'It is started again.',
    admin_hint: 'See the server’s log.'
  };
  const broken: [ISnapshot, number] = [aSnapshot([ACTIVE], { endpointProblems: [problem] }), 0];

  test('it is reported at once, in the server’s words, and goes by itself', () => {
    const [notice] = after(broken).notices;
    expect(notice?.type).toBe('error');
    expect(notice?.message).toContain('Programs may not get AWS credentials at the moment.');
    expect(notice?.message).toContain('The credential endpoint does not answer.');
    expect(notice?.actions.map(({ kind }) => kind)).toEqual(['copy']);
    expect(notice!.message.length).toBeLessThanOrEqual(MAX_MESSAGE);

    expect(keys(after(broken, CALM))).toEqual([]);
  });
});
