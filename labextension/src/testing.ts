import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';

import type { IDocument } from './documents/document';
import type { IPanelOptions } from './documents/panel';
import type { IRecentRoles } from './picker/recent_roles';
import type {
  Assignment,
  DoctorFinding,
  DoctorReport,
  EndpointClient,
  Health,
  Problem,
  Role,
  RoleSession,
  Switch
} from './server/api';
import { type ISnapshot, NOTHING_KNOWN } from './server/snapshot';
import type { ISettingValues } from './settings';
import type { IReadOptions } from './server/aws_roles';
import type { IAwsRoles, IAwsRoleSettings } from './tokens';

/** A role as the server describes it; for tests. */
export function aRole(name: string, change: Partial<Role> = {}): Role {
  return {
    arn: `arn:aws:iam::111122223333:role/${name}`,
    name,
    account_id: '111122223333',
    label: name,
    description: null,
    region: 'us-east-2',
    color: null,
    default: false,
    delivery: 'web_identity',
    request_url: null,
    ...change
  };
}

/** A role session as the server describes it; for tests. */
export function aSession(name: string, change: Partial<RoleSession> = {}): RoleSession {
  return {
    id: `id-${name}`,
    role_arn: `arn:aws:iam::111122223333:role/${name}`,
    label: name,
    region: 'us-east-2',
    state: 'active',
    default: false,
    shared: true,
    delivery: 'web_identity',
    lease: null,
    identity: {
      UserId: 'AROA1:alice-1',
      Account: '111122223333',
      Arn: `arn:aws:sts::111122223333:assumed-role/${name}/alice-1`
    },
    environment: { AWS_ROLE_ARN: `arn:aws:iam::111122223333:role/${name}`, AWS_PROFILE: null },
    started_at: '2026-11-25T10:00:00Z',
    credentials_expire_at: null,
    token_expires_at: '2026-11-25T10:15:00Z',
    next_refresh_at: '2026-11-25T10:12:00Z',
    problem: null,
    notices: [],
    end_reason: null,
    ...change
  };
}

/** A role session that the credential endpoint delivers; for tests. */
export function anEndpointSession(name: string, change: Partial<RoleSession> = {}): RoleSession {
  return aSession(name, {
    delivery: 'endpoint',
    lease: 960,
    credentials_expire_at: '2026-11-25T11:00:00Z',
    ...change
  });
}

/** A process that may ask the credential endpoint, as the server describes it; for tests. */
export function aClient(id: string, change: Partial<EndpointClient> = {}): EndpointClient {
  return {
    id,
    kind: 'terminal',
    name: '1',
    state: 'running',
    session_id: 'id-analyst',
    role_arn: 'arn:aws:iam::111122223333:role/analyst',
    label: 'Analyst',
    started_at: '2026-11-25T10:00:00Z',
    last_request_at: null,
    processes: 1,
    commands: [{ pid: 4711, name: 'python' }],
    ...change
  };
}

/** A switch as the server describes it, by default one that applies now and leaves nothing; for tests. */
export function aSwitch(change: Partial<Switch> = {}): Switch {
  return { applies: 'now', at_restart: [], old_clients_until: null, ...change };
}

/** The server's health as it describes it; for tests. */
export function aHealth(change: Partial<Health> = {}): Health {
  return {
    status: 'ok',
    message: '',
    problems: [],
    catalogue: null,
    token_source: null,
    endpoint: null,
    role_sessions: [],
    notices: [],
    versions: {
      jupyter_wb_aws: '1.0.0',
      jupyter_server: '2.17.0',
      jupyter_client: '8.6.0',
      python: '3.13.0'
    },
    ...change
  };
}

/** A problem as the server describes it; for tests. */
export function aProblem(code: Problem['code'], change: Partial<Problem> = {}): Problem {
  return {
    type: `urn:jupyter-wb-aws:problem:${code}`,
    title: `Title of ${code}`,
    status: 403,
    detail: `Detail of ${code}.`,
    code,
    hint: 'What to do.',
    admin_hint: null,
    message: `Detail of ${code}.`,
    reason: `Title of ${code}`,
    ...change
  };
}

/** A kernel's assignment as the server describes it: it has a role session, or none, and keeps it. */
export function anAssignment(
  id: string,
  session: { id: string; role_arn: string; label?: string } | null,
  change: Partial<Assignment> = {}
): Assignment {
  const given = session === null ? 'no_role' : 'role';
  return {
    kind: 'kernel',
    id,
    chosen: null,
    running: session && {
      session_id: session.id,
      role_arn: session.role_arn,
      label: session.label ?? session.id
    },
    given,
    delivery: session === null ? null : 'web_identity',
    next: { given, session_id: session?.id ?? null },
    ...change
  };
}

/** What the doctor found, as the server describes it; for tests. */
export function aFinding(
  code: DoctorFinding['code'],
  change: Partial<DoctorFinding> = {}
): DoctorFinding {
  return {
    code,
    severity: 'error',
    sdks: ['boto3', 'aws'],
    message: `Message of ${code}.`,
    remedy: `Run: mend ${code}`,
    admin_hint: null,
    ...change
  };
}

/** A report of the doctor; for tests. */
export function aReport(...findings: DoctorFinding[]): DoctorReport {
  const { identity } = aSession('analyst');
  return {
    status: findings.some(({ severity }) => severity === 'error') ? 'error' : 'ok',
    checked_at: '2026-11-25T12:00:00Z',
    findings,
    looked_at: [
      { what: 'regions', codes: findings.map(({ code }) => code) },
      { what: 'proxies', codes: [] }
    ],
    call: {
      outcome: 'ok',
      provider: 'assume-role-with-web-identity',
      identity,
      error: null,
      detail: null
    },
    token: null
  };
}

/** AWS roles whose snapshot and clock the test sets; what the user does fails unless the test says how it goes. */
export class FakeRoles implements IAwsRoles {
  /** @param snapshot - what differs from a snapshot of a server that is ready. */
  constructor(snapshot: Partial<ISnapshot> = {}) {
    this.snapshot = { ...NOTHING_KNOWN, situation: 'ready', read: 1, ...snapshot };
  }

  snapshot: ISnapshot;
  time = 0;
  reads = 0;
  readonly changed = new Signal<this, ISnapshot>(this);
  readonly ended = new Signal<this, RoleSession>(this);

  /** Change the snapshot. */
  show(change: Partial<ISnapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    this.changed.emit(this.snapshot);
  }

  now(): number {
    return this.time;
  }

  readonly read = jest.fn<Promise<void>, [IReadOptions?]>(() => Promise.resolve());
  pick: IAwsRoles['pick'] = unexpected;
  pickNone: IAwsRoles['pickNone'] = unexpected;
  startForKernel: IAwsRoles['startForKernel'] = unexpected;
  assign: IAwsRoles['assign'] = unexpected;
  endClient: IAwsRoles['endClient'] = unexpected;
  relaunch: IAwsRoles['relaunch'] = unexpected;
  refresh: IAwsRoles['refresh'] = unexpected;
  end: IAwsRoles['end'] = unexpected;
  beginSignIn: IAwsRoles['beginSignIn'] = unexpected;
  signOut: IAwsRoles['signOut'] = unexpected;
  doctor: IAwsRoles['doctor'] = unexpected;

  nameApps(appTitles: Readonly<Record<string, string>>): void {
    this.show({ appTitles });
  }
}

/** What the server is not expected to be asked in a test. */
export function unexpected(): Promise<never> {
  return Promise.reject(new Error('The test does not expect this call.'));
}

/** Settings that the test changes. */
export class FakeSettings implements IAwsRoleSettings {
  values: ISettingValues = { statusBar: true, launcher: true, notifications: true };
  readonly changed = new Signal<this, ISettingValues>(this);

  set(change: Partial<ISettingValues>): void {
    this.values = { ...this.values, ...change };
    this.changed.emit(this.values);
  }
}

/** A browser that remembers no roles; for tests. */
export const NO_RECENT_ROLES: IRecentRoles = { arns: [], add: () => undefined };

/** What the panels of all documents share; for tests. */
export function panelProps(model: IAwsRoles): IPanelOptions {
  return {
    model,
    open: new Set(),
    recent: NO_RECENT_ROLES,
    commands: new CommandRegistry(),
    dialogs: { selectKernel: unexpected, restart: unexpected },
    trans: nullTranslator.load('any')
  };
}

/** A notebook with a kernel, as JupyterLab describes it; for tests. */
export function aDocument() {
  const kernel = {
    id: 'kernel-1',
    status: 'idle',
    connectionStatusChanged: new Signal<unknown, string>({})
  };
  const sessionContext = {
    session: { id: 'session-1', kernel: kernel as typeof kernel | null },
    kernelDisplayStatus: 'idle',
    restartKernel: jest.fn(() => Promise.resolve()),
    kernelChanged: new Signal<unknown, unknown>({}),
    statusChanged: new Signal<unknown, string>({}),
    disposed: new Signal<unknown, unknown>({}),
    sessionManager: { running: () => [] }
  };
  const document = {
    kind: 'notebook',
    name: 'Untitled.ipynb',
    node: window.document.createElement('div'),
    sessionContext,
    memory: null,
    kernelSince: 0,
    staying: []
  } as unknown as IDocument;
  return { document, kernel, sessionContext };
}
