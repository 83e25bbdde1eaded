import type { ISnapshot } from '../server/snapshot';
import type { DocumentRole } from './document_role';

/** Our key in a notebook's metadata; its value is `{"role_arn": "arn:aws:iam::…"}`. */
export const METADATA_KEY = 'jupyter_wb_aws';

// As `jupyter_wb_aws.roles.role` reads it.
const ROLE_ARN =
  /^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role\/([!-.0-~]+\/){0,64}[A-Za-z0-9+=,.@_-]{1,64}$/;
const MAX_LENGTH = 700;

/** Return the role's ARN in a notebook's metadata; null unless it is valid, since anyone may have written it. */
export function rememberedArn(metadata: unknown): string | null {
  const arn: unknown =
    typeof metadata === 'object' && metadata !== null && 'role_arn' in metadata
      ? metadata.role_arn
      : null;
  return typeof arn === 'string' && arn.length <= MAX_LENGTH && ROLE_ARN.test(arn) ? arn : null;
}

/** A role that a notebook was last used with, and that its kernel neither has nor gets. */
export interface IOffer {
  readonly roleArn: string;
  /** Whether the user may use this role. */
  readonly available: boolean;
}

/**
 * Return which role to offer for a notebook; null if none.
 *
 * @param remembered - the ARN of the role that it was last used with; null if there is none.
 */
export function offerOf(
  remembered: string | null,
  role: DocumentRole,
  snapshot: ISnapshot
): IOffer | null {
  if (remembered === null || role.kind !== 'kernel' || snapshot.rolesProblem !== null) {
    return null;
  }
  if (role.next?.role_arn === remembered) {
    return null;
  }
  if (role.has?.roleArn === remembered && !role.restart && role.has.session !== null) {
    return null;
  }
  return { roleArn: remembered, available: snapshot.roles.some(({ arn }) => arn === remembered) };
}
