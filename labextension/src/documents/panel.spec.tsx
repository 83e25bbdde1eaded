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

const AUDITOR = aSession('auditor', { label: 'Auditor' });
const ANALYST_RUNS = anAssignment('kernel-1', ANALYST);
const ENDED = {
  ...ANALYST_RUNS,
  chosen: { session_id: ANALYST.id, how: 'by_user' },
  next: { given: 'no_role', session_id: null }
} as const;

test.each([
  ['has a role', ANALYST_RUNS, [AUDITOR, ANALYST], ['Analyst: this notebook']],
  [
    'gets another one at its restart',
    { ...ANALYST_RUNS, next: { given: 'role', session_id: AUDITOR.id } } as const,
    [AUDITOR, ANALYST],
    ['Analyst: now', 'Auditor: after restart']
  ],
  [
    'gets its first one at its restart',
    { ...anAssignment('kernel-1', null), next: { given: 'role', session_id: AUDITOR.id } } as const,
    [AUDITOR],
    ['No AWS role: now', 'Auditor: after restart']
  ],
  ['has a role whose role session has ended', ENDED, [], []]
])('the list of a kernel that %s says so', (_, assignment, sessions, expected) => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const model = new FakeRoles({
    roles: [aRole('analyst', { label: 'Analyst' }), aRole('auditor', { label: 'Auditor' })],
    sessions,
    assignments: [assignment]
  });
  const node = window.document.body.appendChild(window.document.createElement('div'));
  const root = createRoot(node);
  const { document } = aDocument();
  React.act(() =>
    root.render(<DocumentPanel {...panelProps(model)} document={document} close={jest.fn()} />)
  );

  const marked = [...node.querySelectorAll('[role=option]')].flatMap(option => {
    const tag = option.querySelector('.jp-AwsRoles-tag')?.textContent;
    const label = option.querySelector('.jp-AwsRoles-optionLabel')?.textContent;
    return tag && tag !== 'role session running' ? [`${label}: ${tag}`] : [];
  });
  expect(marked).toEqual(expected);
  React.act(() => root.unmount());
});
