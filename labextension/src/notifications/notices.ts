import type { TranslationBundle } from '@jupyterlab/translation';

import type { Problem, RoleSession } from '../server/api';
import type { ISnapshot } from '../server/snapshot';
import type { IForAdministrator } from '../words/failure';
import { fittingLines } from '../words/notification';
import { listed, timeLeft } from '../words/state';

/** What the user can do from a notification. */
export type NoticeAction =
  { readonly kind: 'sign-in' } | { readonly kind: 'copy'; problem: IForAdministrator };

/** One notification that should be up. */
export interface INotice {
  /** Identifies it: a notice with the same key updates the notification in place. */
  readonly key: string;
  /** The single things that it reports; a new one opens a closed toast again. */
  readonly topics: readonly string[];
  readonly type: 'error' | 'info' | 'warning';
  /** Of at most `MAX_MESSAGE` characters. */
  readonly message: string;
  readonly actions: readonly NoticeAction[];
}

/** What is remembered from one call of `nextNotices` to the next. */
export interface IRemembered {
  /** Whether the server has answered at least once. */
  readonly begun: boolean;
  /** Since when each topic lasts, in milliseconds of the server's time. */
  readonly since: ReadonlyMap<string, number>;
  /** The topics that the user has dismissed, or that are shown elsewhere. */
  readonly dismissed: ReadonlySet<string>;
  /** The role sessions that someone other than the user has ended. */
  readonly ended: readonly RoleSession[];
  /** The notifications that are up. */
  readonly notices: readonly INotice[];
}

export const NOTHING_REMEMBERED: IRemembered = {
  begun: false,
  since: new Map(),
  dismissed: new Set(),
  ended: [],
  notices: []
};

/** What the texts of notices need. */
export interface INoticeContext {
  readonly trans: TranslationBundle;
  /** Returns a kernel's name: its document's. */
  readonly kernelName: (id: string) => string;
}

/** A failed refresh that succeeds within this time, in milliseconds, is not reported. */
export const GRACE = 5_000;
const SIGN_IN_REQUIRED = 'sign-in-required';
const REFUSED = new Set(['trust_refused', 'token_refused', 'role_not_allowed']);

interface ICandidate extends INotice {
  /** Whether to keep quiet about it if it was so when the page opened: the status bar shows it. */
  readonly quietAtFirst: boolean;
  /** For how long it must last before it is reported, in milliseconds. */
  readonly grace: number;
}

/**
 * Decide which notifications should be up.
 *
 * 1. The snapshot gives the candidates; related topics share one.
 * 2. What was so when the page opened is not reported, unless the user has to act.
 * 3. A topic that the user has dismissed is not reported again while it lasts.
 * 4. While the server does not answer, the notifications stay as they are.
 *
 * @param before - the result of the last call.
 * @param snapshot - what is known now.
 * @param now - the server's time in milliseconds.
 * @param context - what the texts need.
 * @param onlyEssential - report only that the user has to sign in.
 */
export function nextNotices(
  before: IRemembered,
  snapshot: ISnapshot,
  now: number,
  context: INoticeContext,
  onlyEssential = false
): IRemembered {
  if (snapshot.situation === 'unreachable' || snapshot.situation === 'loading') {
    return before;
  }
  if (snapshot.situation !== 'ready') {
    return { ...NOTHING_REMEMBERED, begun: before.begun };
  }
  const ended = before.ended.filter(
    old => !snapshot.sessions.some(({ role_arn, shared }) => role_arn === old.role_arn && shared)
  );
  const candidates = allCandidates(snapshot, ended, now, context).filter(
    candidate => !onlyEssential || candidate.key === SIGN_IN_REQUIRED
  );
  const topics = new Set(candidates.flatMap(candidate => candidate.topics));
  const dismissed = new Set([...before.dismissed].filter(topic => topics.has(topic)));
  if (!before.begun) {
    for (const candidate of candidates.filter(each => each.quietAtFirst)) {
      candidate.topics.forEach(topic => dismissed.add(topic));
    }
  }
  const since = new Map([...topics].map(topic => [topic, before.since.get(topic) ?? now]));
  const notices = candidates.filter(candidate =>
    candidate.topics.some(
      topic => !dismissed.has(topic) && now - (since.get(topic) ?? now) >= candidate.grace
    )
  );
  return { begun: true, since, dismissed, ended, notices };
}

/** Remember a role session that has ended, unless the user ended it. */
export function withEnding(before: IRemembered, session: RoleSession): IRemembered {
  const unexpected =
    session.end_reason === 'role_withdrawn' ||
    session.end_reason === 'identity_changed' ||
    session.end_reason === 'idle';
  return unexpected ? { ...before, ended: [...before.ended, session] } : before;
}

/** Remember that the user has dismissed a notification. */
export function withoutNotice(before: IRemembered, key: string): IRemembered {
  const dismissed = before.notices
    .filter(notice => notice.key === key)
    .flatMap(each => each.topics);
  return {
    ...before,
    dismissed: new Set([...before.dismissed, ...dismissed]),
    ended: before.ended.filter(session => !dismissed.includes(endedTopic(session))),
    notices: before.notices.filter(notice => notice.key !== key)
  };
}

/** Return in how many milliseconds to call `nextNotices` again if nothing else happens; null for never. */
export function nextLook(known: IRemembered, now: number): number | null {
  const degraded = [...known.since].filter(([topic]) => topic.startsWith('degraded:'));
  if (degraded.length === 0) {
    return null;
  }
  const waits = degraded.map(([, time]) => time + GRACE - now).filter(wait => wait > 0);
  return Math.min(15_000, ...waits);
}

function allCandidates(
  snapshot: ISnapshot,
  ended: readonly RoleSession[],
  now: number,
  context: INoticeContext
): ICandidate[] {
  const { sessions } = snapshot;
  const refused = sessions.filter(each => REFUSED.has(each.problem?.code ?? ''));
  const others = sessions.filter(each => !refused.includes(each));
  return [
    ...signInRequired(snapshot, context),
    ...endpointProblems(snapshot, context),
    ...grouped(refused, each => `refused:${each.problem?.code}`).map(group =>
      asRefused(group, context)
    ),
    ...grouped(
      others.filter(each => each.state === 'expired'),
      each => `expired:${each.problem?.code}`
    ).map(group => asExpired(group, context)),
    ...grouped(
      others.filter(each => each.state === 'degraded'),
      each => `degraded:${each.problem?.code}`
    ).map(group => asDegraded(group, now, context)),
    ...grouped(ended, each => `ended:${each.end_reason}`).map(group => asEnded(group, context)),
    ...withoutRole(snapshot, context)
  ];
}

function signInRequired(snapshot: ISnapshot, { trans }: INoticeContext): ICandidate[] {
  const waiting = snapshot.sessions.filter(session => session.state === 'sign_in_required');
  if (waiting.length === 0) {
    return [];
  }
  const canSignIn = snapshot.signIn !== null && snapshot.signIn.state !== 'not_needed';
  return [
    {
      key: SIGN_IN_REQUIRED,
      topics: [SIGN_IN_REQUIRED],
      type: 'warning',
      message: trans.__(
        'Sign in again to keep using AWS as %1. Notebooks keep running; nothing is lost.',
        names(waiting, trans)
      ),
      actions: canSignIn ? [{ kind: 'sign-in' }] : [],
      quietAtFirst: false,
      grace: 0
    }
  ];
}

/** Report that programs can't get credentials from this server, although their role sessions are well. */
function endpointProblems(snapshot: ISnapshot, { trans }: INoticeContext): ICandidate[] {
  return snapshot.endpointProblems.map(({ code, detail, hint, admin_hint }) => {
    const title = trans.__('Programs may not get AWS credentials at the moment.');
    return {
      key: `endpoint:${code}`,
      topics: [`endpoint:${code}`],
      type: 'error',
      message: fittingLines(title, detail, hint),
      actions: admin_hint ? copyAction({ title, code, detail, admin_hint }) : [],
      quietAtFirst: false,
      grace: 0
    };
  });
}

function asRefused({ key, sessions }: IGroup, { trans }: INoticeContext): ICandidate {
  const { problem, first } = cause(sessions);
  return {
    key,
    topics: sessions.map(session => `refused:${session.id}`),
    type: 'error',
    message: fittingLines(
      trans.__('AWS role %1 can’t be used.', names(sessions, trans)),
      problem?.title
    ),
    actions: copyAction(first),
    quietAtFirst: false,
    grace: 0
  };
}

function asDegraded({ key, sessions }: IGroup, now: number, { trans }: INoticeContext): ICandidate {
  const { problem, first } = cause(sessions);
  const earliest = sessions
    .map(session => session.token_expires_at)
    .filter(time => time !== null)
    .sort()[0];
  const left = timeLeft(earliest ?? null, now, trans);
  return {
    key,
    topics: sessions.map(session => `degraded:${session.id}`),
    type: 'warning',
    message: fittingLines(
      left
        ? trans.__('Couldn’t refresh AWS access as %1; %2 left.', names(sessions, trans), left)
        : trans.__('Couldn’t refresh AWS access as %1.', names(sessions, trans)),
      problem?.title,
      trans.__('It is retried automatically.')
    ),
    actions: copyAction(first),
    quietAtFirst: true,
    grace: GRACE
  };
}

function asExpired({ key, sessions }: IGroup, { trans }: INoticeContext): ICandidate {
  const { problem, first } = cause(sessions);
  return {
    key,
    topics: sessions.map(session => `expired:${session.id}`),
    type: 'error',
    message: fittingLines(
      trans.__('AWS access as %1 has expired.', names(sessions, trans)),
      problem?.title,
      trans.__('It comes back automatically.')
    ),
    actions: copyAction(first),
    quietAtFirst: true,
    grace: 0
  };
}

function asEnded({ key, sessions }: IGroup, { trans }: INoticeContext): ICandidate {
  const reason = sessions[0]?.end_reason;
  const roles = names(sessions, trans);
  return {
    key,
    topics: sessions.map(endedTopic),
    type: reason === 'idle' ? 'info' : 'warning',
    message:
      reason === 'role_withdrawn'
        ? trans.__(
            'You may no longer use the AWS role %1, so its role session ended. Your administrator can say why.',
            roles
          )
        : reason === 'identity_changed'
          ? trans.__('Another user has signed in, so these role sessions ended: %1.', roles)
          : trans.__(
              'Nothing used the AWS role %1 for a while, so its role session ended. Pick the role again to continue.',
              roles
            ),
    actions: [],
    quietAtFirst: false,
    grace: 0
  };
}

/** Report kernels that started without the role chosen for them because its session had ended. */
function withoutRole(snapshot: ISnapshot, { trans, kernelName }: INoticeContext): ICandidate[] {
  const bare = snapshot.assignments.filter(
    ({ kind, chosen, running }) =>
      kind === 'kernel' &&
      running === null &&
      chosen !== null &&
      chosen.session_id !== null &&
      !snapshot.sessions.some(session => session.id === chosen.session_id)
  );
  if (bare.length === 0) {
    return [];
  }
  return [
    {
      key: 'without-role',
      topics: bare.map(({ id, chosen }) => `without-role:${id}:${chosen?.session_id}`),
      type: 'warning',
      message: trans.__(
        '%1 runs without an AWS role: its role session has ended. Pick a role for it, then restart its kernel.',
        listed(
          bare.map(({ id }) => kernelName(id)),
          trans
        )
      ),
      actions: [],
      quietAtFirst: true,
      grace: 0
    }
  ];
}

interface IGroup {
  readonly key: string;
  readonly sessions: readonly RoleSession[];
}

/** Group what belongs into one notification, such as all that one failed provider causes. */
function grouped(
  sessions: readonly RoleSession[],
  keyOf: (session: RoleSession) => string
): IGroup[] {
  const groups = new Map<string, RoleSession[]>();
  for (const session of sessions) {
    const key = keyOf(session);
    groups.set(key, [...(groups.get(key) ?? []), session]);
  }
  return [...groups].map(([key, members]) => ({ key, sessions: members }));
}

function cause(sessions: readonly RoleSession[]): {
  problem: Problem | null;
  first: Problem | null;
} {
  return {
    problem: sessions[0]?.problem ?? null,
    first: sessions.find(session => session.problem?.admin_hint)?.problem ?? null
  };
}

function copyAction(problem: IForAdministrator | null): NoticeAction[] {
  return problem === null ? [] : [{ kind: 'copy', problem }];
}

function endedTopic(session: RoleSession): string {
  return `ended:${session.id}`;
}

function names(sessions: readonly RoleSession[], trans: TranslationBundle): string {
  return listed([...new Set(sessions.map(session => session.label))], trans);
}
