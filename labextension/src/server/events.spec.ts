import { ServerConnection } from '@jupyterlab/services';

import { EventStream } from './events';

class FakeSocket {
  static all: FakeSocket[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((_: { data: unknown }) => void) | null = null;
  closed = false;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }

  close() {
    this.closed = true;
  }
}

const streams: EventStream[] = [];

function aStream() {
  FakeSocket.all = [];
  const listener = {
    connected: jest.fn(),
    unavailable: jest.fn(),
    shownAgain: jest.fn(),
    event: jest.fn()
  };
  const stream = new EventStream(
    ServerConnection.makeSettings({
      wsUrl: 'ws://localhost/',
      appendToken: true,
      token: 'a b',
      WebSocket: FakeSocket as unknown as typeof WebSocket
    }),
    listener
  );
  streams.push(stream);
  return { stream, listener, latest: () => FakeSocket.all[FakeSocket.all.length - 1]! };
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  streams.splice(0).forEach(stream => stream.dispose());
});

test('our events are reported by their names, and no others', () => {
  const { listener, latest } = aStream();
  const say = (data: unknown) => latest().onmessage?.({ data });

  say(JSON.stringify({ schema_id: 'urn:jupyter-wb-aws:event:state-changed' }));
  say(JSON.stringify({ schema_id: 'https://events.jupyter.org/contents' }));
  say(JSON.stringify({}));
  say('no JSON');

  expect(latest().url).toBe('ws://localhost/api/events/subscribe?token=a%20b');
  expect(listener.event.mock.calls).toEqual([['state-changed']]);
});

test('a lost stream is retried with growing waits until it opens', () => {
  const { listener, latest } = aStream();
  const waits: number[] = [];
  for (let attempt = 0; attempt < 8; attempt++) {
    const before = FakeSocket.all.length;
    const start = Date.now();
    latest().onclose?.();
    while (FakeSocket.all.length === before) {
      jest.advanceTimersToNextTimer();
    }
    waits.push(Date.now() - start);
  }

  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  expect(listener.unavailable).toHaveBeenCalledTimes(8);

  latest().onopen?.();
  expect(listener.connected).toHaveBeenCalledTimes(1);
  latest().onclose?.();
  jest.advanceTimersByTime(1_000);
  expect(FakeSocket.all).toHaveLength(10);
});

test('a stream that is cut and opens again is not reported as unavailable', () => {
  const { listener, latest } = aStream();
  latest().onopen?.();

  latest().onclose?.();
  jest.advanceTimersByTime(1_000);
  latest().onopen?.();

  expect(listener.connected).toHaveBeenCalledTimes(2);
  expect(listener.unavailable).not.toHaveBeenCalled();
});

test('a page that becomes visible connects at once', () => {
  const { latest } = aStream();
  latest().onclose?.();

  document.dispatchEvent(new Event('visibilitychange'));

  expect(FakeSocket.all).toHaveLength(2);
  jest.advanceTimersByTime(60_000);
  expect(FakeSocket.all).toHaveLength(2);
});

function setHidden(hidden: boolean) {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}

test('a page that was hidden for long reads, since its stream may be dead', () => {
  const { listener, latest } = aStream();
  latest().onopen?.();

  setHidden(true);
  jest.advanceTimersByTime(30_000);
  setHidden(false);
  expect(listener.shownAgain).not.toHaveBeenCalled();

  setHidden(true);
  jest.advanceTimersByTime(61_000);
  setHidden(false);
  expect(listener.shownAgain).toHaveBeenCalledTimes(1);
  expect(FakeSocket.all).toHaveLength(1);
});

test('when the network comes back, there is a new stream', () => {
  const { stream, listener, latest } = aStream();
  const old = latest();
  old.onopen?.();

  window.dispatchEvent(new Event('online'));

  expect(old.closed).toBe(true);
  expect(FakeSocket.all).toHaveLength(2);
  expect(stream.isOpen).toBe(false);
  latest().onopen?.();
  expect(stream.isOpen).toBe(true);
  expect(listener.connected).toHaveBeenCalledTimes(2);
});

test('a disposed stream reports nothing', () => {
  const { stream, listener, latest } = aStream();
  const socket = latest();

  stream.dispose();
  socket.onclose?.();
  jest.advanceTimersByTime(60_000);

  expect(socket.closed).toBe(true);
  expect(listener.unavailable).not.toHaveBeenCalled();
  expect(FakeSocket.all).toHaveLength(1);
});
