import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import type * as React from 'react';

const MARGIN = 4;

export interface IDropDownOptions {
  /** The control that opens it, and that gets the focus back. */
  readonly anchor: HTMLElement;
  /** The document with that control. It may take the focus by itself; the panel takes it back. */
  readonly owner: HTMLElement;
  /** Its name for screen readers. */
  readonly label: string;
  /** Renders its content; `close` closes the panel and gives the focus back. */
  readonly content: (close: () => void) => React.ReactElement;
  readonly onClosed: () => void;
}

/** A panel below a toolbar's control. Escape, a click elsewhere or moving the focus closes it. */
export class DropDown extends ReactWidget {
  static open(options: IDropDownOptions): DropDown {
    const panel = new DropDown(options);
    Widget.attach(panel, document.body);
    return panel;
  }

  private constructor(private readonly options: IDropDownOptions) {
    super();
    this.addClass('jp-AwsRoles-dropDown');
    this.addClass('jp-ThemedContainer');
    this.node.setAttribute('role', 'dialog');
    this.node.setAttribute('aria-label', options.label);
    this.node.dataset['lmSuppressShortcuts'] = 'true';
    this.node.tabIndex = -1;
    this.resized = new ResizeObserver(() => this.place());
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    super.dispose();
    this.options.onClosed();
  }

  /** Close the panel and give the focus back. */
  readonly dismiss = (): void => {
    const { anchor } = this.options;
    // The body has the focus if the focused element is gone; anything else would have closed the panel.
    const { activeElement } = document;
    const focus = activeElement === document.body || this.node.contains(activeElement);
    this.dispose();
    if (focus && anchor.isConnected) {
      anchor.focus();
    }
  };

  protected override render(): React.ReactElement {
    return this.options.content(this.dismiss);
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.node.addEventListener('keydown', this.onKeyDown);
    this.node.addEventListener('focusout', this.onFocusOut);
    document.addEventListener('pointerdown', this.onPointerDown, true);
    window.addEventListener('resize', this.place);
    this.resized.observe(this.node);
    this.place();
    this.node.focus();
  }

  protected override onBeforeDetach(message: Message): void {
    this.resized.disconnect();
    window.removeEventListener('resize', this.place);
    document.removeEventListener('pointerdown', this.onPointerDown, true);
    this.node.removeEventListener('focusout', this.onFocusOut);
    this.node.removeEventListener('keydown', this.onKeyDown);
    super.onBeforeDetach(message);
  }

  /** Place it below the control, within the window. */
  private readonly place = (): void => {
    const anchor = this.options.anchor.getBoundingClientRect();
    const { style, offsetWidth } = this.node;
    const most = document.documentElement.clientWidth - offsetWidth - MARGIN;
    const rightToLeft = getComputedStyle(this.options.anchor).direction === 'rtl';
    const wanted = rightToLeft ? anchor.right - offsetWidth : anchor.left;
    const top = anchor.bottom + 1;
    style.left = `${Math.max(MARGIN, Math.min(wanted, most))}px`;
    style.top = `${top}px`;
    style.maxHeight = `${window.innerHeight - top - MARGIN}px`;
  };

  private readonly onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Tab') {
      this.leaving = true;
      window.setTimeout(() => (this.leaving = false));
    }
    if (event.key === 'Escape' && !event.defaultPrevented && !event.isComposing) {
      event.preventDefault();
      event.stopPropagation();
      this.dismiss();
    }
  };

  private readonly onFocusOut = ({ target, relatedTarget }: FocusEvent): void => {
    // Nothing else got the focus: the focused element was rendered again, or the user left the window.
    if (!(relatedTarget instanceof Node) || this.holds(relatedTarget)) {
      return;
    }
    if (!this.leaving && this.options.owner.contains(relatedTarget)) {
      // Older notebooks take the focus after a cell has run, and at any click.
      window.setTimeout(() => this.takeBack(target as HTMLElement));
    } else {
      this.dispose();
    }
  };

  private takeBack(had: HTMLElement): void {
    if (!this.isDisposed && !this.holds(document.activeElement)) {
      (had.isConnected ? had : this.node).focus();
    }
  }

  private readonly onPointerDown = ({ target }: PointerEvent): void => {
    if (target instanceof Node && !this.holds(target)) {
      this.dispose();
    }
  };

  private holds(node: Node | null): boolean {
    return this.node.contains(node) || this.options.anchor.contains(node);
  }

  /** Whether the user has just pressed Tab. */
  private leaving = false;
  private readonly resized: ResizeObserver;
}
