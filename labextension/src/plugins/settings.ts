import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { Settings } from '../settings';
import { IAwsRoleSettings } from '../tokens';

const ID = 'jupyterlab-wb-aws:settings';

/** The user's settings; their schema also defines the menu "AWS Role". */
export const settings: JupyterFrontEndPlugin<IAwsRoleSettings> = {
  id: ID,
  description: 'Provides the user’s settings for AWS roles.',
  autoStart: true,
  provides: IAwsRoleSettings,
  optional: [ISettingRegistry],
  activate: async (_app: JupyterFrontEnd, registry: ISettingRegistry | null) => {
    const settings = new Settings();
    try {
      const kept = await registry?.load(ID);
      if (kept) {
        settings.follow(kept);
      }
    } catch {
      // A server without settings: the defaults apply.
    }
    return settings;
  }
};
