import { KeyboardDialog } from './keyboard_dialog';

/** What JupyterLab's dialog would have taken. */
const taken: Event[] = [];

jest.mock('@jupyterlab/apputils', () => ({
  Dialog: class {
    handleEvent(event: Event) {
      taken.push(event);
    }
  }
}));

function press(node: Element, key: string, init: KeyboardEventInit = {}): boolean {
  taken.length = 0;
  const dialog = new KeyboardDialog();
  node.addEventListener('keydown', event => dialog.handleEvent(event), { once: true });
  node.dispatchEvent(new KeyboardEvent('keydown', { key, ...init }));
  return taken.length > 0;
}

function aDialog(body: string): HTMLElement {
  const node = document.createElement('div');
  node.innerHTML = `<div class="jp-Dialog-body">${body}</div>
    <div class="jp-Dialog-footer"><button>Close</button></div>`;
  return node;
}

test.each([
  '<button>Sign in</button>',
  '<a href="https://example.com/">Ask for this role</a>',
  '<details><summary>Details</summary></details>',
  '<input type="search">'
])('the dialog leaves Enter to %s', body => {
  const nodes = aDialog(body).querySelectorAll('.jp-Dialog-body *');

  expect(press(nodes[nodes.length - 1]!, 'Enter')).toBe(false);
});

test('the dialog handles Enter on its own buttons', () => {
  expect(press(aDialog('').querySelector('button')!, 'Enter')).toBe(true);
});

test('Escape closes once the text field is empty', () => {
  const input = aDialog('<input>').querySelector('input')!;
  expect(press(input, 'Escape')).toBe(true);

  input.value = 'ana';
  expect(press(input, 'Escape')).toBe(false);
});

test('the dialog leaves keys to an input method that is composing', () => {
  const input = aDialog('<input>').querySelector('input')!;

  expect(press(input, 'Escape', { isComposing: true })).toBe(false);
});

test('the dialog handles Tab and what is not a key', () => {
  const input = aDialog('<input>').querySelector('input')!;

  expect(press(input, 'Tab')).toBe(true);
  new KeyboardDialog().handleEvent(new Event('focus'));
  expect(taken).toHaveLength(2);
});
