import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
const LONG_HIDDEN = 60_000;
const OURS = 'urn:jupyter-wb-aws:event:';

/** What is told of the server's event stream. */
export interface ILiveListener {
  /** The stream is open (again): whatever happened before was missed. */
  connected(): void;
  /** The stream could not be had, and will be tried again. */
  unavailable(): void;
  /** The page is looked at again after a while: events may be on their way. */
  looked(): void;
  /** An event of the extension's came in; `name` is the last part of its schema's id. */
  event(name: string): void;
}

/**
 * The extension's events on the server's event stream.
 *
 * JupyterLab's own `EventManager` reconnects too, and tells nobody: whoever listens there can't know
 * that events were missed while the server was away. Hence a stream of our own. It waits twice as
 * long after each failed attempt (1 s to 30 s), and tries at once when the page is looked at again.
 * After a laptop's sleep a dead stream may look open for minutes: a page that was hidden for long is
 * told to read, and one whose network comes back gets a new stream.
 *
 * Source: jupyter_server, `/api/events/subscribe`.
 */
export class Live implements IDisposable {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly listener: ILiveListener
  ) {
    document.addEventListener('visibilitychange', this.onVisible);
    window.addEventListener('online', this.onOnline);
    this.connect();
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    window.clearTimeout(this.timer);
    document.removeEventListener('visibilitychange', this.onVisible);
    window.removeEventListener('online', this.onOnline);
    this.socket?.close();
  }

  get isOpen(): boolean {
    return this.opened;
  }

  private connect(): void {
    const { appendToken, token, WebSocket, wsUrl } = this.settings;
    let url = URLExt.join(wsUrl, 'api/events/subscribe');
    if (appendToken && token !== '') {
      url += `?token=${encodeURIComponent(token)}`;
    }
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => {
      this.opened = true;
      this.wait = FIRST_WAIT;
      this.listener.connected();
    };
    socket.onmessage = message => this.read(message.data);
    socket.onclose = () => this.closed();
  }

  private closed(): void {
    const { opened } = this;
    this.opened = false;
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
    if (document.hidden) {
      this.hiddenSince = Date.now();
    } else if (this.socket === null) {
      this.connectNow();
    } else if (Date.now() - this.hiddenSince > LONG_HIDDEN) {
      this.listener.looked();
    }
  };

  private readonly onOnline = (): void => {
    if (this.socket !== null) {
      this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
    }
    this.connectNow();
  };

  private connectNow(): void {
    window.clearTimeout(this.timer);
    this.opened = false;
    this.connect();
  }

  private disposed = false;
  private hiddenSince = Date.now();
  private opened = false;
  private socket: WebSocket | null = null;
  private timer = 0;
  private wait = FIRST_WAIT;
}
