import { Dialog } from '@jupyterlab/apputils';

/**
 * A dialog whose body the keyboard can reach: the body gets keys first.
 *
 * JupyterLab's own handles keys before its body. Before 4.6 it takes every Enter as its default
 * button, so that the keyboard can't press a button or link in the body; later versions still do so
 * in text fields. Escape cancels. Here Enter works on the focused element, Escape first clears a
 * text field, and an input method keeps both while it composes.
 */
export class KeyboardDialog<T> extends Dialog<T> {
  override handleEvent(event: Event): void {
    if (!(event instanceof KeyboardEvent && isForBody(event))) {
      super.handleEvent(event);
    }
  }
}

/** Show a dialog and wait for the user's answer. */
export function openDialog<T>(options: Partial<Dialog.IOptions<T>>): Promise<Dialog.IResult<T>> {
  return new KeyboardDialog(options).launch();
}

function isForBody({ isComposing, key, target }: KeyboardEvent): boolean {
  if (!(target instanceof Element) || target.closest('.jp-Dialog-body') === null) {
    return false;
  }
  return (
    isComposing ||
    key === 'Enter' ||
    (key === 'Escape' && target instanceof HTMLInputElement && target.value !== '')
  );
}
