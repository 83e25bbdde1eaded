import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession, RoleSessionEnd } from '../server/api';
import { type ISnapshot, isByEndpoint } from '../server/snapshot';
import { lastExpiry, latest, leaseText } from './delivery';
import type { ProcessName } from './process_names';
import { clockTime, listed } from './state';

/** A role session that has ended, and the server's answer. */
export interface IEnded extends Pick<RoleSessionEnd, 'credentials_expire_at' | 'clients_stop_by'> {
  readonly session: RoleSession;
}

/**
 * Explain what ending role sessions does, for the question to the user.
 *
 * @param nameOf - names the kernels, terminals and apps that use them.
 */
export function endQuestion(
  snapshot: ISnapshot,
  sessions: readonly RoleSession[],
  nameOf: ProcessName,
  trans: TranslationBundle
): string {
  const byEndpoint = sessions.filter(isByEndpoint);
  const byFile = sessions.filter(session => !isByEndpoint(session));
  return [
    sessions.length > 1
      ? trans.__(
          'This ends the role sessions of %1.',
          sessions.map(({ label }) => label).join(', ')
        )
      : '',
    ...usesOfFiles(snapshot, byFile, nameOf, trans),
    ...usesOfEndpoint(snapshot, byEndpoint, nameOf, trans),
    isUnused(snapshot, sessions) ? trans.__('Nothing uses it at the moment.') : '',
    sessions.some(session => session.default)
      ? trans.__('What you start next has no AWS role.')
      : ''
  ]
    .filter(Boolean)
    .join(' ');
}

/** Say what becomes of programs that called AWS with a token file for their credentials. */
function usesOfFiles(
  snapshot: ISnapshot,
  sessions: readonly RoleSession[],
  nameOf: ProcessName,
  trans: TranslationBundle
): string[] {
  const users = usersOf(snapshot, sessions);
  return [
    users.length > 0
      ? trans._n(
          '%2 uses it. It keeps working with its current AWS credentials, if it has any, until they expire, usually within an hour (you will see when); then AWS refuses it.',
          'In use by %2. These keep working with their current AWS credentials, if they have any, until those expire, usually within an hour (you will see when); then AWS refuses them.',
          users.length,
          users.map(nameOf).join(', ')
        )
      : '',
    sessions.some(session => !session.shared)
      ? trans.__(
          'A program that was started with its own role uses it. AWS refuses that program once its AWS credentials expire.'
        )
      : ''
  ];
}

/** Say what becomes of programs that got their credentials from this server, and of copies of these. */
function usesOfEndpoint(
  snapshot: ISnapshot,
  sessions: readonly RoleSession[],
  nameOf: ProcessName,
  trans: TranslationBundle
): string[] {
  const users = usersOf(snapshot, sessions);
  const lease = leaseText(sessions, trans);
  const copies = lastExpiry(sessions);
  return [
    users.length > 0
      ? trans._n(
          '%2 uses it, and keeps running.',
          'In use by %2, which keep running.',
          users.length,
          users.map(nameOf).join(', ')
        )
      : '',
    sessions.some(session => !session.shared)
      ? trans.__('A program that was started with its own role uses it.')
      : '',
    lease === null
      ? ''
      : trans.__(
          'boto3 can use AWS with it for about %1 more, other programs for %2 at most.',
          lease.boto3,
          lease.others
        ),
    copies === null
      ? ''
      : trans.__(
          'AWS credentials that were copied from a program work until %1.',
          clockTime(copies)
        )
  ];
}

function usersOf(snapshot: ISnapshot, sessions: readonly RoleSession[]) {
  const ids = new Set(sessions.map(session => session.id));
  return snapshot.assignments.filter(({ running }) => running && ids.has(running.session_id));
}

function isUnused(snapshot: ISnapshot, sessions: readonly RoleSession[]): boolean {
  const ids = new Set(sessions.map(session => session.id));
  return (
    usersOf(snapshot, sessions).length === 0 &&
    sessions.every(session => session.shared) &&
    !snapshot.endpointClients.some(
      client => client.last_request_at !== null && ids.has(client.session_id ?? '')
    )
  );
}

/** Say what has ended, and until when credentials issued before still work; for a notification. */
export function endedText(ended: readonly IEnded[], trans: TranslationBundle): string {
  const labels = listed([...new Set(ended.map(({ session }) => session.label))], trans);
  const stop = latest(
    ended.map(each =>
      isByEndpoint(each.session) ? each.clients_stop_by : each.credentials_expire_at
    )
  );
  if (stop === null) {
    return trans.__('Ended: %1. No program has AWS credentials from it.', labels);
  }
  const copies = latest(ended.map(each => each.credentials_expire_at));
  return copies === null || copies === stop
    ? trans.__(
        'Ended: %1. Programs can use the AWS credentials that they have until %2.',
        labels,
        clockTime(stop)
      )
    : trans.__(
        'Ended: %1. Programs stop by %2; copied credentials work until %3.',
        labels,
        clockTime(stop),
        clockTime(copies)
      );
}
