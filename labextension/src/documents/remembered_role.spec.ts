import type { Role, RoleSession } from '../server/api';
import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { anAssignment, aProblem, aRole, aSession } from '../testing';
import { offerOf, rememberedArn } from './remembered_role';
import { documentRole } from './document_role';

const ARN = 'arn:aws:iam::111122223333:role/analyst';

describe('What is read from a notebook', () => {
  it.each([
    ARN,
    'arn:aws-cn:iam::111122223333:role/analyst',
    'arn:aws-us-gov:iam::111122223333:role/team/data/analyst+1=a,b.c@d_e-f'
  ])('is a role’s ARN: %s', arn => {
    expect(rememberedArn({ role_arn: arn })).toBe(arn);
    expect(rememberedArn({ role_arn: arn, else: 1 })).toBe(arn);
  });

  it.each([
    undefined,
    null,
    ARN,
    [],
    [ARN],
    {},
    { role_arn: null },
    { role_arn: 3 },
    { role_arn: [ARN] },
    { role_arn: { toString: ARN } },
    { role_arn: '' },
    { role_arn: `${ARN}\n` },
    { role_arn: ` ${ARN}` },
    { role_arn: `${ARN}/` },
    { role_arn: `${ARN}<b>` },
    { role_arn: 'arn:aws:iam::1111:role/analyst' },
    { role_arn: 'arn:aws:iam::111122223333:user/alice' },
    { role_arn: 'arn:aws:sts::111122223333:assumed-role/analyst/alice' },
    { role_arn: 'arn:aws:iam::111122223333:role/a b' },
    { role_arn: 'arn:aws:iam::111122223333:role/\u202eanalyst' },
    { role_arn: `arn:aws:iam::111122223333:role/${'a'.repeat(65)}` },
    { role_arn: `arn:aws:iam::111122223333:role/${'a/'.repeat(500)}b` },
    { role_arn: `arn:aws:iam::111122223333:role/${'a'.repeat(900)}/b` },
    { role_arn: 'javascript:alert(1)' }
  ])('is nothing else: %j', metadata => expect(rememberedArn(metadata)).toBeNull());
});

describe('What is offered', () => {
  const analyst = aSession('analyst');
  const auditor = aSession('auditor');
  const offered = (
    remembered: string | null,
    facts: {
      running?: RoleSession;
      chosen?: RoleSession;
      living?: RoleSession[];
      roles?: Role[];
      more?: Partial<ISnapshot>;
    }
  ) => {
    const { running, chosen = running, living = [analyst, auditor] } = facts;
    const snapshot: ISnapshot = {
      ...NOTHING_KNOWN,
      situation: 'ready',
      roles: facts.roles ?? [aRole('analyst'), aRole('auditor')],
      sessions: living,
      assignments: [
        anAssignment('kernel-1', running ?? null, {
          chosen: chosen ? { session_id: chosen.id, how: 'by_user' } : null,
          next: { given: chosen ? 'role' : 'no_role', session_id: chosen?.id ?? null }
        })
      ],
      ...facts.more
    };
    return offerOf(remembered, documentRole(snapshot, 'kernel-1', true), snapshot);
  };

  it('is the role that the notebook was last used with, if the kernel has another or none', () => {
    const offer = { roleArn: ARN, available: true };
    expect(offered(ARN, {})).toEqual(offer);
    expect(offered(ARN, { running: auditor })).toEqual(offer);
  });

  it('is nothing if nothing is remembered, or if the kernel has the role or gets it', () => {
    expect(offered(null, { running: auditor })).toBeNull();
    expect(offered(ARN, { running: analyst })).toBeNull();
    expect(offered(ARN, { running: auditor, chosen: analyst })).toBeNull();
  });

  it('is the role again if its role session has ended', () => {
    expect(offered(ARN, { running: analyst, living: [] })?.available).toBe(true);
  });

  it('says that the user does not have the role', () => {
    expect(offered(ARN, { roles: [aRole('auditor')] })).toEqual({ roleArn: ARN, available: false });
  });

  it('is nothing while the roles are not known', () => {
    const more = { rolesProblem: aProblem('sign_in_required') };
    expect(offered(ARN, { roles: [], more })).toBeNull();
  });

  it('is nothing without a kernel, or if the server does not know it', () => {
    expect(offered(ARN, { more: { assignments: [] } })).toBeNull();
  });
});
