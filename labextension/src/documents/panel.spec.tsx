import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { type IView, NOTHING_KNOWN } from '../server/model';
import { aDocument, anAssignment, aRole, aSession } from '../testing';
import { DocumentPanel } from './panel';

jest.mock('@jupyterlab/apputils', () => ({ Dialog: jest.fn(), Notification: {}, Clipboard: {} }));

const ANALYST = aSession('analyst', { label: 'Analyst' });

test.each([
  ['says that it has it already', 'ready', 1],
  ['has gone meanwhile', 'unreachable', 0]
] as const)('where the server %s (%s), the panel closes %i times', async (_, situation, times) => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const { document } = aDocument();
  const changed = new Signal<unknown, IView>({});
  const model = {
    view: {
      ...NOTHING_KNOWN,
      situation: 'ready',
      read: 1,
      roles: [aRole('analyst', { label: 'Analyst' })],
      sessions: [ANALYST],
      assignments: [anAssignment('kernel-1', ANALYST)]
    } as IView,
    changed,
    now: () => 0,
    sessionOf: () => ANALYST,
    startApart: () => Promise.resolve(ANALYST),
    assign: () => {
      model.view = { ...model.view, situation };
      changed.emit(model.view);
      return Promise.resolve();
    }
  };
  const close = jest.fn();
  const node = window.document.body.appendChild(window.document.createElement('div'));
  const props = {
    document,
    close,
    model,
    open: new Set(),
    recent: { arns: [], add: () => undefined },
    trans: nullTranslator.load('any')
  } as unknown as React.ComponentProps<typeof DocumentPanel>;
  const root = createRoot(node);
  React.act(() => root.render(<DocumentPanel {...props} />));
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
