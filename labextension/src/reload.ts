import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ISnapshot } from './server/snapshot';
import type { IAwsRoles } from './tokens';

/** The key under which this tab remembers the versions that it has asked about. */
const ASKED = 'jupyterlab-wb-aws:reload-asked';

/** A page that may be older than its server. */
export interface IPage {
  /** The extension's version that it belongs to. */
  readonly version: string;
  readonly trans: TranslationBundle;
  readonly reload: () => void;
}

/**
 * Decide whether reloading the page brings the version of the server's extension.
 *
 * It does if the server's version has changed since, as after an upgrade, or if the server is newer.
 * It does not if the files were upgraded but the server still runs the old code, nor if the two
 * builds differed from the start, as in development.
 *
 * @param page - the page's version.
 * @param first - the server's version when the page was loaded.
 * @param now - the server's version now.
 */
export function reloadHelps(page: string, first: string, now: string): boolean {
  return now !== page && (now !== first || isNewer(now, page));
}

/** Ask the user once to reload the page, if that brings the server's version of it. */
export function askForReload(model: IAwsRoles, page: IPage): void {
  let first: string | null = null;
  let shown: { id: string; version: string } | null = null;
  const look = ({ version }: ISnapshot) => {
    if (version === null || version === shown?.version) {
      return;
    }
    if (shown !== null) {
      Notification.dismiss(shown.id);
      shown = null;
    }
    first ??= version;
    const pair = `${page.version} ${version}`;
    // Don't ask again if a reload has not helped because another copy of the extension comes first.
    if (reloadHelps(page.version, first, version) && (version !== first || asked() !== pair)) {
      remember(pair);
      shown = { id: emit(version, page), version };
    }
  };
  model.changed.connect((_, snapshot) => look(snapshot));
  look(model.snapshot);
}

function emit(version: string, { version: old, trans, reload }: IPage): string {
  const message = trans.__(
    'The server has version %1 of jupyter_wb_aws, and this page still has %2. Save your work and reload the page.',
    version,
    old
  );
  const action = { label: trans.__('Reload'), displayType: 'accent' as const, callback: reload };
  return Notification.emit(message, 'warning', { autoClose: false, actions: [action] });
}

/** Compare two versions by their numbers only. Source: PEP 440, "Release". */
function isNewer(version: string, other: string): boolean {
  const [ours, theirs] = [release(version), release(other)];
  const at = [0, 1, 2, 3].find(at => (ours[at] ?? 0) !== (theirs[at] ?? 0));
  return at !== undefined && (ours[at] ?? 0) > (theirs[at] ?? 0);
}

function release(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number);
}

function asked(): string | null {
  try {
    return window.sessionStorage.getItem(ASKED);
  } catch {
    return null;
  }
}

function remember(pair: string): void {
  try {
    window.sessionStorage.setItem(ASKED, pair);
  } catch {
    // In a browser without storage the page asks once each time it is loaded.
  }
}
