import { nullTranslator } from '@jupyterlab/translation';

import { aSession } from '../testing';
import { clockTime, expiryMatters, purposeText, stateText, timeLeft } from './state';

const trans = nullTranslator.load('test');
const NOW = Date.parse('2026-11-25T10:00:00Z');

test.each([
  ['2026-11-25T10:00:30Z', 'less than a minute'],
  ['2026-11-25T10:01:00Z', '1 minute'],
  ['2026-11-25T10:14:59Z', '14 minutes'],
  ['2026-11-25T11:30:00Z', '90 minutes'],
  ['2026-11-25T13:00:00Z', '3 hours'],
  ['2026-11-25T10:00:00Z', ''],
  ['2026-11-25T09:00:00Z', ''],
  [null, '']
])('until %j it is %j', (time, words) => {
  expect(timeLeft(time, NOW, trans)).toBe(words);
});

test.each([
  [{ default: true }, 'default'],
  [{ shared: false }, 'for one program'],
  [{}, '']
])('a role session %j is for: %j', (change, words) => {
  expect(purposeText(aSession('analyst', change), trans)).toBe(words);
});

test.each([
  ['active', false],
  ['degraded', true],
  ['sign_in_required', true],
  ['expired', false]
] as const)('whether the expiry matters while it is %s: %j', (state, expected) => {
  expect(expiryMatters(aSession('analyst', { state }))).toBe(expected);
});

test('a degraded role session says how long its token is still valid', () => {
  const session = aSession('analyst', { state: 'degraded' });

  expect(stateText(session, NOW, trans).sentence).toContain('is valid for 15 minutes');
});

test('a time of another day says the day', () => {
  const noon = new Date(2026, 10, 25, 12);

  expect(clockTime(new Date(2026, 10, 25, 14, 5).toISOString(), noon)).not.toContain('2026');
  expect(clockTime(new Date(2026, 10, 27, 14, 5).toISOString(), noon)).toContain('2026');
});
