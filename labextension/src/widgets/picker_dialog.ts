import { Dialog } from '@jupyterlab/apputils';

/**
 * A dialog with a picker in it.
 *
 * A dialog sees keys before what is in it, and takes Enter in a text field as its default button,
 * Escape as a cancel. Here Enter picks, and Escape first clears what was typed.
 */
export class PickerDialog extends Dialog<unknown> {
  override handleEvent(event: Event): void {
    const { target } = event;
    const forPicker =
      event instanceof KeyboardEvent &&
      target instanceof HTMLInputElement &&
      (event.key === 'Enter' || (event.key === 'Escape' && target.value !== ''));
    if (!forPicker) {
      super.handleEvent(event);
    }
  }
}
