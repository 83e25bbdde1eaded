import type { IRunningSessions } from '@jupyterlab/running';
import type { TranslationBundle } from '@jupyterlab/translation';

import { confirmation } from '../components/confirmation';
import { roleIcon } from '../components/icons';
import type { EndpointClient } from '../server/api';
import type { IAwsRoles } from '../tokens';
import {
  type ILeftRunning,
  leftRunning,
  leftRunningQuestion,
  type OwnerName
} from '../words/left_running';
import { clockTime } from '../words/state';

/** What the panel lets the user do with programs that were left running. */
export interface ILeftRunningActions {
  readonly end: (client: ILeftRunning) => void;
  /** End all of them; the user has agreed. */
  readonly endAll: (clients: readonly ILeftRunning[]) => void;
}

/** Programs with an AWS role whose kernel or terminal has gone, for JupyterLab's panel "Running Terminals and Kernels". */
export class LeftRunningPrograms implements IRunningSessions.IManager {
  constructor(
    private readonly model: IAwsRoles,
    private readonly nameOf: OwnerName,
    private readonly trans: TranslationBundle,
    private readonly actions: ILeftRunningActions
  ) {
    this.name = trans.__('Left running (AWS)');
    this.runningChanged = model.changed;
    this.shutdownLabel = trans.__('End AWS access');
    this.shutdownAllLabel = trans.__('End All');
    this.shutdownAllConfirmationText = confirmation(() =>
      leftRunningQuestion(model.snapshot, this.all(), trans)
    );
  }

  readonly name: string;
  readonly runningChanged: IAwsRoles['changed'];
  readonly shutdownLabel: string;
  readonly shutdownAllLabel: string;
  readonly shutdownAllConfirmationText: string;

  running(): IRunningSessions.IRunningItem[] {
    const { trans } = this;
    return this.all().map(left => {
      const { owner, client } = left;
      const facts = [client.label, programs(client, trans), asked(client, trans)];
      return {
        className: 'jp-AwsRoles-leftRunning',
        icon: () => roleIcon,
        // Another terminal may have its name by now.
        label: () => (client.kind === 'terminal' ? trans.__('%1 (closed)', owner) : owner),
        labelTitle: () =>
          trans.__(
            '%1, started at %2, has ended or was closed. What was started in it still runs: %3.',
            owner,
            clockTime(client.started_at),
            facts.filter(Boolean).join(', ')
          ),
        // JupyterLab shows it directly behind the label.
        detail: () => ['', ...facts.filter(Boolean)].join(' · '),
        shutdown: () => this.actions.end(left)
      };
    });
  }

  refreshRunning(): void {
    void this.model.read();
  }

  shutdownAll(): void {
    this.actions.endAll(this.all());
  }

  private all(): ILeftRunning[] {
    return leftRunning(this.model.snapshot, this.nameOf);
  }
}

/** Name some of the programs, and count the rest. */
function programs(client: EndpointClient, trans: TranslationBundle): string {
  const commands = (client as Partial<EndpointClient>).commands ?? []; // An older server does not say them.
  const more = (client.processes ?? 0) - commands.length;
  if (commands.length === 0) {
    return more > 0 ? trans._n('%1 process', '%1 processes', more, more) : '';
  }
  const named = commands.map(({ pid, name }) => trans.__('%1 (process %2)', name, pid));
  return [...named, ...(more > 0 ? [trans._n('%1 more', '%1 more', more, more)] : [])].join(', ');
}

function asked({ last_request_at }: EndpointClient, trans: TranslationBundle): string {
  return last_request_at === null
    ? trans.__('has not used AWS')
    : trans.__('last request %1', clockTime(last_request_at));
}
