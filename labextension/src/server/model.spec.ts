import {
  aClient,
  aHealth,
  anEndpointSession,
  aProblem,
  aRole,
  aSession,
  unexpected
} from '../testing';
import { type HealthProblem, type IApi, Missing, Refused, Unreachable } from './api';
import { changedBy, Model } from './model';
import { defaultSession, sessionOfRole } from './snapshot';

const ALICE = { name: 'alice', subject: 'alice', groups: [] };

/** A server that answers from memory, and counts. */
function aServer() {
  const server = {
    calls: [] as string[],
    /** Those of them that don't count as activity. */
    inBackground: [] as string[],
    sessions: [] as ReturnType<typeof aSession>[],
    ended: [] as ReturnType<typeof aSession>[],
    choice: { session_id: null as string | null, chosen: false, ended: null },
    failing: null as Error | null,
    rolesFailing: null as Error | null,
    /** What a start waits for. */
    held: () => Promise.resolve(),
    configured: true,
    problems: [] as HealthProblem[],
    version: '1.0.0'
  };
  function answering<T>(name: string, value: () => T): (background?: boolean) => Promise<T> {
    return async background => {
      server.calls.push(name);
      if (background === true) {
        server.inBackground.push(name);
      }
      await Promise.resolve();
      if (server.failing) {
        throw server.failing;
      }
      return value();
    };
  }
  const api: IApi = {
    health: answering('health', () =>
      aHealth({
        status: server.configured ? 'ok' : 'not_configured',
        message: server.configured ? '' : 'Set WbAwsApp.token_source.',
        problems: server.problems,
        versions: { ...aHealth().versions, jupyter_wb_aws: server.version }
      })
    ),
    roles: answering('roles', () => {
      if (server.rolesFailing) {
        throw server.rolesFailing;
      }
      return { user: ALICE, roles: [aRole('analyst'), aRole('auditor')] };
    }),
    sessions: answering('sessions', () => server.sessions),
    default: answering('default', () => server.choice),
    assignments: answering('assignments', () => []),
    signIn: answering('signIn', () => ({
      state: 'not_needed',
      user: ALICE,
      expires_at: null,
      flows: [],
      problem: null
    })),
    session: (id: string, background?: boolean) =>
      answering('session', () => {
        const found = server.ended.find(session => session.id === id);
        if (!found) {
          throw new Refused(aProblem('role_session_not_found', { status: 404 }));
        }
        return found;
      })(background),
    start: async (arn: string, makeDefault?: boolean) => {
      await server.held();
      return answering(`start ${makeDefault}`, () => {
        const session = aSession(arn.split('/')[1]!);
        server.sessions.push(session);
        if (makeDefault) {
          server.choice = { session_id: session.id, chosen: true, ended: null };
        }
        return session;
      })();
    },
    end: (id: string) =>
      answering('end', () => {
        server.ended.push(
          ...server.sessions
            .filter(session => session.id === id)
            .map(session => ({ ...session, state: 'ended' as const }))
        );
        server.sessions = server.sessions.filter(session => session.id !== id);
        return { credentials_expire_at: '2026-11-25T11:00:00Z', clients_stop_by: null };
      })(),
    setDefault: unexpected,
    assign: unexpected,
    endpointClients: answering('endpointClients', () => [aClient('c1')]),
    endClient: unexpected,
    relaunch: unexpected,
    refresh: unexpected,
    doctor: unexpected,
    beginSignIn: unexpected,
    signOut: unexpected
  };
  return { server, model: new Model(api, () => 1_000_000) };
}

test('a read gives the roles, the role sessions and the default', async () => {
  const { server, model } = aServer();
  server.sessions = [aSession('analyst')];
  server.choice = { session_id: 'id-analyst', chosen: true, ended: null };

  await model.read();

  expect(model.snapshot.situation).toBe('ready');
  expect(model.snapshot.roles.map(role => role.label)).toEqual(['analyst', 'auditor']);
  expect(defaultSession(model.snapshot)?.label).toBe('analyst');
});

test('a role session that is not shared is not the role’s own', async () => {
  const { server, model } = aServer();
  server.sessions = [aSession('analyst', { id: 'own', shared: false })];
  await model.read();
  expect(sessionOfRole(model.snapshot, server.sessions[0]!.role_arn)).toBeNull();

  server.sessions.push(aSession('analyst'));
  await model.read();
  expect(sessionOfRole(model.snapshot, server.sessions[0]!.role_arn)?.id).toBe('id-analyst');
});

test('the credential endpoint is looked at only where a role session uses it', async () => {
  const { server, model } = aServer();
  const ofEndpoint = {
    code: 'endpoint_not_running',
    detail: 'It is down.',
    hint: '',
    admin_hint: null
  } as const;
  server.problems = [
    { code: 'runs_as_root', detail: 'As root.', hint: '', admin_hint: null },
    ofEndpoint
  ];
  server.sessions = [aSession('analyst')];
  await model.read();
  server.calls.length = 0;
  await model.read({ background: true });
  expect(server.calls).not.toContain('endpointClients');
  expect(server.calls).not.toContain('health');
  expect(model.snapshot.endpointProblems).toEqual([]);

  server.sessions = [anEndpointSession('analyst')];
  server.inBackground.length = server.calls.length = 0;
  await model.read({ background: true });
  expect(model.snapshot.endpointClients).toEqual([aClient('c1')]);
  expect(model.snapshot.endpointProblems).toEqual([ofEndpoint]);
  expect(server.calls).toContain('health');
  expect(server.inBackground).toEqual(server.calls.filter(call => call !== 'health'));

  server.sessions = [];
  await model.read();
  expect(model.snapshot.endpointClients).toEqual([]);
  expect(model.snapshot.endpointProblems).toEqual([]);
});

test('a hint reads again, and the list of roles only if it may have changed', async () => {
  const { server, model } = aServer();
  await model.read();
  server.calls.length = 0;

  void model.read(changedBy('token-refreshed'));
  await model.read();
  expect(server.calls).toEqual(expect.arrayContaining(['sessions', 'default']));
  expect(server.calls).not.toContain('roles');

  void model.read(changedBy('sign-in-changed'));
  await model.read();
  expect(server.calls).toContain('roles');
});

test('what is read in the background does not count as activity, unless the user asks meanwhile', async () => {
  const { server, model } = aServer();
  server.sessions = [aSession('analyst')];
  await model.read();
  expect(server.inBackground).toEqual([]);

  server.calls.length = 0;
  server.ended = [{ ...server.sessions[0]!, state: 'ended' }];
  server.sessions = [];
  await model.read({ ...changedBy('session-ended'), background: true });
  expect(server.calls).toContain('session');
  expect(server.inBackground).toEqual(server.calls);

  server.calls.length = server.inBackground.length = 0;
  void model.read({ background: true });
  await model.read();
  const each = ['sessions', 'default', 'assignments', 'signIn'];
  expect(server.calls).toEqual([...each, ...each]);
  expect(server.inBackground).toEqual(each);
});

test('many hints at once cause two reads: the current one, and one after it', async () => {
  const { server, model } = aServer();
  await model.read();
  server.calls.length = 0;

  for (let i = 0; i < 100; i++) {
    void model.read(changedBy('token-refreshed'));
  }
  await model.read();

  expect(server.calls.filter(call => call === 'sessions').length).toBeLessThanOrEqual(2);
});

test('a snapshot has the number of its read', async () => {
  const { model } = aServer();
  await model.read();
  const { reads } = model;
  expect(model.snapshot.read).toBe(reads);

  const reading = model.read();
  expect(model.reads).toBe(reads + 1);
  void model.read();
  await reading;

  expect(model.snapshot.read).toBe(reads + 2);
});

test('a hint during a read is not lost', async () => {
  const { server, model } = aServer();
  await model.read();

  const reading = model.read();
  server.sessions = [aSession('analyst')];
  void model.read(changedBy('session-started'));
  await reading;

  expect(model.snapshot.sessions).toHaveLength(1);
});

test('when the server goes away, the last snapshot stays, marked as old', async () => {
  const { server, model } = aServer();
  server.sessions = [aSession('analyst')];
  await model.read();

  server.failing = new Unreachable();
  await model.read();

  expect(model.snapshot.situation).toBe('unreachable');
  expect(model.snapshot.sessions).toHaveLength(1);
  expect(model.snapshot.roles).toHaveLength(2);

  server.failing = null;
  await model.read();
  expect(model.snapshot.situation).toBe('ready');
});

test.each<[string, Error]>([
  ['missing', new Missing()],
  ['refused', new Refused(aProblem('forbidden'))],
  ['not_configured', new Refused(aProblem('not_configured', { status: 404 }))],
  ['unreachable', new Refused(aProblem('internal_error', { status: 500 }))]
])('%s is a situation, not an error', async (situation, failing) => {
  const { server, model } = aServer();
  server.failing = failing;

  await model.read();

  expect(model.snapshot.situation).toBe(situation);
});

test('a server where nothing is set up says what to set', async () => {
  const { server, model } = aServer();
  server.configured = false;

  await model.read();

  expect(model.snapshot).toMatchObject({
    situation: 'not_configured',
    message: 'Set WbAwsApp.token_source.'
  });
  expect(server.calls).toEqual(['health']);
});

test('a read finds out whether the server was replaced, if asked to', async () => {
  const { server, model } = aServer();
  await model.read();
  expect(model.snapshot.version).toBe('1.0.0');
  server.version = '1.1.0';

  await model.read();
  expect(model.snapshot.version).toBe('1.0.0');
  await model.read({ server: true });

  expect(model.snapshot.version).toBe('1.1.0');
  server.calls.length = 0;
  await model.read();
  expect(server.calls).not.toContain('health');
});

test('a failed list of roles is a problem to show; the rest is known', async () => {
  const { server, model } = aServer();
  server.rolesFailing = new Refused(aProblem('sign_in_required', { status: 409 }));

  await model.read();

  expect(model.snapshot.situation).toBe('ready');
  expect(model.snapshot.rolesProblem?.code).toBe('sign_in_required');
});

test('picking makes the default, and shows which role is starting', async () => {
  const { model } = aServer();
  await model.read();
  const starting: (readonly string[])[] = [];
  model.changed.connect((_, snapshot) => starting.push(snapshot.starting));

  await model.pick(aRole('analyst').arn);

  expect(defaultSession(model.snapshot)?.label).toBe('analyst');
  expect(starting[0]).toEqual([aRole('analyst').arn]);
  expect(model.snapshot.starting).toEqual([]);
});

test('a start that ends after a reset leaves another start running', async () => {
  const { server, model } = aServer();
  await model.read();
  const releases: (() => void)[] = [];
  server.held = () => new Promise(resolve => releases.push(resolve));
  const first = model.pick(aRole('analyst').arn);
  server.failing = new Refused(aProblem('role_not_allowed'));
  await model.read();
  expect(model.snapshot.situation).toBe('refused');
  server.failing = null;
  await model.read();
  const second = model.pick(aRole('auditor').arn);

  releases[0]?.();
  await first;
  expect(model.snapshot.starting).toEqual([aRole('auditor').arn]);

  releases[1]?.();
  await second;
  expect(model.snapshot.starting).toEqual([]);
});

test('a role that is started for one kernel is not the default', async () => {
  const { server, model } = aServer();
  await model.read();

  const picking: (readonly string[])[] = [];
  model.changed.connect((_, snapshot) => picking.push(snapshot.startingDefaults));
  await model.startForKernel(aRole('analyst').arn);

  expect(server.calls).toContain('start false');
  expect(picking.flat()).toEqual([]);
  expect(defaultSession(model.snapshot)).toBeNull();
});

test('a pick that fails throws, and leaves nothing starting', async () => {
  const { server, model } = aServer();
  await model.read();
  server.failing = new Refused(aProblem('trust_refused'));

  await expect(model.pick(aRole('analyst').arn)).rejects.toThrow('Detail of trust_refused.');

  expect(model.snapshot.starting).toEqual([]);
});

test('an end by somebody else is announced with its reason; one of ours is not', async () => {
  const { server, model } = aServer();
  server.sessions = [aSession('analyst'), aSession('auditor')];
  await model.read();
  const reasons: (string | null)[] = [];
  model.ended.connect((_, session) => reasons.push(session.end_reason));

  await model.end('id-auditor');
  expect(reasons).toEqual([]);

  server.sessions = [];
  server.ended = [aSession('analyst', { state: 'ended', end_reason: 'role_withdrawn' })];
  await model.read();
  expect(reasons).toEqual(['role_withdrawn']);
});

test('times are compared with the server’s clock if the browser’s is wrong', () => {
  const { model } = aServer();

  model.noteServerTime(1_001_000, 1_000_000);
  expect(model.now()).toBe(1_000_000); // a second's rounding

  model.noteServerTime(1_600_000, 1_000_000);
  expect(model.now()).toBe(1_600_000);

  model.noteServerTime(980_000, 980_000); // asked twenty seconds ago, and answered at last
  expect(model.now()).toBe(1_000_000);
});
