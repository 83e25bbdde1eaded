/**
 * The window in which the identity provider's page is shown.
 *
 * Browsers let a script open one only in the turn of the user's click, before the server has said
 * where it is to go: so it is opened empty, and sent there afterwards.
 */
export class SignInWindow {
  /** Open it, with a sentence in it until it is sent elsewhere; returns false where it is blocked. */
  open(sentence: string): boolean {
    this.close();
    this.window = window.open('', '_blank', FEATURES);
    if (this.window === null || this.window.closed) {
      this.window = null;
      return false;
    }
    this.window.document.title = sentence;
    this.window.document.body.textContent = sentence;
    // The provider's page has no business with JupyterLab's window. It may still be closed by a script.
    this.window.opener = null;
    return true;
  }

  /** Send it to the provider. */
  go(address: string): void {
    this.window?.location.replace(address);
  }

  close(): void {
    this.window?.close();
    this.window = null;
  }

  /** Whether the user, or the page at the end of the sign-in, has closed it. */
  get isClosed(): boolean {
    return this.window === null || this.window.closed;
  }

  private window: Window | null = null;
}

const FEATURES = 'popup,width=560,height=720';
