import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type {
  DoctorReport,
  Flow,
  RoleSession,
  RoleSessionEnd,
  SignedOut,
  SignInBegun,
  Switch
} from './api';
import type { ISnapshot } from './snapshot';

/** What to read besides the role sessions, and for whom. */
export interface IReadOptions {
  /** Read the list of roles too. */
  readonly roles?: boolean;
  /** Ask too whether the server has been replaced. */
  readonly server?: boolean;
  /** No user asked for it: it does not count as activity of the server. */
  readonly background?: boolean;
}

/**
 * The AWS roles of this server: what is known of them, and what the user can do with them.
 *
 * Reading never throws; the snapshot says how it went. The user's actions throw what `Api` throws, and
 * resolve once the snapshot shows their effect.
 */
export interface IAwsRoles {
  /** What the server said last. */
  readonly snapshot: ISnapshot;
  /** Emits each new snapshot. */
  readonly changed: ISignal<IAwsRoles, ISnapshot>;
  /** Emits a role session of the snapshot that has ended, unless this page ended it. */
  readonly ended: ISignal<IAwsRoles, RoleSession>;
  /** How many reads have begun: what happens now is in snapshots with a higher `read` only. */
  readonly reads: number;

  /** Return the server's time in milliseconds, to compare its other times with. */
  now(): number;

  /** Read the state again; resolves when it was read. */
  read(options?: IReadOptions): Promise<void>;

  /** Make a role the default role, and start its role session if it has none. */
  pick(roleArn: string): Promise<RoleSession>;
  /** Make "no AWS role" the default. */
  pickNone(): Promise<void>;
  /** Start a role's session for one kernel if it has none; the default role stays. */
  startForKernel(roleArn: string): Promise<RoleSession>;
  /** Choose a kernel's or terminal's role session, or with null "no AWS role"; returns when it takes effect. */
  assign(kind: 'kernel' | 'terminal', id: string, sessionId: string | null): Promise<Switch>;
  /** Refuse AWS credentials from now on to a process that may ask the credential endpoint. */
  endClient(id: string): Promise<void>;
  /** Stop a proxied app; the next request launches it with the default role. */
  relaunch(appId: string): Promise<void>;
  /** Get a new token for a role session. */
  refresh(sessionId: string): Promise<RoleSession>;
  /** End a role session; returns until when credentials already issued may work. */
  end(sessionId: string): Promise<RoleSessionEnd>;
  beginSignIn(flow?: Flow): Promise<SignInBegun>;
  signOut(): Promise<SignedOut>;
  /** Find out why AWS credentials don't work in what starts next. */
  doctor(): Promise<DoctorReport>;
  /** Set the names of proxied apps, by their ids. */
  nameApps(appTitles: Readonly<Record<string, string>>): void;
}

export const IAwsRoles = new Token<IAwsRoles>(
  'jupyterlab-wb-aws:IAwsRoles',
  'The AWS roles of this server: which are offered, which is the default, and how their sessions are.'
);
