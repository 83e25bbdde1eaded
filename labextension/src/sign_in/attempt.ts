import type { Flow, Problem, SignIn, SignInBegun, User } from '../server/api';
import type { ISnapshot } from '../server/snapshot';
import { webAddress } from '../words/failure';

/** A sign-in that this page has asked for. */
export interface IAttempt {
  readonly flow: Flow;
  /** The server's answer; null until it is there. */
  readonly begun: SignInBegun | null;
  /** What the request threw; null if nothing. */
  readonly error: unknown;
  /** The window for the provider's page, in the code flow. */
  readonly window: 'open' | 'blocked' | 'closed';
}

/** What the sign-in dialog shows. */
export type Step =
  /** The server does not answer. */
  | { readonly kind: 'unavailable' }
  /** Nobody has to sign in here. */
  | { readonly kind: 'not_needed' }
  | { readonly kind: 'signed_in'; readonly user: User | null }
  /** No flow works; `problem` says why, if it is known. */
  | { readonly kind: 'no_way'; readonly problem: Problem | null }
  /** No sign-in has begun; `reason` says why the last one ended. */
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
      /** The address of the page where the user enters the code, as text. */
      readonly place: string;
      /** The page to open; null if it is not safe to open. */
      readonly address: string | null;
      readonly expiresAt: string;
    }
  /** The sign-in failed: `error` was thrown, the server reports a `problem`, or the reason is unknown. */
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
 * @param attempt - the sign-in that this page has begun; null if none.
 * @param now - the server's time in milliseconds.
 */
export function stepOf(snapshot: ISnapshot, attempt: IAttempt | null, now: number): Step {
  const { signIn, situation } = snapshot;
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

/** Return the other flow that the site supports; null if there is none. */
export function otherWay(snapshot: ISnapshot, step: Step): Flow | null {
  const shown =
    step.kind === 'start' || step.kind === 'failed' || step.kind === 'expired'
      ? step.flow
      : step.kind === 'code' || step.kind === 'device'
        ? step.kind
        : null;
  return shown === null
    ? null
    : (snapshot.signIn?.flows.find(flow => flow !== shown && FLOWS.includes(flow)) ?? null);
}

/** The flows that this page knows; a newer server may have others. */
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

/** Whether the sign-in failed on the provider's page while a code of the other flow is still valid. */
function deniedThere(signIn: SignIn, { flow }: IAttempt): boolean {
  return flow === 'code' && signIn.problem?.code === 'sign_in_failed';
}

function isOver(time: string | null, now: number): boolean {
  return time !== null && Date.parse(time) <= now;
}
