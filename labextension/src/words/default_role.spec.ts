import { nullTranslator } from '@jupyterlab/translation';

import { defaultRoleArn, type IView, NOTHING_KNOWN } from '../server/view';
import { aRole, aSession } from '../testing';
import { defaultRoleText, waitText } from './default_role';

const trans = nullTranslator.load('test');
const AUDITOR = aRole('auditor', { label: 'Auditor' });
const NOTHING_CHOSEN: IView = { ...NOTHING_KNOWN, situation: 'ready', roles: [AUDITOR] };
const NO_ROLE: IView = {
  ...NOTHING_CHOSEN,
  choice: { session_id: null, chosen: true, ended: null }
};
const ANALYST: IView = {
  ...NOTHING_CHOSEN,
  sessions: [aSession('analyst', { label: 'Analyst' })],
  choice: { session_id: 'id-analyst', chosen: true, ended: null }
};

test.each([
  [ANALYST, 'work as Analyst.'],
  [NO_ROLE, 'from now on have no AWS role.'],
  [
    { ...NO_ROLE, choice: { ...NO_ROLE.choice, ended: 'Analyst' } },
    'The role session of Analyst has ended'
  ],
  [NOTHING_CHOSEN, 'Pick a role to give']
])('it says which role starts get', (view, words) => {
  expect(defaultRoleText(view, trans)).toContain(words);
  expect(waitText(view, trans)).toBeNull();
});

test.each([
  [ANALYST, 'what you start now still uses Analyst.'],
  [NO_ROLE, 'what you start now still has no AWS role.'],
  [NOTHING_CHOSEN, 'what you start now still has the server’s own AWS access, if any.']
])('while the new default role starts, it says what starts get until then', (view, words) => {
  const picking = { ...view, starting: [AUDITOR.arn], startingDefaults: [AUDITOR.arn] };

  expect(defaultRoleText(picking, trans)).toBe(`Wait until Auditor is ready: ${words}`);
});

test('a role that starts for one kernel does not change what starts next', () => {
  expect(defaultRoleText({ ...ANALYST, starting: [AUDITOR.arn] }, trans)).toContain(
    'work as Analyst.'
  );
});

test('the default role is the one that was chosen', () => {
  expect(defaultRoleArn(ANALYST)).toBe('arn:aws:iam::111122223333:role/analyst');
  expect(defaultRoleArn(NO_ROLE)).toBeNull();
  expect(defaultRoleArn(NOTHING_CHOSEN)).toBeUndefined();
});
