import type { TranslationBundle } from '@jupyterlab/translation';
import { launchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CopyButton, FailureNote } from '../components/failure_note';
import { useNow, useSnapshot } from '../components/hooks';
import { STATE_ICONS } from '../components/icons';
import type { Flow, Problem, User } from '../server/api';
import type { IAwsRoles } from '../tokens';
import { failureOf, type IFailure, failureOfProblem, webAddress } from '../words/failure';
import { situationText } from '../words/situation';
import { clockTime, timeLeft } from '../words/state';
import { otherWay, type Step, stepOf } from './attempt';
import { useAttempt } from './use_attempt';

const { useEffect, useRef } = React;

export interface ISignInProps {
  model: IAwsRoles;
  trans: TranslationBundle;
  /** Called when the user has signed in while the dialog was open. */
  onSignedIn: (user: User | null) => void;
  onSignOut: () => void;
}

/** The body of the dialog in which the user signs in. */
export function SignIn(props: ISignInProps): React.JSX.Element {
  const { model, trans, onSignedIn } = props;
  const snapshot = useSnapshot(model);
  const now = useNow(model, 1_000);
  const { attempt, begin } = useAttempt(model, trans);
  const step = stepOf(snapshot, attempt, now);
  const other = otherWay(snapshot, step);
  const disabled = snapshot.situation !== 'ready';
  const main = useRef<HTMLButtonElement & HTMLAnchorElement>(null);

  useDeviceAtOnce(step, begin);
  useSignedIn(step, onSignedIn);
  useEffect(() => {
    main.current?.focus();
  }, [step.kind]);

  return (
    // The dialog focuses this element, which passes the focus on to the main button or link.
    <div
      className="jp-AwsRoles-signIn"
      tabIndex={-1}
      onFocus={event => {
        if (event.target === event.currentTarget) {
          main.current?.focus();
        }
      }}
    >
      {snapshot.situation === 'unreachable' && (
        <p className="jp-AwsRoles-signInQuiet">{situationText(snapshot, trans)}</p>
      )}
      {step.kind !== 'signed_in' &&
        snapshot.signIn?.notices?.map(notice => <p key={notice.code}>{notice.message}</p>)}
      <StepBody
        {...props}
        step={step}
        now={now}
        disabled={disabled}
        begin={flow => void begin(flow)}
        main={main}
      />
      <p className="jp-AwsRoles-signInWaiting" role="status">
        {waitingText(step, trans) !== '' && (
          <STATE_ICONS.starting.react tag="span" className="jp-AwsRoles-signInIcon" />
        )}
        {waitingText(step, trans)}
      </p>
      {other !== null && (
        <p>
          <button
            type="button"
            className="jp-AwsRoles-linkButton"
            disabled={disabled}
            onClick={() => void begin(other)}
          >
            {other === 'device'
              ? trans.__('Another way: use a code, on this or another device')
              : trans.__('Another way: use a window of this browser')}
          </button>
        </p>
      )}
    </div>
  );
}

interface IStepProps extends ISignInProps {
  step: Step;
  now: number;
  disabled: boolean;
  begin: (flow: Flow) => void;
  main: React.Ref<HTMLButtonElement & HTMLAnchorElement>;
}

function StepBody(props: IStepProps): React.JSX.Element {
  const { step, trans, model, disabled, begin, main } = props;
  const button = (label: string, onClick: () => void) => (
    <p>
      <button
        type="button"
        ref={main}
        className="jp-AwsRoles-button jp-mod-styled jp-mod-accept"
        disabled={disabled}
        onClick={onClick}
      >
        {label}
      </button>
    </p>
  );
  switch (step.kind) {
    case 'unavailable':
      return <p>{situationText(model.snapshot, trans)}</p>;
    case 'not_needed':
      return (
        <p>
          {trans.__('You don’t need to sign in here: the server knows who you are. Pick a role.')}
        </p>
      );
    case 'signed_in':
      return (
        <>
          <p>{signedInText(model, trans)}</p>
          <p>{trans.__('To sign in as somebody else, sign out first.')}</p>
          {button(trans.__('Sign out…'), props.onSignOut)}
        </>
      );
    case 'no_way':
      return (
        <>
          {step.problem === null ? (
            <p>{trans.__('You can’t sign in here. Ask your administrator.')}</p>
          ) : (
            <FailureNote failure={withoutCommands(step.problem, trans)} trans={trans} />
          )}
          {button(trans.__('Try again'), () => void model.read({ roles: true }))}
        </>
      );
    case 'start':
      return (
        <>
          {step.reason !== '' && <p>{step.reason}</p>}
          <p>
            {trans.__(
              'Your organization’s sign-in page opens in its own window, which closes when you are done.'
            )}
          </p>
          {button(trans.__('Sign in'), () => begin(step.flow))}
        </>
      );
    case 'beginning':
      return <></>;
    case 'code':
      return <CodeStep {...props} step={step} />;
    case 'device':
      return <DeviceStep {...props} step={step} />;
    case 'failed':
      return (
        <>
          <FailureNote failure={whyFailed(step, trans)} trans={trans} />
          {button(trans.__('Try again'), () => begin(step.flow))}
        </>
      );
    case 'expired':
      return (
        <>
          <p role="alert">
            {step.flow === 'device'
              ? trans.__('The code expired before it was used.')
              : trans.__('This sign-in took too long and has expired.')}
          </p>
          {button(trans.__('Try again'), () => begin(step.flow))}
        </>
      );
  }
}

function CodeStep(
  props: IStepProps & { step: Extract<Step, { kind: 'code' }> }
): React.JSX.Element {
  const { step, trans, begin, main, disabled } = props;
  if (step.window === 'blocked') {
    return (
      <>
        <p>{trans.__('Your browser blocked the sign-in window. Open it with this link:')}</p>
        <p>
          <SignInPageLink main={main} address={step.address} trans={trans} />
        </p>
        <p className="jp-AwsRoles-signInQuiet">
          {trans.__(
            'If nothing opens, sign in in this window: you leave JupyterLab, so save your work first.'
          )}{' '}
          <a className="jp-AwsRoles-link" href={step.address}>
            {trans.__('Leave JupyterLab and sign in')}
          </a>
        </p>
      </>
    );
  }
  return (
    <>
      <p>
        {step.window === 'open'
          ? trans.__('Continue in the window that has opened.')
          : trans.__(
              'The sign-in window is closed. If you have not finished there, open it again.'
            )}
      </p>
      <p>
        <button
          type="button"
          ref={main}
          className="jp-AwsRoles-button jp-mod-styled"
          disabled={disabled}
          onClick={() => begin('code')}
        >
          {trans.__('Open the window again')}
        </button>
      </p>
    </>
  );
}

function SignInPageLink(
  props: Pick<IStepProps, 'main' | 'trans'> & { address: string }
): React.JSX.Element {
  const { main, trans, address } = props;
  return (
    <a
      ref={main}
      className="jp-AwsRoles-bigLink"
      href={address}
      target="_blank"
      rel="noopener noreferrer"
    >
      {trans.__('Open the sign-in page')}
      <launchIcon.react tag="span" className="jp-AwsRoles-signInIcon" width="14px" height="14px" />
    </a>
  );
}

function DeviceStep(
  props: IStepProps & { step: Extract<Step, { kind: 'device' }> }
): React.JSX.Element {
  const { step, trans, now, main } = props;
  const shown = webAddress(step.place);
  return (
    <>
      <p>
        {trans.__(
          'Open the sign-in page and enter this code, or check that it shows the same one:'
        )}
      </p>
      <p className="jp-AwsRoles-codeLine">
        <code className="jp-AwsRoles-code">{step.userCode}</code>
        <CopyButton text={step.userCode} label={trans.__('Copy code')} trans={trans} />
      </p>
      {step.address !== null && (
        <p>
          <SignInPageLink main={main} address={step.address} trans={trans} />
        </p>
      )}
      <p className="jp-AwsRoles-signInQuiet">
        {trans.__('On another device, go to:')}{' '}
        {shown === null ? (
          step.place
        ) : (
          <a className="jp-AwsRoles-link" href={shown} target="_blank" rel="noopener noreferrer">
            {shown}
          </a>
        )}
      </p>
      <p className="jp-AwsRoles-signInQuiet">
        {trans.__('The code is valid for %1.', timeLeft(step.expiresAt, now, trans))}{' '}
        {trans.__(
          'You can close this dialog: the sign-in continues, and the code is shown again when you come back.'
        )}
      </p>
    </>
  );
}

/** Begin at once where the site prefers the device flow: a code can be shown without a click. */
function useDeviceAtOnce(step: Step, begin: (flow: Flow) => Promise<void>): void {
  const done = useRef(false);
  const wanted = step.kind === 'start' && step.flow === 'device';
  useEffect(() => {
    if (wanted && !done.current) {
      done.current = true;
      void begin('device');
    }
  });
}

/** Call `onSignedIn` when the user has signed in while the dialog is open. */
function useSignedIn(step: Step, onSignedIn: (user: User | null) => void): void {
  const wasOut = useRef(false);
  useEffect(() => {
    if (step.kind === 'signed_in' && wasOut.current) {
      wasOut.current = false;
      onSignedIn(step.user);
    } else if (step.kind !== 'signed_in' && step.kind !== 'unavailable') {
      wasOut.current = true;
    }
  });
}

function waitingText(step: Step, trans: TranslationBundle): string {
  switch (step.kind) {
    case 'beginning':
      return trans.__('Getting the sign-in page…');
    case 'code':
    case 'device':
      return trans.__('Waiting for you to sign in there…');
    default:
      return '';
  }
}

function signedInText({ snapshot }: IAwsRoles, trans: TranslationBundle): string {
  const name = snapshot.signIn?.user?.name ?? '';
  const until = snapshot.signIn?.expires_at ?? null;
  return until === null
    ? trans.__('You are signed in as %1.', name)
    : trans.__('You are signed in as %1, until %2.', name, clockTime(until));
}

function whyFailed(step: Extract<Step, { kind: 'failed' }>, trans: TranslationBundle): IFailure {
  if (step.error !== null) {
    return failureOf(step.error, trans);
  }
  if (step.problem !== null) {
    return withoutCommands(step.problem, trans);
  }
  return {
    title: trans.__('This sign-in is no longer in progress'),
    detail: trans.__('It was ended elsewhere, or the server was restarted.'),
    hint: '',
    forAdministrator: '',
    requestUrl: null,
    code: ''
  };
}

/** Problems whose hint says how to sign in from a terminal: here a button does it. */
const HINTS_AT_TERMINAL: ReadonlySet<Problem['code']> = new Set([
  'flow_not_available',
  'sign_in_failed'
]);

/** Describe a problem, without a hint to sign in from a terminal. */
function withoutCommands(problem: Problem, trans: TranslationBundle): IFailure {
  const failure = failureOfProblem(problem, trans);
  return HINTS_AT_TERMINAL.has(problem.code) ? { ...failure, hint: '' } : failure;
}
