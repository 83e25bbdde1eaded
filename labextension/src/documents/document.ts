import type { ISessionContext } from '@jupyterlab/apputils';
import type { ConsolePanel } from '@jupyterlab/console';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';

import type { ISnapshot } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { METADATA_KEY, rememberedArn } from './remembered_role';

const RESTARTING: readonly Kernel.Status[] = ['restarting', 'autorestarting'];

/** A notebook or console, and what its kernel's AWS role depends on. */
export interface IDocument {
  readonly kind: 'notebook' | 'console';
  /** The title of its tab. */
  readonly name: string;
  readonly node: HTMLElement;
  readonly sessionContext: ISessionContext;
  /** Keeps the choice of a role with the document; null if that is not possible. */
  readonly memory: IRoleMemory | null;
  /** How many reads (`IAwsRoles.reads`) had begun when it got its current kernel. */
  kernelSince: number;
  /** The variables that the last switch of the running kernel did not reach: they stay until its restart. */
  staying: readonly string[];
}

/** The role that the user chose for a document, kept with it. */
export interface IRoleMemory {
  /** The role's ARN; null if none is remembered. */
  arn: string | null;
  /** Whether the document can be changed. */
  readonly writable: boolean;
  /** The document has changed, and perhaps the role. */
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
    kernelSince: 0,
    staying: []
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
    kernelSince: 0,
    staying: []
  };
}

/** The role in a notebook's metadata: only its ARN, and only by the user's explicit choice. */
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
 * Restart a document's kernel, unless it is restarting already; return false if it did not restart.
 *
 * This goes through the document, as its own menu does, so that everything that follows the kernel
 * notices. JupyterLab hides a failure, but it reconnects only to a kernel that did restart.
 */
export async function restartKernel({ sessionContext }: IDocument): Promise<boolean> {
  const kernel = sessionContext.session?.kernel;
  if (!kernel || RESTARTING.includes(kernel.status)) {
    return true;
  }
  let reconnected = false;
  const onConnection = (_: unknown, status: Kernel.ConnectionStatus): void => {
    reconnected ||= status !== 'connected';
  };
  kernel.connectionStatusChanged.connect(onConnection);
  try {
    await sessionContext.restartKernel();
  } finally {
    kernel.connectionStatusChanged.disconnect(onConnection);
  }
  return reconnected;
}

/** Return the id of a document's kernel; null if there is none, or if it is dead. */
export function kernelIdOf({ sessionContext }: IDocument): string | null {
  const kernel = sessionContext.session?.kernel;
  return kernel && kernel.status !== 'dead' ? kernel.id : null;
}

/**
 * Return whether a document's kernel, or its lack of one, will last for more than some seconds.
 *
 * It counts only if the snapshot was read after the document got its kernel.
 */
export function isSettled(
  { kernelSince, sessionContext }: IDocument,
  snapshot: ISnapshot
): boolean {
  const kernel = sessionContext.session?.kernel;
  return kernel
    ? ['idle', 'busy', 'dead'].includes(kernel.status) && snapshot.read > kernelSince
    : sessionContext.kernelDisplayStatus === 'unknown';
}

/**
 * Return the names of the other notebooks and consoles that use a document's kernel.
 *
 * The page's own are looked through too: a console of a notebook's kernel shares the notebook's
 * session, so that the server does not list it.
 *
 * @param open - the documents of this page.
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
 * Read the state again whenever a document gets a kernel or its kernel has restarted.
 *
 * The server sends an event when a kernel's role changes, but not when one starts without a role.
 */
export function followKernel(document: IDocument, model: IAwsRoles): void {
  const { sessionContext } = document;
  let before: Kernel.Status = 'unknown';
  const ask = () => {
    document.kernelSince = model.reads;
    document.staying = [];
    void model.read({ background: true });
  };
  sessionContext.kernelChanged.connect(ask);
  if (sessionContext.session?.kernel) {
    ask();
  }
  sessionContext.statusChanged.connect((_, status) => {
    if (RESTARTING.includes(before) && status !== before) {
      document.staying = [];
      void model.read({ background: true });
    }
    before = status;
  });
}
