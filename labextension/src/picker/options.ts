import type { Role } from '../server/api';
import { type IRoleIndex, matchingRoles } from './filter';

/** A line of the picker: one of the user's roles, another role by its ARN, or "no AWS role". */
export type PickerOption =
  | { readonly kind: 'role'; readonly arn: string; readonly role: Role }
  | { readonly kind: 'named'; readonly arn: string }
  | { readonly kind: 'none'; readonly arn: null };

/** What runs and gets a role at once, if the credential endpoint delivers the role; undefined: nothing. */
export type AtOnce = 'kernel' | 'terminal' | undefined;

const ROLE_ARN = /^arn:[\w-]+:iam::\d{12}:role\/[\w+=,.@/-]+$/;

/** Whether a text looks like an IAM role's ARN; the server checks it. */
export function looksLikeRoleArn(text: string): boolean {
  return text.length <= 2048 && ROLE_ARN.test(text);
}

/**
 * Return what the picker lists.
 *
 * Without a query: the role `first`, "no AWS role", and all other roles. A query that is the ARN of
 * any other role gives that role: when the user picks it, the server's answer says where to ask for it.
 *
 * @param noneLabel - what "no AWS role" is called, for the search.
 * @param first - the ARN of the role to list first.
 */
export function pickerOptions(
  index: IRoleIndex,
  query: string,
  noneLabel: string,
  first?: string | null
): readonly PickerOption[] {
  const typed = query.trim();
  const offered = matchingRoles(index, typed).map(asOption);
  const none: PickerOption = { kind: 'none', arn: null };
  if (typed === '') {
    const foremost = offered.filter(option => option.arn === first);
    return [...foremost, none, ...offered.filter(option => option.arn !== first)];
  }
  if (looksLikeRoleArn(typed)) {
    const role = index.roles.find(role => role.arn === typed);
    return [role ? asOption(role) : { kind: 'named', arn: typed }];
  }
  const words = typed.toLowerCase().split(/\s+/);
  const noneToo = words.every(word => noneLabel.toLowerCase().includes(word));
  return noneToo ? [...offered, none] : offered;
}

function asOption(role: Role): PickerOption {
  return { kind: 'role', arn: role.arn, role };
}
