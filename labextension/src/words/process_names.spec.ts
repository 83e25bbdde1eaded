import { nullTranslator } from '@jupyterlab/translation';

import { processNames } from './process_names';

const SESSIONS = [
  { kernel: { id: 'k1' }, name: 'report.ipynb', path: 'work/report.ipynb' },
  { kernel: { id: 'k2' }, name: '', path: 'console-1' },
  { kernel: null, name: 'other.ipynb', path: 'other.ipynb' }
];
const nameOf = processNames({ running: () => SESSIONS }, nullTranslator.load('any'));

test.each([
  ['kernel', 'k1', 'report.ipynb'],
  ['kernel', 'k2', 'console-1'],
  ['kernel', 'k3', 'A kernel'],
  ['terminal', '1', 'Terminal 1'],
  ['app', 'rstudio', 'rstudio']
] as const)('the %s %s is called %s', (kind, id, name) => {
  expect(nameOf({ kind, id })).toBe(name);
});
