import { ServerConnection } from '@jupyterlab/services';

import { aProblem, aSwitch } from '../testing';
import { Api, Missing, Refused, Unreachable } from './api';

interface IAsked {
  readonly url: string;
  readonly method: string;
  readonly body: string;
  readonly type: string | null;
}

/** An `Api` whose server gives one answer, and what it was asked. */
function anApi(answer: () => Response, onAnswer?: (time: number, sent: number) => void) {
  const asked: IAsked[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/user/alice/',
    fetch: async input => {
      const request = input as Request;
      asked.push({
        url: request.url.split('?')[0]!, // JupyterLab adds the time, against caches
        method: request.method,
        body: await request.text(),
        type: request.headers.get('Content-Type')
      });
      return answer();
    }
  });
  return { api: new Api(settings, onAnswer), asked };
}

function json(content: object, status = 200, headers: Record<string, string> = {}): () => Response {
  return () => new Response(JSON.stringify(content), { status, headers });
}

test('calls go below the base URL, with a body that says it is JSON', async () => {
  const { api, asked } = anApi(json({}));

  await api.start('arn:aws:iam::111122223333:role/analyst', true);
  await api.assign('kernel', 'kernel/1', null);

  expect(asked).toEqual([
    {
      url: 'http://localhost/user/alice/aws/sessions',
      method: 'POST',
      body: '{"role_arn":"arn:aws:iam::111122223333:role/analyst","default":true}',
      type: 'application/json'
    },
    {
      url: 'http://localhost/user/alice/aws/assignments/kernel%2F1',
      method: 'PUT',
      body: '{"session_id":null}',
      type: 'application/json'
    }
  ]);
});

test('a read in the background does not count as activity', async () => {
  const queries: string[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/',
    fetch: input => {
      const { pathname, searchParams } = new URL((input as Request).url);
      queries.push(`${pathname} ${searchParams.get('no_track_activity')}`);
      return Promise.resolve(json({ sessions: [], assignments: [] })());
    }
  });
  const api = new Api(settings);

  for (const background of [true, false]) {
    await api.sessions(background);
    await api.session('a/b', background);
    await api.default(background);
    await api.assignments(background);
    await api.signIn(background);
    await api.roles(background);
  }
  await api.setDefault(null);

  const paths = ['sessions', 'sessions/a%2Fb', 'default', 'assignments', 'sign-in', 'roles'];
  expect(queries).toEqual([
    ...paths.map(path => `/aws/${path} 1`),
    ...paths.map(path => `/aws/${path} null`),
    '/aws/default null'
  ]);
});

test('a problem is a refusal with the server’s words', async () => {
  const problem = aProblem('trust_refused');
  const { api } = anApi(json(problem, 403));

  const refusal = await api.roles().catch((error: unknown) => error);

  expect(refusal).toBeInstanceOf(Refused);
  expect((refusal as Refused).problem).toEqual(problem);
});

test.each([
  ['Jupyter’s own 404', json({ message: 'Not found', reason: null }, 404), Missing],
  ['a log-in page', () => new Response('<h1>Log in</h1>', { status: 200 }), Unreachable],
  ['a proxy’s page', () => new Response('<h1>Bad gateway</h1>', { status: 502 }), Unreachable],
  [
    'no answer',
    () => {
      throw new TypeError('Failed to fetch');
    },
    Unreachable
  ]
])('%s is not a refusal', async (_, answer, kind) => {
  const { api } = anApi(answer);

  await expect(api.health()).rejects.toBeInstanceOf(kind);
});

test('an empty answer gives nothing', async () => {
  const { api } = anApi(() => new Response(null, { status: 204 }));

  await expect(api.setDefault(null)).resolves.toBeUndefined();
});

test('a choice says when it takes effect, also on a server that does not know of that', async () => {
  const now = aSwitch({ at_restart: ['AWS_REGION'] });

  await expect(anApi(json(now)).api.assign('terminal', '1', 'id')).resolves.toEqual(now);

  const older = anApi(() => new Response(null, { status: 204 })).api;
  await expect(older.assign('kernel', 'kernel-1', 'id')).resolves.toEqual(
    aSwitch({ applies: 'at_restart' })
  );
});

test('the server’s time is reported, with the browser’s at the request', async () => {
  jest.useFakeTimers({ now: 5_000 });
  const onAnswer = jest.fn();
  const answer = json({}, 200, { Date: 'Wed, 25 Nov 2026 10:00:00 GMT' });
  const { api } = anApi(() => {
    jest.setSystemTime(65_000);
    return answer();
  }, onAnswer);

  await api.health();

  expect(onAnswer).toHaveBeenCalledWith(Date.UTC(2026, 10, 25, 10), 5_000);
  jest.useRealTimers();
});
