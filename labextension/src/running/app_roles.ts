import type { TranslationBundle } from '@jupyterlab/translation';

import type { Assignment, RoleSession } from '../server/api';
import type { IView } from '../server/view';
import { roleLabel } from '../words/identity';

/** A proxied app that runs (VS Code, RStudio, Shiny …), and its AWS role. */
export interface IApp {
  readonly id: string;
  /** Its name in the launcher. */
  readonly title: string;
  /** What it was given at its launch; null if no role. */
  readonly has: RoleSession | null;
  /** What it is given at its next launch; null if no role. */
  readonly next: RoleSession | null;
  /** Whether a relaunch would give it another role session, or none, than it has. */
  readonly relaunch: boolean;
  /** Which role it has, and that it would have another one. */
  readonly words: string;
  /** The same where there is no room for a sentence. */
  readonly short: string;
}

/** The proxied apps that run, by title. */
export function runningApps(view: IView, trans: TranslationBundle): IApp[] {
  return view.assignments
    .filter(assignment => assignment.kind === 'app')
    .map(assignment => asApp(view, assignment, trans))
    .sort((one, other) => one.title.localeCompare(other.title));
}

function asApp(view: IView, assignment: Assignment, trans: TranslationBundle): IApp {
  const { id, running, given, renewed_by } = assignment;
  const title = view.appTitles[id] ?? id;
  const session = (id: string | null | undefined) =>
    view.sessions.find(session => session.id === id) ?? null;
  const has = session(running?.session_id);
  const next = session(assignment.next?.session_id);
  const nextName = next?.label ?? trans.__('no AWS role');
  if (renewed_by === 'r_session') {
    const words = trans.__('an R session that starts now uses %1', nextName);
    return { id, title, has, next, relaunch: false, words, short: words };
  }
  // What it has is over, and there is nothing that a relaunch would bring.
  const over = running !== null && has === null && next === null;
  const differs =
    has !== null || next !== null ? has?.id !== next?.id : given !== assignment.next?.given;
  const name =
    has?.label ??
    (running !== null
      ? trans.__('%1 (ended)', roleLabel(running.role_arn, view.roles))
      : given === 'untouched'
        ? trans.__('No role picked')
        : trans.__('No AWS role'));
  const relaunch = differs && !over;
  return {
    id,
    title,
    has,
    next,
    relaunch,
    words: relaunch ? trans.__('%1 - relaunch to use %2', name, nextName) : name,
    short: relaunch ? `${name} → ${nextName}` : name
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
