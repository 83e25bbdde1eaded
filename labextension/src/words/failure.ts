import type { TranslationBundle } from '@jupyterlab/translation';

import { Missing, type Problem, Refused, Unreachable } from '../server/api';

/** What to show of a failure: only what the server wrote for users. */
export interface IFailure {
  /** What happened. */
  readonly title: string;
  /** Why. */
  readonly detail: string;
  /** What to do next. */
  readonly hint: string;
  /** What an administrator needs to fix it, for copying; empty if they can't help. */
  readonly forAdministrator: string;
  /** The page where the user can ask for the role; null if the administrator named none. */
  readonly requestUrl: string | null;
  /** The server's stable code; empty if it gave none. */
  readonly code: string;
}

/** Describe what an action threw. */
export function failureOf(error: unknown, trans: TranslationBundle): IFailure {
  if (error instanceof Refused) {
    return failureOfProblem(error.problem, trans);
  }
  if (error instanceof Missing) {
    return words(
      trans.__('AWS roles are not available on this server'),
      trans.__('Ask your administrator to install and enable jupyter_wb_aws on the server.')
    );
  }
  if (error instanceof Unreachable) {
    return words(
      trans.__('The Jupyter server does not answer'),
      trans.__('Nothing is lost. Try again once the server is back.')
    );
  }
  return words((error instanceof Error && error.message) || trans.__('Something went wrong'), '');
}

function words(title: string, hint: string): IFailure {
  return { title, detail: '', hint, forAdministrator: '', requestUrl: null, code: '' };
}

/** Describe a problem that the server reported. */
export function failureOfProblem(problem: Problem, trans: TranslationBundle): IFailure {
  return {
    title: problem.title,
    detail: problem.detail,
    hint: problem.hint,
    forAdministrator: administratorText(problem, trans),
    requestUrl: requestAddress(problem.request_url),
    code: problem.code
  };
}

/** Return a URL if it is safe to open in a browser (`http` or `https`, absolute); else null. */
export function webAddress(url: string | null | undefined): string | null {
  return url && /^https?:\/\//i.test(url) ? url : null;
}

/** Return the address to ask for a role, if it is a page or a mailbox, as the roles file allows; else null. */
export function requestAddress(url: string | null | undefined): string | null {
  return url && /^(https?:\/\/|mailto:)/i.test(url) ? url : null;
}

/** What an administrator needs of a problem. */
export interface IForAdministrator extends Pick<Problem, 'title' | 'detail' | 'admin_hint'> {
  readonly code: string;
}

/** Return what an administrator needs to fix a problem, for copying; empty if they can't help. */
export function administratorText(problem: IForAdministrator, trans: TranslationBundle): string {
  if (!problem.admin_hint) {
    return '';
  }
  return [
    `${problem.title} (${problem.code})`,
    problem.detail,
    problem.admin_hint,
    trans.__('Time: %1', new Date().toISOString())
  ]
    .filter(Boolean)
    .join('\n');
}
