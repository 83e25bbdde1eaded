import { Dialog, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { FailureNote } from '../components/failure_note';
import { useSnapshot } from '../components/hooks';
import { RoleSessionDetails } from '../components/role_session_details';
import { Doctor } from '../doctor/dialog';
import { type IPickerProps, Picker } from '../picker/picker';
import type { IRecentRoles } from '../picker/recent_roles';
import { type IApp, relaunchQuestion } from '../running/app_roles';
import type { RoleSession } from '../server/api';
import { defaultRoleArn } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { waitText } from '../words/default_role';
import { endedText, endQuestion } from '../words/end_question';
import { failureOf } from '../words/failure';
import { type ILeftRunning, leftRunningQuestion } from '../words/left_running';
import type { ProcessName } from '../words/process_names';
import { KeyboardDialog, openDialog } from './keyboard_dialog';

/** For how many milliseconds the toast about an end is shown; it stays in the notification center. */
const ENDED_SHOWN = 15_000;

/**
 * Wait for an action of the user's; if it fails, show why in a dialog and return undefined.
 *
 * @param title - the dialog's title.
 */
export async function orShowError<T>(
  action: Promise<T>,
  title: string,
  trans: TranslationBundle
): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    await openDialog({
      title,
      body: <FailureNote failure={failureOf(error, trans)} trans={trans} />,
      buttons: [closeButton(trans)]
    });
    return undefined;
  }
}

/**
 * Ask the user, end role sessions, and say until when credentials issued before still work.
 *
 * @param nameOf - names the kernels, terminals and apps that use them.
 */
export async function askToEnd(
  model: IAwsRoles,
  sessions: readonly RoleSession[],
  nameOf: ProcessName,
  trans: TranslationBundle
): Promise<void> {
  const [only] = sessions;
  if (only === undefined) {
    return;
  }
  const count = sessions.length;
  // Read first what uses them: terminals, and kernels that end, cause no event.
  await model.read();
  const asked = await openDialog({
    title:
      count === 1
        ? trans.__('End the role session of %1?', only.label)
        : trans.__('End all %1 role sessions?', count),
    body: endQuestion(model.snapshot, sessions, nameOf, trans),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: count === 1 ? trans.__('End') : trans.__('End All') })
    ]
  });
  if (asked.button.accept) {
    await endAndReport(model, sessions, trans);
  }
}

/** End role sessions, and say until when credentials issued before still work. */
export async function endAndReport(
  model: IAwsRoles,
  sessions: readonly RoleSession[],
  trans: TranslationBundle
): Promise<void> {
  const ends = await Promise.allSettled(
    sessions.map(async session => ({ session, ...(await model.end(session.id)) }))
  );
  const ended = ends.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []));
  const failed = ends.find(end => end.status === 'rejected');
  if (failed !== undefined) {
    const title =
      ended.length > 0
        ? trans.__('Not every role session ended')
        : trans._n('The role session did not end', 'The role sessions did not end', ends.length);
    await orShowError(Promise.reject(failed.reason as Error), title, trans);
  }
  if (ended.length > 0) {
    Notification.info(endedText(ended, trans), { autoClose: ENDED_SHOWN });
  }
}

/** Ask the user, then end the AWS access of programs that were left running. */
export async function askToEndClients(
  model: IAwsRoles,
  left: readonly ILeftRunning[],
  trans: TranslationBundle
): Promise<void> {
  const asked = await openDialog({
    title:
      left.length === 1
        ? trans.__('End the AWS access of what %1 left running?', left[0]!.owner)
        : trans.__('End the AWS access of programs left running?'),
    body: leftRunningQuestion(model.snapshot, left, trans),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('End') })
    ]
  });
  if (asked.button.accept) {
    await endClients(model, left, trans);
  }
}

/** End the AWS access of programs that were left running; if that fails, show why. */
export async function endClients(
  model: IAwsRoles,
  left: readonly ILeftRunning[],
  trans: TranslationBundle
): Promise<void> {
  const all = Promise.all(left.map(({ client }) => model.endClient(client.id)));
  await orShowError(all, trans.__('The AWS access did not end'), trans);
}

/** Ask the user, then relaunch a proxied app. */
export async function askToRelaunch(
  model: IAwsRoles,
  app: IApp,
  trans: TranslationBundle
): Promise<void> {
  const asked = await openDialog({
    title: trans.__('Relaunch %1?', app.title),
    body: relaunchQuestion([app], trans),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Relaunch') })
    ]
  });
  if (asked.button.accept) {
    await relaunchAndReport(model, [app], trans);
  }
}

/** Relaunch proxied apps; if that fails, show why. */
export async function relaunchAndReport(
  model: IAwsRoles,
  apps: readonly IApp[],
  trans: TranslationBundle
): Promise<void> {
  const all = Promise.all(apps.map(app => model.relaunch(app.id)));
  const title = trans._n('The app was not stopped', 'Not every app was stopped', apps.length);
  await orShowError(all, title, trans);
}

/** Let the user pick the default role. */
export async function pickInDialog(
  model: IAwsRoles,
  recent: IRecentRoles,
  commands: CommandRegistry,
  trans: TranslationBundle
): Promise<void> {
  const dialog = new KeyboardDialog({
    title: trans.__('Pick an AWS role'),
    body: ReactWidget.create(
      <PickBody
        model={model}
        recent={recent}
        trans={trans}
        onPick={async arn => {
          if (arn === null) {
            await model.pickNone();
          } else {
            const { label } = await model.pick(arn);
            if (dialog.isDisposed && defaultRoleArn(model.snapshot) === arn) {
              Notification.info(
                trans.__('%1 is ready: what you start from now on uses it.', label)
              );
            }
          }
          dialog.reject();
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

function PickBody(
  props: Pick<IPickerProps, 'model' | 'recent' | 'trans' | 'onPick' | 'onSignIn'>
): React.JSX.Element {
  const { trans } = props;
  const snapshot = useSnapshot(props.model);
  return (
    <div className="jp-AwsRoles-pickDialog">
      <p>
        {waitText(snapshot, trans) ??
          trans.__(
            'Notebooks, consoles and terminals that you start after picking a role use it. Running ones keep theirs.'
          )}
      </p>
      <Picker
        {...props}
        label={trans.__('AWS role for what you start next')}
        selected={defaultRoleArn(snapshot)}
        selectedLabel={trans.__('default')}
      />
    </div>
  );
}

/** Show the user's identity in AWS in a role session. */
export async function showIdentity(
  model: IAwsRoles,
  session: RoleSession,
  trans: TranslationBundle
): Promise<void> {
  await openDialog({
    title: trans.__('AWS identity: %1', session.label),
    body: ReactWidget.create(<Identity model={model} shown={session} trans={trans} />),
    buttons: [closeButton(trans)]
  });
}

/** Check AWS credentials, and show the findings. */
export async function showDoctor(model: IAwsRoles, trans: TranslationBundle): Promise<void> {
  await openDialog({
    title: trans.__('AWS credentials check'),
    body: ReactWidget.create(<Doctor ask={() => model.doctor()} trans={trans} />),
    buttons: [closeButton(trans)]
  });
}

function Identity(props: {
  model: IAwsRoles;
  shown: RoleSession;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { model, shown, trans } = props;
  const { sessions, situation } = useSnapshot(model);
  const session = sessions.find(session => session.id === shown.id);
  // A role session that has ended meanwhile is shown as it was.
  const stale = session === undefined || situation !== 'ready';
  return (
    <RoleSessionDetails model={model} session={session ?? shown} trans={trans} stale={stale} />
  );
}

function closeButton(trans: TranslationBundle): Dialog.IButton {
  return Dialog.okButton({ label: trans.__('Close') });
}
