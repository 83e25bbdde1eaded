import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { FailureNote } from '../components/failure_note';
import { useNow, useSnapshot } from '../components/hooks';
import { RoleSessionDetails } from '../components/role_session_details';
import { RoleColor } from '../components/swatch';
import { runningApps } from '../running/app_roles';
import { defaultSession, isOfferedNone, type ISnapshot } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { failureOf, type IFailure } from '../words/failure';
import { clockTime } from '../words/state';
import { statusOf } from './words';

/** What the popover's buttons open. */
export interface IPopoverActions {
  readonly pick: () => void;
  readonly signIn: () => void;
  readonly signOut: () => void;
  readonly end: () => void;
  readonly relaunch: (appId: string) => void;
  readonly doctor: () => void;
}

/** The popover that the status bar's item opens. */
export function Popover(props: {
  model: IAwsRoles;
  trans: TranslationBundle;
  actions: IPopoverActions;
}): React.JSX.Element | null {
  const { model, trans, actions } = props;
  const snapshot = useSnapshot(model);
  const id = React.useId();
  const ref = React.useRef<HTMLElement>(null);
  const status = statusOf(snapshot, useNow(model), trans);
  React.useEffect(() => {
    ref.current?.focus();
  }, []);
  React.useEffect(() => {
    // The focused element may have disappeared.
    if (document.activeElement === document.body) {
      ref.current?.focus();
    }
  });
  if (status === null) {
    return null;
  }
  const session = defaultSession(snapshot);
  const known = snapshot.situation === 'ready' || snapshot.situation === 'unreachable';
  return (
    // Focused when it opens: a screen reader announces it, and Tab starts at its beginning.
    <section
      ref={ref}
      role="dialog"
      aria-labelledby={id}
      tabIndex={-1}
      className="jp-AwsRoles-popover"
    >
      <h2 id={id}>
        <RoleColor color={status.color} trans={trans} />
        {session !== null && known ? trans.__('AWS role: %1', session.label) : status.label}
      </h2>
      {(session === null || snapshot.situation !== 'ready') && <p>{status.sentence}</p>}
      {session !== null && snapshot.situation === 'ready' && (
        <p className="jp-AwsRoles-quiet">
          {trans.__(
            'This is the default role: what you start next uses it. Open notebooks show theirs in their toolbars.'
          )}
        </p>
      )}
      {session !== null && known && (
        <RoleSessionDetails
          model={model}
          session={session}
          trans={trans}
          stale={snapshot.situation !== 'ready'}
        />
      )}
      {known && <Buttons model={model} snapshot={snapshot} trans={trans} actions={actions} />}
    </section>
  );
}

function Buttons(props: {
  model: IAwsRoles;
  snapshot: ISnapshot;
  trans: TranslationBundle;
  actions: IPopoverActions;
}): React.JSX.Element {
  const { model, snapshot, trans, actions } = props;
  const [busy, setBusy] = React.useState(false);
  const [message, setMessage] = React.useState('');
  const [failure, setFailure] = React.useState<IFailure | null>(null);
  const session = defaultSession(snapshot);
  const disabled = snapshot.situation !== 'ready';

  const refresh = async (sessionId: string) => {
    setBusy(true);
    setFailure(null);
    setMessage(trans.__('Refreshing the token…'));
    try {
      const { token_expires_at } = await model.refresh(sessionId);
      setMessage(
        token_expires_at === null
          ? trans.__('The token was refreshed.')
          : trans.__('The token was refreshed and is valid until %1.', clockTime(token_expires_at))
      );
    } catch (error) {
      setMessage('');
      setFailure(failureOf(error, trans));
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      {failure !== null && <FailureNote failure={failure} trans={trans} />}
      <p role="status" className="jp-AwsRoles-said">
        {message}
      </p>
      <div className="jp-AwsRoles-buttons">
        {signInHelps(snapshot) && (
          <Button
            label={trans.__('Sign in…')}
            look="accept"
            disabled={disabled}
            onClick={actions.signIn}
          />
        )}
        {session !== null && (
          <Button
            label={trans.__('Refresh token now')}
            disabled={disabled || busy}
            onClick={() => void refresh(session.id)}
          />
        )}
        <Button
          label={session === null ? trans.__('Pick an AWS role…') : trans.__('Pick another role…')}
          disabled={disabled || isOfferedNone(snapshot)}
          onClick={actions.pick}
        />
        {runningApps(snapshot, trans)
          .filter(app => app.relaunch)
          .map(app => (
            <Button
              key={app.id}
              label={trans.__('Relaunch %1…', app.title)}
              disabled={disabled}
              onClick={() => actions.relaunch(app.id)}
            />
          ))}
        <Button
          label={trans.__('Check credentials…')}
          disabled={disabled}
          onClick={actions.doctor}
        />
        {session !== null && (
          <Button label={trans.__('End…')} look="warn" disabled={disabled} onClick={actions.end} />
        )}
        {snapshot.signIn?.state === 'signed_in' && (
          <Button label={trans.__('Sign out…')} disabled={disabled} onClick={actions.signOut} />
        )}
      </div>
    </>
  );
}

function Button(props: {
  label: string;
  disabled: boolean;
  look?: 'accept' | 'warn';
  onClick: () => void;
}): React.JSX.Element {
  return (
    <button
      type="button"
      className={`jp-AwsRoles-button jp-mod-styled jp-mod-${props.look ?? 'reject'}`}
      // Not `disabled`, which would lose the focus.
      aria-disabled={props.disabled}
      onClick={props.disabled ? undefined : props.onClick}
    >
      {props.label}
    </button>
  );
}

function signInHelps(snapshot: ISnapshot): boolean {
  const needed =
    defaultSession(snapshot)?.state === 'sign_in_required' ||
    snapshot.signIn?.state === 'signed_out';
  return needed && snapshot.signIn?.state !== 'not_needed';
}
