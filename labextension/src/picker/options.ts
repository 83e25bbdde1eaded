import type { Role } from '../server/api';
import { type IRoleIndex, matchingRoles } from './filter';

/** A line of the picker: a role of the user's, one that they named by its ARN, or "no AWS role". */
export type PickerOption =
  | { readonly kind: 'role'; readonly arn: string; readonly role: Role }
  | { readonly kind: 'named'; readonly arn: string }
  | { readonly kind: 'none'; readonly arn: null };

const ROLE_ARN = /^arn:[\w-]+:iam::\d{12}:role\/[\w+=,.@/-]+$/;

/** Whether a text is shaped like an IAM role's ARN; the server has the last word. */
export function looksLikeRoleArn(text: string): boolean {
  return text.length <= 2048 && ROLE_ARN.test(text);
}

/**
 * Return what the picker lists.
 *
 * Without a query: `first` (an ARN), "no AWS role", and all roles. A query that is the ARN of a role
 * which the user was not offered can be picked too: the answer says where to ask for it.
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
