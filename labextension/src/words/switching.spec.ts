import { nullTranslator } from '@jupyterlab/translation';

import { aSwitch } from '../testing';
import { clockTime } from './state';
import { staying, stayingText, switchedText } from './switching';

const trans = nullTranslator.load('any');
const UNTIL = '2026-11-25T10:16:00Z';

test('a switch says what applies now, and until when programs go on as before', () => {
  const some = aSwitch({ old_clients_until: UNTIL });

  expect(switchedText(some, 'Auditor', trans)).toBe(
    `New programs and new boto3 sessions use Auditor now; those that run already follow by ${clockTime(UNTIL)} at the latest.`
  );
  expect(switchedText(some, null, trans)).toContain(
    `have no AWS role now; those that run already lose theirs by ${clockTime(UNTIL)}`
  );
});

test('if nothing had credentials of the former role, there is no time', () => {
  expect(switchedText(aSwitch(), 'Auditor', trans)).toContain('use Auditor from now on');
  expect(switchedText(aSwitch(), null, trans)).toContain('no AWS role from now on');
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
