import { Signal } from '@lumino/signaling';

import type { IDocument } from './documents/document';
import type {
  Assignment,
  DoctorFinding,
  DoctorReport,
  Problem,
  Role,
  RoleSession
} from './server/api';

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
    identity: {
      UserId: 'AROA1:alice-1',
      Account: '111122223333',
      Arn: `arn:aws:sts::111122223333:assumed-role/${name}/alice-1`
    },
    environment: { AWS_ROLE_ARN: `arn:aws:iam::111122223333:role/${name}`, AWS_PROFILE: null },
    started_at: '2026-11-25T10:00:00Z',
    token_expires_at: '2026-11-25T10:15:00Z',
    next_refresh_at: '2026-11-25T10:12:00Z',
    problem: null,
    notices: [],
    end_reason: null,
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
  session: { id: string; role_arn: string } | null,
  change: Partial<Assignment> = {}
): Assignment {
  const given = session === null ? 'no_role' : 'role';
  return {
    kind: 'kernel',
    id,
    chosen: null,
    running: session && { session_id: session.id, role_arn: session.role_arn },
    given,
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

/** A notebook with a kernel, and what JupyterLab tells of it; for tests. */
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
    kernelSince: 0
  } as unknown as IDocument;
  return { document, kernel, sessionContext };
}
