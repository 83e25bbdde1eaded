import type { IView } from '../server/view';
import type { DocumentRole } from './role';

/** The key of ours in a notebook's metadata: `{"role_arn": "arn:aws:iam::…"}`. */
export const METADATA_KEY = 'jupyter_wb_aws';

// As `jupyter_wb_aws.roles.role` reads it.
const ROLE_ARN =
  /^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role\/([!-.0-~]+\/){0,64}[A-Za-z0-9+=,.@_-]{1,64}$/;
const LONGEST = 700;

/** Read the role's ARN from what a notebook's metadata have below our key; whoever made the file wrote it. */
export function rememberedArn(metadata: unknown): string | null {
  const arn: unknown =
    typeof metadata === 'object' && metadata !== null && 'role_arn' in metadata
      ? metadata.role_arn
      : null;
  return typeof arn === 'string' && arn.length <= LONGEST && ROLE_ARN.test(arn) ? arn : null;
}

/** A role that a notebook was used with, and that its kernel neither has nor gets. */
export interface IOffer {
  readonly roleArn: string;
  /** Whether the user is offered this role. */
  readonly available: boolean;
}

/** Tell what to offer for a notebook that was used with a role before; null if nothing. */
export function offerOf(remembered: string | null, role: DocumentRole, view: IView): IOffer | null {
  if (remembered === null || role.kind !== 'kernel' || view.rolesProblem !== null) {
    return null;
  }
  if (role.next?.role_arn === remembered) {
    return null;
  }
  if (role.has?.roleArn === remembered && !role.restart && role.has.session !== null) {
    return null;
  }
  return { roleArn: remembered, available: view.roles.some(({ arn }) => arn === remembered) };
}
