import { aClient, aSession } from '../testing';
import type { HealthProblem } from './api';
import { nextExpiry } from './expiry';
import { type ISnapshot, NOTHING_KNOWN } from './snapshot';

const NOON = Date.parse('2026-11-25T12:00:00Z');
const IN_A_MINUTE = '2026-11-25T12:01:00Z';
const DEGRADED = aSession('analyst', { state: 'degraded', token_expires_at: IN_A_MINUTE });

function aSnapshot(...sessions: ISnapshot['sessions']): ISnapshot {
  return { ...NOTHING_KNOWN, situation: 'ready', sessions };
}

test.each([
  ['nothing runs', [], null],
  ['no event says that it was refreshed', [{ ...DEGRADED, state: 'active' as const }], 62_000],
  ['it can’t be refreshed', [DEGRADED], 62_000],
  [
    'another one is over before',
    [DEGRADED, aSession('auditor', { ...DEGRADED, token_expires_at: '2026-11-25T12:00:10Z' })],
    12_000
  ],
  [
    'it is over, and the server does not say so yet',
    [{ ...DEGRADED, token_expires_at: '2026-11-25T11:59:59Z' }],
    15_000
  ],
  ['it lives for hours', [{ ...DEGRADED, token_expires_at: '2026-11-26T12:00:00Z' }], 3_600_000],
  ['its end is not known', [{ ...DEGRADED, token_expires_at: null }], null],
  ['it has expired', [{ ...DEGRADED, state: 'expired' as const }], null]
])('where %s', (_, sessions, wait) => {
  expect(nextExpiry(aSnapshot(...sessions), NOON)).toBe(wait);
});

test.each([
  ['programs were left running', { endpointClients: [aClient('c', { state: 'left_running' })] }],
  [
    'the credential endpoint has a problem',
    { endpointProblems: [{ code: 'endpoint_not_running' } as HealthProblem] }
  ]
])('while %s, the page looks again, since no event says when that is over', (_, change) => {
  expect(nextExpiry({ ...aSnapshot(), ...change }, NOON)).toBe(30_000);
});

test('kernels and terminals that run are no reason to look', () => {
  expect(nextExpiry({ ...aSnapshot(), endpointClients: [aClient('c')] }, NOON)).toBeNull();
});

test('a server that is gone is not asked', () => {
  expect(nextExpiry({ ...aSnapshot(DEGRADED), situation: 'unreachable' }, NOON)).toBeNull();
});
