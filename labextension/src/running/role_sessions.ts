import type { IRunningSessions } from '@jupyterlab/running';
import type { TranslationBundle } from '@jupyterlab/translation';

import { withRoleColor } from '../components/icons';
import { confirmation } from '../components/confirmation';
import type { RoleSession } from '../server/api';
import { roleByArn } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { endQuestion } from '../words/end_question';
import { accountOf } from '../words/identity';
import type { ProcessName } from '../words/process_names';
import { purposeText, stateText } from '../words/state';

/** What the panel lets the user do with role sessions. */
export interface IRunningActions {
  readonly open: (session: RoleSession) => void;
  readonly end: (session: RoleSession) => void;
  /** End all of them; the user has agreed. */
  readonly endAll: () => void;
}

/** The role sessions, for JupyterLab's panel "Running Terminals and Kernels". */
export class RunningRoleSessions implements IRunningSessions.IManager {
  constructor(
    private readonly model: IAwsRoles,
    nameOf: ProcessName,
    private readonly trans: TranslationBundle,
    private readonly actions: IRunningActions
  ) {
    this.name = trans.__('AWS role sessions');
    this.runningChanged = model.changed;
    this.shutdownLabel = trans.__('End');
    this.shutdownAllLabel = trans.__('End All');
    this.shutdownAllConfirmationText = confirmation(() =>
      endQuestion(model.snapshot, model.snapshot.sessions, nameOf, trans)
    );
  }

  readonly name: string;
  readonly runningChanged: IAwsRoles['changed'];
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;

  running(): IRunningSessions.IRunningItem[] {
    return this.model.snapshot.sessions.map(session => {
      const { word, sentence } = stateText(session, this.model.now(), this.trans);
      return {
        className: 'jp-AwsRoles-running',
        icon: () =>
          withRoleColor(session.state, roleByArn(this.model.snapshot, session.role_arn)?.color),
        label: () => session.label,
        labelTitle: () => `${session.role_arn}\n${sentence}`,
        detail: () => {
          const purpose = purposeText(session, this.trans);
          // The panel is narrow and cuts the end off.
          const first = session.state === 'active' ? [purpose, word] : [word, purpose];
          // JupyterLab shows it directly behind the label.
          return ['', ...first.filter(Boolean), accountOf(session)].join(' · ');
        },
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
