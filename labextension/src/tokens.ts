import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { ISettingValues } from './settings';

export { IAwsRoles } from './server/aws_roles';

/** The user's settings, for our own plugins. */
export interface IAwsRoleSettings {
  readonly values: ISettingValues;
  /** Emits the new values. */
  readonly changed: ISignal<IAwsRoleSettings, ISettingValues>;
}

export const IAwsRoleSettings = new Token<IAwsRoleSettings>(
  'jupyterlab-wb-aws:IAwsRoleSettings',
  'The user’s settings for AWS roles.'
);

/** The translation domain of this extension's strings. */
export const DOMAIN = 'jupyterlab_wb_aws';
