import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from './api';
import type { IView } from './model';
import { clockTime, endedWords } from './words';

/** Say what it means to end these role sessions, to the user who is asked. */
export function endQuestion(
  view: IView,
  sessions: readonly RoleSession[],
  trans: TranslationBundle
): string {
  const ids = new Set(sessions.map(session => session.id));
  const users = view.assignments.filter(({ running }) => running && ids.has(running.session_id));
  return [
    trans._n(
      'It gives no new AWS credentials from then on.',
      'They give no new AWS credentials from then on.',
      sessions.length
    ),
    users.length > 0
      ? trans._n(
          'In use by %1 running kernel, terminal or app, which goes on without.',
          'In use by %1 running kernels, terminals and apps, which go on without.',
          users.length,
          users.length
        )
      : '',
    sessions.some(session => !session.shared)
      ? trans.__('A program that was started with a role of its own goes on without.')
      : '',
    sessions.some(session => session.default)
      ? trans.__('What you start next has no AWS role.')
      : ''
  ]
    .filter(Boolean)
    .join(' ');
}

/** Say until when what was issued before still works, where several role sessions were ended. */
export function allEndedWords(
  credentialsExpireAt: readonly (string | null)[],
  trans: TranslationBundle
): string {
  const times = credentialsExpireAt.filter(time => time !== null);
  if (credentialsExpireAt.length === 1 || times.length === 0) {
    return endedWords(times[0] ?? null, trans);
  }
  const last = times.reduce((late, time) => (Date.parse(time) > Date.parse(late) ? time : late));
  return trans.__(
    'Programs that hold AWS credentials of them already can use them until %1.',
    clockTime(last)
  );
}
