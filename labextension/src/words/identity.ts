import type { Assignment, Role, RoleSession } from '../server/api';

/** Return the account in an ARN (`arn:aws:iam::111122223333:role/path/name`); empty if there is none. */
export function accountOfArn(arn: string): string {
  return arn.split(':')[4] ?? '';
}

/** Return the account of a role session: the caller's if it is known, else the role's. */
export function accountOf(session: RoleSession): string {
  return session.identity?.Account ?? accountOfArn(session.role_arn);
}

/** Return a role's label as the user is offered it, else the last part of its ARN. */
export function roleLabel(arn: string, roles: readonly Role[]): string {
  return roles.find(role => role.arn === arn)?.label ?? arn.slice(arn.lastIndexOf('/') + 1);
}

/** Return the label of the role that a process has; the server says it, an older one does not. */
export function processLabel(
  running: NonNullable<Assignment['running']>,
  roles: readonly Role[]
): string {
  return (running as Partial<typeof running>).label ?? roleLabel(running.role_arn, roles);
}

/** Write a caller identity as `aws sts get-caller-identity` prints it. */
export function identityText(identity: NonNullable<RoleSession['identity']>): string {
  const { UserId, Account, Arn } = identity;
  return JSON.stringify({ UserId, Account, Arn }, null, 4);
}
