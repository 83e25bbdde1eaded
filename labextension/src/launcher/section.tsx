import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { useSnapshot } from '../components/hooks';
import { roleIcon } from '../components/icons';
import { Picker } from '../picker/picker';
import type { IRecentRoles } from '../picker/recent_roles';
import { defaultRoleArn } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { defaultRoleText } from '../words/default_role';

/** The launcher's section "AWS role": the default role, and the picker. */
export class LauncherRole extends ReactWidget {
  constructor(
    private readonly model: IAwsRoles,
    private readonly recent: IRecentRoles,
    private readonly commands: CommandRegistry,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-AwsRoles-launcher');
  }

  protected override render(): React.JSX.Element {
    return (
      <Section
        model={this.model}
        recent={this.recent}
        trans={this.trans}
        onSignIn={() => void this.commands.execute(CommandIDs.signIn)}
        onHeight={this.fitTo}
      />
    );
  }

  /** Ask the box layout for the section's height in pixels, but leave room for the cards. */
  private readonly fitTo = (height: number): void => {
    // A failure gets more room, up to its button. In a low window JupyterLab itself does not scroll,
    // so some room must be left.
    const failed = this.node.querySelector('.jp-AwsRoles-failure') !== null;
    const maxHeight = failed ? 'max(50vh, min(70vh, 100vh - 260px))' : '50vh';
    this.node.style.minHeight = `min(${Math.ceil(height)}px, ${maxHeight})`;
    if (this.parent) {
      MessageLoop.postMessage(this.parent, Widget.Msg.FitRequest);
    }
  };
}

function Section(props: {
  model: IAwsRoles;
  recent: IRecentRoles;
  trans: TranslationBundle;
  onSignIn: () => void;
  onHeight: (height: number) => void;
}): React.JSX.Element {
  const { model, trans, onHeight } = props;
  const snapshot = useSnapshot(model);
  const summary = defaultRoleText(snapshot, trans);
  const ref = React.useRef<HTMLElement>(null);
  React.useEffect(() => {
    const observer = new ResizeObserver(() => onHeight(ref.current?.offsetHeight ?? 0));
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, [onHeight]);
  return (
    <section ref={ref} className="jp-AwsRoles-launcherSection" aria-label={trans.__('AWS role')}>
      <div className="jp-AwsRoles-launcherHeader">
        <roleIcon.react tag="span" width="32px" height="32px" aria-hidden="true" />
        <h2>{trans.__('AWS role')}</h2>
      </div>
      {snapshot.situation === 'ready' && snapshot.rolesProblem === null && summary !== '' && (
        <p className="jp-AwsRoles-summary">{summary}</p>
      )}
      <Picker
        model={model}
        recent={props.recent}
        trans={trans}
        label={trans.__('AWS role for what you start next')}
        selected={defaultRoleArn(snapshot)}
        selectedLabel={trans.__('default')}
        onPick={arn => (arn === null ? model.pickNone() : model.pick(arn))}
        onSignIn={props.onSignIn}
      />
    </section>
  );
}
