import type { ISessionContext } from '@jupyterlab/apputils';
import type { ConsolePanel } from '@jupyterlab/console';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';

import type { IView } from '../server/view';
import type { IAwsRoles } from '../tokens';
import { METADATA_KEY, rememberedArn } from './remembered_role';

const RESTARTING: readonly Kernel.Status[] = ['restarting', 'autorestarting'];

/** A notebook or console, as far as its kernel's AWS role is concerned. */
export interface IDocument {
  readonly kind: 'notebook' | 'console';
  /** What its tab says. */
  readonly name: string;
  readonly node: HTMLElement;
  readonly sessionContext: ISessionContext;
  /** Where the choice of a role is kept with the document; null where it can't be. */
  readonly memory: IRoleMemory | null;
  /** How many reads (`Model.reads`) had begun when it got the kernel that it has. */
  kernelSince: number;
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
  return {
    kind: 'console',
    get name() {
      return panel.title.label;
    },
    node: panel.node,
    sessionContext: panel.sessionContext,
    memory: null,
    kernelSince: 0
  };
}

export function notebookDocument(panel: NotebookPanel): IDocument {
  return {
    kind: 'notebook',
    get name() {
      return panel.title.label;
    },
    node: panel.node,
    sessionContext: panel.sessionContext,
    memory: new NotebookMemory(panel),
    kernelSince: 0
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

/**
 * Restart a document's kernel, unless that is under way; false where it did not restart.
 *
 * By the document, as its own menu does: what else follows its kernel is told. JupyterLab keeps a
 * failure to itself; but only a kernel that did restart is connected to anew.
 */
export async function restartKernel({ sessionContext }: IDocument): Promise<boolean> {
  const kernel = sessionContext.session?.kernel;
  if (!kernel || RESTARTING.includes(kernel.status)) {
    return true;
  }
  let anew = false;
  const look = (_: unknown, status: Kernel.ConnectionStatus): void => {
    anew ||= status !== 'connected';
  };
  kernel.connectionStatusChanged.connect(look);
  try {
    await sessionContext.restartKernel();
  } finally {
    kernel.connectionStatusChanged.disconnect(look);
  }
  return anew;
}

/** Return the id of a document's kernel; null if there is none, or a dead one. */
export function kernelIdOf({ sessionContext }: IDocument): string | null {
  const kernel = sessionContext.session?.kernel;
  return kernel && kernel.status !== 'dead' ? kernel.id : null;
}

/**
 * Whether a document's kernel, or that it has none, is no matter of seconds any more.
 *
 * Nor is it as long as the server has not been asked since the document has its kernel.
 */
export function isSettled({ kernelSince, sessionContext }: IDocument, view: IView): boolean {
  const kernel = sessionContext.session?.kernel;
  return kernel
    ? ['idle', 'busy', 'dead'].includes(kernel.status) && view.read > kernelSince
    : sessionContext.kernelDisplayStatus === 'unknown';
}

/**
 * Return the names of the other notebooks and consoles that use a document's kernel.
 *
 * Those of this page, since a console at a notebook's kernel has the notebook's own session; and
 * those of which only the server knows.
 */
export function sharers(document: IDocument, open: Iterable<IDocument>): string[] {
  const id = kernelIdOf(document);
  const here = [...open].filter(
    other => other.sessionContext !== document.sessionContext && kernelIdOf(other) === id
  );
  const known = new Set([document, ...here].map(other => other.sessionContext.session?.id));
  const elsewhere = [...document.sessionContext.sessionManager.running()].filter(
    session => session.kernel?.id === id && !known.has(session.id)
  );
  return [...here.map(other => other.name), ...elsewhere.map(({ name, path }) => name || path)];
}

/**
 * Read the state again whenever a document has another kernel, or its kernel has started again.
 *
 * The server tells of a kernel whose role changes; of one that starts without a role it doesn't.
 */
export function followKernel(document: IDocument, model: IAwsRoles): void {
  const { sessionContext } = document;
  let before: Kernel.Status = 'unknown';
  const ask = () => {
    document.kernelSince = model.reads;
    void model.read();
  };
  sessionContext.kernelChanged.connect(ask);
  if (sessionContext.session?.kernel) {
    ask();
  }
  sessionContext.statusChanged.connect((_, status) => {
    if (RESTARTING.includes(before) && status !== before) {
      void model.read();
    }
    before = status;
  });
}
