import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, ICommandPalette, Notification, ReactWidget } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { FailureNote } from '../components/failure_note';
import { KeyboardDialog } from '../dialogs/keyboard_dialog';
import type { User } from '../server/api';
import { SignIn } from '../sign_in/dialog';
import { AfterSignOut, BeforeSignOut } from '../sign_in/sign_out';
import { DOMAIN, IAwsRoles } from '../tokens';
import { failureOf } from '../words/failure';

/** The commands to sign in and out, each with a dialog. */
export const signIn: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:sign-in',
  description: 'Signs the user in and out at the identity provider.',
  autoStart: true,
  requires: [IAwsRoles],
  optional: [ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    model: IAwsRoles,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const { commands } = app;
    const isNeeded = () => (model.snapshot.signIn?.state ?? 'not_needed') !== 'not_needed';
    let shown: Dialog<unknown> | null = null;
    let welcome = '';

    const show = (title: string, body: React.JSX.Element, ...buttons: Dialog.IButton[]) => {
      const widget = ReactWidget.create(body);
      widget.addClass('jp-AwsRoles-dialogBody');
      const dialog = new KeyboardDialog({
        title,
        body: widget,
        buttons: buttons.length > 0 ? buttons : [Dialog.cancelButton({ label: trans.__('Close') })],
        focusNodeSelector: '.jp-AwsRoles-signIn'
      });
      dialog.node.setAttribute('aria-label', title);
      return dialog;
    };

    const signedIn = (user: User | null) => {
      shown?.reject();
      const roles = model.snapshot.sessions.map(session => session.label);
      const canPick = roles.length === 0 && commands.hasCommand(CommandIDs.pick);
      Notification.dismiss(welcome);
      welcome = Notification.success(
        [
          trans.__('You are signed in as %1.', user?.name ?? ''),
          roles.length > 0
            ? trans.__('Your role sessions continue.')
            : trans.__('Next, pick an AWS role.')
        ].join('\n'),
        {
          autoClose: 8_000,
          actions: canPick
            ? [
                {
                  label: trans.__('Pick a role'),
                  callback: () => void commands.execute(CommandIDs.pick)
                }
              ]
            : []
        }
      );
    };

    commands.addCommand(CommandIDs.signIn, {
      label: trans.__('Sign in for AWS…'),
      caption: trans.__('Sign in at your organization’s single sign-on'),
      isVisible: isNeeded,
      isEnabled: isNeeded,
      execute: async () => {
        if (shown !== null) {
          shown.activate();
          return;
        }
        const dialog = show(
          trans.__('Sign in for AWS'),
          <SignIn
            model={model}
            trans={trans}
            onSignedIn={signedIn}
            onSignOut={() => {
              dialog.reject();
              void commands.execute(CommandIDs.signOut);
            }}
          />
        );
        shown = dialog;
        // Not once `launch` settles: that is a few moments after the dialog has closed.
        dialog.disposed.connect(() => {
          shown = null;
        });
        try {
          await dialog.launch();
        } finally {
          dialog.dispose();
        }
      }
    });

    commands.addCommand(CommandIDs.signOut, {
      label: trans.__('Sign out of AWS…'),
      caption: trans.__('End your sign-in and all role sessions'),
      isVisible: isNeeded,
      isEnabled: () =>
        model.snapshot.situation === 'ready' &&
        isNeeded() &&
        (model.snapshot.signIn?.state === 'signed_in' || model.snapshot.sessions.length > 0),
      execute: async () => {
        const title = trans.__('Sign out of AWS?');
        const { button } = await show(
          title,
          <BeforeSignOut snapshot={model.snapshot} trans={trans} />,
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Sign out') })
        ).launch();
        if (!button.accept) {
          return;
        }
        try {
          const { sessions } = model.snapshot;
          const answer = await model.signOut();
          Notification.dismiss(welcome);
          await show(
            trans.__('You are signed out'),
            <AfterSignOut answer={answer} sessions={sessions} trans={trans} />
          ).launch();
        } catch (error) {
          await show(
            trans.__('You are not signed out'),
            <FailureNote failure={failureOf(error, trans)} trans={trans} />
          ).launch();
        }
      }
    });

    model.changed.connect(() => {
      commands.notifyCommandChanged(CommandIDs.signIn);
      commands.notifyCommandChanged(CommandIDs.signOut);
    });
    for (const command of [CommandIDs.signIn, CommandIDs.signOut]) {
      palette?.addItem({ command, category: trans.__('AWS') });
    }
  }
};
