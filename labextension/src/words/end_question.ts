import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from '../server/api';
import type { IView } from '../server/view';
import type { ProcessName } from './process_names';
import { clockTime, listed } from './state';

/** A role session that has ended, and until when what was issued before still works; null: there is nothing. */
export interface IEnded {
  readonly label: string;
  readonly credentialsExpireAt: string | null;
}

/** Say what it means to end these role sessions, to the user who is asked. */
export function endQuestion(
  view: IView,
  sessions: readonly RoleSession[],
  nameOf: ProcessName,
  trans: TranslationBundle
): string {
  const ids = new Set(sessions.map(session => session.id));
  const users = view.assignments.filter(({ running }) => running && ids.has(running.session_id));
  return [
    sessions.length > 1
      ? trans.__(
          'This ends the role sessions of %1.',
          sessions.map(({ label }) => label).join(', ')
        )
      : '',
    users.length > 0
      ? trans._n(
          '%2 uses it: it keeps working with the AWS credentials that it holds until they expire, mostly within an hour (you are told until when); then AWS refuses it.',
          'In use by %2: these keep working with the AWS credentials that they hold until those expire, mostly within an hour (you are told until when); then AWS refuses them.',
          users.length,
          users.map(nameOf).join(', ')
        )
      : '',
    sessions.some(session => !session.shared)
      ? trans.__(
          'A program that was started with a role of its own uses it, and AWS refuses that when its AWS credentials expire.'
        )
      : '',
    users.length === 0 && sessions.every(session => session.shared)
      ? trans.__('Nothing that runs uses it.')
      : '',
    sessions.some(session => session.default)
      ? trans.__('What you start next has no AWS role.')
      : ''
  ]
    .filter(Boolean)
    .join(' ');
}

/** Say what has ended, and until when what was issued before still works; for a notification. */
export function endedWords(ended: readonly IEnded[], trans: TranslationBundle): string {
  const labels = listed([...new Set(ended.map(({ label }) => label))], trans);
  const times = ended.map(each => each.credentialsExpireAt).filter(time => time !== null);
  if (times.length === 0) {
    return trans.__('Ended: %1. No program holds AWS credentials of it.', labels);
  }
  const last = times.reduce((late, time) => (Date.parse(time) > Date.parse(late) ? time : late));
  return trans.__(
    'Ended: %1. AWS credentials that programs hold work until %2; then AWS refuses them.',
    labels,
    clockTime(last)
  );
}
