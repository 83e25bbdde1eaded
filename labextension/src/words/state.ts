import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from '../server/api';

/** A role session's state for people: one word, and one sentence. */
export interface IStateText {
  readonly word: string;
  readonly sentence: string;
}

/** Describe a role session's state at `now` (the server's time in milliseconds). */
export function stateText(session: RoleSession, now: number, trans: TranslationBundle): IStateText {
  const left = timeLeft(session.token_expires_at, now, trans);
  switch (session.state) {
    case 'starting':
      return { word: trans.__('starting'), sentence: trans.__('The role session is starting.') };
    case 'active':
      return { word: trans.__('active'), sentence: trans.__('AWS credentials are kept fresh.') };
    case 'degraded':
      return {
        word: trans.__('degraded'),
        sentence: left
          ? trans.__('Couldn’t refresh the token; the current one is valid for %1.', left)
          : trans.__('Couldn’t refresh the token.')
      };
    case 'sign_in_required':
      return {
        word: trans.__('sign-in required'),
        sentence: trans.__('Sign in to continue; notebooks and their data are not affected.')
      };
    case 'expired':
      return {
        word: trans.__('expired'),
        sentence: trans.__(
          'The token has expired. It is refreshed automatically once a new one is available.'
        )
      };
    case 'ended':
      return { word: trans.__('ended'), sentence: trans.__('The role session has ended.') };
    default:
      return {
        word: session.state,
        sentence: trans.__(
          'This page is older than its server. Reload it to see what this state means.'
        )
      };
  }
}

/** Say what a role session is for; empty if nothing uses it unless the user picks it. */
export function purposeText(session: RoleSession, trans: TranslationBundle): string {
  if (!session.shared) {
    return trans.__('for one program');
  }
  return session.default ? trans.__('default') : '';
}

/** Whether the user should see how long a role session's token is still valid. */
export function expiryMatters(session: RoleSession): boolean {
  return session.state === 'degraded' || session.state === 'sign_in_required';
}

/**
 * Say how long it is until a time, in the largest unit that fits; empty if it has passed.
 *
 * @param time - a time of the server's (RFC 3339).
 * @param now - the server's time in milliseconds.
 */
export function timeLeft(time: string | null, now: number, trans: TranslationBundle): string {
  const seconds = time === null ? 0 : Math.floor((Date.parse(time) - now) / 1000);
  if (!(seconds > 0)) {
    return '';
  }
  if (seconds < 60) {
    return trans.__('less than a minute');
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) {
    return trans._n('%1 minute', '%1 minutes', minutes, minutes);
  }
  const hours = Math.floor(minutes / 60);
  return trans._n('%1 hour', '%1 hours', hours, hours);
}

/** Write a time of the server's (RFC 3339) in the user's time zone, with its day unless it is today. */
export function clockTime(time: string, today = new Date()): string {
  const at = new Date(time);
  const clock = { hour: '2-digit', minute: '2-digit' } as const;
  return at.toDateString() === today.toDateString()
    ? at.toLocaleTimeString(undefined, clock)
    : at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

/** How many characters a list of names has in a notification. */
const MAX_NAMES = 34;

/** List as many names as fit into a notification, and count the rest. */
export function listed(all: readonly string[], trans: TranslationBundle): string {
  const whole = all.join(', ');
  if (whole.length <= MAX_NAMES) {
    return whole;
  }
  const first = shortened(all[0] ?? '', all.length > 1 ? MAX_NAMES - 12 : MAX_NAMES);
  const rest = all.length - 1;
  return rest === 0 ? first : trans._n('%2 and %1 more', '%2 and %1 more', rest, first);
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
