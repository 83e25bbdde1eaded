import type { Session } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Assignment } from '../server/api';

/** Names a kernel, terminal or app as the user knows it. */
export type ProcessName = (process: Pick<Assignment, 'kind' | 'id'>) => string;

/** Name kernels by their documents, terminals as JupyterLab's tabs do, and apps by their ids. */
export function processNames(sessions: Session.IManager, trans: TranslationBundle): ProcessName {
  return ({ kind, id }) => {
    if (kind === 'terminal') {
      return trans.__('Terminal %1', id);
    }
    if (kind !== 'kernel') {
      return id;
    }
    for (const session of sessions.running()) {
      if (session.kernel?.id === id) {
        return session.name || session.path;
      }
    }
    return trans.__('A kernel');
  };
}
