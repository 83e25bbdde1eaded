import { aRole } from '../testing';
import { indexRoles } from './filter';
import { looksLikeRoleArn, pickerOptions } from './options';

const INDEX = indexRoles([aRole('analyst'), aRole('auditor')], []);

function lines(query: string, first?: string): (string | null)[] {
  return pickerOptions(INDEX, query, 'No AWS role', first).map(
    option => option.arn?.split('/')[1] ?? null
  );
}

test('“no AWS role” is the first line', () => {
  expect(lines('')).toEqual([null, 'analyst', 'auditor']);
});

test('the role to offer comes first, and only once', () => {
  expect(lines('', aRole('auditor').arn)).toEqual(['auditor', null, 'analyst']);
});

test.each([
  ['aud', ['auditor']],
  ['no role', [null]],
  ['a', ['analyst', 'auditor', null]]
])('%j lists %j', (query, expected) => {
  expect(lines(query)).toEqual(expected);
});

test('an ARN lists that role, offered or not', () => {
  const [own] = pickerOptions(INDEX, aRole('auditor').arn, 'No AWS role');
  const [other] = pickerOptions(INDEX, ` ${aRole('admin').arn} `, 'No AWS role');

  expect(own?.kind).toBe('role');
  expect(other).toEqual({ kind: 'named', arn: aRole('admin').arn });
});

test.each([
  ['arn:aws:iam::111122223333:role/path/analyst', true],
  ['arn:aws-us-gov:iam::111122223333:role/analyst', true],
  ['arn:aws:iam::111122223333:user/analyst', false],
  ['arn:aws:iam::1111:role/analyst', false],
  ['<b>arn:aws:iam::111122223333:role/analyst</b>', false],
  ['', false]
])('whether %j looks like the ARN of a role: %j', (text, expected) => {
  expect(looksLikeRoleArn(text)).toBe(expected);
});
