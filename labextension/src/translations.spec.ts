/** Translators get every string that the extension shows. */
import * as ts from 'typescript';

const { POT, extract, fromModule } = jest.requireActual<{
  POT: string;
  extract: () => { pot: string; problems: string[] };
  fromModule: (file: string, text: string) => { messages: object[]; problems: string[] };
}>('../translations');

test('every string can be extracted', () => {
  expect(extract().problems).toEqual([]);
});

test('the committed file is not stale; `jlpm translations` writes it again', () => {
  expect(ts.sys.readFile(POT)).toBe(extract().pot);
});

test('strings, plurals and contexts are extracted, and texts of the settings too', () => {
  const { messages } = fromModule(
    'a.ts',
    `props.trans.__('One %1', 1); trans._n('%1 role', '%1 roles', n, n); trans._p('menu', 'End')`
  );

  expect(messages).toEqual([
    { file: 'a.ts', msgid: 'One %1' },
    { file: 'a.ts', msgid: '%1 role', msgid_plural: '%1 roles' },
    { file: 'a.ts', msgctxt: 'menu', msgid: 'End' }
  ]);
  expect(extract().pot).toContain('msgctxt "schema"\nmsgid "AWS Roles"');
});

test.each([
  ['a variable', 'trans.__(text)', 'not a literal'],
  ['a computed string', "trans.__('Pick ' + name)", 'not a literal'],
  ['a template with values', 'trans.__(`Pick ${name}`)', 'not a literal'],
  ['a plural without its second form', "trans._n('role')", 'not a literal'],
  ['text in an element', '<p>Pick a role</p>', 'not translated']
])('%s is reported with its line', (_, code, problem) => {
  const { problems } = fromModule('a.tsx', `\nconst x = ${code};`);

  expect(problems).toEqual([expect.stringMatching(`^a.tsx:2: .*${problem}`)]);
});

test('a command in an element is left as it is', () => {
  expect(fromModule('a.tsx', '<code>jupyter wb-aws doctor</code>').problems).toEqual([]);
});
