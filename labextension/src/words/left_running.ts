import type { TranslationBundle } from '@jupyterlab/translation';

import type { EndpointClient } from '../server/api';
import { type ISnapshot, sessionById } from '../server/snapshot';
import { lastExpiry, leaseText } from './delivery';
import type { ProcessName } from './process_names';
import { clockTime } from './state';

/** Returns what the user called a kernel, terminal or app that has gone. */
export type OwnerName = (client: Pick<EndpointClient, 'kind' | 'name'>) => string;

/** Name what has gone as it was named while it ran; `kernels` has the names of documents by the ids of their kernels. */
export function ownerNames(
  nameOf: ProcessName,
  kernels: ReadonlyMap<string, string>,
  trans: TranslationBundle
): OwnerName {
  return ({ kind, name }) => {
    switch (kind) {
      case 'kernel':
        return kernels.get(name) ?? nameOf({ kind, id: name });
      case 'terminal':
        // The server learns its name when it is first asked for the terminals.
        return name === '' ? trans.__('A terminal') : nameOf({ kind, id: name });
      case 'app':
        return nameOf({ kind, id: name });
      default:
        return trans.__('A command');
    }
  };
}

/** What a kernel, terminal or app has left running, with an AWS role. */
export interface ILeftRunning {
  readonly client: EndpointClient;
  /** The name of the kernel, terminal or app. */
  readonly owner: string;
}

/**
 * Return what still runs of kernels, terminals and apps that have gone, and gets AWS credentials.
 *
 * Where the server can't see processes, as on macOS, what has ever used AWS is listed.
 */
export function leftRunning(snapshot: ISnapshot, nameOf: OwnerName): ILeftRunning[] {
  return snapshot.endpointClients
    .filter(({ state }) => state === 'left_running')
    .filter(({ session_id }) => sessionById(snapshot, session_id) !== null)
    .filter(({ processes, last_request_at }) =>
      processes === null ? last_request_at !== null : processes > 0
    )
    .map(client => ({ client, owner: nameOf(client) }));
}

/** Explain what ending the AWS access of programs does, for the question to the user. */
export function leftRunningQuestion(
  snapshot: ISnapshot,
  left: readonly ILeftRunning[],
  trans: TranslationBundle
): string {
  const ids = new Set(left.map(({ client }) => client.session_id));
  const sessions = [...ids]
    .map(id => sessionById(snapshot, id))
    .filter(session => session !== null);
  const lease = leaseText(sessions, trans);
  const copies = lastExpiry(sessions);
  return [
    trans.__('What %1 left running goes on, without new AWS credentials.', described(left)),
    lease === null
      ? ''
      : trans.__(
          'With boto3 it can use AWS for about %1 more, otherwise for %2 at most.',
          lease.boto3,
          lease.others
        ),
    copies === null
      ? ''
      : trans.__(
          'AWS credentials that were copied from a program work until %1.',
          clockTime(copies)
        ),
    trans.__('Nothing else that uses the role is affected.')
  ]
    .filter(Boolean)
    .join(' ');
}

function described(left: readonly ILeftRunning[]): string {
  return left.map(({ client, owner }) => `${owner} (${client.label})`).join(', ');
}
