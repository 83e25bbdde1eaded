import type { ISessionContext } from '@jupyterlab/apputils';
import type { ConsolePanel } from '@jupyterlab/console';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';

import type { Model } from './model';
import { METADATA_KEY, rememberedArn } from './remembered_role';

/** A notebook or console, as far as its kernel's AWS role is concerned. */
export interface IDocument {
  readonly kind: 'notebook' | 'console';
  readonly sessionContext: ISessionContext;
  /** Where the choice of a role is kept with the document; null where it can't be. */
  readonly memory: IRoleMemory | null;
}

/** The role that was chosen for a document, kept with it. */
export interface IRoleMemory {
  /** The role's ARN; null if none is remembered. */
  arn: string | null;
  /** Whether the document can be changed. */
  readonly writable: boolean;
  /** Something of the document has changed: perhaps this. */
  readonly changed: ISignal<unknown, unknown>;
}

export function consoleDocument(panel: ConsolePanel): IDocument {
  return { kind: 'console', sessionContext: panel.sessionContext, memory: null };
}

export function notebookDocument(panel: NotebookPanel): IDocument {
  return {
    kind: 'notebook',
    sessionContext: panel.sessionContext,
    memory: new NotebookMemory(panel)
  };
}

/** The role in a notebook's metadata: the ARN only, and only by an explicit choice. */
class NotebookMemory implements IRoleMemory {
  constructor(private readonly panel: NotebookPanel) {}

  get arn(): string | null {
    return rememberedArn(this.model.getMetadata(METADATA_KEY));
  }

  set arn(arn: string | null) {
    if (arn === this.arn || !this.writable) {
      return;
    }
    if (arn === null) {
      this.model.deleteMetadata(METADATA_KEY);
    } else {
      this.model.setMetadata(METADATA_KEY, { role_arn: arn });
    }
  }

  get writable(): boolean {
    return !this.model.readOnly && this.panel.context.contentsModel?.writable !== false;
  }

  get changed(): ISignal<unknown, unknown> {
    return this.model.metadataChanged;
  }

  private get model() {
    return this.panel.context.model;
  }
}

/** Return the id of a document's kernel; null if there is none, or a dead one. */
export function kernelIdOf({ sessionContext }: IDocument): string | null {
  const kernel = sessionContext.session?.kernel;
  return kernel && kernel.status !== 'dead' ? kernel.id : null;
}

/** Return the names of the other notebooks and consoles that use a document's kernel. */
export function sharers({ sessionContext }: IDocument): string[] {
  const own = sessionContext.session;
  return [...sessionContext.sessionManager.running()]
    .filter(other => other.id !== own?.id && other.kernel?.id === own?.kernel?.id)
    .map(other => other.name || other.path);
}

/**
 * Read the state again whenever a document has another kernel, or its kernel has started again.
 *
 * The server tells of a kernel whose role changes; of one that starts without a role it doesn't.
 */
export function followKernel({ sessionContext }: IDocument, model: Model): void {
  let before: Kernel.Status = 'unknown';
  sessionContext.kernelChanged.connect(() => void model.read());
  sessionContext.statusChanged.connect((_, status) => {
    if (['restarting', 'autorestarting'].includes(before) && status !== before) {
      void model.read();
    }
    before = status;
  });
}
