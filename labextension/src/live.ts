import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
const OURS = 'urn:jupyter-wb-aws:event:';

/** What is told of the server's event stream. */
export interface ILiveListener {
  /** The stream is open (again): whatever happened before was missed. */
  connected(): void;
  /** The stream could not be had, and will be tried again. */
  unavailable(): void;
  /** An event of the extension's came in; `name` is the last part of its schema's id. */
  event(name: string): void;
}

/**
 * The extension's events on the server's event stream.
 *
 * JupyterLab's own `EventManager` reconnects too, and tells nobody: whoever listens there can't know
 * that events were missed while the server was away. Hence a stream of our own. It waits twice as
 * long after each failed attempt (1 s to 30 s), and tries at once when the page is looked at again.
 *
 * Source: jupyter_server, `/api/events/subscribe`.
 */
export class Live implements IDisposable {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly listener: ILiveListener
  ) {
    document.addEventListener('visibilitychange', this.onVisible);
    window.addEventListener('online', this.onVisible);
    this.connect();
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    window.clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.onVisible);
    window.removeEventListener('online', this.onVisible);
    this.socket?.close();
  }

  private connect(): void {
    const { appendToken, token, WebSocket, wsUrl } = this.settings;
    let url = URLExt.join(wsUrl, 'api/events/subscribe');
    if (appendToken && token !== '') {
      url += `?token=${encodeURIComponent(token)}`;
    }
    const socket = new WebSocket(url);
    this.socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.wait = FIRST_WAIT;
      this.listener.connected();
    };
    socket.onmessage = message => this.read(message.data);
    socket.onclose = () => this.closed(opened);
  }

  private closed(opened: boolean): void {
    this.socket = null;
    if (this.disposed) {
      return;
    }
    // Proxies cut streams that are silent for long: only one that can't be had again means something.
    if (!opened) {
      this.listener.unavailable();
    }
    this.timer = window.setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  private read(data: unknown): void {
    let id: unknown;
    try {
      id = (JSON.parse(String(data)) as { schema_id?: unknown }).schema_id;
    } catch {
      return;
    }
    if (typeof id === 'string' && id.startsWith(OURS)) {
      this.listener.event(id.slice(OURS.length));
    }
  }

  private readonly onVisible = (): void => {
    if (!document.hidden && this.socket === null) {
      window.clearTimeout(this.timer);
      this.connect();
    }
  };

  private disposed = false;
  private socket: WebSocket | null = null;
  private timer = 0;
  private wait = FIRST_WAIT;
}
