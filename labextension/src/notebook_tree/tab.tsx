import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { useNow, useSnapshot } from '../components/hooks';
import { roleIcon, stateIcon } from '../components/icons';
import { Picker } from '../picker/picker';
import type { IRecentRoles } from '../picker/recent_roles';
import type { RoleSession } from '../server/api';
import { defaultRoleArn } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { waitText } from '../words/default_role';
import { accountOf } from '../words/identity';
import { stateText, purposeText } from '../words/state';

export interface ITreeTabOptions {
  readonly model: IAwsRoles;
  readonly recent: IRecentRoles;
  readonly commands: CommandRegistry;
  readonly trans: TranslationBundle;
}

/** A tab of Notebook 7's file page: the default role and the role sessions. */
export class TreeTab extends ReactWidget {
  constructor(private readonly options: ITreeTabOptions) {
    super();
    const { trans } = options;
    this.id = 'jp-AwsRoles-tree';
    this.addClass('jp-AwsRoles-tree');
    this.title.label = trans.__('AWS roles');
    this.title.caption = trans.__('Pick an AWS role for the notebooks that you open next');
    this.title.icon = roleIcon;
  }

  protected override render(): React.ReactElement {
    return <Tab {...this.options} />;
  }
}

function Tab(props: ITreeTabOptions): React.JSX.Element {
  const { model, recent, commands, trans } = props;
  const snapshot = useSnapshot(model);
  const known = snapshot.situation === 'ready' || snapshot.situation === 'unreachable';
  return (
    <div className="jp-AwsRoles-treeTab">
      <section aria-label={trans.__('AWS role')}>
        <h2>{trans.__('AWS role')}</h2>
        {snapshot.situation === 'ready' && snapshot.rolesProblem === null && (
          <p>
            {waitText(snapshot, trans) ??
              trans.__(
                'Notebooks, consoles and terminals that you start from now on use the role that you pick. Running ones keep theirs.'
              )}
          </p>
        )}
        <Picker
          model={model}
          recent={recent}
          trans={trans}
          label={trans.__('AWS role for what you start next')}
          selected={defaultRoleArn(snapshot)}
          selectedLabel={trans.__('default')}
          onPick={arn => (arn === null ? model.pickNone() : model.pick(arn))}
          onSignIn={() => void commands.execute(CommandIDs.signIn)}
        />
      </section>
      {known && (
        <section aria-label={trans.__('AWS role sessions')}>
          <h2>{trans.__('AWS role sessions')}</h2>
          <RoleSessions {...props} />
        </section>
      )}
    </div>
  );
}

/** The role sessions, each with a button to end it. */
function RoleSessions({ model, commands, trans }: ITreeTabOptions): React.JSX.Element {
  const { sessions, situation } = useSnapshot(model);
  return sessions.length === 0 ? (
    <p className="jp-AwsRoles-quiet">{trans.__('There are none. Pick a role to start one.')}</p>
  ) : (
    <ul className="jp-AwsRoles-sessions">
      {sessions.map(session => (
        <SessionRow
          key={session.id}
          session={session}
          model={model}
          trans={trans}
          disabled={situation !== 'ready'}
          onEnd={() => void commands.execute(CommandIDs.end, { session_id: session.id })}
        />
      ))}
    </ul>
  );
}

function SessionRow(props: {
  session: RoleSession;
  model: IAwsRoles;
  trans: TranslationBundle;
  disabled: boolean;
  onEnd: () => void;
}): React.JSX.Element {
  const { session, model, trans } = props;
  const state = stateText(session, useNow(model), trans);
  const Icon = stateIcon(session.state);
  const purpose = purposeText(session, trans);
  const about = [accountOf(session), session.region].filter(Boolean).join(' · ');
  return (
    <li className="jp-AwsRoles-sessionRow">
      <Icon.react tag="span" className="jp-AwsRoles-documentIcon" aria-hidden="true" />
      <span className="jp-AwsRoles-sessionText">
        <span>
          {session.label}
          {purpose && ` (${purpose})`}
        </span>
        <span className="jp-AwsRoles-quiet" title={state.sentence}>
          {`${state.word} · ${about}`}
        </span>
      </span>
      <button
        type="button"
        className="jp-AwsRoles-button jp-mod-styled"
        aria-label={trans.__('End the role session of %1', session.label)}
        disabled={props.disabled}
        onClick={props.onEnd}
      >
        {trans.__('End…')}
      </button>
    </li>
  );
}
