import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { launcher } from './plugins/launcher';
import { model } from './plugins/model';

export * from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  // One a line, by name.
  launcher,
  model
];
export default plugins;
