import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import type * as React from 'react';

const MARGIN = 4;

export interface IDropDownOptions {
  /** The control that it belongs to, and that gets the focus back. */
  readonly anchor: HTMLElement;
  /** The document whose control that is. It may take the focus by itself, and does not keep it. */
  readonly owner: HTMLElement;
  /** What a screen reader calls it. */
  readonly label: string;
  /** Draws what is in it; `close` closes it and gives the focus back. */
  readonly content: (close: () => void) => React.ReactElement;
  readonly onClosed: () => void;
}

/** A panel below a toolbar's control; Escape, a click elsewhere, or the focus moving on closes it. */
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

  /** Close it, and give the focus back. */
  readonly dismiss = (): void => {
    const { anchor } = this.options;
    // On the body if what had it is gone; nowhere else, or this would be closed already.
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

  /** Below the control, and within the window. */
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
    // Without a target nothing else has the focus: what had it was drawn again, or the window left.
    if (!(relatedTarget instanceof Node) || this.holds(relatedTarget)) {
      return;
    }
    if (!this.leaving && this.options.owner.contains(relatedTarget)) {
      // Older notebooks do so once a cell has run, and whenever they are pressed anywhere.
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

  /** Whether the user goes on by Tab. */
  private leaving = false;
  private readonly resized: ResizeObserver;
}
