import { FakeRoles } from '../testing';
import { backgroundReads } from './background';

function setHidden(hidden: boolean) {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
  document.dispatchEvent(new Event('visibilitychange'));
}

/** A model that has read before, so that its page shows something. */
function aPage() {
  const model = new FakeRoles();
  model.reads = 1;
  return { model, read: backgroundReads(model), asked: model.read };
}

beforeEach(() => setHidden(false));

test('a read that an event causes is not the user’s', () => {
  const { read, asked } = aPage();

  read({ roles: true });

  expect(asked.mock.calls).toEqual([[{ roles: true, background: true }]]);
});

test('a hidden page reads nothing until it is shown, and then once what all events asked for', () => {
  const { read, asked } = aPage();
  setHidden(true);

  read();
  read({ roles: true });
  read({ server: true });
  read({});
  expect(asked).not.toHaveBeenCalled();

  setHidden(false);
  expect(asked.mock.calls).toEqual([[{ roles: true, server: true, background: true }]]);
  setHidden(true);
  setHidden(false);
  expect(asked).toHaveBeenCalledTimes(1);
});

test('a page that opens in a hidden tab reads once', () => {
  const { model, read, asked } = aPage();
  model.reads = 0;
  setHidden(true);

  read({ roles: true });

  expect(asked.mock.calls).toEqual([[{ roles: true, background: true }]]);
});
