import { Dialog, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { FailureNote } from '../components/failure_note';
import { useView } from '../components/hooks';
import { SessionFacts } from '../components/role_session';
import { Doctor } from '../doctor/dialog';
import { selectedArn, waitWords } from '../launcher/next_start';
import { type IPickerProps, Picker } from '../picker/picker';
import type { IRecentRoles } from '../picker/recent_roles';
import { type IApp, relaunchQuestion } from '../running/app_roles';
import type { RoleSession } from '../server/api';
import type { IAwsRoles } from '../tokens';
import { endedWords, endQuestion } from '../words/end_question';
import { failureOf } from '../words/failure';
import type { ProcessName } from '../words/process_names';
import { RolesDialog, showDialog } from './roles_dialog';

/** For how many milliseconds it is told that something has ended; it stays among the notifications. */
const ENDED_SHOWN = 15_000;

/** Do something that the user asked for; where it fails, say why. */
export async function orTell<T>(
  action: Promise<T>,
  title: string,
  trans: TranslationBundle
): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    await showDialog({
      title,
      body: <FailureNote failure={failureOf(error, trans)} trans={trans} />,
      buttons: [closeButton(trans)]
    });
    return undefined;
  }
}

/** End role sessions if the user agrees, and say until when what was issued before still works. */
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
  // What uses them is to be said as it is now: no event tells of a terminal, or of a kernel's end.
  await model.read();
  const asked = await showDialog({
    title:
      count === 1
        ? trans.__('End the role session of %1?', only.label)
        : trans.__('End all %1 role sessions?', count),
    body: endQuestion(model.view, sessions, nameOf, trans),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: count === 1 ? trans.__('End') : trans.__('End All') })
    ]
  });
  if (asked.button.accept) {
    await endAndTell(model, sessions, trans);
  }
}

/** End role sessions, and say until when what was issued before still works. */
export async function endAndTell(
  model: IAwsRoles,
  sessions: readonly RoleSession[],
  trans: TranslationBundle
): Promise<void> {
  const ends = await Promise.allSettled(
    sessions.map(async ({ id, label }) => ({ label, credentialsExpireAt: await model.end(id) }))
  );
  const ended = ends.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []));
  const failed = ends.find(end => end.status === 'rejected');
  if (failed !== undefined) {
    const title =
      ended.length > 0
        ? trans.__('Not every role session ended')
        : trans._n('The role session did not end', 'The role sessions did not end', ends.length);
    await orTell(Promise.reject(failed.reason as Error), title, trans);
  }
  if (ended.length > 0) {
    Notification.info(endedWords(ended, trans), { autoClose: ENDED_SHOWN });
  }
}

/** Relaunch a proxied app if the user agrees. */
export async function askToRelaunch(
  model: IAwsRoles,
  app: IApp,
  trans: TranslationBundle
): Promise<void> {
  const asked = await showDialog({
    title: trans.__('Relaunch %1?', app.title),
    body: relaunchQuestion([app], trans),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Relaunch') })
    ]
  });
  if (asked.button.accept) {
    await relaunchAndTell(model, [app], trans);
  }
}

/** Relaunch proxied apps; where that fails, say why. */
export async function relaunchAndTell(
  model: IAwsRoles,
  apps: readonly IApp[],
  trans: TranslationBundle
): Promise<void> {
  const all = Promise.all(apps.map(app => model.relaunch(app.id)));
  const title = trans._n('The app was not stopped', 'Not every app was stopped', apps.length);
  await orTell(all, title, trans);
}

/** Let the user pick a role for whatever starts next. */
export async function pickInDialog(
  model: IAwsRoles,
  recent: IRecentRoles,
  commands: CommandRegistry,
  trans: TranslationBundle
): Promise<void> {
  const dialog = new RolesDialog({
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
            if (dialog.isDisposed && selectedArn(model.view) === arn) {
              Notification.info(
                trans.__('%1 is ready: what you start from now on works as it.', label)
              );
            }
          }
          dialog.reject();
        }}
        onSignIn={() => {
          // One dialog at a time: this one would keep the next from opening.
          dialog.reject();
          void commands.execute(CommandIDs.signIn);
        }}
      />
    ),
    // Not "Cancel": a start that is under way goes on.
    buttons: [Dialog.cancelButton({ label: trans.__('Close') })],
    focusNodeSelector: 'input'
  });
  await dialog.launch();
}

function PickBody(
  props: Pick<IPickerProps, 'model' | 'recent' | 'trans' | 'onPick' | 'onSignIn'>
): React.JSX.Element {
  const { trans } = props;
  const view = useView(props.model);
  return (
    <div className="jp-AwsRoles-pickDialog">
      <p>
        {waitWords(view, trans) ??
          trans.__(
            'Notebooks, consoles and terminals that you start after that have the role. What runs already keeps its own.'
          )}
      </p>
      <Picker
        {...props}
        label={trans.__('AWS role for what you start next')}
        selected={selectedArn(view)}
      />
    </div>
  );
}

/** Show who the user is to AWS in a role session. */
export async function showIdentity(
  model: IAwsRoles,
  session: RoleSession,
  trans: TranslationBundle
): Promise<void> {
  await showDialog({
    title: trans.__('AWS identity: %1', session.label),
    body: ReactWidget.create(<Identity model={model} shown={session} trans={trans} />),
    buttons: [closeButton(trans)]
  });
}

/** Find out why AWS credentials don't work, and show what was found. */
export async function showDoctor(model: IAwsRoles, trans: TranslationBundle): Promise<void> {
  await showDialog({
    title: trans.__('Check of AWS credentials'),
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
  const { sessions, situation } = useView(model);
  const session = sessions.find(session => session.id === shown.id);
  // One that ended meanwhile is shown as it was.
  const old = session === undefined || situation !== 'ready';
  return <SessionFacts model={model} session={session ?? shown} trans={trans} old={old} />;
}

function closeButton(trans: TranslationBundle): Dialog.IButton {
  return Dialog.okButton({ label: trans.__('Close') });
}
