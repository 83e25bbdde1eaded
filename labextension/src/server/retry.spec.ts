import { Signal } from '@lumino/signaling';

import { type IView, type Model, NOTHING_KNOWN } from './model';
import { readAgain } from './retry';

function aModel(isOpen: boolean) {
  const model = { changed: new Signal<unknown, IView>({}), read: jest.fn() };
  readAgain(model as unknown as Model, () => isOpen);
  const become = (situation: IView['situation']) =>
    model.changed.emit({ ...NOTHING_KNOWN, situation });
  model.read.mockImplementation(() => become('unreachable'));
  return { read: model.read, become };
}

beforeEach(() => {
  jest.useFakeTimers();
});

test('a read that failed is done again, ever more rarely, while the stream is open', () => {
  const { read, become } = aModel(true);

  become('unreachable');
  become('unreachable');
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

test('without a stream nothing is asked: the next one reads', () => {
  const { read, become } = aModel(false);

  become('unreachable');
  jest.advanceTimersByTime(600_000);

  expect(read).not.toHaveBeenCalled();
});
