import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from '../server/api';
import { defaultSession, isOfferedNone, type ISnapshot } from '../server/snapshot';
import { noneOfferedText } from '../words/default_role';
import { accountOf } from '../words/identity';
import { situationText, staleText } from '../words/situation';
import { expiryMatters, stateText, timeLeft } from '../words/state';

/** What the status bar shows. */
export interface IStatus {
  /** The icon: that of a role session's state, `role` or `offline`. */
  readonly icon: RoleSession['state'] | 'role' | 'offline';
  /** The role's label; without a role, what the user can do. */
  readonly label: string;
  /** The role's account; empty without a role. */
  readonly account: string;
  /** Its state, and how long it is still valid if that matters; empty without a role. */
  readonly health: string;
  /** The role's color as the administrator wrote it; null if there is none. */
  readonly color: string | null;
  /** One sentence that says more. */
  readonly sentence: string;
}

/** Return what the status bar shows at `now` (the server's time in milliseconds); null for nothing. */
export function statusOf(
  snapshot: ISnapshot,
  now: number,
  trans: TranslationBundle
): IStatus | null {
  switch (snapshot.situation) {
    case 'loading':
      return null;
    case 'missing':
    case 'not_configured':
    case 'refused':
      return without('role', trans.__('AWS roles unavailable'), situationText(snapshot, trans));
    case 'unreachable':
      return unreachable(snapshot, trans);
    case 'ready':
      return ready(snapshot, now, trans);
  }
}

function ready(snapshot: ISnapshot, now: number, trans: TranslationBundle): IStatus {
  const session = defaultSession(snapshot);
  if (session !== null) {
    const { word, sentence } = stateText(session, now, trans);
    const left = expiryMatters(session) ? timeLeft(session.token_expires_at, now, trans) : '';
    return {
      ...ofRole(snapshot, session),
      icon: session.state,
      health: left === '' ? word : trans.__('%1, %2 left', word, left),
      sentence: `${trans.__('What you start next uses %1.', session.label)} ${sentence}`
    };
  }
  const [starting] = snapshot.starting;
  if (starting !== undefined) {
    const label = snapshot.roles.find(role => role.arn === starting)?.label ?? starting;
    return without(
      'starting',
      trans.__('Starting %1…', label),
      trans.__('The role session is starting.')
    );
  }
  const signIn = snapshot.signIn?.state;
  if (signIn === 'signed_out' || signIn === 'pending') {
    return without(
      'sign_in_required',
      trans.__('Sign in for AWS'),
      trans.__('Sign in to pick an AWS role.')
    );
  }
  if (snapshot.choice.chosen) {
    return without('role', trans.__('No AWS role'), noneSentence(snapshot, trans));
  }
  if (isOfferedNone(snapshot)) {
    return without('role', trans.__('No AWS role'), noneOfferedText(trans));
  }
  if (snapshot.rolesProblem !== null) {
    return without('role', trans.__('AWS roles unavailable'), snapshot.rolesProblem.detail);
  }
  return without(
    'role',
    trans.__('Pick an AWS role'),
    trans.__('Notebooks, consoles and terminals that you start from then on have AWS credentials.')
  );
}

function noneSentence(snapshot: ISnapshot, trans: TranslationBundle): string {
  return snapshot.choice.ended === null
    ? trans.__('There is no default role: what you start next has no AWS credentials.')
    : trans.__(
        'The role session of %1 has ended. What you start next has no AWS credentials until you pick a role again.',
        snapshot.choice.ended
      );
}

function unreachable(snapshot: ISnapshot, trans: TranslationBundle): IStatus {
  const session = defaultSession(snapshot);
  const health =
    snapshot.message === '' ? trans.__('server not reachable') : trans.__('unknown at the moment');
  const sentence = staleText(snapshot, trans);
  return session === null
    ? { ...without('offline', trans.__('AWS roles'), sentence), health }
    : { ...ofRole(snapshot, session), icon: 'offline', health, sentence };
}

function ofRole(
  snapshot: ISnapshot,
  session: RoleSession
): Pick<IStatus, 'label' | 'account' | 'color'> {
  return {
    label: session.label,
    account: accountOf(session),
    color: snapshot.roles.find(role => role.arn === session.role_arn)?.color ?? null
  };
}

function without(icon: IStatus['icon'], label: string, sentence: string): IStatus {
  return { icon, label, account: '', health: '', color: null, sentence };
}
