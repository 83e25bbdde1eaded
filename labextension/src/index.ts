import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { documents } from './plugins/documents';
import { launcher } from './plugins/launcher';
import { model } from './plugins/model';
import { tree } from './plugins/tree';

export * from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  // One a line, by name.
  documents,
  launcher,
  model,
  tree
];
export default plugins;
