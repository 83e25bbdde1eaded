import type {
  Assignment,
  DefaultChoice,
  EndpointClient,
  HealthProblem,
  Problem,
  Role,
  RoleSession,
  SignIn,
  User
} from './api';

/**
 * Whether this page can show and change the server's AWS roles.
 *
 * `loading`: nothing is known yet. `ready`: the snapshot holds what the server said last. `unreachable`:
 * it holds what the server said before it went away. `not_configured`: the extension is not set up.
 * `missing`: the server does not have the extension. `refused`: the user may not use it.
 */
export type Situation =
  'loading' | 'ready' | 'unreachable' | 'not_configured' | 'missing' | 'refused';

/** What this page knows; immutable, a new one for each change. */
export interface ISnapshot {
  readonly situation: Situation;
  /** The server extension's version; null if it is not known. */
  readonly version: string | null;
  /** The number of the read that this comes from, see `IAwsRoles.reads`. */
  readonly read: number;
  /** The server's explanation if the situation is not `ready`; may be empty. */
  readonly message: string;
  readonly user: User | null;
  readonly roles: readonly Role[];
  /** Why there is no list of roles; null if there is one. */
  readonly rolesProblem: Problem | null;
  /** The role sessions that have not ended, oldest first. */
  readonly sessions: readonly RoleSession[];
  /** The default role session, and whether the user has made a choice. */
  readonly choice: DefaultChoice;
  readonly assignments: readonly Assignment[];
  /** The processes that may ask the credential endpoint; empty where no role session uses it. */
  readonly endpointClients: readonly EndpointClient[];
  /** What is wrong with the credential endpoint; empty where no role session uses it. */
  readonly endpointProblems: readonly HealthProblem[];
  /** The names of proxied apps, as the launcher shows them, by id. */
  readonly appTitles: Readonly<Record<string, string>>;
  readonly signIn: SignIn | null;
  /** The ARNs of the roles whose sessions this page is starting. */
  readonly starting: readonly string[];
  /** Those of them that become the default role once they have started. */
  readonly startingDefaults: readonly string[];
}

export const NOTHING_KNOWN: ISnapshot = {
  situation: 'loading',
  version: null,
  read: 0,
  message: '',
  user: null,
  roles: [],
  rolesProblem: null,
  sessions: [],
  choice: { session_id: null, chosen: false, ended: null },
  assignments: [],
  endpointClients: [],
  endpointProblems: [],
  appTitles: {},
  signIn: null,
  starting: [],
  startingDefaults: []
};

/** Return a role session that has not ended; null if there is none with that id. */
export function sessionById(
  snapshot: ISnapshot,
  id: string | null | undefined
): RoleSession | null {
  return snapshot.sessions.find(session => session.id === id) ?? null;
}

/** Return the default role session; null if there is none. */
export function defaultSession(snapshot: ISnapshot): RoleSession | null {
  return sessionById(snapshot, snapshot.choice.session_id);
}

/** Return whether credentials come from the credential endpoint, rather than by a token file. */
export function isByEndpoint(what: Partial<Pick<Assignment, 'delivery'>>): boolean {
  return what.delivery === 'endpoint'; // An older server does not say it.
}

/** Return whether the user is known to be offered no role. */
export function isOfferedNone(snapshot: ISnapshot): boolean {
  return (
    snapshot.situation === 'ready' && snapshot.rolesProblem === null && snapshot.roles.length === 0
  );
}

/** Return the default role's ARN; null for "no AWS role", undefined if nothing was ever chosen. */
export function defaultRoleArn(snapshot: ISnapshot): string | null | undefined {
  return snapshot.choice.chosen ? (defaultSession(snapshot)?.role_arn ?? null) : undefined;
}

/** Return a role's shared role session, the default one if there are several; null if there is none. */
export function sessionOfRole(snapshot: ISnapshot, roleArn: string): RoleSession | null {
  const all = snapshot.sessions.filter(session => session.role_arn === roleArn && session.shared);
  return all.find(session => session.default) ?? all[0] ?? null;
}

/** Return a role that the user is offered; null if there is none with that ARN. */
export function roleByArn(snapshot: ISnapshot, arn: string | null | undefined): Role | null {
  return snapshot.roles.find(role => role.arn === arn) ?? null;
}
