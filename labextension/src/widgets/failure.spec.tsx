import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { problemWords } from '../failure';
import { aProblem } from '../testing';
import { FailureNote } from './failure';

jest.mock('@jupyterlab/apputils', () => ({ Clipboard: { copyToSystem: jest.fn() } }));

const trans = nullTranslator.load('any');

test('a failure is scrolled to once, in browsers that give a promise for it, too', () => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const scroll = jest.fn(() => Promise.resolve());
  Object.assign(Element.prototype, { scrollIntoView: scroll });
  const node = document.createElement('div');
  const root = createRoot(node);
  const show = () => {
    const failure = problemWords(aProblem('sign_in_failed'), trans);
    React.act(() => root.render(<FailureNote failure={failure} trans={trans} />));
  };

  show();
  show();
  expect(node.textContent).toContain('Title of sign_in_failed');
  expect(scroll).toHaveBeenCalledTimes(1);

  React.act(() => root.unmount());
  expect(node.textContent).toBe('');
});
