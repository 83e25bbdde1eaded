import type { TranslationBundle } from '@jupyterlab/translation';

import { Missing, type Problem, Refused, Unreachable } from '../server/api';

/** What to show of something that went wrong: never more than the server says for users. */
export interface IFailure {
  /** What happened. */
  readonly title: string;
  /** Why. */
  readonly detail: string;
  /** What to do next. */
  readonly hint: string;
  /** What an administrator needs to mend it, to be copied; empty where they can't help. */
  readonly forAdministrator: string;
  /** Where to ask for the role, where the administrator named a page. */
  readonly requestUrl: string | null;
  /** The stable code, empty where the server gave none. */
  readonly code: string;
}

/** Put what an action threw in words. */
export function failureOf(error: unknown, trans: TranslationBundle): IFailure {
  if (error instanceof Refused) {
    return problemWords(error.problem, trans);
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
  // Of whatever else, no more is known than it says itself.
  return words((error instanceof Error && error.message) || trans.__('That did not work'), '');
}

function words(title: string, hint: string): IFailure {
  return { title, detail: '', hint, forAdministrator: '', requestUrl: null, code: '' };
}

/** Put a problem of the server's in words. */
export function problemWords(problem: Problem, trans: TranslationBundle): IFailure {
  return {
    title: problem.title,
    detail: problem.detail,
    hint: problem.hint,
    forAdministrator: problem.admin_hint ? details(problem, trans) : '',
    requestUrl: requestAddress(problem.request_url),
    code: problem.code
  };
}

/** Return a URL if a browser may be sent to it: no `javascript:`, nothing relative. */
export function webAddress(url: string | null | undefined): string | null {
  return url && /^https?:\/\//i.test(url) ? url : null;
}

/** Return where to ask for a role, if it is a page or a mailbox (the roles file may name either). */
export function requestAddress(url: string | null | undefined): string | null {
  return url && /^(https?:\/\/|mailto:)/i.test(url) ? url : null;
}

function details(problem: Problem, trans: TranslationBundle): string {
  return [
    `${problem.title} (${problem.code})`,
    problem.detail,
    problem.admin_hint,
    trans.__('Time: %1', new Date().toISOString())
  ]
    .filter(Boolean)
    .join('\n');
}
