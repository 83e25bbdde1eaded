import type { TranslationBundle } from '@jupyterlab/translation';

import type { IView } from '../server/view';

/** Say why AWS roles can't be shown as they are now, or picked; empty where they can. */
export function situationWords(view: IView, trans: TranslationBundle): string {
  switch (view.situation) {
    case 'loading':
      return trans.__('Asking for your AWS roles…');
    case 'missing':
      return trans.__(
        'This Jupyter server lacks the extension jupyter_wb_aws. Ask your administrator to install and enable it.'
      );
    case 'unreachable':
      return view.message === ''
        ? trans.__('The Jupyter server does not answer. This comes back by itself.')
        : trans.__('The Jupyter server can’t say at the moment: %1', view.message);
    default:
      return view.message;
  }
}

/** Say, beside what was known before, that it may be so no more. */
export function staleWords(view: IView, trans: TranslationBundle): string {
  return `${situationWords(view, trans)} ${trans.__('What is shown is how it was before.')}`;
}
