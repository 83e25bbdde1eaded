import { nullTranslator } from '@jupyterlab/translation';

import { NOTHING_KNOWN } from '../server/snapshot';
import { anAssignment, aSession } from '../testing';
import { endedText, endQuestion } from './end_question';
import { MAX_MESSAGE } from './notification';
import { clockTime } from './state';

const trans = nullTranslator.load('test');
const ANALYST = aSession('analyst', { default: true });
const AUDITOR = aSession('auditor');
const nameOf = ({ id }: { id: string }) => `number ${id}`;

const SNAPSHOT = {
  ...NOTHING_KNOWN,
  assignments: [
    anAssignment('1', AUDITOR),
    anAssignment('2', ANALYST),
    anAssignment('3', ANALYST),
    anAssignment('4', null)
  ]
};

test('the question about the default role session says that what starts next has no role', () => {
  expect(endQuestion(SNAPSHOT, [ANALYST], nameOf, trans)).toContain('What you start next has no');
  expect(endQuestion(SNAPSHOT, [AUDITOR], nameOf, trans)).not.toContain('start next');
});

test('the question names what uses the role sessions, and what becomes of it', () => {
  expect(endQuestion(SNAPSHOT, [AUDITOR], nameOf, trans)).toContain(
    'number 1 uses it. It keeps working with its current AWS credentials, if it has any'
  );
  const all = endQuestion(SNAPSHOT, [ANALYST, AUDITOR], nameOf, trans);
  expect(all).toContain('In use by number 1, number 2, number 3. These keep working');
  expect(all).toContain('then AWS refuses them');
  expect(endQuestion(NOTHING_KNOWN, [ANALYST], nameOf, trans)).toContain(
    'Nothing uses it at the moment'
  );
});

test('the question about all role sessions names them', () => {
  expect(endQuestion(SNAPSHOT, [ANALYST, AUDITOR], nameOf, trans)).toContain(
    'the role sessions of analyst, auditor.'
  );
});

test('the question about a program’s own role session says so', () => {
  const own = endQuestion(SNAPSHOT, [aSession('own', { shared: false })], nameOf, trans);
  expect(own).toContain('A program that was started with its own role uses it');
  expect(own).not.toContain('Nothing that runs');
  expect(endQuestion(SNAPSHOT, [ANALYST, AUDITOR], nameOf, trans)).not.toContain('A program');
});

function ended(label: string, ...times: (string | null)[]) {
  return times.map(credentialsExpireAt => ({ label, credentialsExpireAt }));
}

test('after several ends, the latest time counts', () => {
  const times = ['2026-11-25T11:00:00Z', null, '2026-11-25T12:00:00.5Z', '2026-11-25T11:30:00Z'];

  const words = endedText(ended('Analyst', ...times), trans);

  expect(words).toContain('Ended: Analyst.');
  expect(words).toContain(`until ${clockTime(times[2]!)}`);
});

test('without issued credentials, none are in use', () => {
  expect(endedText(ended('Analyst', null), trans)).toBe(
    'Ended: Analyst. No program has AWS credentials from it.'
  );
});

test('it fits a notification with long labels too', () => {
  const many = ended('A role with a long, long, long, long name', '2026-11-20T23:59:00Z');

  expect(endedText(many, trans).length).toBeLessThanOrEqual(MAX_MESSAGE);
});
