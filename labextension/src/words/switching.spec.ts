import { nullTranslator } from '@jupyterlab/translation';

import { aRole, aSwitch } from '../testing';
import { clockTime } from './state';
import { atOnceText, staying, stayingText, switchedText } from './switching';

const trans = nullTranslator.load('any');
const UNTIL = '2026-11-25T10:16:00Z';

test('a switch says what applies now, when boto3 follows, and when all other programs do', () => {
  const some = aSwitch({ old_clients_until: UNTIL });
  const at = (time: string) => Date.parse(`2026-11-25T${time}Z`);
  const [follows, loses] = ['2026-11-25T10:01:00Z', '2026-11-25T10:06:00Z'];

  expect(switchedText(some, 'Auditor', at('10:00:00'), trans)).toBe(
    `New programs use Auditor now. boto3 sessions that exist already follow by ${clockTime(follows)}, other programs by ${clockTime(UNTIL)} at the latest.`
  );
  expect(switchedText(some, 'Auditor', at('10:01:00'), trans)).toBe(
    `boto3 uses Auditor from its next call on; other programs that run already follow by ${clockTime(UNTIL)} at the latest.`
  );
  expect(switchedText(some, null, at('10:05:59'), trans)).toBe(
    `New programs have no AWS role now. boto3 sessions that exist already lose theirs by ${clockTime(loses)}, other programs by ${clockTime(UNTIL)} at the latest.`
  );
  expect(switchedText(some, null, at('10:06:00'), trans)).toBe(
    `boto3 has no AWS role from its next call on; other programs that run already lose theirs by ${clockTime(UNTIL)} at the latest.`
  );
});

test.each([
  ['of one kind and region', ['endpoint'], [null, null], 'at once, without a restart.'],
  ['of two regions', ['endpoint'], [null, 'eu-west-1'], 'only a new region needs a restart.'],
  ['of both kinds', ['endpoint', 'web_identity'], [null, null], 'that it needs a restart.'],
  ['that differ in both', ['endpoint', 'web_identity'], [null, 'eu-west-1'], 'needs one, too.']
] as const)('what takes effect at once is said of roles %s', (_, deliveries, regions, end) => {
  const roles = deliveries.flatMap(delivery =>
    regions.map(region => aRole(`${delivery}-${region}`, { delivery, region }))
  );

  const text = atOnceText(roles, trans);

  expect(text).toMatch(/^Another role takes effect at once/);
  expect(text.endsWith(end)).toBe(true);
});

test('if nothing had credentials of the former role, there is no time', () => {
  expect(switchedText(aSwitch(), 'Auditor', 0, trans)).toContain('use Auditor from now on');
  expect(switchedText(aSwitch(), null, 0, trans)).toContain('no AWS role from now on');
});

test('only what a switch left behind is worth a restart, and the role’s name for prompts is not', () => {
  const names = ['AWS_REGION', 'JUPYTER_WB_AWS_ROLE'];

  expect(staying(aSwitch({ at_restart: names }))).toEqual(['AWS_REGION']);
  expect(staying(aSwitch({ at_restart: names, applies: 'at_restart' }))).toEqual([]);
});

test('a region is called so, other variables by their names', () => {
  expect(stayingText('kernel', [], trans)).toBe('');
  expect(stayingText('kernel', ['AWS_REGION', 'AWS_DEFAULT_REGION'], trans)).toBe(
    'The kernel keeps its region (AWS_REGION, AWS_DEFAULT_REGION) until it restarts.'
  );
  expect(stayingText('kernel', ['AWS_REGION', 'BUCKET'], trans)).toContain(
    'these variables until it restarts: AWS_REGION, BUCKET.'
  );
  expect(stayingText('terminal', ['AWS_REGION'], trans)).toContain(
    'a new terminal has the new one'
  );
  expect(stayingText('terminal', ['BUCKET'], trans)).toContain('new ones: BUCKET.');
});
