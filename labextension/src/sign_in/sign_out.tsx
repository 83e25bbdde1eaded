import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { SignedOut } from '../server/api';
import type { ISnapshot } from '../server/snapshot';
import { webAddress } from '../words/failure';
import { clockTime } from '../words/state';

/** What signing out does, for the question to the user. */
export function BeforeSignOut(props: {
  snapshot: ISnapshot;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { snapshot, trans } = props;
  const roles = snapshot.sessions.map(session => session.label);
  return (
    <div className="jp-AwsRoles-signOut">
      {roles.length > 0 && (
        <p>{trans.__('All your role sessions end: %1.', [...new Set(roles)].join(', '))}</p>
      )}
      <p>
        {trans.__(
          'Notebooks and terminals keep running, without new AWS credentials. Credentials that programs already have work until they expire, usually within an hour; you will see when.'
        )}
      </p>
    </div>
  );
}

/** What still works after a sign-out. */
export function AfterSignOut(props: {
  answer: SignedOut;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { answer, trans } = props;
  const page = webAddress(answer.end_session_url);
  return (
    <div className="jp-AwsRoles-signOut">
      <p>
        {answer.credentials_expire_at === null
          ? trans.__('All role sessions have ended, and no AWS credentials of them are in use.')
          : trans.__(
              'All role sessions have ended. Programs that already have AWS credentials can use them until %1.',
              clockTime(answer.credentials_expire_at)
            )}
      </p>
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
