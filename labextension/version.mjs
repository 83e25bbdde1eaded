// Writes src/version.ts: the version of the server extension that this page belongs to.
import { readFileSync, writeFileSync } from 'node:fs';

const [, version] = /^__version__ = "(.+)"$/m.exec(
  readFileSync('../jupyter_wb_aws/__init__.py', 'utf-8')
);
writeFileSync('src/version.ts', `export const VERSION: string = ${JSON.stringify(version)};\n`);
