import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { aDocument, anAssignment, aRole, aSession, FakeRoles, panelProps } from '../testing';
import { DocumentPanel } from './panel';

jest.mock('@jupyterlab/apputils', () => ({ Dialog: jest.fn(), Notification: {}, Clipboard: {} }));

const ANALYST = aSession('analyst', { label: 'Analyst' });

test.each([
  ['says that it has it already', 'ready', 1],
  ['has gone meanwhile', 'unreachable', 0]
] as const)('if the server %s (%s), the panel closes %i times', async (_, situation, times) => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const { document } = aDocument();
  const model = new FakeRoles({
    roles: [aRole('analyst', { label: 'Analyst' })],
    sessions: [ANALYST],
    assignments: [anAssignment('kernel-1', ANALYST)]
  });
  model.startForKernel = () => Promise.resolve(ANALYST);
  model.assign = () => {
    model.show({ situation });
    return Promise.resolve();
  };
  const close = jest.fn();
  const node = window.document.body.appendChild(window.document.createElement('div'));
  const root = createRoot(node);
  React.act(() =>
    root.render(<DocumentPanel {...panelProps(model)} document={document} close={close} />)
  );
  const option = [...node.querySelectorAll('[role=option]')].find(each =>
    each.textContent.includes('Analyst')
  );

  await React.act(async () => {
    option?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
    await new Promise(resolve => setTimeout(resolve));
  });

  expect(close).toHaveBeenCalledTimes(times);
  React.act(() => root.unmount());
});
