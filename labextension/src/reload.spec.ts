import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { askForReload, reloadHelps } from './reload';
import { FakeRoles } from './testing';

jest.mock('@jupyterlab/apputils', () => ({
  Notification: { emit: jest.fn(() => 'id-1'), dismiss: jest.fn() }
}));

const emit = jest.mocked(Notification.emit);

beforeEach(() => {
  jest.clearAllMocks();
  window.sessionStorage.clear();
});

test.each([
  ['the same', '1.0.0', '1.0.0', '1.0.0', false],
  ['a server that was upgraded since', '1.0.0', '1.0.0', '1.1.0', true],
  ['a server that was set back since', '1.1.0', '1.1.0', '1.0.0', true],
  ['a server that was newer from the start', '1.9.0', '1.10.0', '1.10.0', true],
  ['files that were upgraded under a running server', '1.1.0', '1.0.0', '1.0.0', false],
  ['that server, started again', '1.1.0', '1.0.0', '1.1.0', false],
  ['a build in development', '1.1.0', '1.1.0.dev3', '1.1.0.dev3', false],
  ['a server of the next build in development', '1.1.0', '1.1.0.dev3', '1.1.0.dev4', true],
  ['a version that is not a number', '1.0.0', 'unknown', 'unknown', false]
])('a reload is asked for if it helps: %s', (_, page, first, now, helps) => {
  expect(reloadHelps(page, first, now)).toBe(helps);
});

/** A page of version 1.0.0 that is loaded, and what it reads of its server. */
function aPage() {
  const model = new FakeRoles();
  const reload = jest.fn();
  const page = { version: '1.0.0', trans: nullTranslator.load('any'), reload };
  askForReload(model, page);
  const reads = (version: string | null) => model.show({ version });
  return { reads, reload };
}

test('a page asks once when its server has been upgraded, and a button loads it again', () => {
  const { reads, reload } = aPage();
  reads('1.0.0');
  expect(emit).not.toHaveBeenCalled();

  reads(null);
  reads('1.1.0');
  reads('1.1.0');

  expect(emit).toHaveBeenCalledTimes(1);
  const [message, type, options] = emit.mock.calls[0]!;
  expect(message).toContain('version 1.1.0');
  expect(message).toContain('1.0.0');
  expect(type).toBe('warning');
  expect(options?.autoClose).toBe(false);
  const [action] = options!.actions!;
  expect(action!.label).toBe('Reload');
  action!.callback({} as MouseEvent);
  expect(reload).toHaveBeenCalledTimes(1);
});

test('the question disappears when the server has its old version again', () => {
  const { reads } = aPage();
  reads('1.0.0');
  reads('1.1.0');

  reads('1.0.0');

  expect(Notification.dismiss).toHaveBeenCalledWith('id-1');
});

test('a server that does not say its version causes no question', () => {
  const { reads } = aPage();

  reads(null);

  expect(emit).not.toHaveBeenCalled();
});

test('a reload that has not helped is not asked for again', () => {
  aPage().reads('1.1.0');
  expect(emit).toHaveBeenCalledTimes(1);

  aPage().reads('1.1.0');

  expect(emit).toHaveBeenCalledTimes(1);
});

test('a browser without storage asks too', () => {
  const refusing = () => {
    throw new DOMException('no', 'SecurityError');
  };
  jest.spyOn(Storage.prototype, 'getItem').mockImplementation(refusing);
  jest.spyOn(Storage.prototype, 'setItem').mockImplementation(refusing);

  aPage().reads('1.1.0');

  expect(emit).toHaveBeenCalledTimes(1);
  jest.restoreAllMocks();
});
