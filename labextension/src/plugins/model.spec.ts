import { ServerConnection } from '@jupyterlab/services';

import type { IAwsRoles } from '../tokens';
import { model as plugin } from './model';

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    FakeSocket.all.push(this);
  }
}

const ANSWERS: Record<string, object> = {
  health: { status: 'ok' },
  sessions: { sessions: [] },
  default: { session_id: null, chosen: false },
  assignments: { assignments: [] },
  'sign-in': { state: 'not_needed', user: null, expires_at: null, flows: [], problem: null },
  roles: { user: null, roles: [] }
};

test('a server that refuses the event stream and answers otherwise is not called unreachable', async () => {
  jest.useFakeTimers();
  Object.defineProperty(document, 'hidden', { configurable: true, value: false });
  const asked: string[] = [];
  const serverSettings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/',
    wsUrl: 'ws://localhost/',
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    fetch: input => {
      const path = new URL((input as Request).url).pathname.split('/').pop()!;
      asked.push(path);
      return Promise.resolve(new Response(JSON.stringify(ANSWERS[path])));
    }
  });
  const model = plugin.activate({ serviceManager: { serverSettings } } as never) as IAwsRoles;
  FakeSocket.all[0]!.onopen?.();
  await model.read();
  expect(model.snapshot.situation).toBe('ready');

  FakeSocket.all[0]!.onclose?.(); // cut
  jest.advanceTimersByTime(1_000);
  asked.length = 0;
  FakeSocket.all[1]!.onclose?.(); // refused
  await jest.advanceTimersByTimeAsync(500);

  expect(asked).toContain('sessions');
  expect(model.snapshot.situation).toBe('ready');
});
