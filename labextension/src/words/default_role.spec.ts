import { nullTranslator } from '@jupyterlab/translation';

import { defaultRoleArn, type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { aRole, aSession } from '../testing';
import { defaultRoleText, waitText } from './default_role';

const trans = nullTranslator.load('test');
const AUDITOR = aRole('auditor', { label: 'Auditor' });
const NOTHING_CHOSEN: ISnapshot = { ...NOTHING_KNOWN, situation: 'ready', roles: [AUDITOR] };
const NO_ROLE: ISnapshot = {
  ...NOTHING_CHOSEN,
  choice: { session_id: null, chosen: true, ended: null }
};
const ANALYST: ISnapshot = {
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
])('it says which role starts get', (snapshot, words) => {
  expect(defaultRoleText(snapshot, trans)).toContain(words);
  expect(waitText(snapshot, trans)).toBeNull();
});

test.each([
  [ANALYST, 'what you start now still uses Analyst.'],
  [NO_ROLE, 'what you start now still has no AWS role.'],
  [NOTHING_CHOSEN, 'what you start now still has the server’s own AWS access, if any.']
])('while the new default role starts, it says what starts get until then', (snapshot, words) => {
  const picking = { ...snapshot, starting: [AUDITOR.arn], startingDefaults: [AUDITOR.arn] };

  expect(defaultRoleText(picking, trans)).toBe(`Wait until Auditor is ready: ${words}`);
});

test('it asks nobody to pick a role where none is offered', () => {
  expect(defaultRoleText({ ...NOTHING_CHOSEN, roles: [] }, trans)).toBe('');
  expect(defaultRoleText({ ...NO_ROLE, roles: [] }, trans)).toContain('have no AWS role');
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
