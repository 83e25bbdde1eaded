import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { Assignment } from '../server/api';
import {
  anAssignment,
  anEndpointSession,
  aRole,
  aSwitch,
  FakeRoles,
  NO_RECENT_ROLES
} from '../testing';
import { TerminalRole } from './terminal';

jest.mock('@jupyterlab/apputils', () => ({ Dialog: jest.fn(), Notification: {}, Clipboard: {} }));

const ANALYST = anEndpointSession('analyst', { label: 'Analyst' });
const AUDITOR = anEndpointSession('auditor', { label: 'Auditor' });

function aDialog(change: Partial<Assignment>) {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const terminal = anAssignment('1', ANALYST, { kind: 'terminal', next: null, ...change });
  const model = new FakeRoles({
    roles: [
      aRole('analyst', { label: 'Analyst', delivery: 'endpoint' }),
      aRole('auditor', { label: 'Auditor', delivery: 'endpoint' }),
      aRole('admin', { label: 'Admin' })
    ],
    sessions: [ANALYST, AUDITOR],
    assignments: [terminal]
  });
  const assigned: unknown[][] = [];
  model.startForKernel = () => Promise.resolve(AUDITOR);
  model.assign = (...choice) => {
    assigned.push(choice);
    return Promise.resolve(aSwitch({ at_restart: ['AWS_REGION'] }));
  };
  const onSwitched = jest.fn();
  const node = document.createElement('div');
  React.act(() =>
    createRoot(node).render(
      <TerminalRole
        model={model}
        recent={NO_RECENT_ROLES}
        trans={nullTranslator.load('any')}
        name="1"
        onSwitched={onSwitched}
        onSignIn={jest.fn()}
      />
    )
  );
  const options = () => [...node.querySelectorAll('[role=option]')];
  return { node, options, assigned, onSwitched };
}

test('a running terminal is switched, and the dialog says what stays', async () => {
  const { node, options, assigned, onSwitched } = aDialog({ delivery: 'endpoint' });
  const line = (label: string) => options().find(each => each.textContent.includes(label));
  expect(line('Analyst')?.textContent).toContain('this terminal');
  expect(line('Admin')?.textContent).toContain('needs a new terminal');

  await React.act(async () => {
    line('Auditor')?.dispatchEvent(new MouseEvent('click', { bubbles: true }));
    await new Promise(resolve => setTimeout(resolve));
  });

  expect(assigned).toEqual([['terminal', '1', AUDITOR.id]]);
  const said = node.querySelector('[role=status]')?.textContent;
  expect(said).toContain('use Auditor from now on');
  expect(said).toContain('The terminal keeps its region (AWS_REGION)');
  expect(onSwitched).toHaveBeenCalledTimes(1);
});

test.each([
  ['whose role is delivered by file', { delivery: 'web_identity' }, 'with a role that it keeps'],
  ['without a role', { running: null, given: 'no_role', delivery: null }, 'without an AWS role, so']
] as const)('a terminal %s offers no list, and says why and what to do', (_, change, why) => {
  const { node, options } = aDialog(change);

  expect(options()).toEqual([]);
  expect(node.textContent).toContain(`This terminal was opened ${why}`);
  expect(node.textContent).toContain('open a new terminal');
});
