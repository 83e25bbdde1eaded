import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { aDocument, FakeRoles } from '../testing';
import { followKernel, isSettled, restartKernel } from './document';

test('a kernel restarts as its document does it, and is connected again', async () => {
  const { document, kernel, sessionContext } = aDocument();
  sessionContext.restartKernel.mockImplementation(() => {
    kernel.connectionStatusChanged.emit('connecting');
    kernel.connectionStatusChanged.emit('connected');
    return Promise.resolve();
  });

  expect(await restartKernel(document)).toBe(true);
});

test('a kernel that the server did not restart is recognized', async () => {
  const { document } = aDocument();

  expect(await restartKernel(document)).toBe(false);
});

test('a kernel that is restarting is not restarted again', async () => {
  const { document, kernel, sessionContext } = aDocument();
  kernel.status = 'restarting';

  await restartKernel(document);

  expect(sessionContext.restartKernel).not.toHaveBeenCalled();
});

/** A model of which three reads have begun. */
function aModel() {
  const model = new FakeRoles();
  model.reads = 3;
  return { model, read: model.read };
}

function snapshotOf(read: number): ISnapshot {
  return { ...NOTHING_KNOWN, situation: 'ready', read };
}

test('an unknown kernel counts only if the server was asked after the document got it', () => {
  const { document, sessionContext } = aDocument();
  const { model, read } = aModel();
  sessionContext.session.kernel = null;
  followKernel(document, model);
  expect(read).not.toHaveBeenCalled();

  sessionContext.session.kernel = aDocument().kernel;
  sessionContext.kernelChanged.emit(undefined);

  expect(read).toHaveBeenCalledTimes(1);
  expect(isSettled(document, snapshotOf(3))).toBe(false); // under way when the kernel came
  expect(isSettled(document, snapshotOf(4))).toBe(true);
});

test('the server is asked about a kernel that the document already has', () => {
  const { model, read } = aModel();

  followKernel(aDocument().document, model);

  expect(read).toHaveBeenCalledTimes(1);
});

test('the server is asked about a kernel that has restarted, which has nothing from before', () => {
  const { document, sessionContext } = aDocument();
  const { model, read } = aModel();
  followKernel(document, model);
  read.mockClear();
  document.staying = ['AWS_REGION'];

  for (const status of ['busy', 'idle', 'restarting', 'idle', 'busy']) {
    sessionContext.statusChanged.emit(status);
  }

  expect(read).toHaveBeenCalledTimes(1);
  expect(document.staying).toEqual([]);
});
