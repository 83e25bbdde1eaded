import { aSession } from '../testing';
import { accountOf, identityText } from './identity';

test('a caller identity is written as the AWS CLI prints it', () => {
  const identity = { Arn: 'arn:aws:sts::1:assumed-role/r/a', Account: '1', UserId: 'AROA1:a' };

  expect(identityText(identity)).toBe(
    '{\n    "UserId": "AROA1:a",\n    "Account": "1",\n    "Arn": "arn:aws:sts::1:assumed-role/r/a"\n}'
  );
});

test('the account is the caller’s, else the role’s', () => {
  expect(accountOf(aSession('analyst'))).toBe('111122223333');
  expect(accountOf(aSession('analyst', { identity: null }))).toBe('111122223333');
  expect(accountOf(aSession('analyst', { identity: null, role_arn: 'odd' }))).toBe('');
});
