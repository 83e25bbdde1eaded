import { nullTranslator } from '@jupyterlab/translation';

import type { Assignment, RoleSession } from '../server/api';
import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { aRole, aSession } from '../testing';
import { documentRole, documentText } from './document_role';

const trans = nullTranslator.load('');
const NOW = Date.parse('2026-11-25T10:00:00Z');
const KERNEL = 'kernel-1';
const ANALYST = aSession('analyst', { label: 'Analyst' });
const AUDITOR = aSession('auditor', { label: 'Auditor' });
const ROLES = [aRole('analyst', { label: 'Analyst' }), aRole('auditor', { label: 'Auditor' })];

type Chosen = RoleSession | 'none' | null;

interface IFacts {
  /** What the kernel was given at its last start. */
  running?: RoleSession;
  /** What was chosen for it: a role session, "no AWS role", or nothing. */
  chosen?: Chosen;
  /** The default role session. */
  byDefault?: Chosen;
  living?: RoleSession[];
  /** Whether a kernel without a role was left as it was, or has had everything removed. */
  given?: 'untouched' | 'no_role';
  /** What the server says that it gets next, where that is not simply what was chosen. */
  next?: RoleSession;
}

function snapshotOf(facts: IFacts): ISnapshot {
  const { running, chosen = null, byDefault = null, living = [ANALYST, AUDITOR] } = facts;
  const wanted = facts.next ?? chosen ?? byDefault;
  const next = living.find(session => session === wanted);
  const assignment: Assignment = {
    kind: 'kernel',
    id: KERNEL,
    chosen: chosen && { session_id: chosen === 'none' ? null : chosen.id, how: 'by_user' },
    running: running
      ? { session_id: running.id, role_arn: running.role_arn, label: running.label }
      : null,
    given: running ? 'role' : (facts.given ?? 'untouched'),
    delivery: running ? running.delivery : null,
    next: {
      given: next ? 'role' : wanted === null ? 'untouched' : 'no_role',
      session_id: next?.id ?? null
    }
  };
  return {
    ...NOTHING_KNOWN,
    situation: 'ready',
    roles: ROLES,
    sessions: living,
    choice: {
      session_id: byDefault === null || byDefault === 'none' ? null : byDefault.id,
      chosen: byDefault !== null,
      ended: null
    },
    assignments: [assignment]
  };
}

function said(snapshot: ISnapshot, kernelId: string | null = KERNEL, settled = true) {
  return documentText(documentRole(snapshot, kernelId, settled), NOW, trans);
}

const inLondon = aSession('analyst', { id: 'id-2', label: 'Analyst', region: 'eu-west-2' });
const ofOtherAccount = aSession('analyst', {
  id: 'id-3',
  label: 'Analyst',
  role_arn: 'arn:aws:iam::444455556666:role/analyst'
});
const expired = aSession('analyst', { label: 'Analyst', state: 'expired' });
const signIn = aSession('analyst', { label: 'Analyst', state: 'sign_in_required' });
const degraded = aSession('analyst', { label: 'Analyst', state: 'degraded' });
const startedAgain = aSession('analyst', { id: 'id-4', label: 'Analyst' });

describe('What the toolbar says', () => {
  const table: [string, IFacts, string][] = [
    // The kernel has what was chosen.
    ['nothing was ever chosen', {}, 'No role yet'],
    ['"no AWS role" is the default', { given: 'no_role', byDefault: 'none' }, 'No AWS role'],
    [
      '"no AWS role" was chosen for it',
      { given: 'no_role', chosen: 'none', byDefault: ANALYST },
      'No AWS role'
    ],
    // What the server has may be a role or keys: a restart removes them.
    [
      '"no AWS role" was chosen for one that was left as it was',
      { chosen: 'none' },
      'No role yet - restart to use no AWS role'
    ],
    ['it took the default', { running: ANALYST, chosen: ANALYST, byDefault: ANALYST }, 'Analyst'],
    [
      'another default does not change it',
      { running: ANALYST, chosen: ANALYST, byDefault: AUDITOR },
      'Analyst'
    ],
    // Another role, or none, was chosen.
    [
      'started before there was a default role',
      { byDefault: ANALYST },
      'No role yet - restart to use Analyst'
    ],
    [
      'chosen for one without',
      { given: 'no_role', chosen: AUDITOR },
      'No AWS role - restart to use Auditor'
    ],
    [
      'another one was chosen',
      { running: ANALYST, chosen: AUDITOR, byDefault: ANALYST },
      'Analyst - restart to use Auditor'
    ],
    [
      'none was chosen',
      { running: ANALYST, chosen: 'none' },
      'Analyst - restart to use no AWS role'
    ],
    [
      'its choice was taken back',
      { running: ANALYST, byDefault: AUDITOR },
      'Analyst - restart to use Auditor'
    ],
    [
      'its choice was taken back, and nothing else was chosen',
      { running: ANALYST },
      'Analyst - restart to use none of your roles'
    ],
    // Names that would be the same.
    [
      'another region',
      { running: ANALYST, chosen: inLondon, living: [ANALYST, inLondon] },
      'Analyst in us-east-2 - restart to use Analyst in eu-west-2'
    ],
    [
      'another account',
      { running: ANALYST, chosen: ofOtherAccount, living: [ANALYST, ofOtherAccount] },
      'Analyst in 111122223333 - restart to use Analyst in 444455556666'
    ],
    // Its role session is not well.
    ['expired', { running: expired, chosen: expired, living: [expired] }, 'Analyst (expired)'],
    [
      'sign-in required',
      { running: signIn, chosen: signIn, living: [signIn] },
      'Analyst (sign-in required)'
    ],
    ['degraded', { running: degraded, chosen: degraded, living: [degraded] }, 'Analyst (degraded)'],
    // Its role session has ended.
    ['ended', { running: ANALYST, chosen: ANALYST, living: [] }, 'Analyst (ended)'],
    [
      'ended, and another default',
      { running: ANALYST, chosen: ANALYST, byDefault: AUDITOR, living: [AUDITOR] },
      'Analyst (ended)'
    ],
    [
      'ended, and another chosen',
      { running: ANALYST, chosen: AUDITOR, living: [AUDITOR] },
      'Analyst (ended) - restart to use Auditor'
    ],
    [
      'ended, and its role started again',
      { running: ANALYST, chosen: ANALYST, living: [startedAgain], next: startedAgain },
      'Analyst (ended) - restart to use Analyst'
    ],
    [
      'what was chosen for it has ended',
      { given: 'no_role', chosen: ANALYST, living: [] },
      'No AWS role'
    ]
  ];
  it.each(table)('%s', (_, facts, text) => expect(said(snapshotOf(facts)).text).toBe(text));

  it('names a role by its label when it is no longer offered, as after a sign-out', () => {
    const snapshot = snapshotOf({ running: ANALYST, chosen: ANALYST, living: [] });

    expect(said({ ...snapshot, roles: [] }).text).toBe('Analyst (ended)');
  });

  it('names it by its ARN’s last part where an older server does not say the label', () => {
    const snapshot = snapshotOf({ running: ANALYST, chosen: ANALYST, living: [] });
    const [{ running, ...rest }] = snapshot.assignments as [Assignment];
    const { label, ...older } = running!;
    const assignments = [{ ...rest, running: older as typeof running }];

    expect(label).toBe('Analyst');
    expect(said({ ...snapshot, assignments, roles: [] }).text).toBe('analyst (ended)');
  });

  it('says without a kernel what a new one would get', () => {
    expect(said(snapshotOf({ byDefault: ANALYST }), null)).toEqual({
      text: 'No kernel',
      short: 'No kernel',
      sentence: 'There is no kernel. A new one uses Analyst.'
    });
  });

  it('distinguishes no AWS role from the server’s own access, for a new kernel', () => {
    expect(said(snapshotOf({ byDefault: 'none' }), null).sentence).toContain('has no AWS role.');
    expect(said(snapshotOf({}), null).sentence).toContain('the server’s own AWS access, if any.');
    expect(said(snapshotOf({ running: ANALYST })).sentence).toContain(
      'After its next restart it has the server’s own AWS access, if any.'
    );
    expect(said(snapshotOf({ running: ANALYST })).short).toBe('Analyst → No role yet');
    expect(said(snapshotOf({ running: ANALYST, chosen: 'none' })).sentence).toContain(
      'After its next restart it has no AWS role.'
    );
  });

  it('distinguishes a starting kernel from one that the server does not know', () => {
    expect(said(snapshotOf({}), null, false).text).toBe('AWS role');
    expect(said(snapshotOf({}), 'another', false).text).toBe('AWS role');
    expect(said(snapshotOf({}), 'another').text).toBe('AWS role unknown');
  });

  it('says in short what the kernel has and gets', () => {
    expect(said(snapshotOf({ running: ANALYST, chosen: AUDITOR })).short).toBe('Analyst → Auditor');
    expect(said(snapshotOf({ running: ANALYST, chosen: 'none' })).short).toBe(
      'Analyst → No AWS role'
    );
    expect(said(snapshotOf({ running: ANALYST, chosen: ANALYST })).short).toBe('Analyst');
  });

  it('says at length what the kernel has and gets', () => {
    expect(said(snapshotOf({ running: ANALYST, chosen: AUDITOR })).sentence).toBe(
      'This kernel uses Analyst (account 111122223333). After its next restart it uses Auditor.'
    );
  });
});
