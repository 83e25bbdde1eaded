import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { commands } from './plugins/commands';
import { launcher } from './plugins/launcher';
import { model } from './plugins/model';
import { running } from './plugins/running';
import { settings } from './plugins/settings';
import { status } from './plugins/status';

export * from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  // One a line, by name.
  commands,
  launcher,
  model,
  running,
  settings,
  status
];
export default plugins;
