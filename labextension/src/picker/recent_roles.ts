const MAX_RECENT = 8;

/** The roles that the user picked last. */
export interface IRecentRoles {
  /** Their ARNs, latest first. */
  readonly arns: readonly string[];
  add(arn: string): void;
}

/**
 * The roles that the user picked last in this browser.
 *
 * Kept by server, since a hub has several below one origin. In a browser without storage the list
 * stays empty.
 */
export class RecentRoles implements IRecentRoles {
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
    const arns = [arn, ...this.arns.filter(other => other !== arn)].slice(0, MAX_RECENT);
    try {
      window.localStorage.setItem(this.key, JSON.stringify(arns));
    } catch {
      // In a private window, or with full storage: the roles are in the catalogue's order then.
    }
  }

  private readonly key: string;
}
