import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

/** The waits between attempts to connect, in milliseconds. */
const MIN_WAIT = 1_000;
const MAX_WAIT = 30_000;
/** A page that was hidden for longer, in milliseconds, may have missed events. */
const LONG_HIDDEN = 60_000;
const SCHEMA_PREFIX = 'urn:jupyter-wb-aws:event:';

/** What `EventStream` calls. */
export interface IEventListener {
  /** The stream is open (again); earlier events were missed. */
  connected(): void;
  /** The stream did not open; it is tried again. */
  unavailable(): void;
  /** The page is visible again after a while; the stream may be dead without notice. */
  shownAgain(): void;
  /** An event of the extension arrived; `name` is the last part of its schema's id. */
  event(name: string): void;
}

/**
 * The extension's events on the server's event stream.
 *
 * JupyterLab's own `EventManager` reconnects silently, so that its listeners can't know which events
 * they missed. This stream reports it. The wait doubles after each failed attempt (1 s to 30 s); a
 * page that becomes visible connects at once. After a laptop's sleep a dead stream may look open for
 * minutes: hence `shownAgain`, and a new stream when the network is back.
 *
 * Source: jupyter_server, `/api/events/subscribe`.
 */
export class EventStream implements IDisposable {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly listener: IEventListener
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
      this.wait = MIN_WAIT;
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
    // Proxies cut streams that are silent for long: a cut means something only if reconnecting fails.
    if (!opened) {
      this.listener.unavailable();
    }
    this.timer = window.setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(2 * this.wait, MAX_WAIT);
  }

  private read(data: unknown): void {
    let id: unknown;
    try {
      id = (JSON.parse(String(data)) as { schema_id?: unknown }).schema_id;
    } catch {
      return;
    }
    if (typeof id === 'string' && id.startsWith(SCHEMA_PREFIX)) {
      this.listener.event(id.slice(SCHEMA_PREFIX.length));
    }
  }

  private readonly onVisible = (): void => {
    if (document.hidden) {
      this.hiddenSince = Date.now();
    } else if (this.socket === null) {
      this.connectNow();
    } else if (Date.now() - this.hiddenSince > LONG_HIDDEN) {
      this.listener.shownAgain();
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
  private wait = MIN_WAIT;
}
