// Extracts the strings for translators. `jlpm translations` writes them to `POT`.
const { mkdirSync, readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const PO = require('pofile');
const ts = require('typescript');

/** Named as JupyterLab names the translations of an extension's strings and settings. */
const POT = join(__dirname, 'translations/jupyterlab_wb_aws.pot');

/** What the first arguments of the methods of JupyterLab's `TranslationBundle` are. */
const METHODS = new Map([
  ['__', ['msgid']],
  ['gettext', ['msgid']],
  ['_n', ['msgid', 'msgid_plural']],
  ['ngettext', ['msgid', 'msgid_plural']],
  ['_p', ['msgctxt', 'msgid']],
  ['pgettext', ['msgctxt', 'msgid']],
  ['_np', ['msgctxt', 'msgid', 'msgid_plural']],
  ['npgettext', ['msgctxt', 'msgid', 'msgid_plural']]
]);

/** The texts of a schema in `schema/` that JupyterLab translates, with the context "schema". */
const SCHEMA_TEXTS = ['title', 'description', 'label', 'jupyter.lab.setting-icon-label'];

/**
 * Return the messages of a module, and its strings that can't be translated.
 *
 * @param file - its name, for references.
 * @param text - its source.
 */
function fromModule(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const messages = [];
  const problems = [];
  const report = (node, what) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    problems.push(`${file}:${line + 1}: ${what}`);
  };
  const visit = node => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const parts = METHODS.get(node.expression.name.text);
      const literals = node.arguments.slice(0, parts?.length);
      if (parts && literals.length === parts.length && literals.every(ts.isStringLiteralLike)) {
        const fields = parts.map((part, at) => [part, literals[at].text]);
        messages.push({ ...Object.fromEntries(fields), file });
      } else if (parts) {
        report(node, 'the translated string is not a literal');
      }
    }
    if (ts.isJsxText(node) && /\p{L}/u.test(node.text) && !isCode(node.parent)) {
      report(node, 'the text is not translated');
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { messages, problems };
}

/** Whether a JSX element is `<code>`: commands are not translated. */
function isCode(node) {
  return ts.isJsxElement(node) && node.openingElement.tagName.getText() === 'code';
}

/** Return the messages of a schema, with the context that JupyterLab looks them up in. */
function fromSchema(file, schema) {
  return Object.entries(schema).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null
      ? fromSchema(file, value)
      : SCHEMA_TEXTS.includes(key) && typeof value === 'string'
        ? [{ msgctxt: 'schema', msgid: value, file }]
        : []
  );
}

/** Write messages as a `.pot` file, each once, without dates and line numbers, which only cause changes. */
function potText(messages) {
  const items = new Map();
  for (const { file, msgctxt, msgid, msgid_plural } of messages) {
    const key = JSON.stringify([msgctxt, msgid]);
    const item = items.get(key) ?? new PO.Item();
    item.msgid = msgid;
    item.msgctxt = msgctxt ?? null;
    item.msgid_plural = msgid_plural ?? item.msgid_plural;
    item.references = [...new Set([...item.references, file])];
    items.set(key, item);
  }
  const po = new PO();
  po.headers = {
    'Project-Id-Version': 'jupyterlab_wb_aws',
    'MIME-Version': '1.0',
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Transfer-Encoding': '8bit'
  };
  po.headerOrder = Object.keys(po.headers);
  po.items = [...items.values()];
  return `${po.toString().trim()}\n`;
}

/** Extract all strings of this extension; return the `.pot` file's text, and what can't be translated. */
function extract() {
  const modules = readdirSync(join(__dirname, 'src'), { recursive: true })
    .filter(name => /\.tsx?$/.test(name) && !/\.spec\.|^testing\.ts$|^contract\.ts$/.test(name))
    .sort()
    .map(name => fromModule(`src/${name}`, readFileSync(join(__dirname, 'src', name), 'utf-8')));
  const schemas = readdirSync(join(__dirname, 'schema'))
    .sort()
    .map(name => fromSchema(`schema/${name}`, readJson(join(__dirname, 'schema', name))));
  return {
    pot: potText([...modules.flatMap(({ messages }) => messages), ...schemas.flat()]),
    problems: modules.flatMap(({ problems }) => problems)
  };
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf-8'));
}

module.exports = { POT, extract, fromModule };

if (require.main === module) {
  const { pot, problems } = extract();
  problems.forEach(problem => console.error(problem));
  process.exitCode = problems.length > 0 ? 1 : 0;
  mkdirSync(dirname(POT), { recursive: true });
  writeFileSync(POT, pot);
}
