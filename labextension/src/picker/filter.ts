import type { Role } from '../server/api';

/** A list of roles, prepared for a search at each key press. */
export interface IRoleIndex {
  readonly roles: readonly Role[];
  /** The label, name and account of each role, in lower case, separated by line breaks. */
  readonly texts: readonly string[];
}

/** Prepare a list of roles for searching; those in `recent` (ARNs, latest first) come first. */
export function indexRoles(roles: readonly Role[], recent: readonly string[]): IRoleIndex {
  const rank = new Map(recent.map((arn, position) => [arn, position]));
  const ranked = roles
    .filter(role => rank.has(role.arn))
    .sort((a, b) => rank.get(a.arn)! - rank.get(b.arn)!);
  const ordered = [...ranked, ...roles.filter(role => !rank.has(role.arn))];
  return {
    roles: ordered,
    texts: ordered.map(role => `${role.label}\n${role.name}\n${role.account_id}`.toLowerCase())
  };
}

/**
 * Return the roles whose label, name or account contains every word of `query`.
 *
 * Roles in which a word begins with the query's first word come first; otherwise the order stays.
 */
export function matchingRoles(index: IRoleIndex, query: string): readonly Role[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const [first] = words;
  if (first === undefined) {
    return index.roles;
  }
  const atStart: Role[] = [];
  const within: Role[] = [];
  index.texts.forEach((text, position) => {
    if (words.every(word => text.includes(word))) {
      (beginsWord(text, first) ? atStart : within).push(index.roles[position]!);
    }
  });
  return atStart.concat(within);
}

function beginsWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at !== -1; at = text.indexOf(word, at + 1)) {
    if (at === 0 || !/[\p{L}\p{N}]/u.test(text.charAt(at - 1))) {
      return true;
    }
  }
  return false;
}
