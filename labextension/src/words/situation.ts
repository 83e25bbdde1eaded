import type { TranslationBundle } from '@jupyterlab/translation';

import type { ISnapshot } from '../server/snapshot';

/** Say why the page can't show or change AWS roles now; empty if it can. */
export function situationText(snapshot: ISnapshot, trans: TranslationBundle): string {
  switch (snapshot.situation) {
    case 'loading':
      return trans.__('Loading your AWS roles…');
    case 'missing':
      return trans.__(
        'This Jupyter server lacks the extension jupyter_wb_aws. Ask your administrator to install and enable it.'
      );
    case 'unreachable':
      return snapshot.message === ''
        ? trans.__('The Jupyter server does not answer. This page recovers when it does.')
        : trans.__('The Jupyter server can’t answer at the moment: %1', snapshot.message);
    default:
      return snapshot.message;
  }
}

/** Say that what is shown may be out of date, and why. */
export function staleText(snapshot: ISnapshot, trans: TranslationBundle): string {
  return `${situationText(snapshot, trans)} ${trans.__('This is the last known state.')}`;
}
