import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RoleSession } from '../server/api';
import { isByEndpoint } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { leaseText } from '../words/delivery';
import { failureOfProblem } from '../words/failure';
import { identityText } from '../words/identity';
import { clockTime, stateText, timeLeft } from '../words/state';
import { CopyButton, FailureNote } from './failure_note';
import { useNow } from './hooks';
import { stateIcon } from './icons';

/** A role session's state, the user's identity in AWS, and the environment that programs get. */
export function RoleSessionDetails(props: {
  model: IAwsRoles;
  session: RoleSession;
  trans: TranslationBundle;
  /** Whether the session is out of date, as when the server does not answer: its state is unknown then. */
  stale?: boolean;
}): React.JSX.Element {
  const { session, trans } = props;
  const now = useNow(props.model, 5_000);
  const { identity } = session;
  const { word, sentence } = stateText(session, now, trans);
  const Icon = stateIcon(session.state).react;
  return (
    <div className="jp-AwsRoles-facts">
      {!props.stale && (
        <p className="jp-AwsRoles-state" data-state={session.state}>
          <Icon tag="span" width="16px" height="16px" aria-hidden="true" />
          <span>
            <strong>{asSentence(word)}</strong> {sentence}
          </span>
        </p>
      )}
      {session.problem !== null && (
        <FailureNote failure={failureOfProblem(session.problem, trans)} trans={trans} />
      )}
      {session.notices.length > 0 && (
        <ul className="jp-AwsRoles-notices">
          {session.notices.map(notice => (
            <li key={notice.code}>{notice.message}</li>
          ))}
        </ul>
      )}
      <dl>
        <Fact
          name={trans.__('Role')}
          about={trans.__('The role’s full name in AWS, its Amazon Resource Name (ARN)')}
          value={session.role_arn}
        />
        {identity !== null && (
          <>
            <Fact
              name="UserId"
              about={trans.__('The identifier of you in this role, as AWS logs it')}
              value={identity.UserId}
            />
            <Fact
              name="Account"
              about={trans.__('The number of the AWS account that the role belongs to')}
              value={identity.Account}
            />
            <Fact
              name="Arn"
              about={trans.__('Your full name in AWS while you use this role')}
              value={identity.Arn}
            />
          </>
        )}
        <Fact name={trans.__('Region')} value={session.region ?? trans.__('none set')} />
        <NextRefresh session={session} now={now} trans={trans} />
        {isByEndpoint(session) && <Switching session={session} trans={trans} />}
      </dl>
      {identity !== null && (
        <CopyButton
          text={identityText(identity)}
          label={trans.__('Copy caller identity')}
          trans={trans}
        />
      )}
      <details className="jp-AwsRoles-environment">
        <summary>{trans.__('Environment variables that programs get')}</summary>
        <dl>
          {Object.entries(session.environment).map(([name, value]) => (
            <Fact key={name} name={name} value={value ?? trans.__('(removed)')} />
          ))}
        </dl>
      </details>
    </div>
  );
}

/** Write a word as a sentence of its own. */
function asSentence(word: string): string {
  return `${word.charAt(0).toLocaleUpperCase()}${word.slice(1)}.`;
}

/** When the token is refreshed; and until when it is valid, if the refresh may fail. */
function NextRefresh(props: {
  session: RoleSession;
  now: number;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { session, now, trans } = props;
  const next = when(session.next_refresh_at, now, trans);
  return session.state === 'active' ? (
    <Fact name={trans.__('Next refresh')} value={next ?? trans.__('when needed')} />
  ) : (
    <>
      <Fact name={trans.__('Next attempt')} value={next ?? trans.__('none planned')} />
      <Fact
        name={trans.__('Valid until')}
        value={when(session.token_expires_at, now, trans) ?? trans.__('unknown')}
      />
    </>
  );
}

/** What users can do with a role session that the credential endpoint delivers, in words that need no knowledge of it. */
function Switching(props: { session: RoleSession; trans: TranslationBundle }): React.JSX.Element {
  const { session, trans } = props;
  const lease = leaseText([session], trans);
  return (
    <>
      <Fact
        name={trans.__('Running notebooks')}
        about={trans.__('Terminals, too; to other roles of this kind')}
        value={trans.__('can be switched to another role without a restart')}
      />
      {lease !== null && (
        <Fact
          name={trans.__('After its end')}
          value={trans.__(
            'boto3 can use AWS for about %1 more, other programs for %2 at most',
            lease.boto3,
            lease.others
          )}
        />
      )}
    </>
  );
}

/** A name and a value; `about` explains the name when the pointer is on it. */
function Fact(props: { name: string; about?: string; value: string }): React.JSX.Element {
  return (
    <>
      <dt title={props.about}>{props.name}</dt>
      <dd>{props.value}</dd>
    </>
  );
}

function when(time: string | null, now: number, trans: TranslationBundle): string | null {
  if (time === null) {
    return null;
  }
  const left = timeLeft(time, now, trans);
  return left === '' ? clockTime(time) : trans.__('%1 (in %2)', clockTime(time), left);
}
