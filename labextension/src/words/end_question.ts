import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from '../server/api';
import type { ISnapshot } from '../server/snapshot';
import type { ProcessName } from './process_names';
import { clockTime, listed } from './state';

/** A role session that has ended. */
export interface IEnded {
  readonly label: string;
  /** Until when credentials issued before may work (RFC 3339); null if there are none. */
  readonly credentialsExpireAt: string | null;
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
  const ids = new Set(sessions.map(session => session.id));
  const users = snapshot.assignments.filter(
    ({ running }) => running && ids.has(running.session_id)
  );
  return [
    sessions.length > 1
      ? trans.__(
          'This ends the role sessions of %1.',
          sessions.map(({ label }) => label).join(', ')
        )
      : '',
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
      : '',
    users.length === 0 && sessions.every(session => session.shared)
      ? trans.__('Nothing uses it at the moment.')
      : '',
    sessions.some(session => session.default)
      ? trans.__('What you start next has no AWS role.')
      : ''
  ]
    .filter(Boolean)
    .join(' ');
}

/** Say what has ended, and until when credentials issued before still work; for a notification. */
export function endedText(ended: readonly IEnded[], trans: TranslationBundle): string {
  const labels = listed([...new Set(ended.map(({ label }) => label))], trans);
  const times = ended.map(each => each.credentialsExpireAt).filter(time => time !== null);
  if (times.length === 0) {
    return trans.__('Ended: %1. No program has AWS credentials from it.', labels);
  }
  const last = times.reduce((late, time) => (Date.parse(time) > Date.parse(late) ? time : late));
  return trans.__(
    'Ended: %1. Programs can use the AWS credentials that they have until %2.',
    labels,
    clockTime(last)
  );
}
