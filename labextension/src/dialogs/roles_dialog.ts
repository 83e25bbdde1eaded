import { Dialog } from '@jupyterlab/apputils';

/**
 * A dialog whose body has the keys first.
 *
 * JupyterLab's sees keys before what is in it. Before 4.6 it takes every Enter as its default
 * button, so that no button, link or details in its body could be used by keyboard; later ones do so
 * in text fields. Escape is a cancel. Here Enter is for what it is pressed on, Escape first clears
 * what was typed, and both are an input method's while one is composing.
 */
export class RolesDialog<T> extends Dialog<T> {
  override handleEvent(event: Event): void {
    if (!(event instanceof KeyboardEvent && isForBody(event))) {
      super.handleEvent(event);
    }
  }
}

/** Show a dialog, and wait for what the user answers. */
export function showDialog<T>(options: Partial<Dialog.IOptions<T>>): Promise<Dialog.IResult<T>> {
  return new RolesDialog(options).launch();
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
