/**
 * The window for the identity provider's page.
 *
 * Browsers allow a script to open one only during the user's click, before the server has answered
 * with the address: so it opens empty, and goes there afterwards.
 */
export class SignInWindow {
  /** Open it with a sentence in it; return false if the browser blocks it. */
  open(sentence: string): boolean {
    this.close();
    this.window = window.open('', '_blank', FEATURES);
    if (this.window === null || this.window.closed) {
      this.window = null;
      return false;
    }
    this.window.document.title = sentence;
    this.window.document.body.textContent = sentence;
    // The provider's page must not reach JupyterLab's window. Scripts can still close it.
    this.window.opener = null;
    return true;
  }

  /** Go to an address. */
  go(address: string): void {
    this.window?.location.replace(address);
  }

  close(): void {
    this.window?.close();
    this.window = null;
  }

  /** Whether the user, or the last page of the sign-in, has closed it. */
  get isClosed(): boolean {
    return this.window === null || this.window.closed;
  }

  private window: Window | null = null;
}

const FEATURES = 'popup,width=560,height=720';
