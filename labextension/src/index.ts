import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { apps } from './plugins/apps';
import { commands } from './plugins/commands';
import { documents } from './plugins/documents';
import { launcher } from './plugins/launcher';
import { leftRunningPrograms } from './plugins/left_running';
import { model } from './plugins/model';
import { notifications } from './plugins/notifications';
import { reload } from './plugins/reload';
import { running } from './plugins/running';
import { settings } from './plugins/settings';
import { signIn } from './plugins/sign_in';
import { status } from './plugins/status';
import { tree } from './plugins/tree';

export * from './tokens';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  // One a line, by name.
  apps,
  commands,
  documents,
  launcher,
  leftRunningPrograms,
  model,
  notifications,
  reload,
  running,
  settings,
  signIn,
  status,
  tree
];
export default plugins;
