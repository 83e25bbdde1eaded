import { nullTranslator } from '@jupyterlab/translation';
import { Signal, type Slot } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { aDocument } from '../testing';
import { documents } from './documents';

jest.mock('@jupyterlab/apputils', () => ({
  Dialog: jest.fn(),
  Notification: {},
  Clipboard: {},
  SessionContextDialogs: jest.fn()
}));
jest.mock('@jupyterlab/console', () => ({ IConsoleTracker: undefined }));

/** A signal that knows who is connected. */
class CountedSignal<T> extends Signal<unknown, T> {
  readonly connected = new Set<unknown>();

  override connect(slot: Slot<unknown, T>, thisArg?: unknown): boolean {
    this.connected.add(slot);
    return super.connect(slot, thisArg);
  }

  override disconnect(slot: Slot<unknown, T>, thisArg?: unknown): boolean {
    this.connected.delete(slot);
    return super.disconnect(slot, thisArg);
  }
}

/** What the plugin has of JupyterLab's consoles: their tracker and the registry of settings. */
interface IConsoles {
  tracker: unknown;
  settings: unknown;
}

/** The plugin at a model that counts, and the factory of a notebook's item that it has made. */
function aPlugin(consoles: IConsoles | null = null) {
  const changed = new CountedSignal<ISnapshot>({});
  const snapshot: ISnapshot = { ...NOTHING_KNOWN, situation: 'ready', read: 1 };
  const model = { snapshot, changed, reads: 0, read: jest.fn(), now: () => 0, role: () => null };
  const factories = new Map<string, (panel: unknown) => Widget>();
  const toolbars = {
    addFactory: (name: string, _: string, factory: (panel: unknown) => Widget) =>
      factories.set(name, factory)
  };
  const app = {
    serviceManager: { serverSettings: { baseUrl: '/' } },
    restored: Promise.resolve()
  };
  void documents.activate(
    app as never,
    model,
    toolbars,
    null,
    nullTranslator,
    consoles?.tracker ?? null,
    consoles?.settings ?? null
  );
  return { changed, model, item: factories.get('Notebook')! };
}

/** A notebook's panel, as far as its button asks for it. */
function aPanel() {
  const { sessionContext, document } = aDocument();
  const content = {
    getMetadata: () => undefined,
    metadataChanged: new Signal<unknown, unknown>({}),
    readOnly: false
  };
  const context = { model: content, contentsModel: null };
  const title = { label: 'Untitled.ipynb' };
  return { panel: { title, node: document.node, sessionContext, context }, sessionContext };
}

/** A shown button listens to the model twice: to hide itself, and to render. */
const LISTENERS = 2;

/** Wait for React, which renders in its own time; jest's timeout ends the wait. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise(resolve => setTimeout(resolve, 1));
  }
}

test('a closed notebook is no longer followed', async () => {
  const { changed, model, item } = aPlugin();
  const { panel, sessionContext } = aPanel();
  const button = item(panel);
  Widget.attach(button, document.body);
  await until(() => changed.connected.size === LISTENERS);
  expect(model.read).toHaveBeenCalled();

  button.dispose();
  sessionContext.disposed.emit(undefined);
  Signal.clearData(sessionContext); // as JupyterLab's own does then

  await until(() => changed.connected.size === 0);
});

test('a new toolbar of a panel leaves nothing of the old one, and no second document', async () => {
  const { changed, model, item } = aPlugin();
  const { panel, sessionContext } = aPanel();
  const first = item(panel);
  Widget.attach(first, document.body);
  await until(() => changed.connected.size === LISTENERS);
  Widget.detach(first); // and not disposed of
  await until(() => changed.connected.size === 0);

  const second = item(panel);
  Widget.attach(second, document.body);
  await until(() => changed.connected.size === LISTENERS);
  model.read.mockClear();
  sessionContext.kernelChanged.emit(undefined);
  expect(model.read).toHaveBeenCalledTimes(1);
  second.dispose();
});

/** Let promises that are resolved already call back. */
function promisesSettled(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve));
}

/** JupyterLab's consoles, one of which is open, and what is in its toolbar. */
function consolesWith(load: () => Promise<unknown>) {
  const items: string[] = [];
  const aConsole = () => {
    const { panel } = aPanel();
    return { ...panel, toolbar: { addItem: (name: string) => items.push(name) } };
  };
  const open = aConsole();
  const widgetAdded = new Signal<unknown, unknown>({});
  const tracker = { forEach: (add: (panel: unknown) => void) => add(open), widgetAdded };
  return { tracker, settings: { load }, items, add: () => widgetAdded.emit(aConsole()) };
}

test('where consoles have an empty toolbar, present and new ones get the button', async () => {
  const consoles = consolesWith(() => Promise.resolve({ schema: { properties: {} } }));
  aPlugin(consoles);
  await promisesSettled();
  expect(consoles.items).toEqual(['awsRole']);

  consoles.add();

  expect(consoles.items).toEqual(['awsRole', 'awsRole']);
});

test.each([
  ['JupyterLab fills them', () => ({ schema: { 'jupyter.lab.toolbars': { ConsolePanel: [] } } })],
  [
    'there are none',
    () => {
      throw new Error('no such plugin');
    }
  ]
])('where %s, the toolbars of consoles stay as they are', async (_, schema) => {
  // eslint-disable-next-line @typescript-eslint/require-await -- it rejects
  const consoles = consolesWith(async () => schema());
  aPlugin(consoles);
  await promisesSettled();

  consoles.add();

  expect(consoles.items).toEqual([]);
});
