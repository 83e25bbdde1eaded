import { FakeRoles } from '../testing';
import { retryReads } from './retry';
import type { ISnapshot } from './snapshot';

function aModel(isOpen: boolean) {
  const model = new FakeRoles();
  retryReads(
    model,
    options => void model.read(options),
    () => isOpen
  );
  const become = (situation: ISnapshot['situation']) => {
    model.show({ situation });
    return Promise.resolve();
  };
  model.read.mockImplementation(() => become('unreachable'));
  return { read: model.read, become };
}

beforeEach(() => {
  jest.useFakeTimers();
});

test('a failed read is retried with growing waits while the stream is open', () => {
  const { read, become } = aModel(true);

  void become('unreachable');
  void become('unreachable');
  jest.advanceTimersByTime(2_000);
  expect(read).toHaveBeenCalledTimes(1);
  jest.advanceTimersByTime(4_000);
  expect(read).toHaveBeenCalledTimes(2);
  jest.advanceTimersByTime(60_000);
  expect(read).toHaveBeenCalledTimes(5);

  read.mockImplementation(() => become('ready'));
  jest.advanceTimersByTime(30_000);
  jest.advanceTimersByTime(600_000);
  expect(read).toHaveBeenCalledTimes(6);
});

test('without a stream nothing is retried: its next connection reads', () => {
  const { read, become } = aModel(false);

  void become('unreachable');
  jest.advanceTimersByTime(600_000);

  expect(read).not.toHaveBeenCalled();
});
