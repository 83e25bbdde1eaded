import type { TranslationBundle } from '@jupyterlab/translation';

import type { Role, RoleSession } from '../server/api';
import { isByEndpoint } from '../server/snapshot';

/** Whether the user is offered roles of both kinds: those that running notebooks can switch to, and others. */
export function isMixed(roles: readonly Role[]): boolean {
  return roles.some(isByEndpoint) && !roles.every(isByEndpoint);
}

/**
 * How long before their expiry boto3 asks for other AWS credentials, in seconds: it tries to from the first on, and
 * does not use the old ones after the second. Source: botocore's RefreshableCredentials. Other SDKs wait longer.
 */
export const BOTO3_TRIES = 15 * 60;
export const BOTO3_INSISTS = 10 * 60;

/** For how long programs can use AWS after the end of role sessions, in words. */
export interface ILeaseText {
  readonly boto3: string;
  readonly others: string;
}

/**
 * Say for how long programs can use AWS after the end of role sessions, at most; null if that depends on when each
 * got its AWS credentials.
 */
export function leaseText(
  sessions: readonly RoleSession[],
  trans: TranslationBundle
): ILeaseText | null {
  if (sessions.length === 0 || !sessions.every(isByEndpoint)) {
    return null;
  }
  const lease = Math.max(...sessions.map(({ lease }) => lease ?? 0));
  const words = (seconds: number) => {
    const minutes = Math.max(1, Math.ceil(seconds / 60));
    return trans._n('%1 minute', '%1 minutes', minutes, minutes);
  };
  return lease > 0 ? { boto3: words(lease - BOTO3_INSISTS), others: words(lease) } : null;
}

/** Return when the last of the credentials that the server keeps for role sessions expires; null if it keeps none. */
export function lastExpiry(sessions: readonly RoleSession[]): string | null {
  return latest(sessions.map(session => session.credentials_expire_at));
}

/** Return the latest of some times of the server's (RFC 3339); null if there is none. An older server leaves them out. */
export function latest(times: readonly (string | null | undefined)[]): string | null {
  return times.reduce<string | null>(
    (late, time) => (time && (late === null || Date.parse(time) > Date.parse(late)) ? time : late),
    null
  );
}
