import type { IRunningSessions } from '@jupyterlab/running';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { RoleSession } from './api';
import { confirmation } from './confirmation';
import { endQuestion } from './ending';
import { withDot } from './icons';
import { accountOf } from './identity';
import type { Model } from './model';
import type { ProcessName } from './process_names';
import { purposeWords, stateWords } from './words';

/** What the panel does with role sessions. */
export interface IRunningActions {
  readonly open: (session: RoleSession) => void;
  readonly end: (session: RoleSession) => void;
  /** End all of them; the panel has asked. */
  readonly endAll: () => void;
}

/** The living role sessions, as the panel of what is running wants them. */
export class RunningRoleSessions implements IRunningSessions.IManager {
  constructor(
    private readonly model: Model,
    nameOf: ProcessName,
    private readonly trans: TranslationBundle,
    private readonly actions: IRunningActions
  ) {
    this.name = trans.__('AWS role sessions');
    this.runningChanged = model.changed;
    this.shutdownLabel = trans.__('End');
    this.shutdownAllLabel = trans.__('End All Roles');
    this.shutdownAllConfirmationText = confirmation(() =>
      endQuestion(model.view, model.view.sessions, nameOf, trans)
    );
  }

  readonly name: string;
  readonly runningChanged: Model['changed'];
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;

  running(): IRunningSessions.IRunningItem[] {
    return this.model.view.sessions.map(session => {
      const { word, sentence } = stateWords(session, this.model.now(), this.trans);
      return {
        className: 'jp-AwsRoles-running',
        icon: () => withDot(session.state, this.model.role(session.role_arn)?.color),
        label: () => session.label,
        labelTitle: () => `${session.role_arn}\n${sentence}`,
        detail: () =>
          [word, purposeWords(session, this.trans), accountOf(session)].filter(Boolean).join(' · '),
        open: () => this.actions.open(session),
        shutdown: () => this.actions.end(session)
      };
    });
  }

  refreshRunning(): void {
    void this.model.read();
  }

  shutdownAll(): void {
    this.actions.endAll();
  }
}
