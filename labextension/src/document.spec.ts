import { ServerConnection } from '@jupyterlab/services';

import { Unreachable } from './api';
import { restartKernel } from './document';
import { aDocument } from './testing';

test('why a kernel did not restart is told as the server said it', async () => {
  const { document, kernel } = aDocument();
  kernel.restart.mockRejectedValue(new Error('Kernel does not exist: 42'));

  await expect(restartKernel(document)).rejects.toThrow('Kernel does not exist: 42');
});

test('a kernel that did not restart since the server does not answer is told as that', async () => {
  const { document, kernel } = aDocument();
  kernel.restart.mockRejectedValue(new ServerConnection.NetworkError(new TypeError('Failed')));

  await expect(restartKernel(document)).rejects.toBeInstanceOf(Unreachable);
});

test('a kernel that restarts is not restarted once more', async () => {
  const { document, kernel } = aDocument();
  kernel.status = 'restarting';

  await restartKernel(document);

  expect(kernel.restart).not.toHaveBeenCalled();
});
