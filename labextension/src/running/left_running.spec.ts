import { nullTranslator } from '@jupyterlab/translation';
import type * as React from 'react';

import { aClient, anEndpointSession, FakeRoles } from '../testing';
import { ownerNames } from '../words/left_running';
import { processNames } from '../words/process_names';
import { clockTime } from '../words/state';
import { LeftRunningPrograms } from './left_running';

const trans = nullTranslator.load('any');
const ANALYST = anEndpointSession('analyst', { label: 'Analyst' });
const LEFT = aClient('c1', {
  kind: 'kernel',
  name: 'k1',
  state: 'left_running',
  processes: 2,
  last_request_at: '2026-11-25T10:30:00Z'
});
const NAMES = ownerNames(
  processNames({ running: () => [] }, trans),
  new Map([['k1', 'report.ipynb']]),
  trans
);

function aGroup(...endpointClients: ReturnType<typeof aClient>[]) {
  const model = new FakeRoles({ sessions: [ANALYST], endpointClients });
  const actions = { end: jest.fn(), endAll: jest.fn() };
  return { model, actions, group: new LeftRunningPrograms(model, NAMES, trans, actions) };
}

test('programs left running are listed by what started them, with role, programs and last request', () => {
  const [item, ...others] = aGroup(LEFT, aClient('c2')).group.running();

  expect(others).toEqual([]);
  expect(item!.label()).toBe('report.ipynb');
  expect(item!.detail?.()).toBe(
    ` · Analyst · python (process 4711), 1 more · last request ${clockTime(LEFT.last_request_at!)}`
  );
  expect(item!.labelTitle?.()).toContain('still runs: Analyst, python (process 4711), 1 more');
});

test('an older server only counts the programs', () => {
  const { commands, ...older } = LEFT;
  const [item] = aGroup(older as typeof LEFT).group.running();

  expect(commands).toHaveLength(1);
  expect(item!.detail?.()).toContain(' · 2 processes · ');
});

test('a closed terminal is told from an open one of that name', () => {
  const [item] = aGroup({ ...LEFT, kind: 'terminal', name: '1' }).group.running();

  expect(item!.label()).toBe('Terminal 1 (closed)');
});

test.each([
  ['left nothing running', { processes: 0 }, []],
  ['may have left something running, which the server can’t see', { processes: null }, ['c1']],
  ['may have, but never used AWS', { processes: null, last_request_at: null }, []],
  ['still runs', { state: 'running' as const }, []],
  ['has a role session that has ended', { session_id: 'gone' }, []],
  ['has “No AWS role”', { session_id: null, role_arn: null, label: null }, []]
])('a kernel that %s is listed only if it helps', (_, change, listed) => {
  const { group, actions } = aGroup({ ...LEFT, ...change });

  group.running().forEach(item => item.shutdown?.());

  expect(
    actions.end.mock.calls.map(([{ client }]: [{ client: { id: string } }]) => client.id)
  ).toEqual(listed);
});

test('all of them are ended together, and the question says when they stop', () => {
  const terminal = aClient('c2', { state: 'left_running' });
  const { group, actions } = aGroup(LEFT, terminal);
  const { type: Text } = group.shutdownAllConfirmationText as unknown as React.ReactElement;
  const question = (Text as () => string)();

  group.shutdownAll();

  expect(actions.endAll).toHaveBeenCalledWith([
    { client: LEFT, owner: 'report.ipynb' },
    { client: terminal, owner: 'Terminal 1' }
  ]);
  expect(question).toContain('report.ipynb (Analyst), Terminal 1 (Analyst)');
  expect(question).toContain(
    'With boto3 it can use AWS for about 6 minutes more, otherwise for 16 minutes at most.'
  );
  expect(question).toContain(`work until ${clockTime(ANALYST.credentials_expire_at!)}`);
});

test.each([
  ['kernel', 'k2', 'A kernel'],
  ['terminal', '3', 'Terminal 3'],
  ['terminal', '', 'A terminal'],
  ['app', 'rstudio', 'rstudio'],
  ['exec', 'id-1', 'A command']
] as const)('the %s %s is called %s', (kind, name, called) => {
  expect(NAMES({ kind, name })).toBe(called);
});
