import { type ISessionContextDialogs, showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { FailureNote } from '../components/failure_note';
import { useNow } from '../components/hooks';
import { type IPickerProps, Picker } from '../picker/picker';
import type { IRecentRoles } from '../picker/recent_roles';
import type { Switch } from '../server/api';
import { roleByArn } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { failureOf, type IFailure } from '../words/failure';
import { accountOfArn, roleLabel } from '../words/identity';
import { staleText } from '../words/situation';
import { atOnceText, staying, stayingText, switchedText } from '../words/switching';
import { type IDocument, kernelIdOf, restartKernel, sharers } from './document';
import { type DocumentRole, documentText, type IKernelRole } from './document_role';
import { useDocument } from './use_document';

/** What the panels of all documents share. */
export interface IPanelOptions {
  readonly model: IAwsRoles;
  /** The documents of this page. */
  readonly open: ReadonlySet<IDocument>;
  readonly recent: IRecentRoles;
  readonly commands: CommandRegistry;
  readonly dialogs: ISessionContextDialogs;
  readonly trans: TranslationBundle;
}

type Props = { document: IDocument; close: () => void } & IPanelOptions;

/** The panel of a document's button: its kernel's role, the role it was last used with, a restart, and the picker. */
export function DocumentPanel(props: Props): React.JSX.Element {
  const { document, model, trans, close } = props;
  const { snapshot, role, offer } = useDocument(document, model);
  const now = useNow(model);
  const [done, setDone] = React.useState<IDone | null>(null);

  const pick = async (roleArn: string | null): Promise<void> => {
    const before = role.kind === 'kernel' ? (role.has?.session?.id ?? null) : null;
    setDone(await choose(roleArn, before, props));
  };
  const unreachable = snapshot.situation === 'unreachable';
  const restart = role.kind === 'kernel' && role.restart;
  const switched = done?.effect.applies === 'now' && done.changed;
  React.useEffect(() => {
    // If the server went away meanwhile, the snapshot is older than the user's choice.
    const kept = done && !switched && role.kind === 'kernel' && !restart;
    if (kept && snapshot.situation === 'ready') {
      close(); // The kernel has the role already.
    }
  }, [done, switched, role, restart, snapshot.situation, close]);

  return (
    <div className="jp-AwsRoles-documentPanel">
      {unreachable && <p role="status">{staleText(snapshot, trans)}</p>}
      <p>{documentText(role, now, trans).sentence}</p>
      {switched && <Switched {...props} done={done} now={now} />}
      {role.kind === 'kernel' && !restart && document.staying.length > 0 && (
        <>
          <p>{stayingText('kernel', document.staying, trans)}</p>
          <RestartOffer {...props} focus={switched ? 'close' : null} />
        </>
      )}
      {restart && <RestartOffer {...props} focus={done === null ? null : 'restart'} />}
      {role.kind === 'no_kernel' && <KernelOffer {...props} />}
      {role.kind === 'kernel' && done === null && !unreachable && (
        <>
          {offer !== null && (
            <Offer
              {...props}
              roleArn={offer.roleArn}
              available={offer.available}
              use={() => (offer.available ? pick(offer.roleArn) : askWhyNot(offer.roleArn, model))}
            />
          )}
          <Picker
            model={model}
            recent={props.recent}
            trans={trans}
            {...marks(role, document, trans)}
            onSignIn={() => void props.commands.execute(CommandIDs.signIn)}
            label={trans.__('AWS role of the kernel')}
            onPick={pick}
            atOnce={role.switchable ? 'kernel' : undefined}
            // eslint-disable-next-line jsx-a11y/no-autofocus -- the user has just opened it
            autoFocus
            {...(offer?.available
              ? { first: offer.roleArn, firstNote: trans.__('this notebook was last used with it') }
              : {})}
          />
          {role.switchable && (
            <p className="jp-AwsRoles-documentNote">{atOnceText(snapshot.roles, trans)}</p>
          )}
          <Remembering document={document} role={role} trans={trans} />
        </>
      )}
    </div>
  );
}

/** Return which of the picker's lines are marked as the kernel's, and how. */
function marks(
  role: IKernelRole,
  document: IDocument,
  trans: TranslationBundle
): Pick<IPickerProps, 'selected' | 'selectedLabel' | 'current'> {
  const selected = role.nextUntouched || role.over ? undefined : (role.next?.role_arn ?? null);
  if (role.restart) {
    const current = role.untouched ? undefined : (role.has?.roleArn ?? null);
    return {
      selected,
      selectedLabel: trans.__('after restart'),
      ...(current === undefined ? {} : { current })
    };
  }
  const selectedLabel =
    document.kind === 'notebook' ? trans.__('this notebook') : trans.__('this console');
  return { selected, selectedLabel };
}

/** What came of the user's choice. */
interface IDone {
  readonly effect: Switch;
  /** The role's label; null for "no AWS role". */
  readonly label: string | null;
  /** Whether it differs from what the kernel had. */
  readonly changed: boolean;
}

/**
 * Choose a role for a document's kernel (null: "no AWS role"), and keep the choice with the document.
 *
 * @param before - the role session that the kernel had.
 */
async function choose(
  roleArn: string | null,
  before: string | null,
  { document, model }: Props
): Promise<IDone | null> {
  const kernelId = kernelIdOf(document);
  if (kernelId === null) {
    return null;
  }
  const session = roleArn === null ? null : await model.startForKernel(roleArn);
  const effect = await model.assign('kernel', kernelId, session?.id ?? null);
  document.staying = staying(effect);
  if (document.memory !== null) {
    document.memory.arn = roleArn;
  }
  return { effect, label: session?.label ?? null, changed: before !== (session?.id ?? null) };
}

/** Try to start a role that the user is not offered: the server's refusal explains why. Does nothing if it is offered by now. */
async function askWhyNot(roleArn: string, model: Props['model']): Promise<void> {
  await model.read({ roles: true });
  if (roleByArn(model.snapshot, roleArn) === null) {
    await model.startForKernel(roleArn);
  }
}

/** The role that the notebook was last used with; used only after a click. */
function Offer(
  props: Props & { roleArn: string; available: boolean; use: () => Promise<void> }
): React.JSX.Element {
  const { roleArn, available, model, trans } = props;
  const label = roleLabel(roleArn, model.snapshot.roles);
  // With the account: the notebook's author named the role, and labels are not unique.
  const account = accountOfArn(roleArn);
  const [busy, failure, run] = useAction(props.use, trans);
  return (
    <div className="jp-AwsRoles-documentOffer">
      <p>
        {available
          ? trans.__('This notebook was last used with %1 (account %2).', label, account)
          : trans.__(
              'This notebook was last used with %1 (account %2), a role that you are not offered.',
              label,
              account
            )}
      </p>
      {failure === null ? (
        <button
          type="button"
          className="jp-AwsRoles-button jp-mod-styled jp-mod-accept"
          disabled={busy || props.model.snapshot.situation !== 'ready'}
          onClick={run}
        >
          {available ? trans.__('Use %1', label) : trans.__('How to get it')}
        </button>
      ) : (
        <FailureNote failure={failure} trans={trans} />
      )}
    </div>
  );
}

/** What a switch of the running kernel has changed. */
function Switched(props: Props & { done: IDone; now: number }): React.JSX.Element {
  const { document, trans, close, done, now } = props;
  return (
    <>
      <p role="status">{switchedText(done.effect, done.label, now, trans)}</p>
      {document.staying.length === 0 && (
        <div className="jp-AwsRoles-buttons">
          <button
            type="button"
            className="jp-AwsRoles-button jp-mod-styled jp-mod-accept"
            // eslint-disable-next-line jsx-a11y/no-autofocus -- the list that had the focus has gone
            autoFocus
            onClick={close}
          >
            {trans.__('Close')}
          </button>
        </div>
      )}
    </>
  );
}

/** A button to restart the kernel, with what that costs; `focus` says which button gets the focus. */
function RestartOffer(props: Props & { focus: 'restart' | 'close' | null }): React.JSX.Element {
  const { document, trans, close } = props;
  const others = sharers(document, props.open);
  const restarting = React.useRef<HTMLButtonElement>(null);
  const closing = React.useRef<HTMLButtonElement>(null);
  React.useEffect(() => {
    if (props.focus !== null) {
      (props.focus === 'restart' ? restarting : closing).current?.focus();
    }
  }, [props.focus]);
  const restart = (): void => {
    close();
    void restartKernel(document).then(restarted => {
      if (!restarted) {
        void showErrorMessage(
          trans.__('The kernel did not restart'),
          trans.__(
            'The server could not restart it, or does not answer. Try again from the menu Kernel; the server’s log says more.'
          )
        );
      }
    });
  };
  return (
    <div className="jp-AwsRoles-documentRestart">
      <p>
        {document.kind === 'notebook'
          ? trans.__(
              'A restart stops what is running, and the kernel’s variables are lost. The notebook’s text and outputs stay.'
            )
          : trans.__(
              'A restart stops what is running, and the kernel’s variables are lost. The console is cleared.'
            )}
      </p>
      {others.length > 0 && <p>{trans.__('The same kernel is used by: %1.', others.join(', '))}</p>}
      <div className="jp-AwsRoles-buttons">
        <button
          ref={restarting}
          type="button"
          className="jp-AwsRoles-button jp-mod-styled jp-mod-warn"
          disabled={props.model.snapshot.situation !== 'ready'}
          onClick={restart}
        >
          {trans.__('Restart now')}
        </button>
        <button
          ref={closing}
          type="button"
          className="jp-AwsRoles-button jp-mod-styled jp-mod-reject"
          onClick={close}
        >
          {trans.__('Later')}
        </button>
      </div>
    </div>
  );
}

/** A button to start a kernel, by JupyterLab's own dialog. */
function KernelOffer({ document, dialogs, trans, close }: Props): React.JSX.Element {
  return (
    <button
      type="button"
      className="jp-AwsRoles-button jp-mod-styled jp-mod-accept"
      onClick={() => {
        close();
        void dialogs.selectKernel(document.sessionContext);
      }}
    >
      {trans.__('Select a kernel…')}
    </button>
  );
}

/** Whether the notebook keeps the user's choice. */
function Remembering(props: {
  document: IDocument;
  role: DocumentRole;
  trans: TranslationBundle;
}): React.JSX.Element | null {
  const { document, trans } = props;
  if (document.memory === null) {
    return null;
  }
  return (
    <p className="jp-AwsRoles-documentNote">
      {document.memory.writable
        ? trans.__('Your choice is saved in the notebook and offered when you open it again.')
        : trans.__('This notebook is read-only, so your choice is not saved in it.')}
    </p>
  );
}

/** Return whether an action is running, how it failed (null: it did not), and a function that runs it. */
function useAction(
  action: () => Promise<void>,
  trans: TranslationBundle
): [boolean, IFailure | null, () => void] {
  const [busy, setBusy] = React.useState(false);
  const [failure, setFailure] = React.useState<IFailure | null>(null);
  const run = (): void => {
    setBusy(true);
    setFailure(null);
    action()
      .catch((error: unknown) => setFailure(failureOf(error, trans)))
      .finally(() => setBusy(false));
  };
  return [busy, failure, run];
}
