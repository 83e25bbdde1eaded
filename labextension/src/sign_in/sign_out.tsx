import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RoleSession, SignedOut } from '../server/api';
import { type ISnapshot, isByEndpoint } from '../server/snapshot';
import { lastExpiry, leaseText } from '../words/delivery';
import { webAddress } from '../words/failure';
import { clockTime } from '../words/state';

/** What signing out does, for the question to the user. */
export function BeforeSignOut(props: {
  snapshot: ISnapshot;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { snapshot, trans } = props;
  const roles = snapshot.sessions.map(session => session.label);
  const lease = leaseText(snapshot.sessions, trans);
  const copies = lastExpiry(snapshot.sessions);
  return (
    <div className="jp-AwsRoles-signOut">
      {roles.length > 0 && (
        <p>{trans.__('All your role sessions end: %1.', [...new Set(roles)].join(', '))}</p>
      )}
      <p>
        {lease === null
          ? trans.__(
              'Notebooks and terminals keep running, without new AWS credentials. Credentials that programs already have work until they expire, usually within an hour; you will see when.'
            )
          : trans.__(
              'Notebooks and terminals keep running, without new AWS credentials. boto3 can use AWS for about %1 more, other programs for %2 at most.',
              lease.boto3,
              lease.others
            )}
      </p>
      {lease !== null && copies !== null && (
        <p>
          {trans.__(
            'AWS credentials that were copied from a program work until %1.',
            clockTime(copies)
          )}
        </p>
      )}
    </div>
  );
}

/** What still works after a sign-out that ended `sessions`. */
export function AfterSignOut(props: {
  answer: SignedOut;
  sessions: readonly RoleSession[];
  trans: TranslationBundle;
}): React.JSX.Element {
  const { answer, trans } = props;
  const page = webAddress(answer.end_session_url);
  return (
    <div className="jp-AwsRoles-signOut">
      <p>{remaining(answer, props.sessions, trans)}</p>
      {!answer.revoked && (
        <p>
          {trans.__(
            'The identity provider did not confirm the sign-out. This server has forgotten your sign-in anyway.'
          )}
        </p>
      )}
      {page !== null && (
        <p>
          {trans.__('Your browser may still be signed in at the identity provider.')}{' '}
          <a className="jp-AwsRoles-link" href={page} target="_blank" rel="noopener noreferrer">
            {trans.__('Sign out there, too')}
          </a>
        </p>
      )}
    </div>
  );
}

function remaining(
  { credentials_expire_at, clients_stop_by }: SignedOut,
  sessions: readonly RoleSession[],
  trans: TranslationBundle
): string {
  // Programs with a token file use their credentials until these expire.
  const byEndpoint = sessions.length > 0 && sessions.every(isByEndpoint);
  const stop = byEndpoint ? clients_stop_by : credentials_expire_at;
  if (stop === null || credentials_expire_at === null) {
    return trans.__('All role sessions have ended, and no AWS credentials of them are in use.');
  }
  return stop === credentials_expire_at
    ? trans.__(
        'All role sessions have ended. Programs that already have AWS credentials can use them until %1.',
        clockTime(stop)
      )
    : trans.__(
        'All role sessions have ended. Programs that already have AWS credentials can use them until %1; credentials that were copied from a program work until %2.',
        clockTime(stop),
        clockTime(credentials_expire_at)
      );
}
