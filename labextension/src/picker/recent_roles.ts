const MOST = 8;

/**
 * The ARNs of the roles that were picked in this browser, latest first.
 *
 * In the browser, since it is a convenience of this page; apart for each server, since a hub has
 * several below one origin. A browser that keeps nothing makes a list without a memory.
 */
export class RecentRoles {
  constructor(baseUrl: string) {
    this.key = `jupyterlab-wb-aws:recent:${baseUrl}`;
  }

  get arns(): readonly string[] {
    try {
      const kept: unknown = JSON.parse(window.localStorage.getItem(this.key) ?? '[]');
      return Array.isArray(kept) ? kept.filter(arn => typeof arn === 'string') : [];
    } catch {
      return [];
    }
  }

  add(arn: string): void {
    const arns = [arn, ...this.arns.filter(other => other !== arn)].slice(0, MOST);
    try {
      window.localStorage.setItem(this.key, JSON.stringify(arns));
    } catch {
      // Private windows, full storage: the roles are then in the catalogue's order.
    }
  }

  private readonly key: string;
}
