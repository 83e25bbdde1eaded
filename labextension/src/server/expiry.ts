import type { IView } from './model';

/** What the server's clock may show less than this page thinks. */
const MARGIN = 2_000;
/** How often to look where a token is over and the server does not say so yet. */
const OVERDUE = 15_000;
const LONGEST = 3_600_000;

/**
 * In how many milliseconds to read the state again, since a token is over then unless it was
 * renewed; null where there is none.
 *
 * The server tells by an event as well, when it next tries to renew it: up to half a minute later,
 * and not at all to a page whose event stream is dead and looks open.
 */
export function nextExpiry(view: IView, now: number): number | null {
  if (view.situation !== 'ready') {
    return null;
  }
  const waits = view.sessions
    .filter(({ state }) => state === 'active' || state === 'degraded')
    .filter(session => session.token_expires_at !== null)
    .map(session => Date.parse(session.token_expires_at ?? '') - now)
    .map(left => (left > 0 ? left + MARGIN : OVERDUE));
  return waits.length === 0 ? null : Math.min(...waits, LONGEST);
}
