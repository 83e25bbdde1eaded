import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from '../server/api';
import { defaultSession, type IView } from '../server/view';
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
  /** The role's colour as the administrator wrote it; null if there is none. */
  readonly color: string | null;
  /** One sentence that says more. */
  readonly sentence: string;
}

/** Return what the status bar shows at `now` (the server's time in milliseconds); null for nothing. */
export function statusOf(view: IView, now: number, trans: TranslationBundle): IStatus | null {
  switch (view.situation) {
    case 'loading':
      return null;
    case 'missing':
    case 'not_configured':
    case 'refused':
      return without('role', trans.__('AWS roles unavailable'), situationText(view, trans));
    case 'unreachable':
      return unreachable(view, trans);
    case 'ready':
      return ready(view, now, trans);
  }
}

function ready(view: IView, now: number, trans: TranslationBundle): IStatus {
  const session = defaultSession(view);
  if (session !== null) {
    const { word, sentence } = stateText(session, now, trans);
    const left = expiryMatters(session) ? timeLeft(session.token_expires_at, now, trans) : '';
    return {
      ...ofRole(view, session),
      icon: session.state,
      health: left === '' ? word : trans.__('%1, %2 left', word, left),
      sentence: `${trans.__('What you start next uses %1.', session.label)} ${sentence}`
    };
  }
  const [starting] = view.starting;
  if (starting !== undefined) {
    const label = view.roles.find(role => role.arn === starting)?.label ?? starting;
    return without(
      'starting',
      trans.__('Starting %1…', label),
      trans.__('The role session is starting.')
    );
  }
  const signIn = view.signIn?.state;
  if (signIn === 'signed_out' || signIn === 'pending') {
    return without(
      'sign_in_required',
      trans.__('Sign in for AWS'),
      trans.__('Sign in to pick an AWS role.')
    );
  }
  return view.choice.chosen
    ? without('role', trans.__('No AWS role'), noneSentence(view, trans))
    : without(
        'role',
        trans.__('Pick an AWS role'),
        trans.__(
          'Notebooks, consoles and terminals that you start from then on have AWS credentials.'
        )
      );
}

function noneSentence(view: IView, trans: TranslationBundle): string {
  return view.choice.ended === null
    ? trans.__('There is no default role: what you start next has no AWS credentials.')
    : trans.__(
        'The role session of %1 has ended. What you start next has no AWS credentials until you pick a role again.',
        view.choice.ended
      );
}

function unreachable(view: IView, trans: TranslationBundle): IStatus {
  const session = defaultSession(view);
  const health =
    view.message === '' ? trans.__('server not reachable') : trans.__('unknown at the moment');
  const sentence = staleText(view, trans);
  return session === null
    ? { ...without('offline', trans.__('AWS roles'), sentence), health }
    : { ...ofRole(view, session), icon: 'offline', health, sentence };
}

function ofRole(view: IView, session: RoleSession): Pick<IStatus, 'label' | 'account' | 'color'> {
  return {
    label: session.label,
    account: accountOf(session),
    color: view.roles.find(role => role.arn === session.role_arn)?.color ?? null
  };
}

function without(icon: IStatus['icon'], label: string, sentence: string): IStatus {
  return { icon, label, account: '', health: '', color: null, sentence };
}
