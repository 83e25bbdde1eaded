import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type DoctorReport,
  type Flow,
  type Health,
  type IApi,
  Missing,
  Refused,
  type RoleSession,
  type RoleSessionEnd,
  type SignedOut,
  type SignInBegun,
  type Switch
} from './api';
import type { IAwsRoles, IReadOptions } from './aws_roles';
import { type ISnapshot, isByEndpoint, NOTHING_KNOWN } from './snapshot';

/** Events after which the list of roles may have changed. */
const CHANGES_ROLES = new Set(['sign-in-changed', 'session-ended', 'role-denied']);

/** Clocks that differ by less, in milliseconds, count as equal: rounding must not make times jump. */
const MAX_CLOCK_SKEW = 5_000;

/** Return what to read after an event; `event` is the last part of its schema's id. */
export function changedBy(event: string): IReadOptions {
  return { roles: CHANGES_ROLES.has(event) };
}

/**
 * The AWS roles as this page last read them from the server.
 *
 * An event is only a hint to read again: anyone who may use the server can emit one. Reads never
 * overlap: a hint that arrives during a read is answered by the next.
 */
export class Model implements IAwsRoles, IDisposable {
  /**
   * @param api - the server's REST interface.
   * @param browserTime - returns the browser's time in milliseconds.
   */
  constructor(
    private readonly api: IApi,
    private readonly browserTime: () => number = Date.now
  ) {}

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    Signal.clearData(this);
  }

  get snapshot(): ISnapshot {
    return this._view;
  }

  get changed(): ISignal<this, ISnapshot> {
    return this._changed;
  }

  get ended(): ISignal<this, RoleSession> {
    return this._ended;
  }

  now(): number {
    return this.browserTime() + this.aheadOfBrowser;
  }

  /**
   * Note how far the server's clock is ahead of the browser's.
   *
   * @param time - the server's time in milliseconds, known to the second.
   * @param sent - the browser's time in milliseconds when the request was sent. Tornado stamps an
   *   answer when it starts to make it, and some answers take a minute.
   */
  noteServerTime(time: number, sent: number): void {
    const ahead = time - sent;
    this.aheadOfBrowser = Math.abs(ahead) < MAX_CLOCK_SKEW ? 0 : ahead;
  }

  // --- Reading ----------------------------------------------------------------------------

  get reads(): number {
    return this._reads;
  }

  read(options: IReadOptions = {}): Promise<void> {
    this.rolesWanted ||= options.roles ?? false;
    this.serverWanted ||= options.server ?? false;
    this.askedByUser ||= !(options.background ?? false);
    this.again = true;
    this.reading ??= this.readAll();
    return this.reading;
  }

  private async readAll(): Promise<void> {
    while (this.again && !this.disposed) {
      this.again = false;
      this._reads += 1;
      const roles = this.rolesWanted || this._view.situation !== 'ready';
      this.rolesWanted = false;
      const background = !this.askedByUser;
      this.askedByUser = false;
      try {
        await this.readOnce(roles, background);
      } catch (error) {
        this.rolesWanted ||= roles;
        this.failed(error);
      }
    }
    this.reading = null;
  }

  private async readOnce(roles: boolean, background: boolean): Promise<void> {
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
      this.api.sessions(background),
      this.api.default(background),
      this.api.assignments(background),
      this.api.signIn(background),
      roles ? this.readRoles(background) : {}
    ]);
    const endpoint = await this.readEndpoint(sessions, background);
    const gone = this._view.sessions.filter(old => !sessions.some(({ id }) => id === old.id));
    this.update({
      situation: 'ready',
      version,
      read,
      message: '',
      sessions,
      choice,
      assignments,
      signIn,
      ...endpoint,
      ...list,
      ...(signIn.user ? { user: signIn.user } : {})
    });
    await Promise.all(gone.map(({ id }) => this.announceEnd(id, background)));
  }

  /** Read the credential endpoint's clients and problems, if a role session uses it. */
  private async readEndpoint(
    sessions: readonly RoleSession[],
    background: boolean
  ): Promise<Pick<ISnapshot, 'endpointClients' | 'endpointProblems'>> {
    if (!sessions.some(isByEndpoint)) {
      return { endpointClients: [], endpointProblems: [] };
    }
    const [endpointClients, { problems }] = await Promise.all([
      this.api.endpointClients(background),
      this.api.health()
    ]);
    const endpointProblems = problems.filter(({ code }) => code.startsWith('endpoint_'));
    return { endpointClients, endpointProblems };
  }

  private async readRoles(background: boolean): Promise<Partial<ISnapshot>> {
    try {
      const { user, roles } = await this.api.roles(background);
      return { user, roles, rolesProblem: null };
    } catch (error) {
      if (error instanceof Refused) {
        return { user: null, roles: [], rolesProblem: error.problem };
      }
      throw error;
    }
  }

  private async announceEnd(id: string, background: boolean): Promise<void> {
    if (this.endedHere.delete(id)) {
      return;
    }
    try {
      const session = await this.api.session(id, background);
      if (session.state === 'ended') {
        this._ended.emit(session);
      }
    } catch {
      // A server that has restarted may not know it: then there is nothing to announce.
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

  pick(roleArn: string): Promise<RoleSession> {
    return this.start(roleArn, true);
  }

  startForKernel(roleArn: string): Promise<RoleSession> {
    return this.start(roleArn, false);
  }

  pickNone(): Promise<void> {
    return this.andRead(this.api.setDefault(null));
  }

  assign(kind: 'kernel' | 'terminal', id: string, sessionId: string | null): Promise<Switch> {
    return this.andRead(this.api.assign(kind, id, sessionId));
  }

  endClient(id: string): Promise<void> {
    return this.andRead(this.api.endClient(id));
  }

  relaunch(appId: string): Promise<void> {
    return this.andRead(this.api.relaunch(appId));
  }

  end(id: string): Promise<RoleSessionEnd> {
    return this.ending([id], () => this.andRead(this.api.end(id)));
  }

  refresh(id: string): Promise<RoleSession> {
    return this.andRead(this.api.refresh(id));
  }

  nameApps(appTitles: Readonly<Record<string, string>>): void {
    this.update({ appTitles });
  }

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

  /** End role sessions without announcing their end; if that fails, later ends are announced again. */
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
    const defaults = makeDefault ? [roleArn] : [];
    this.update({
      starting: [...this._view.starting, roleArn],
      startingDefaults: [...this._view.startingDefaults, ...defaults]
    });
    try {
      return await this.andRead(this.api.start(roleArn, makeDefault));
    } finally {
      this.update({
        starting: withoutOne(this._view.starting, roleArn),
        startingDefaults: makeDefault
          ? withoutOne(this._view.startingDefaults, roleArn)
          : this._view.startingDefaults
      });
    }
  }

  /** Wait for a user's action, then read the state again, also if the action failed. */
  private async andRead<T>(done: Promise<T>, options: { roles?: boolean } = {}): Promise<T> {
    try {
      return await done;
    } finally {
      await this.read(options);
    }
  }

  private update(change: Partial<ISnapshot>): void {
    if (this.disposed) {
      return;
    }
    this._view = { ...this._view, ...change };
    this._changed.emit(this._view);
  }

  private _view = NOTHING_KNOWN;
  private _reads = 0;
  private readonly _changed = new Signal<this, ISnapshot>(this);
  private readonly _ended = new Signal<this, RoleSession>(this);
  private readonly endedHere = new Set<string>();
  private aheadOfBrowser = 0;
  private again = false;
  private askedByUser = false;
  private disposed = false;
  private reading: Promise<void> | null = null;
  private rolesWanted = false;
  private serverWanted = false;
}

/** Return the server extension's version; null if the server does not say it. */
function versionOf(health: Partial<Pick<Health, 'versions'>>): string | null {
  return health.versions?.jupyter_wb_aws ?? null;
}

/** Leave out one occurrence of a value; it may be missing, since the snapshot may have been reset. */
function withoutOne(all: readonly string[], one: string): readonly string[] {
  const at = all.indexOf(one);
  return at === -1 ? all : [...all.slice(0, at), ...all.slice(at + 1)];
}
