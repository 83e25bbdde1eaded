import type { TranslationBundle } from '@jupyterlab/translation';

import type { Role, RoleSession } from '../server/api';
import { defaultSession, type IView, sessionById } from '../server/view';
import { accountOfArn, roleLabel } from '../words/identity';
import { stateWords } from '../words/state';

/** What there is to know of the AWS role of a notebook or console: that is, of its kernel. */
export type DocumentRole =
  /** There is no kernel; the rest is what one gets that is started now, as in `IKernelRole`. */
  | {
      readonly kind: 'no_kernel';
      readonly next: RoleSession | null;
      readonly nextUntouched: boolean;
    }
  /** The kernel is on its way. */
  | { readonly kind: 'starting' }
  /** The server says nothing of this kernel: it runs elsewhere. */
  | { readonly kind: 'unknown' }
  | IKernelRole;

export interface IKernelRole {
  readonly kind: 'kernel';
  /** What the kernel was given at its last start; null if no role. */
  readonly has: IGiven | null;
  /** Whether that is whatever the server itself has, since nothing was chosen when it started. */
  readonly untouched: boolean;
  /** What it is given at its next start, as the server says (null: no role). */
  readonly next: RoleSession | null;
  /** Whether that is whatever the server itself has, since nothing was chosen yet. */
  readonly nextUntouched: boolean;
  /** Whether a restart would give it another role session, or none, than it has. */
  readonly restart: boolean;
}

export interface IGiven {
  readonly roleArn: string;
  /** The role session; null if it has ended. */
  readonly session: RoleSession | null;
}

/**
 * Tell what a document's kernel has, and what it gets at its next start.
 *
 * `settled`: there is no kernel on its way.
 */
export function documentRole(view: IView, kernelId: string | null, settled: boolean): DocumentRole {
  if (kernelId === null) {
    return settled
      ? { kind: 'no_kernel', next: defaultSession(view), nextUntouched: !view.choice.chosen }
      : { kind: 'starting' };
  }
  const assignment = view.assignments.find(a => a.kind === 'kernel' && a.id === kernelId);
  if (assignment === undefined) {
    return { kind: settled ? 'unknown' : 'starting' };
  }
  const { running, chosen, given } = assignment;
  const session = sessionById(view, running?.session_id);
  const next = sessionById(view, assignment.next?.session_id);
  const nextGiven = assignment.next?.given ?? given;
  // What it has is over and nothing else was chosen: there is nothing that a restart would bring.
  const over =
    running !== null &&
    session === null &&
    next === null &&
    chosen?.session_id === running.session_id;
  const differs =
    running === null && next === null ? given !== nextGiven : next?.id !== running?.session_id;
  return {
    kind: 'kernel',
    has: running && { roleArn: running.role_arn, session },
    untouched: given === 'untouched',
    next,
    nextUntouched: nextGiven === 'untouched',
    restart: differs && !over
  };
}

/** A short text for the toolbar, and a sentence that says the same at length. */
export interface IDocumentWords {
  readonly text: string;
  /** The text where there is little room. */
  readonly short: string;
  readonly sentence: string;
}

/** Put in words what a document's kernel has; `now` is the server's time in milliseconds. */
export function documentWords(
  role: DocumentRole,
  roles: readonly Role[],
  now: number,
  trans: TranslationBundle
): IDocumentWords {
  switch (role.kind) {
    case 'no_kernel':
      return inShort({
        text: trans.__('No kernel'),
        sentence:
          role.next !== null
            ? trans.__('There is no kernel. One that is started now has %1.', role.next.label)
            : role.nextUntouched
              ? trans.__(
                  'There is no kernel. One that is started now has the AWS access that the server itself has, if any.'
                )
              : trans.__('There is no kernel. One that is started now has no AWS role.')
      });
    case 'starting':
      return inShort({
        text: trans.__('AWS role'),
        sentence: trans.__('The kernel has not started yet.')
      });
    case 'unknown':
      return inShort({
        text: trans.__('AWS role not known'),
        sentence: trans.__(
          'The server does not know of an AWS role of this kernel: it runs elsewhere, where AWS roles don’t reach it.'
        )
      });
    case 'kernel':
      return kernelWords(role, roles, now, trans);
  }
}

function kernelWords(
  role: IKernelRole,
  roles: readonly Role[],
  now: number,
  trans: TranslationBundle
): IDocumentWords {
  const [name, nextName] = names(role, roles, trans);
  const text = hasText(role, name, trans);
  const sentence = hasSentence(role, name, now, trans);
  if (!role.restart) {
    return inShort({ text, sentence });
  }
  if (role.next !== null) {
    return {
      text: trans.__('%1 - restart to use %2', text, nextName),
      short: trans.__('%1 → %2', text, nextName),
      sentence: `${sentence} ${trans.__('From its next restart on it has %1.', nextName)}`
    };
  }
  if (role.nextUntouched) {
    const gets = trans.__(
      'From its next restart on it has the AWS access that the server itself has, if any.'
    );
    return {
      text: trans.__('%1 - restart to use none of your roles', text),
      short: trans.__('%1 → No role picked', text),
      sentence: `${sentence} ${gets}`
    };
  }
  return {
    text: trans.__('%1 - restart to use no AWS role', text),
    short: trans.__('%1 → %2', text, trans.__('No AWS role')),
    sentence: `${sentence} ${trans.__('From its next restart on it has no AWS role.')}`
  };
}

function inShort(words: { text: string; sentence: string }): IDocumentWords {
  return { ...words, short: words.text };
}

function hasText({ has, untouched }: IKernelRole, name: string, trans: TranslationBundle): string {
  if (has === null) {
    return untouched ? trans.__('No role picked') : trans.__('No AWS role');
  }
  if (has.session === null) {
    return trans.__('%1 (ended)', name);
  }
  return needsAttention(has.session)
    ? trans.__('%1 (%2)', name, stateWords(has.session, 0, trans).word)
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
          'This kernel started before you picked an AWS role. To give it one, pick it here and restart the kernel; until then it has the AWS access of the server itself, if there is any.'
        )
      : trans.__('This kernel was started without an AWS role.');
  }
  if (has.session === null) {
    return trans.__(
      'This kernel has %1, and that role session has ended: it gets no new AWS credentials.',
      name
    );
  }
  const runs = trans.__('This kernel has %1 (account %2).', name, accountOfArn(has.roleArn));
  return has.session.state === 'active'
    ? runs
    : `${runs} ${stateWords(has.session, now, trans).sentence}`;
}

/** Whether a role session's state is to be seen wherever its role is. */
export function needsAttention(session: RoleSession): boolean {
  return !['active', 'starting'].includes(session.state);
}

/** What the kernel has and gets, by names that can be told apart. */
function names(
  role: IKernelRole,
  roles: readonly Role[],
  trans: TranslationBundle
): [string, string] {
  const { has, next } = role;
  const name = has === null ? '' : (has.session?.label ?? roleLabel(has.roleArn, roles));
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
