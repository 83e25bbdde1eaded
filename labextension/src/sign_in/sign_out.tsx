import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { SignedOut } from '../server/api';
import type { IView } from '../server/view';
import { webAddress } from '../words/failure';
import { clockTime } from '../words/state';

/** What signing out does, to be read before. */
export function BeforeSignOut(props: { view: IView; trans: TranslationBundle }): React.JSX.Element {
  const { view, trans } = props;
  const roles = view.sessions.map(session => session.label);
  return (
    <div className="jp-AwsRoles-signOut">
      {roles.length > 0 && (
        <p>{trans.__('All your role sessions end: %1.', [...new Set(roles)].join(', '))}</p>
      )}
      <p>
        {trans.__(
          'Notebooks and terminals go on running, without new AWS credentials. Those that programs hold already work until they expire, mostly within an hour; you are told until when.'
        )}
      </p>
    </div>
  );
}

/** What a sign-out has left behind. */
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
              'All role sessions have ended. Programs that hold AWS credentials already can use them until %1.',
              clockTime(answer.credentials_expire_at)
            )}
      </p>
      {!answer.revoked && (
        <p>
          {trans.__(
            'The identity provider could not be told. This server has forgotten your sign-in all the same.'
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
