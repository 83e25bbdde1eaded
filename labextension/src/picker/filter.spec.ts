import type { Role } from '../server/api';
import { indexRoles, matchingRoles } from './filter';

function role(label: string, account = '111122223333'): Role {
  return {
    arn: `arn:aws:iam::${account}:role/${label}`,
    name: label,
    account_id: account,
    label,
    description: null,
    region: null,
    color: null,
    default: false,
    delivery: 'web_identity',
    request_url: null
  };
}

const ROLES = [role('Data analyst'), role('Auditor'), role('Analyst', '444455556666')];

function found(query: string, recent: readonly string[] = []): string[] {
  return matchingRoles(indexRoles(ROLES, recent), query).map(found => found.label);
}

test('without a query, roles are in the catalogue’s order', () => {
  expect(found('')).toEqual(['Data analyst', 'Auditor', 'Analyst']);
});

test('recent roles come first, the latest at the top', () => {
  const recent = [ROLES[2]!.arn, 'arn:aws:iam::111122223333:role/gone', ROLES[1]!.arn];
  expect(found('', recent)).toEqual(['Analyst', 'Auditor', 'Data analyst']);
});

test.each([
  ['analyst', ['Data analyst', 'Analyst']],
  ['ANALYST 4444', ['Analyst']],
  ['data an', ['Data analyst']],
  ['111122223333', ['Data analyst', 'Auditor']],
  ['  ', ['Data analyst', 'Auditor', 'Analyst']],
  ['nobody', []]
])('%j finds %j', (query, labels) => {
  expect(found(query)).toEqual(labels);
});

test('a role with a word that begins with the query comes before one that only contains it', () => {
  expect(found('t')).toEqual(['Data analyst', 'Auditor', 'Analyst']);
  expect(found('aud')).toEqual(['Auditor']);
  expect(found('a')).toEqual(['Data analyst', 'Auditor', 'Analyst']);
  expect(found('ta')).toEqual(['Data analyst']);
  expect(found('d')).toEqual(['Data analyst', 'Auditor']);
});
