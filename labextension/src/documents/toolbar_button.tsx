import type { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownEmptyIcon,
  type LabIcon,
  ReactWidget,
  refreshIcon
} from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { DropDown } from '../components/drop_down';
import { useNow } from '../components/hooks';
import { offlineIcon, roleIcon, STATE_ICONS, stateIcon } from '../components/icons';
import { swatch } from '../components/swatch';
import { type ISnapshot, roleByArn } from '../server/snapshot';
import { roleLabel } from '../words/identity';
import { staleText } from '../words/situation';
import type { IDocument } from './document';
import {
  type DocumentRole,
  documentText,
  type IDocumentText,
  needsAttention
} from './document_role';
import { DocumentPanel, type IPanelOptions } from './panel';
import type { IOffer } from './remembered_role';
import { useDocument } from './use_document';

/** From this width of a document, in pixels, its toolbar has room for `LONG` characters of ours. */
const WIDE = 900;
/** From this width, in pixels, it has room for any text. */
const VERY_WIDE = 1200;
const LONG = 34;
/** JupyterLab's pop-up with the items that its toolbar has no room for. */
const OVERFLOW_POPUP = '.jp-Toolbar-responsive-popup';

/** The button in a document's toolbar: shows its kernel's AWS role, and opens a panel to change it. */
export class DocumentButton extends ReactWidget {
  constructor(
    private readonly document: IDocument,
    private readonly options: IPanelOptions
  ) {
    super();
    this.addClass('jp-AwsRoles-document');
    this.onChanged();
    // The width of the document, not of the window: documents can be side by side.
    this.resized = new ResizeObserver(([entry]) => {
      this.width = entry?.contentRect.width ?? WIDE;
      this.update();
    });
  }

  // JupyterLab drops a toolbar's items without disposing of them, for example when its settings change.
  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.options.model.changed.connect(this.onChanged);
    this.onChanged();
    this.resized.observe(this.document.node);
    this.update(); // The overflow pop-up has more room than the toolbar.
  }

  protected override onBeforeDetach(message: Message): void {
    this.resized.disconnect();
    this.options.model.changed.disconnect(this.onChanged);
    super.onBeforeDetach(message);
  }

  protected override render(): React.ReactElement {
    const room = this.node.closest(OVERFLOW_POPUP) ? Infinity : maxLength(this.width);
    return <RoleButton document={this.document} room={room} {...this.options} />;
  }

  /** Hide the button where there are no AWS roles. */
  private readonly onChanged = (): void => {
    const { situation } = this.options.model.snapshot;
    this.setHidden(situation !== 'ready' && situation !== 'unreachable');
  };

  private width = WIDE;
  private readonly resized: ResizeObserver;
}

/** Return how many characters fit into the toolbar of a document, by its width in pixels. */
function maxLength(width: number): number {
  return width >= VERY_WIDE ? Infinity : width >= WIDE ? LONG : 0;
}

function RoleButton(
  props: { document: IDocument; room: number } & IPanelOptions
): React.JSX.Element {
  const { document, model, trans } = props;
  const { snapshot, role, offer } = useDocument(document, model);
  const now = useNow(model);
  const button = React.useRef<HTMLButtonElement>(null);
  const panel = React.useRef<DropDown | null>(null);
  const [open, setOpen] = React.useState(false);
  React.useEffect(() => () => panel.current?.dispose(), []);

  const unreachable = snapshot.situation === 'unreachable';
  const { text, short, sentence } = unreachable
    ? staleDocumentText(role, snapshot, now, trans)
    : buttonText(role, offer, snapshot, now, trans);
  const toggle = (): void => {
    if (panel.current !== null) {
      panel.current.dismiss();
      return;
    }
    panel.current = DropDown.open({
      anchor: button.current!,
      owner: document.node,
      label: panelLabel(document, trans),
      content: close => <DocumentPanel {...props} close={close} />,
      onClosed: () => {
        panel.current = null;
        setOpen(false);
      }
    });
    setOpen(true);
  };
  const Icon = unreachable ? offlineIcon : iconOf(role);
  const color =
    role.kind === 'kernel' && !unreachable
      ? swatch(roleByArn(snapshot, role.has?.roleArn)?.color)
      : undefined;
  return (
    <button
      ref={button}
      type="button"
      className={`jp-AwsRoles-documentButton${role.kind === 'kernel' && !unreachable ? '' : ' jp-mod-quiet'}`}
      title={sentence}
      aria-label={trans.__('AWS role of the kernel: %1', text)}
      aria-haspopup="dialog"
      aria-expanded={open}
      onClick={event => {
        // Before JupyterLab 4.6, a toolbar that is clicked gives the focus to its document.
        event.stopPropagation();
        toggle();
      }}
      onKeyDown={event => {
        if (event.key === 'ArrowDown' && !open) {
          event.preventDefault();
          toggle();
        }
      }}
    >
      <Icon.react tag="span" className="jp-AwsRoles-documentIcon" />
      {color && <span className="jp-AwsRoles-swatch" style={color} />}
      <span className="jp-AwsRoles-documentText">{text.length <= props.room ? text : short}</span>
      <caretDownEmptyIcon.react tag="span" className="jp-AwsRoles-documentIcon" />
    </button>
  );
}

function buttonText(
  role: DocumentRole,
  offer: IOffer | null,
  snapshot: ISnapshot,
  now: number,
  trans: TranslationBundle
): IDocumentText {
  const words = documentText(role, now, trans);
  if (offer === null || (role.kind === 'kernel' && role.restart)) {
    return words;
  }
  const label = roleLabel(offer.roleArn, snapshot.roles);
  const text = trans.__('%1 - last used with %2', words.text, label);
  return {
    text,
    short: trans.__('%1 (last: %2)', words.text, label),
    sentence: `${words.sentence} ${trans.__('This notebook was last used with %1.', label)}`
  };
}

/** Describe what was known before the server stopped answering, and say that it may be out of date. */
function staleDocumentText(
  role: DocumentRole,
  snapshot: ISnapshot,
  now: number,
  trans: TranslationBundle
): IDocumentText {
  const text = trans.__('AWS role unknown');
  const { sentence } = documentText(role, now, trans);
  return { text, short: text, sentence: `${staleText(snapshot, trans)} ${sentence}` };
}

function panelLabel(document: IDocument, trans: TranslationBundle): string {
  return document.kind === 'notebook'
    ? trans.__('AWS role of this notebook')
    : trans.__('AWS role of this console');
}

function iconOf(role: DocumentRole): LabIcon {
  if (role.kind === 'kernel' && role.restart) {
    return refreshIcon; // Visible also where the text is cut off.
  }
  if (role.kind !== 'kernel' || role.has === null) {
    return roleIcon;
  }
  if (role.has.session === null) {
    return STATE_ICONS.ended;
  }
  return needsAttention(role.has.session) ? stateIcon(role.has.session.state) : roleIcon;
}
