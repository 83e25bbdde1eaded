import { nullTranslator } from '@jupyterlab/translation';

import { Missing, Refused, Unreachable } from '../server/api';
import { aProblem } from '../testing';
import { failureOf } from './failure';

const trans = nullTranslator.load('any');

test.each<[unknown, string]>([
  [new Refused(aProblem('trust_refused')), 'Title of trust_refused'],
  [new Missing(), 'AWS roles are not available on this server'],
  [new Unreachable(), 'The Jupyter server does not answer'],
  [new Error('Kernel does not exist: 42'), 'Kernel does not exist: 42'],
  [new Error(''), 'Something went wrong'],
  ['odd', 'Something went wrong']
])('%p becomes “%s”', (error, title) => {
  expect(failureOf(error, trans).title).toBe(title);
});

test('only an unanswered request says that nothing is lost', () => {
  expect(failureOf(new Unreachable(), trans).hint).toContain('Nothing is lost.');
  expect(failureOf(new Error('The kernel is dead.'), trans).hint).toBe('');
});
