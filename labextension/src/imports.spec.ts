/** The modules depend on each other in one direction only. */
import * as ts from 'typescript';

/** Folders, and modules beside them, lowest first: each imports only from itself and from those before it. */
const LAYERS = [
  'contract',
  'version',
  'server',
  'settings',
  'tokens',
  'commands',
  'words',
  'components',
  'picker',
  'documents',
  'launcher',
  'notebook_tree',
  'running',
  'doctor',
  'notifications',
  'sign_in',
  'status',
  'reload',
  'dialogs',
  'plugins',
  'index'
];

/** Made by the build: may be missing. */
const GENERATED = ['contract', 'version'];

declare const __dirname: string;

/** Each module, without its suffix, and the modules that it imports; type imports count too. */
const IMPORTS = new Map<string, string[]>(
  ts.sys
    .readDirectory(__dirname, ['.ts', '.tsx'], ['**/*.spec.*', 'testing.ts'])
    .map(path => [moduleName(path.slice(__dirname.length + 1)), importsOf(path)])
);

function moduleName(file: string): string {
  return file.replace(/\.tsx?$/, '');
}

function importsOf(path: string): string[] {
  return ts
    .preProcessFile(ts.sys.readFile(path)!)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => decodeURI(new URL(fileName, `file://${path}`).pathname))
    .map(imported => imported.slice(__dirname.length + 1));
}

function layerOf(module: string): number {
  return LAYERS.indexOf(module.split('/')[0]!);
}

test('every module is found, and has a layer', () => {
  expect(IMPORTS.get('documents/panel')).toContain('documents/use_document');
  expect([...IMPORTS.keys()].filter(module => layerOf(module) < 0)).toEqual([]);
  expect(
    [...IMPORTS.values()]
      .flat()
      .filter(module => !IMPORTS.has(module) && !GENERATED.includes(module))
  ).toEqual([]);
});

test('no module imports from a layer above its own', () => {
  const upward = [...IMPORTS].flatMap(([module, imported]) =>
    imported
      .filter(other => layerOf(other) > layerOf(module))
      .map(other => `${module} imports ${other}`)
  );

  expect(upward).toEqual([]);
});

test('no module imports itself, directly or through others', () => {
  expect([...IMPORTS.keys()].map(module => circle([module])).filter(Boolean)).toEqual([]);
});

/** Return the modules of a circle that leads back to the first of a path; null if there is none. */
function circle(path: readonly string[], seen = new Set<string>()): string | null {
  for (const next of IMPORTS.get(path[path.length - 1]!) ?? []) {
    if (next === path[0]) {
      return [...path, next].join(' > ');
    }
    if (!seen.has(next)) {
      seen.add(next);
      const found = circle([...path, next], seen);
      if (found !== null) {
        return found;
      }
    }
  }
  return null;
}
