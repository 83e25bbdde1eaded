import type { TranslationBundle } from '@jupyterlab/translation';

import type { IView } from '../server/view';

/** Say why the page can't show or change AWS roles now; empty if it can. */
export function situationText(view: IView, trans: TranslationBundle): string {
  switch (view.situation) {
    case 'loading':
      return trans.__('Loading your AWS roles…');
    case 'missing':
      return trans.__(
        'This Jupyter server lacks the extension jupyter_wb_aws. Ask your administrator to install and enable it.'
      );
    case 'unreachable':
      return view.message === ''
        ? trans.__('The Jupyter server does not answer. This page recovers when it does.')
        : trans.__('The Jupyter server can’t answer at the moment: %1', view.message);
    default:
      return view.message;
  }
}

/** Say that what is shown may be out of date, and why. */
export function staleText(view: IView, trans: TranslationBundle): string {
  return `${situationText(view, trans)} ${trans.__('This is the last known state.')}`;
}
