import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { RoleSession, Switch } from '../server/api';
import {
  aDocument,
  anAssignment,
  anEndpointSession,
  aRole,
  aSession,
  aSwitch,
  FakeRoles,
  panelProps
} from '../testing';
import { clockTime } from '../words/state';
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
    return Promise.resolve(aSwitch({ applies: 'at_restart' }));
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

const UNTIL = '2026-11-25T10:16:00Z';
const BY_ENDPOINT = anEndpointSession('analyst', { label: 'Analyst' });
const RUNS = anAssignment('kernel-1', BY_ENDPOINT, { delivery: 'endpoint' });

/** The panel of a notebook whose kernel can be switched while it runs. */
function switchable(auditor: RoleSession, effect: Switch) {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const { document } = aDocument();
  const sessions = [BY_ENDPOINT, auditor];
  const model = new FakeRoles({
    roles: [
      aRole('analyst', { label: 'Analyst', delivery: 'endpoint' }),
      aRole('auditor', { label: 'Auditor', delivery: auditor.delivery })
    ],
    sessions,
    assignments: [RUNS]
  });
  model.time = Date.parse(UNTIL) - 15 * 60_000;
  const assigned: unknown[][] = [];
  model.startForKernel = arn => Promise.resolve(sessions.find(each => each.role_arn === arn)!);
  model.assign = (...choice) => {
    assigned.push(choice);
    const session = sessions.find(each => each.id === choice[2]) ?? null;
    const next = { given: session ? 'role' : 'no_role', session_id: session?.id ?? null } as const;
    const after =
      effect.applies === 'now'
        ? anAssignment('kernel-1', session, { delivery: 'endpoint' })
        : { ...RUNS, next };
    model.show({ assignments: [after] });
    return Promise.resolve(effect);
  };
  const close = jest.fn();
  const node = window.document.body.appendChild(window.document.createElement('div'));
  const root = createRoot(node);
  React.act(() =>
    root.render(<DocumentPanel {...panelProps(model)} document={document} close={close} />)
  );
  const pick = async (label: string) => {
    const options = [...node.querySelectorAll('[role=option]')];
    await React.act(async () => {
      options
        .find(each => each.querySelector('.jp-AwsRoles-optionLabel')?.textContent === label)
        ?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
      await new Promise(resolve => setTimeout(resolve));
    });
  };
  const buttons = () => [...node.querySelectorAll('button')].map(each => each.textContent);
  /** Close the panel, and open it again. */
  const opened = () => {
    React.act(() => root.render(<></>));
    React.act(() =>
      root.render(<DocumentPanel {...panelProps(model)} document={document} close={close} />)
    );
    return node;
  };
  const end = () => React.act(() => root.unmount());
  return { node, pick, close, assigned, buttons, opened, end };
}

test('a running kernel is switched at once, and the panel says what uses the new role and when the rest follows', async () => {
  const auditor = anEndpointSession('auditor', { label: 'Auditor' });
  const panel = switchable(auditor, aSwitch({ old_clients_until: UNTIL }));
  expect(panel.node.textContent).toContain('takes effect at once, without a restart');
  expect(panel.node.textContent).not.toContain('needs a restart');

  await panel.pick('Auditor');

  expect(panel.assigned).toEqual([['kernel', 'kernel-1', auditor.id]]);
  expect(panel.node.querySelector('[role=status]')?.textContent).toBe(
    `boto3 uses Auditor from its next call on; other programs that run already follow by ${clockTime(UNTIL)} at the latest.`
  );
  expect(panel.buttons()).toEqual(['Close']);
  expect(window.document.activeElement?.textContent).toBe('Close');
  expect(panel.close).not.toHaveBeenCalled();
  panel.end();
});

test('“No AWS role” takes effect at once, too', async () => {
  const panel = switchable(anEndpointSession('auditor'), aSwitch({ old_clients_until: UNTIL }));

  await panel.pick('No AWS role');

  expect(panel.assigned).toEqual([['kernel', 'kernel-1', null]]);
  expect(panel.node.textContent).toContain('New programs have no AWS role now');
  panel.end();
});

test('a restart is offered for what a switch does not reach, and is not the answer to the next Enter', async () => {
  const auditor = anEndpointSession('auditor', { label: 'Auditor' });
  const panel = switchable(auditor, aSwitch({ at_restart: ['AWS_REGION'] }));

  await panel.pick('Auditor');

  expect(panel.node.textContent).toContain('The kernel keeps its region (AWS_REGION)');
  expect(panel.buttons()).toEqual(['Restart now', 'Later']);
  expect(window.document.activeElement?.textContent).toBe('Later');

  const again = panel.opened();
  expect(again.textContent).toContain('The kernel keeps its region (AWS_REGION)');
  expect(again.textContent).toContain('Restart now');
  panel.end();
});

test('a role that is delivered by file needs a restart, and its line says so', async () => {
  const auditor = aSession('auditor', { label: 'Auditor' });
  const panel = switchable(
    auditor,
    aSwitch({ applies: 'at_restart', at_restart: ['AWS_ROLE_ARN'] })
  );
  expect(panel.node.textContent).toContain('unless its line says that it needs a restart');
  const lines = [...panel.node.querySelectorAll('[role=option]')].map(each => each.textContent);
  expect(lines.filter(line => line.includes('needs a restart'))).toEqual([
    expect.stringContaining('Auditor')
  ]);

  await panel.pick('Auditor');

  expect(panel.node.textContent).not.toContain('New programs');
  expect(panel.buttons()).toEqual(['Restart now', 'Later']);
  expect(window.document.activeElement?.textContent).toBe('Restart now');
  panel.end();
});

test('picking what the kernel has already only closes the panel', async () => {
  const panel = switchable(anEndpointSession('auditor'), aSwitch());

  await panel.pick('Analyst');

  expect(panel.close).toHaveBeenCalled();
  panel.end();
});
