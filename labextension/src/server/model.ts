import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type Api,
  type Assignment,
  type DefaultChoice,
  type DoctorReport,
  type Flow,
  type Health,
  Missing,
  type Problem,
  Refused,
  type Role,
  type RoleSession,
  type SignedOut,
  type SignIn,
  type SignInBegun,
  type User
} from './api';

/**
 * How things are between this page and the server.
 *
 * `loading`: nothing is known yet. `ready`: what the view holds is what the server said last.
 * `unreachable`: it is what the server said before it went away. `not_configured`: nobody has set the
 * extension up; `missing`: it is not part of this server; `refused`: the user may not ask.
 */
export type Situation =
  'loading' | 'ready' | 'unreachable' | 'not_configured' | 'missing' | 'refused';

/** What is known; a new one for each change, so that it can be compared and kept. */
export interface IView {
  readonly situation: Situation;
  /** The server extension's version; null where it is not known. */
  readonly version: string | null;
  /** The number of the read that this comes from, see `Model.reads`. */
  readonly read: number;
  /** What the server said where it is not set up, can't say, or does not let the user ask. */
  readonly message: string;
  readonly user: User | null;
  readonly roles: readonly Role[];
  /** Why there is no list of roles. */
  readonly rolesProblem: Problem | null;
  /** The living role sessions, oldest first. */
  readonly sessions: readonly RoleSession[];
  readonly choice: DefaultChoice;
  readonly assignments: readonly Assignment[];
  /** The names of proxied apps in the launcher, by their ids. */
  readonly appTitles: Readonly<Record<string, string>>;
  readonly signIn: SignIn | null;
  /** The ARNs of the roles whose role sessions are being started by this page. */
  readonly starting: readonly string[];
  /** Those of them that are picked for whatever starts next: until then, that has what it had. */
  readonly picking: readonly string[];
}

export const NOTHING_KNOWN: IView = {
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
  appTitles: {},
  signIn: null,
  starting: [],
  picking: []
};

/** Return a living role session; null if there is none of that id. */
export function sessionById(view: IView, id: string | null | undefined): RoleSession | null {
  return view.sessions.find(session => session.id === id) ?? null;
}

/** Return the role session of whatever starts next; null if it has no role. */
export function defaultSession(view: IView): RoleSession | null {
  return sessionById(view, view.choice.session_id);
}

/** Why a role session that this page knew is no more. */
export interface IEnding {
  /** The role session as it is now. */
  readonly session: RoleSession;
}

/** Events after which the roles themselves may be others. */
const ROLES_MAY_DIFFER = new Set(['sign-in-changed', 'session-ended', 'role-denied']);

/**
 * What the server knows, as this page last read it, and what the user can do with it.
 *
 * An event is a hint to read again, never the truth: anybody who may use the server may emit one.
 * Reads are never concurrent: what comes in during one is answered by the next.
 *
 * What the user does throws what `Api` throws; reading doesn't, the view tells.
 */
export class Model implements IDisposable {
  /**
   * @param api - the server.
   * @param browserTime - the browser's clock, in milliseconds.
   */
  constructor(
    private readonly api: Api,
    private readonly browserTime: () => number = Date.now
  ) {}

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    Signal.clearData(this);
  }

  get view(): IView {
    return this._view;
  }

  /** The view is another one. */
  get changed(): ISignal<this, IView> {
    return this._changed;
  }

  /** A role session that was in the view has ended; not told of those that this page ended. */
  get ended(): ISignal<this, IEnding> {
    return this._ended;
  }

  /** The server's time in milliseconds, to compare its other times with. */
  now(): number {
    return this.browserTime() + this.aheadOfBrowser;
  }

  /**
   * Take note of the server's time, known to the second.
   *
   * @param sent - the browser's time when the server was asked: tornado takes the time when it
   *   begins with an answer, which may need a minute.
   */
  noteServerTime(time: number, sent: number): void {
    const ahead = time - sent;
    // A clock that is right to some seconds is right: a second's rounding must not make times jump.
    this.aheadOfBrowser = Math.abs(ahead) < 5_000 ? 0 : ahead;
  }

  /** The default role session. */
  get current(): RoleSession | null {
    return defaultSession(this._view);
  }

  session(id: string): RoleSession | null {
    return sessionById(this._view, id);
  }

  /** The living role session of a role that can be picked, the default one where there are several. */
  sessionOf(roleArn: string): RoleSession | null {
    const all = this._view.sessions.filter(each => each.role_arn === roleArn && each.shared);
    return all.find(session => session.default) ?? all[0] ?? null;
  }

  role(arn: string | null | undefined): Role | null {
    return this._view.roles.find(role => role.arn === arn) ?? null;
  }

  // --- Reading ----------------------------------------------------------------------------

  /** How many reads have begun: what happens now is known from a view with a higher number on. */
  get reads(): number {
    return this._reads;
  }

  /**
   * Read the state again. Resolves when it was read.
   *
   * @param options - `roles`: the list of roles as well; `server`: also whether the server is another.
   */
  read(options: { roles?: boolean; server?: boolean } = {}): Promise<void> {
    this.rolesWanted ||= options.roles ?? false;
    this.serverWanted ||= options.server ?? false;
    this.again = true;
    this.reading ??= this.readAll();
    return this.reading;
  }

  /** Take an event's hint. */
  hint(event: string): void {
    void this.read({ roles: ROLES_MAY_DIFFER.has(event) });
  }

  private async readAll(): Promise<void> {
    while (this.again && !this.disposed) {
      this.again = false;
      this._reads += 1;
      const roles = this.rolesWanted || this._view.situation !== 'ready';
      this.rolesWanted = false;
      try {
        await this.readOnce(roles);
      } catch (error) {
        this.rolesWanted ||= roles;
        this.failed(error);
      }
    }
    this.reading = null;
  }

  private async readOnce(roles: boolean): Promise<void> {
    const read = this._reads;
    let { version } = this._view;
    if (this.serverWanted || this._view.situation !== 'ready') {
      const health = await this.api.health();
      this.serverWanted = false;
      version = versionOf(health);
      if (health.status === 'not_configured') {
        const { message } = health;
        this.update({ ...NOTHING_KNOWN, situation: 'not_configured', version, message });
        return;
      }
    }
    const [sessions, choice, assignments, signIn, list] = await Promise.all([
      this.api.sessions(),
      this.api.default(),
      this.api.assignments(),
      this.api.signIn(),
      roles ? this.readRoles() : {}
    ]);
    const gone = this._view.sessions.filter(was => !sessions.some(is => is.id === was.id));
    this.update({
      situation: 'ready',
      version,
      read,
      message: '',
      sessions,
      choice,
      assignments,
      signIn,
      ...list,
      ...(signIn.user ? { user: signIn.user } : {})
    });
    await Promise.all(gone.map(session => this.tellEnd(session)));
  }

  private async readRoles(): Promise<Partial<IView>> {
    try {
      const { user, roles } = await this.api.roles();
      return { user, roles, rolesProblem: null };
    } catch (error) {
      if (error instanceof Refused) {
        return { user: null, roles: [], rolesProblem: error.problem };
      }
      throw error;
    }
  }

  private async tellEnd(was: RoleSession): Promise<void> {
    if (this.endedHere.delete(was.id)) {
      return;
    }
    try {
      const session = await this.api.session(was.id);
      if (session.state === 'ended') {
        this._ended.emit({ session });
      }
    } catch {
      // A server that began anew does not know it: then there is nothing to tell.
    }
  }

  private failed(error: unknown): void {
    if (error instanceof Missing) {
      this.update({ ...NOTHING_KNOWN, situation: 'missing' });
    } else if (error instanceof Refused && error.problem.status === 403) {
      this.update({ ...NOTHING_KNOWN, situation: 'refused', message: error.problem.detail });
    } else if (error instanceof Refused && error.problem.code === 'not_configured') {
      this.update({
        ...NOTHING_KNOWN,
        situation: 'not_configured',
        message: error.problem.detail
      });
    } else {
      const message = error instanceof Refused ? error.problem.detail : '';
      this.update({ situation: 'unreachable', message });
    }
  }

  // --- What the user does -----------------------------------------------------------------

  /** Start a role's session if need be, and give it to whatever starts next. */
  pick(roleArn: string): Promise<RoleSession> {
    return this.start(roleArn, true);
  }

  /** Start a role's session if need be, for one kernel: what starts next is not concerned. */
  startApart(roleArn: string): Promise<RoleSession> {
    return this.start(roleArn, false);
  }

  /** Choose "no AWS role" for whatever starts next. */
  pickNone(): Promise<void> {
    return this.andRead(this.api.setDefault(null));
  }

  /** Choose what a kernel has from its next restart on; null is "no AWS role". */
  assign(kernelId: string, sessionId: string | null): Promise<void> {
    return this.andRead(this.api.assign(kernelId, sessionId));
  }

  /** Stop a proxied app; its next request launches it with what is the default then. */
  relaunch(appId: string): Promise<void> {
    return this.andRead(this.api.relaunch(appId));
  }

  /** End a role session; returns until when credentials already issued may live, or null. */
  async end(id: string): Promise<string | null> {
    const answer = await this.ending([id], () => this.andRead(this.api.end(id)));
    return answer.credentials_expire_at;
  }

  refresh(id: string): Promise<RoleSession> {
    return this.andRead(this.api.refresh(id));
  }

  /** Take over the names of proxied apps, which this server's configuration gives. */
  nameApps(appTitles: Readonly<Record<string, string>>): void {
    this.update({ appTitles });
  }

  /** Find out why AWS credentials don't work in what starts next. */
  doctor(): Promise<DoctorReport> {
    return this.api.doctor();
  }

  beginSignIn(flow?: Flow): Promise<SignInBegun> {
    return this.andRead(this.api.beginSignIn(flow));
  }

  signOut(): Promise<SignedOut> {
    return this.ending(
      this._view.sessions.map(session => session.id),
      () => this.andRead(this.api.signOut(), { roles: true })
    );
  }

  /** End role sessions of whose end the user need not be told; where that fails, they need be again. */
  private async ending<T>(ids: readonly string[], end: () => Promise<T>): Promise<T> {
    ids.forEach(id => this.endedHere.add(id));
    try {
      return await end();
    } catch (error) {
      ids.forEach(id => this.endedHere.delete(id));
      throw error;
    }
  }

  private async start(roleArn: string, makeDefault: boolean): Promise<RoleSession> {
    const picked = makeDefault ? [roleArn] : [];
    this.update({
      starting: [...this._view.starting, roleArn],
      picking: [...this._view.picking, ...picked]
    });
    try {
      return await this.andRead(this.api.start(roleArn, makeDefault));
    } finally {
      this.update({
        starting: withoutOne(this._view.starting, roleArn),
        picking: makeDefault ? withoutOne(this._view.picking, roleArn) : this._view.picking
      });
    }
  }

  /** Wait for what the user did, and, whatever became of it, for the view to show it. */
  private async andRead<T>(done: Promise<T>, options: { roles?: boolean } = {}): Promise<T> {
    try {
      return await done;
    } finally {
      await this.read(options);
    }
  }

  private update(change: Partial<IView>): void {
    if (this.disposed) {
      return;
    }
    this._view = { ...this._view, ...change };
    this._changed.emit(this._view);
  }

  private _view = NOTHING_KNOWN;
  private _reads = 0;
  private readonly _changed = new Signal<this, IView>(this);
  private readonly _ended = new Signal<this, IEnding>(this);
  private readonly endedHere = new Set<string>();
  private aheadOfBrowser = 0;
  private again = false;
  private disposed = false;
  private reading: Promise<void> | null = null;
  private rolesWanted = false;
  private serverWanted = false;
}

/** The server extension's version, if it says it. */
function versionOf(health: Partial<Pick<Health, 'versions'>>): string | null {
  return health.versions?.jupyter_wb_aws ?? null;
}

/** Leave one of the things out, if it is there: what was known may have been forgotten meanwhile. */
function withoutOne(all: readonly string[], one: string): readonly string[] {
  const at = all.indexOf(one);
  return at === -1 ? all : [...all.slice(0, at), ...all.slice(at + 1)];
}
