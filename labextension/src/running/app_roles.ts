import type { TranslationBundle } from '@jupyterlab/translation';

import type { Assignment, RoleSession } from '../server/api';
import type { ISnapshot } from '../server/snapshot';
import { processLabel } from '../words/identity';

/** A running proxied app (VS Code, RStudio, Shiny …) and its AWS role. */
export interface IApp {
  readonly id: string;
  /** Its name in the launcher. */
  readonly title: string;
  /** The role session that it got at its launch; null if none. */
  readonly has: RoleSession | null;
  /** The role session that it gets at its next launch; null if none. */
  readonly next: RoleSession | null;
  /** Whether a relaunch would change its role session. */
  readonly relaunch: boolean;
  /** Which role it uses, and which one after a relaunch. */
  readonly words: string;
  /** The same in few characters. */
  readonly short: string;
}

/** Return the running proxied apps, sorted by title. */
export function runningApps(snapshot: ISnapshot, trans: TranslationBundle): IApp[] {
  return snapshot.assignments
    .filter(assignment => assignment.kind === 'app')
    .map(assignment => asApp(snapshot, assignment, trans))
    .sort((one, other) => one.title.localeCompare(other.title));
}

function asApp(snapshot: ISnapshot, assignment: Assignment, trans: TranslationBundle): IApp {
  const { id, running, given, renewed_by } = assignment;
  const title = snapshot.appTitles[id] ?? id;
  const session = (id: string | null | undefined) =>
    snapshot.sessions.find(session => session.id === id) ?? null;
  const has = session(running?.session_id);
  const next = session(assignment.next?.session_id);
  const nextName = next?.label ?? trans.__('no AWS role');
  if (renewed_by === 'r_session') {
    const words = trans.__('an R session that starts now uses %1', nextName);
    return { id, title, has, next, relaunch: false, words, short: words };
  }
  // Its role session has ended, and a relaunch would not give it another.
  const over = running !== null && has === null && next === null;
  const differs =
    has !== null || next !== null ? has?.id !== next?.id : given !== assignment.next?.given;
  const name =
    has?.label ??
    (running !== null
      ? trans.__('%1 (ended)', processLabel(running, snapshot.roles))
      : given === 'untouched'
        ? trans.__('No role yet')
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

/** Explain what relaunching apps does, for the question to the user. */
export function relaunchQuestion(apps: readonly IApp[], trans: TranslationBundle): string {
  return trans._n(
    'This stops it and everything that runs in it, and what is not saved there is lost. Reload its page to launch it as %2.',
    'This stops them and everything that runs in them, and what is not saved there is lost. Reload their pages to launch them as %2.',
    apps.length,
    apps[0]?.next?.label ?? trans.__('no AWS role')
  );
}
