import type { IRunningSessions } from '@jupyterlab/running';
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';

import { roleIcon } from '../components/icons';
import { confirmation } from '../components/confirmation';
import type { IAwsRoles } from '../tokens';
import { type IApp, relaunchQuestion, runningApps } from './app_roles';

/** What the panel lets the user do with proxied apps. */
export interface IAppActions {
  readonly relaunch: (app: IApp) => void;
  /** Relaunch all of them; the user has agreed. */
  readonly relaunchAll: (apps: readonly IApp[]) => void;
}

/** The running proxied apps and their AWS roles, for JupyterLab's panel "Running Terminals and Kernels". */
export class RunningApps implements IRunningSessions.IManager {
  constructor(
    private readonly model: IAwsRoles,
    private readonly trans: TranslationBundle,
    private readonly actions: IAppActions
  ) {
    this.name = trans.__('AWS roles of apps');
    this.runningChanged = model.changed;
    this.shutdownLabel = trans.__('Relaunch');
    this.shutdownAllLabel = trans.__('Relaunch All');
    this.shutdownAllConfirmationText = confirmation(() =>
      relaunchQuestion(this.toRelaunch(), trans)
    );
  }

  readonly name: string;
  readonly runningChanged: IAwsRoles['changed'];
  readonly shutdownLabel: string;
  readonly shutdownItemIcon = refreshIcon;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;

  running(): IRunningSessions.IRunningItem[] {
    return runningApps(this.model.snapshot, this.trans).map(app => ({
      className: 'jp-AwsRoles-runningApp',
      icon: () => roleIcon,
      label: () => app.title,
      labelTitle: () => `${app.title}: ${app.words}`,
      detail: () => app.short,
      // Without `shutdown` the item has no button: a relaunch would change nothing.
      ...(app.relaunch ? { shutdown: () => this.actions.relaunch(app) } : {})
    }));
  }

  refreshRunning(): void {
    void this.model.read();
  }

  shutdownAll(): void {
    this.actions.relaunchAll(this.toRelaunch());
  }

  private toRelaunch(): IApp[] {
    return runningApps(this.model.snapshot, this.trans).filter(app => app.relaunch);
  }
}
