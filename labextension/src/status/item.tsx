import { type Popup, showPopup } from '@jupyterlab/statusbar';
import type { TranslationBundle } from '@jupyterlab/translation';
import { type LabIcon, ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useNow, useSnapshot } from '../components/hooks';
import { offlineIcon, roleIcon, stateIcon } from '../components/icons';
import { RoleColor } from '../components/swatch';
import type { IAwsRoles } from '../tokens';
import { type IPopoverActions, Popover } from './popover';
import { type IStatus, statusOf } from './words';

const FOCUSABLE = 'button:not(:disabled), summary, a[href], input';

/** The AWS role in the status bar: a button that opens the popover. */
export class StatusItem extends ReactWidget {
  constructor(
    private readonly model: IAwsRoles,
    private readonly trans: TranslationBundle,
    private readonly actions: IPopoverActions
  ) {
    super();
    this.addClass('jp-AwsRoles-status');
  }

  override dispose(): void {
    this.popup?.dispose();
    super.dispose();
  }

  protected override render(): React.JSX.Element {
    return (
      <StatusButton
        model={this.model}
        trans={this.trans}
        open={this.popup !== null}
        onClick={() => this.toggle()}
      />
    );
  }

  private toggle(): void {
    if (this.popup !== null) {
      this.popup.dispose();
      return;
    }
    const { model, trans, actions } = this;
    // Close the popover first, so that what opens next gives the focus back to the status bar.
    const after = (action: () => void) => () => {
      this.popup?.dispose();
      action();
    };
    const body = ReactWidget.create(
      <Popover
        model={model}
        trans={trans}
        actions={{
          pick: after(() => actions.pick()),
          signIn: after(() => actions.signIn()),
          end: after(() => actions.end()),
          relaunch: appId => after(() => actions.relaunch(appId))(),
          signOut: after(() => actions.signOut()),
          doctor: after(() => actions.doctor())
        }}
      />
    );
    const popup = showPopup({ body, anchor: this, align: 'left', hasDynamicSize: true });
    this.popup = popup;
    popup.addClass('jp-AwsRoles-popup');
    popup.node.addEventListener('keydown', keepFocusWithin);
    popup.disposed.connect(() => this.closed(popup));
    this.update();
  }

  /** Give the focus back, unless the user has moved it. */
  private closed(popup: Popup): void {
    this.popup = null;
    const { activeElement, body } = document;
    if (activeElement === body || popup.node.contains(activeElement)) {
      this.node.querySelector('button')?.focus();
    }
    if (!this.isDisposed) {
      this.update();
    }
  }

  private popup: Popup | null = null;
}

function StatusButton(props: {
  model: IAwsRoles;
  trans: TranslationBundle;
  open: boolean;
  onClick: () => void;
}): React.JSX.Element | null {
  const status = statusOf(useSnapshot(props.model), useNow(props.model), props.trans);
  if (status === null) {
    return null;
  }
  const Icon = iconOf(status.icon).react;
  return (
    <button
      type="button"
      className="jp-AwsRoles-statusButton"
      data-state={status.icon}
      aria-haspopup="dialog"
      aria-expanded={props.open}
      title={status.sentence}
      onClick={props.onClick}
    >
      <Icon tag="span" className="jp-AwsRoles-statusIcon" aria-hidden="true" />
      <RoleColor color={status.color} trans={props.trans} />
      {(status.account !== '' || status.health !== '') && (
        <span className="jp-AwsRoles-spoken">{props.trans.__('AWS role:')} </span>
      )}
      <span className="jp-AwsRoles-statusLabel">{status.label}</span>
      {status.account !== '' && (
        <span className="jp-AwsRoles-statusAccount">· {status.account}</span>
      )}
      {status.health !== '' && <span>· {status.health}</span>}
    </button>
  );
}

function iconOf(icon: IStatus['icon']): LabIcon {
  return icon === 'role' ? roleIcon : icon === 'offline' ? offlineIcon : stateIcon(icon);
}

/** Keep Tab within the popover: in the page it is far from its button. */
function keepFocusWithin(event: KeyboardEvent): void {
  if (event.key !== 'Tab') {
    return;
  }
  const stops = [
    ...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>(FOCUSABLE)
  ].filter(node => node.getClientRects().length > 0);
  const at = stops.indexOf(document.activeElement as HTMLElement);
  const end = event.shiftKey ? at <= 0 : at === stops.length - 1;
  if (end && stops.length > 0) {
    event.preventDefault();
    stops[event.shiftKey ? stops.length - 1 : 0]!.focus();
  }
}
