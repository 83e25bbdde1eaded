import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { aProblem } from '../testing';
import { failureOfProblem } from '../words/failure';
import { CopyButton, FailureNote } from './failure_note';

jest.mock('@jupyterlab/apputils', () => ({ Clipboard: { copyToSystem: jest.fn() } }));

const trans = nullTranslator.load('any');

test('a failure is scrolled into view once, also in browsers whose scrolling returns a promise', () => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const scroll = jest.fn(() => Promise.resolve());
  Object.assign(Element.prototype, { scrollIntoView: scroll });
  const node = document.createElement('div');
  const root = createRoot(node);
  const show = () => {
    const failure = failureOfProblem(aProblem('sign_in_failed'), trans);
    React.act(() => root.render(<FailureNote failure={failure} trans={trans} />));
  };

  show();
  show();
  expect(node.textContent).toContain('Title of sign_in_failed');
  expect(scroll).toHaveBeenCalledTimes(1);

  React.act(() => root.unmount());
  expect(node.textContent).toBe('');
});

test('a copy is confirmed for two seconds', () => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  jest.useFakeTimers();
  const node = document.createElement('div');
  React.act(() => createRoot(node).render(<CopyButton text="it" label="Copy it" trans={trans} />));
  const click = () => React.act(() => node.querySelector('button')!.click());
  const pass = (time: number) => React.act(() => jest.advanceTimersByTime(time));

  click();
  pass(1_500);
  click();
  pass(1_500);
  expect(node.textContent).toBe('Copied');
  pass(500);
  expect(node.textContent).toBe('Copy it');
  jest.useRealTimers();
});
