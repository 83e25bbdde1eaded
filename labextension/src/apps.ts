import type { TranslationBundle } from '@jupyterlab/translation';

import type { Assignment, RoleSession } from './api';
import type { IView } from './model';

/** A proxied app that runs (VS Code, RStudio, Shiny …), and its AWS role. */
export interface IApp {
  readonly id: string;
  /** What it was given at its launch; null if no role. */
  readonly has: RoleSession | null;
  /** What it is given at its next launch; null if no role. */
  readonly next: RoleSession | null;
  /** Whether a relaunch would give it another role session, or none, than it has. */
  readonly relaunch: boolean;
  /** What to show beside its name. */
  readonly words: string;
}

/** The proxied apps that run, by name. */
export function runningApps(view: IView, trans: TranslationBundle): IApp[] {
  return view.assignments
    .filter(assignment => assignment.kind === 'app')
    .map(assignment => asApp(view, assignment, trans))
    .sort((one, other) => one.id.localeCompare(other.id));
}

function asApp(view: IView, assignment: Assignment, trans: TranslationBundle): IApp {
  const { id, running, given, renewed_by } = assignment;
  const session = (id: string | null | undefined) =>
    view.sessions.find(session => session.id === id) ?? null;
  const has = session(running?.session_id);
  const next = session(assignment.next?.session_id);
  const nextName = next?.label ?? trans.__('no AWS role');
  if (renewed_by === 'r_session') {
    const words = trans.__('an R session that starts now uses %1', nextName);
    return { id, has, next, relaunch: false, words };
  }
  // What it has is over, and there is nothing that a relaunch would bring.
  const over = running !== null && has === null && next === null;
  const differs =
    has !== null || next !== null ? has?.id !== next?.id : given !== assignment.next?.given;
  const name =
    has?.label ??
    (running !== null
      ? trans.__('%1 (ended)', running.role_arn.replace(/^.*\//, ''))
      : given === 'untouched'
        ? trans.__('No role picked')
        : trans.__('No AWS role'));
  return {
    id,
    has,
    next,
    relaunch: differs && !over,
    words: differs && !over ? trans.__('%1 - relaunch to use %2', name, nextName) : name
  };
}

/** Say what it means to relaunch apps, to the user who is asked. */
export function relaunchQuestion(apps: readonly IApp[], trans: TranslationBundle): string {
  return trans._n(
    'It is stopped, with everything that runs in it, and what is not saved there is lost. Load its page again to launch it as %2.',
    'They are stopped, with everything that runs in them, and what is not saved there is lost. Load their pages again to launch them as %2.',
    apps.length,
    apps[0]?.next?.label ?? trans.__('no AWS role')
  );
}
