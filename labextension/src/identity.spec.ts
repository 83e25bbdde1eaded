import { identityText } from './identity';

test('a caller identity is written as the AWS CLI prints it', () => {
  const identity = { Arn: 'arn:aws:sts::1:assumed-role/r/a', Account: '1', UserId: 'AROA1:a' };

  expect(identityText(identity)).toBe(
    '{\n    "UserId": "AROA1:a",\n    "Account": "1",\n    "Arn": "arn:aws:sts::1:assumed-role/r/a"\n}'
  );
});
