import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { components } from '../contract';

type Schemas = components['schemas'];

export type Assignment = Schemas['Assignment'];
export type DefaultChoice = Schemas['DefaultChoice'];
export type DoctorFinding = Schemas['DoctorFinding'];
export type DoctorReport = Schemas['DoctorReport'];
export type EndpointClient = Schemas['EndpointClient'];
export type Flow = Schemas['Flow'];
export type Health = Schemas['Health'];
export type HealthProblem = Schemas['HealthProblem'];
export type Problem = Schemas['Problem'];
export type Role = Schemas['Role'];
export type RoleList = Schemas['RoleList'];
export type RoleSession = Schemas['RoleSession'];
export type RoleSessionEnd = Schemas['RoleSessionEnd'];
export type SignedOut = Schemas['SignedOut'];
export type SignIn = Schemas['SignIn'];
export type SignInBegun = Schemas['SignInBegun'];
export type Switch = Schemas['Switch'];
export type User = Schemas['User'];

/** The server refused; `problem` is its answer (RFC 9457), in words for the user. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
    this.name = 'Refused';
  }
}

/** The server did not answer. */
export class Unreachable extends Error {
  constructor() {
    super('The Jupyter server does not answer.');
    this.name = 'Unreachable';
  }
}

/** The server answers, but does not have the extension. */
export class Missing extends Error {
  constructor() {
    super('This Jupyter server does not have the extension jupyter_wb_aws.');
    this.name = 'Missing';
  }
}

/** What `Api` does, for callers and tests. */
export type IApi = Pick<Api, keyof Api>;

/**
 * The REST interface of the server extension; `openapi.yaml` describes it. Nothing else calls it.
 *
 * A read in the `background` is one that no user asked for: it does not count as activity of the server,
 * so that an idle page does not keep the server from being culled.
 *
 * Every method throws `Refused`, `Unreachable` or `Missing`, and nothing else.
 */
export class Api {
  /**
   * @param settings - how to reach the server.
   * @param onAnswer - called for each answer, with the server's time, and the browser's time when
   *   the request was sent (both in milliseconds).
   */
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly onAnswer: (serverTime: number, sent: number) => void = () => undefined
  ) {}

  health(): Promise<Health> {
    return this.call('GET', 'health'); // never activity
  }

  roles(background = false): Promise<RoleList> {
    return this.read('roles', background);
  }

  async sessions(background = false): Promise<RoleSession[]> {
    const answer = await this.read<Schemas['RoleSessionList']>('sessions', background);
    return answer.sessions;
  }

  session(id: string, background = false): Promise<RoleSession> {
    return this.read(`sessions/${encodeURIComponent(id)}`, background);
  }

  /** Start a role session. Without `makeDefault`, it becomes the default only if nothing was ever chosen. */
  start(roleArn: string, makeDefault?: boolean): Promise<RoleSession> {
    return this.call('POST', 'sessions', { role_arn: roleArn, default: makeDefault });
  }

  refresh(id: string): Promise<RoleSession> {
    return this.call('POST', `sessions/${encodeURIComponent(id)}/refresh`);
  }

  end(id: string): Promise<RoleSessionEnd> {
    return this.call('DELETE', `sessions/${encodeURIComponent(id)}`);
  }

  default(background = false): Promise<DefaultChoice> {
    return this.read('default', background);
  }

  setDefault(sessionId: string | null): Promise<void> {
    return this.call('PUT', 'default', { session_id: sessionId });
  }

  async assignments(background = false): Promise<Assignment[]> {
    const answer = await this.read<Schemas['AssignmentList']>('assignments', background);
    return answer.assignments;
  }

  /** Choose a kernel's or terminal's role session, or with null "no AWS role". The answer says when it takes effect. */
  async assign(kind: 'kernel' | 'terminal', id: string, sessionId: string | null): Promise<Switch> {
    const path = `assignments/${encodeURIComponent(id)}?kind=${kind}`;
    const answer = await this.call<Switch | undefined>('PUT', path, { session_id: sessionId });
    // A server from before the credential endpoint has nothing to say.
    return answer ?? { applies: 'at_restart', at_restart: [], old_clients_until: null };
  }

  /** Return the processes that may ask the credential endpoint. */
  async endpointClients(background = false): Promise<EndpointClient[]> {
    const answer = await this.read<Schemas['EndpointClientList']>('endpoint/clients', background);
    return answer.clients;
  }

  /** Refuse AWS credentials to a process from now on. */
  endClient(id: string): Promise<void> {
    return this.call('DELETE', `endpoint/clients/${encodeURIComponent(id)}`);
  }

  /** Stop a proxied app; its next request launches it with the default role. */
  relaunch(appId: string): Promise<void> {
    return this.call('POST', `apps/${encodeURIComponent(appId)}/relaunch`);
  }

  /** Find out why AWS credentials don't work in what starts next; makes real calls to AWS, which takes a second. */
  doctor(): Promise<DoctorReport> {
    return this.call('GET', 'doctor');
  }

  signIn(background = false): Promise<SignIn> {
    return this.read('sign-in', background);
  }

  beginSignIn(flow?: Flow): Promise<SignInBegun> {
    return this.call('POST', 'sign-in', { flow });
  }

  signOut(): Promise<SignedOut> {
    return this.call('DELETE', 'sign-in');
  }

  private read<T>(path: string, background: boolean): Promise<T> {
    // Source: jupyter_server, `APIHandler.update_api_activity`.
    return this.call('GET', background ? `${path}?no_track_activity=1` : path);
  }

  private async call<T>(method: string, path: string, body?: object): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'aws', path);
    const init: RequestInit = { method };
    if (method === 'POST' || method === 'PUT') {
      init.body = JSON.stringify(body ?? {});
      init.headers = { 'Content-Type': 'application/json' };
    }
    const sent = Date.now();
    let response: Response;
    let text: string;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
      text = await response.text();
    } catch {
      throw new Unreachable();
    }
    const time = Date.parse(response.headers.get('Date') ?? '');
    if (!Number.isNaN(time)) {
      this.onAnswer(time, sent);
    }
    const content = text === '' ? undefined : parsed(text);
    if (response.ok && content !== NOT_JSON) {
      return content as T;
    }
    throw failure(response, content);
  }
}

function failure(response: Response, content: unknown): Error {
  if (isProblem(content)) {
    return new Refused(content);
  }
  // A 404 is Jupyter's own. Any other is the page of a hub or proxy whose server is away.
  return response.status === 404 ? new Missing() : new Unreachable();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
}

const NOT_JSON = Symbol('not JSON');

function isProblem(content: unknown): content is Problem {
  return (
    typeof content === 'object' && content !== null && 'code' in content && 'detail' in content
  );
}
