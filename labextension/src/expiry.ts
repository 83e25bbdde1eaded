import type { IView } from './model';

/** What the server's clock may show less than this page thinks, and not read too often for it. */
const MARGIN = 2_000;
const LONGEST = 3_600_000;

/**
 * In how many milliseconds to read the state again, since a token that nobody could renew is over
 * then; null where there is none.
 *
 * The server tells by an event as well, when it next tries to renew it: up to half a minute later.
 */
export function nextExpiry(view: IView, now: number): number | null {
  if (view.situation !== 'ready') {
    return null;
  }
  const ends = view.sessions
    .filter(session => session.state === 'degraded' && session.token_expires_at !== null)
    .map(session => Date.parse(session.token_expires_at ?? ''));
  return ends.length === 0
    ? null
    : Math.min(Math.max(Math.min(...ends) - now, 0) + MARGIN, LONGEST);
}
