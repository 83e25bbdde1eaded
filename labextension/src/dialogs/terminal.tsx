import { Dialog, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { useSnapshot } from '../components/hooks';
import { Picker } from '../picker/picker';
import type { IRecentRoles } from '../picker/recent_roles';
import { isByEndpoint } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { staying, stayingText, switchedText } from '../words/switching';
import { KeyboardDialog } from './keyboard_dialog';

interface IProps {
  readonly model: IAwsRoles;
  readonly recent: IRecentRoles;
  readonly trans: TranslationBundle;
  /** The terminal's name. */
  readonly name: string;
}

/** Let the user change a terminal's role while it runs. */
export async function switchTerminal(props: IProps, commands: CommandRegistry): Promise<void> {
  const { trans, name } = props;
  const dialog = new KeyboardDialog({
    title: trans.__('AWS role of terminal %1', name),
    body: ReactWidget.create(
      <TerminalRole
        {...props}
        onSwitched={said => {
          if (dialog.isDisposed) {
            Notification.info(said);
          }
        }}
        onSignIn={() => {
          // JupyterLab shows one dialog at a time: close this one first.
          dialog.reject();
          void commands.execute(CommandIDs.signIn);
        }}
      />
    ),
    // Not "Cancel": a start that has begun continues.
    buttons: [Dialog.cancelButton({ label: trans.__('Close') })],
    focusNodeSelector: 'input'
  });
  await dialog.launch();
}

/** The list of roles for a terminal, and after a choice what it changed. */
export function TerminalRole(
  props: IProps & { onSwitched: (said: string) => void; onSignIn: () => void }
): React.JSX.Element {
  const { model, trans, name } = props;
  const { assignments } = useSnapshot(model);
  const [said, setSaid] = React.useState<readonly string[]>([]);
  const terminal = assignments.find(({ kind, id }) => kind === 'terminal' && id === name);
  if (terminal === undefined || !isByEndpoint(terminal)) {
    return (
      <p>
        {terminal?.running === null
          ? trans.__(
              'This terminal was opened without an AWS role, so it can’t get one while it runs. To use a role, make it your default role and open a new terminal.'
            )
          : trans.__(
              'This terminal was opened with a role that it keeps while it runs. To use another role, make it your default role and open a new terminal.'
            )}
      </p>
    );
  }
  const pick = async (arn: string | null): Promise<void> => {
    const session = arn === null ? null : await model.startForKernel(arn);
    const effect = await model.assign('terminal', name, session?.id ?? null);
    const first = switchedText(effect, session?.label ?? null, model.now(), trans);
    setSaid([first, stayingText('terminal', staying(effect), trans)].filter(Boolean));
    props.onSwitched(first);
  };
  return (
    <div className="jp-AwsRoles-pickDialog">
      <div role="status">
        {said.length === 0 ? (
          <p>{trans.__('Another role takes effect at once. What runs in the terminal goes on.')}</p>
        ) : (
          said.map(sentence => <p key={sentence}>{sentence}</p>)
        )}
      </div>
      <Picker
        {...props}
        label={trans.__('AWS role of the terminal')}
        selected={terminal.running?.role_arn ?? null}
        selectedLabel={trans.__('this terminal')}
        atOnce="terminal"
        onPick={pick}
      />
    </div>
  );
}
