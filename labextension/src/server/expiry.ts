import type { ISnapshot } from './snapshot';

/** How far the server's clock may be behind this page's estimate, in milliseconds. */
const MARGIN = 2_000;
/** How often to read after a token has expired while the server does not say so, in milliseconds. */
const OVERDUE_WAIT = 15_000;
/** How often to look again at what changes without an event, in milliseconds. */
const LOOK_WAIT = 30_000;
/** The longest wait, in milliseconds: browsers' timers overflow after 24 days. */
const MAX_WAIT = 3_600_000;

/**
 * Return in how many milliseconds to read the state again because a token may have expired, or something
 * else may have changed without an event; null if nothing can.
 *
 * The server sends an event too, but up to half a minute later, and not to a page whose event stream
 * is dead and looks open.
 *
 * @param now - the server's time in milliseconds.
 */
export function nextExpiry(snapshot: ISnapshot, now: number): number | null {
  if (snapshot.situation !== 'ready') {
    return null;
  }
  const waits = snapshot.sessions
    .filter(({ state }) => state === 'active' || state === 'degraded')
    .filter(session => session.token_expires_at !== null)
    .map(session => Date.parse(session.token_expires_at ?? '') - now)
    .map(left => (left > 0 ? left + MARGIN : OVERDUE_WAIT));
  // Programs that were left running end by themselves, and the credential endpoint recovers by itself.
  if (
    snapshot.endpointProblems.length > 0 ||
    snapshot.endpointClients.some(({ state }) => state === 'left_running')
  ) {
    waits.push(LOOK_WAIT);
  }
  return waits.length === 0 ? null : Math.min(...waits, MAX_WAIT);
}
