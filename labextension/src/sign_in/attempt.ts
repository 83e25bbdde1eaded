import type { Flow, Problem, SignIn, SignInBegun, User } from '../server/api';
import type { IView } from '../server/view';
import { webAddress } from '../words/failure';

/** A sign-in that this page has asked for. */
export interface IAttempt {
  readonly flow: Flow;
  /** What the server answered; null while it has not. */
  readonly begun: SignInBegun | null;
  /** What the server's refusal threw. */
  readonly error: unknown;
  /** The window for the provider's page, in the code flow. */
  readonly window: 'open' | 'blocked' | 'closed';
}

/** What the sign-in dialog shows. */
export type Step =
  /** The server can't be asked. */
  | { readonly kind: 'unavailable' }
  /** Nobody has to sign in here. */
  | { readonly kind: 'not_needed' }
  | { readonly kind: 'signed_in'; readonly user: User | null }
  /** No flow works, `problem` says why, if that is known. */
  | { readonly kind: 'no_way'; readonly problem: Problem | null }
  /** Nothing was begun; `reason` is why the last sign-in is over. */
  | { readonly kind: 'start'; readonly flow: Flow; readonly reason: string }
  | { readonly kind: 'beginning'; readonly flow: Flow }
  | {
      readonly kind: 'code';
      readonly address: string;
      readonly window: IAttempt['window'];
    }
  | {
      readonly kind: 'device';
      readonly userCode: string;
      /** Where the code is entered: to be shown. */
      readonly place: string;
      /** The page to open, null if a browser can't be sent there. */
      readonly address: string | null;
      readonly expiresAt: string;
    }
  /** It came to nothing: `error` was thrown, or the server tells a `problem`, or neither. */
  | {
      readonly kind: 'failed';
      readonly flow: Flow;
      readonly error: unknown;
      readonly problem: Problem | null;
    }
  | { readonly kind: 'expired'; readonly flow: Flow };

/**
 * Decide what the sign-in dialog shows.
 *
 * @param attempt - what this page has begun, null if nothing.
 * @param now - the server's time in milliseconds.
 */
export function stepOf(view: IView, attempt: IAttempt | null, now: number): Step {
  const { signIn, situation } = view;
  if (signIn === null || (situation !== 'ready' && situation !== 'unreachable')) {
    return { kind: 'unavailable' };
  }
  if (signIn.state === 'not_needed') {
    return { kind: 'not_needed' };
  }
  if (signIn.state === 'signed_in') {
    return { kind: 'signed_in', user: signIn.user };
  }
  if (attempt === null) {
    return first(signIn);
  }
  return underWay(signIn, attempt, now, situation === 'ready');
}

/** The way that the site has besides the one that is shown. */
export function otherWay(view: IView, step: Step): Flow | null {
  const shown =
    step.kind === 'start' || step.kind === 'failed' || step.kind === 'expired'
      ? step.flow
      : step.kind === 'code' || step.kind === 'device'
        ? step.kind
        : null;
  return shown === null
    ? null
    : (view.signIn?.flows.find(flow => flow !== shown && FLOWS.includes(flow)) ?? null);
}

/** The ways to sign in that this page knows: a newer server may have others. */
const FLOWS: readonly Flow[] = ['code', 'device'];

function first(signIn: SignIn): Step {
  const flow = signIn.flows.find(flow => FLOWS.includes(flow));
  return flow === undefined
    ? { kind: 'no_way', problem: signIn.problem }
    : { kind: 'start', flow, reason: signIn.problem?.detail ?? '' };
}

function underWay(signIn: SignIn, attempt: IAttempt, now: number, isNews: boolean): Step {
  const { flow, begun, error } = attempt;
  if (error !== null) {
    return { kind: 'failed', flow, error, problem: null };
  }
  if (begun === null) {
    return { kind: 'beginning', flow };
  }
  if (isOver(begun.flow === 'device' ? begun.expires_at : signIn.expires_at, now)) {
    return { kind: 'expired', flow };
  }
  if (isNews && (signIn.state === 'signed_out' || deniedThere(signIn, attempt))) {
    return { kind: 'failed', flow, error: null, problem: signIn.problem };
  }
  if (begun.flow === 'code') {
    const address = webAddress(begun.authorization_url);
    return address === null
      ? { kind: 'no_way', problem: null }
      : { kind: 'code', address, window: attempt.window };
  }
  return {
    kind: 'device',
    userCode: begun.user_code,
    place: begun.verification_uri,
    address: webAddress(begun.verification_uri_complete) ?? webAddress(begun.verification_uri),
    expiresAt: begun.expires_at
  };
}

/** Whether the provider's page said no, while a code of the other flow is still good. */
function deniedThere(signIn: SignIn, { flow }: IAttempt): boolean {
  return flow === 'code' && signIn.problem?.code === 'sign_in_failed';
}

function isOver(time: string | null, now: number): boolean {
  return time !== null && Date.parse(time) <= now;
}
