import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from '../server/api';
import { defaultSession, type ISnapshot, isByEndpoint, sessionById } from '../server/snapshot';
import { accountOfArn, processLabel } from '../words/identity';
import { stateText } from '../words/state';

/** The AWS role of a notebook or console, that is, of its kernel. */
export type DocumentRole =
  /** There is no kernel; `next` and `nextUntouched` are those of a kernel that starts now. */
  | {
      readonly kind: 'no_kernel';
      readonly next: RoleSession | null;
      readonly nextUntouched: boolean;
    }
  /** The kernel is starting. */
  | { readonly kind: 'starting' }
  /** The server does not know this kernel: it runs elsewhere. */
  | { readonly kind: 'unknown' }
  | IKernelRole;

export interface IKernelRole {
  readonly kind: 'kernel';
  /** What the kernel got at its last start; null if no role. */
  readonly has: IProcessRole | null;
  /** Whether it has the server's own AWS access, since nothing was chosen when it started. */
  readonly untouched: boolean;
  /** What it gets at its next start, as the server says; null if no role. */
  readonly next: RoleSession | null;
  /** Whether it gets the server's own AWS access then, since nothing was chosen yet. */
  readonly nextUntouched: boolean;
  /** Whether a restart would change its role session. */
  readonly restart: boolean;
  /** Whether its role session has ended and no other was chosen. */
  readonly over: boolean;
  /** Whether it can be switched while it runs, to a role that the credential endpoint delivers, or to none. */
  readonly switchable: boolean;
}

export interface IProcessRole {
  readonly roleArn: string;
  readonly label: string;
  /** The role session; null if it has ended. */
  readonly session: RoleSession | null;
}

/**
 * Return what a document's kernel has, and what it gets at its next start.
 *
 * @param kernelId - the kernel's id; null if there is none.
 * @param settled - whether no kernel is starting, see `isSettled`.
 */
export function documentRole(
  snapshot: ISnapshot,
  kernelId: string | null,
  settled: boolean
): DocumentRole {
  if (kernelId === null) {
    return settled
      ? {
          kind: 'no_kernel',
          next: defaultSession(snapshot),
          nextUntouched: !snapshot.choice.chosen
        }
      : { kind: 'starting' };
  }
  const assignment = snapshot.assignments.find(a => a.kind === 'kernel' && a.id === kernelId);
  if (assignment === undefined) {
    return { kind: settled ? 'unknown' : 'starting' };
  }
  const { running, chosen, given } = assignment;
  const session = sessionById(snapshot, running?.session_id);
  const next = sessionById(snapshot, assignment.next?.session_id);
  const nextGiven = assignment.next?.given ?? given;
  // A restart would bring nothing then.
  const over =
    running !== null &&
    session === null &&
    next === null &&
    chosen?.session_id === running.session_id;
  const differs =
    running === null && next === null ? given !== nextGiven : next?.id !== running?.session_id;
  return {
    kind: 'kernel',
    has: running && {
      roleArn: running.role_arn,
      label: session?.label ?? processLabel(running, snapshot.roles),
      session
    },
    untouched: given === 'untouched',
    next,
    nextUntouched: nextGiven === 'untouched',
    restart: differs && !over,
    over,
    switchable: isByEndpoint(assignment)
  };
}

/** A text for the toolbar, and a sentence that explains it. */
export interface IDocumentText {
  readonly text: string;
  /** The text in few characters. */
  readonly short: string;
  readonly sentence: string;
}

/**
 * Describe what a document's kernel has.
 *
 * @param now - the server's time in milliseconds.
 */
export function documentText(
  role: DocumentRole,
  now: number,
  trans: TranslationBundle
): IDocumentText {
  switch (role.kind) {
    case 'no_kernel':
      return inShort({
        text: trans.__('No kernel'),
        sentence:
          role.next !== null
            ? trans.__('There is no kernel. A new one uses %1.', role.next.label)
            : role.nextUntouched
              ? trans.__('There is no kernel. A new one has the server’s own AWS access, if any.')
              : trans.__('There is no kernel. A new one has no AWS role.')
      });
    case 'starting':
      return inShort({
        text: trans.__('AWS role'),
        sentence: trans.__('The kernel has not started yet.')
      });
    case 'unknown':
      return inShort({
        text: trans.__('AWS role unknown'),
        sentence: trans.__(
          'The server does not know this kernel’s AWS role: the kernel runs elsewhere, out of its reach.'
        )
      });
    case 'kernel':
      return kernelText(role, now, trans);
  }
}

function kernelText(role: IKernelRole, now: number, trans: TranslationBundle): IDocumentText {
  const [name, nextName] = names(role, trans);
  const text = hasText(role, name, trans);
  const sentence = hasSentence(role, name, now, trans);
  if (!role.restart) {
    return inShort({ text, sentence });
  }
  if (role.next !== null) {
    return {
      text: trans.__('%1 - restart to use %2', text, nextName),
      short: trans.__('%1 → %2', text, nextName),
      sentence: `${sentence} ${trans.__('After its next restart it uses %1.', nextName)}`
    };
  }
  if (role.nextUntouched) {
    const gets = trans.__('After its next restart it has the server’s own AWS access, if any.');
    return {
      text: trans.__('%1 - restart to use none of your roles', text),
      short: trans.__('%1 → %2', text, trans.__('No role yet')),
      sentence: `${sentence} ${gets}`
    };
  }
  return {
    text: trans.__('%1 - restart to use no AWS role', text),
    short: trans.__('%1 → %2', text, trans.__('No AWS role')),
    sentence: `${sentence} ${trans.__('After its next restart it has no AWS role.')}`
  };
}

function inShort(words: { text: string; sentence: string }): IDocumentText {
  return { ...words, short: words.text };
}

function hasText({ has, untouched }: IKernelRole, name: string, trans: TranslationBundle): string {
  if (has === null) {
    return untouched ? trans.__('No role yet') : trans.__('No AWS role');
  }
  if (has.session === null) {
    return trans.__('%1 (ended)', name);
  }
  return needsAttention(has.session)
    ? trans.__('%1 (%2)', name, stateText(has.session, 0, trans).word)
    : name;
}

function hasSentence(
  { has, untouched }: IKernelRole,
  name: string,
  now: number,
  trans: TranslationBundle
): string {
  if (has === null) {
    return untouched
      ? trans.__(
          'This kernel started before there was a default role, so it has the server’s own AWS access, if any. To give it a role, pick one here and restart the kernel.'
        )
      : trans.__('This kernel runs without an AWS role.');
  }
  if (has.session === null) {
    return trans.__(
      'This kernel uses %1, whose role session has ended: it gets no new AWS credentials.',
      name
    );
  }
  const runs = trans.__('This kernel uses %1 (account %2).', name, accountOfArn(has.roleArn));
  return has.session.state === 'active'
    ? runs
    : `${runs} ${stateText(has.session, now, trans).sentence}`;
}

/** Whether a role session's state is shown everywhere beside its role. */
export function needsAttention(session: RoleSession): boolean {
  return !['active', 'starting'].includes(session.state);
}

/** Return the names of the kernel's present and next role, made different if they are the same. */
function names(role: IKernelRole, trans: TranslationBundle): [string, string] {
  const { has, next } = role;
  const name = has?.label ?? '';
  const nextName = next?.label ?? '';
  if (has === null || next === null || !role.restart || name !== nextName) {
    return [name, nextName];
  }
  if (has.roleArn !== next.role_arn) {
    return [
      trans.__('%1 in %2', name, accountOfArn(has.roleArn)),
      trans.__('%1 in %2', nextName, accountOfArn(next.role_arn))
    ];
  }
  const regions = [has.session?.region, next.region];
  return regions[0] && regions[1] && regions[0] !== regions[1]
    ? [trans.__('%1 in %2', name, regions[0]), trans.__('%1 in %2', nextName, regions[1])]
    : [name, nextName];
}
