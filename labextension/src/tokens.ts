import { Token } from '@lumino/coreutils';

import type { Model } from './server/model';
import type { Settings } from './settings';

/** What the server knows of AWS roles, for our own plugins. */
export const IAwsRoles = new Token<IAwsRoles>(
  'jupyterlab-wb-aws:IAwsRoles',
  'The AWS roles of this server: what may be picked, what was picked, and how it is.'
);
export type IAwsRoles = Model;

/** What the user has set, for our own plugins. */
export const IAwsRoleSettings = new Token<IAwsRoleSettings>(
  'jupyterlab-wb-aws:IAwsRoleSettings',
  'What the user has set for AWS roles.'
);
export type IAwsRoleSettings = Settings;

/** The translation domain of this extension's strings. */
export const DOMAIN = 'jupyterlab_wb_aws';
