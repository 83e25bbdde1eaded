import { nullTranslator } from '@jupyterlab/translation';

import { allEndedWords, endQuestion } from './ending';
import { NOTHING_KNOWN } from './model';
import { anAssignment, aSession } from './testing';
import { clockTime } from './words';

const trans = nullTranslator.load('test');
const ANALYST = aSession('analyst', { default: true });
const AUDITOR = aSession('auditor');

const VIEW = {
  ...NOTHING_KNOWN,
  assignments: [
    anAssignment('1', AUDITOR),
    anAssignment('2', ANALYST),
    anAssignment('3', ANALYST),
    anAssignment('4', null)
  ]
};

test('who ends the default role session is told what starts next has none', () => {
  expect(endQuestion(VIEW, [ANALYST], trans)).toContain('What you start next has no AWS role.');
  expect(endQuestion(VIEW, [AUDITOR], trans)).not.toContain('start next');
});

test('it is said how much uses what is to end', () => {
  expect(endQuestion(VIEW, [AUDITOR], trans)).toContain('In use by 1 running kernel, terminal or');
  expect(endQuestion(VIEW, [ANALYST, AUDITOR], trans)).toContain('In use by 3 running kernels,');
  expect(endQuestion(NOTHING_KNOWN, [ANALYST], trans)).not.toContain('In use');
});

test('who ends what one program has to itself is told so', () => {
  const sentence = 'A program that was started with a role of its own goes on without.';
  expect(endQuestion(VIEW, [aSession('own', { shared: false })], trans)).toContain(sentence);
  expect(endQuestion(VIEW, [ANALYST, AUDITOR], trans)).not.toContain(sentence);
});

test('of several ends, the latest time counts', () => {
  const times = ['2026-11-25T11:00:00Z', null, '2026-11-25T12:00:00.5Z', '2026-11-25T11:30:00Z'];

  expect(allEndedWords(times, trans)).toContain(`until ${clockTime(times[2]!)}`);
});

test.each([[[]], [[null]], [[null, null]]])('of %j, nothing is in use', times => {
  expect(allEndedWords(times, trans)).toBe('No AWS credentials of it are in use.');
});

test('of one end, it is that end’s time', () => {
  expect(allEndedWords(['2026-11-25T11:00:00Z'], trans)).toContain('credentials of it already');
});
