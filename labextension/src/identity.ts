import type { RoleSession } from './api';

/** Write a caller identity as `aws sts get-caller-identity` prints it. */
export function identityText(identity: NonNullable<RoleSession['identity']>): string {
  const { UserId, Account, Arn } = identity;
  return JSON.stringify({ UserId, Account, Arn }, null, 4);
}
