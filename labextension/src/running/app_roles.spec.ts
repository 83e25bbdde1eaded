import { nullTranslator } from '@jupyterlab/translation';

import type { Assignment, RoleSession } from '../server/api';
import { type ISnapshot, NOTHING_KNOWN } from '../server/snapshot';
import { anAssignment, aSession, FakeRoles } from '../testing';
import { relaunchQuestion, runningApps } from './app_roles';
import { RunningApps } from './apps';

jest.mock('../components/icons', () => ({ roleIcon: {} }));

const trans = nullTranslator.load('');
const ANALYST = aSession('analyst', { label: 'Analyst' });
const AUDITOR = aSession('auditor', { label: 'Auditor' });

function app(
  has: RoleSession | null,
  next: RoleSession | null,
  change: Partial<Assignment> = {}
): Assignment {
  return anAssignment('vscode', has, {
    kind: 'app',
    next: { given: next === null ? 'no_role' : 'role', session_id: next?.id ?? null },
    renewed_by: 'relaunch',
    ...change
  });
}

function snapshotOf(assignments: Assignment[], sessions = [ANALYST, AUDITOR]): ISnapshot {
  return { ...NOTHING_KNOWN, situation: 'ready', sessions, assignments };
}

function only(assignment: Assignment, sessions = [ANALYST, AUDITOR]) {
  const [found] = runningApps(snapshotOf([assignment], sessions), trans);
  return { relaunch: found?.relaunch, words: found?.words };
}

describe('the proxied apps that run', () => {
  it('are those of the server, by name, and neither kernels nor terminals', () => {
    const snapshot = snapshotOf([
      { ...app(ANALYST, ANALYST), id: 'vscode' },
      anAssignment('kernel-1', ANALYST),
      { ...app(null, null), kind: 'terminal', id: '1' },
      { ...app(ANALYST, ANALYST), id: 'shiny' }
    ]);

    expect(runningApps(snapshot, trans).map(({ id }) => id)).toEqual(['shiny', 'vscode']);
  });

  it('have the names that the launcher shows', () => {
    const snapshot = { ...snapshotOf([app(ANALYST, AUDITOR)]), appTitles: { vscode: 'VS Code' } };

    expect(runningApps(snapshot, trans)).toMatchObject([
      { id: 'vscode', title: 'VS Code', short: 'Analyst → Auditor' }
    ]);
  });

  it.each([
    ['has what is the default', app(ANALYST, ANALYST), false, 'Analyst'],
    ['has another role', app(ANALYST, AUDITOR), true, 'Analyst - relaunch to use Auditor'],
    ['is to have none', app(ANALYST, null), true, 'Analyst - relaunch to use no AWS role'],
    ['is to have one', app(null, ANALYST), true, 'No AWS role - relaunch to use Analyst'],
    ['has none, and is to have none', app(null, null), false, 'No AWS role'],
    [
      'was launched before any choice',
      app(null, null, { given: 'untouched' }),
      true,
      'No role yet - relaunch to use no AWS role'
    ]
  ])('need a relaunch or not: one that %s', (_, assignment, relaunch, words) => {
    expect(only(assignment)).toEqual({ relaunch, words });
  });

  it('need no relaunch if nothing was ever chosen', () => {
    const untouched = app(null, null, {
      given: 'untouched',
      next: { given: 'untouched', session_id: null }
    });

    expect(only(untouched)).toEqual({ relaunch: false, words: 'No role yet' });
  });

  it('whose role session has ended are relaunched only for another role', () => {
    expect(only(app(ANALYST, null), [])).toEqual({ relaunch: false, words: 'Analyst (ended)' });
    expect(only(app(ANALYST, AUDITOR), [AUDITOR])).toEqual({
      relaunch: true,
      words: 'Analyst (ended) - relaunch to use Auditor'
    });
  });

  it('are never relaunched where a new R session is enough', () => {
    expect(only(app(ANALYST, AUDITOR, { renewed_by: 'r_session' }))).toEqual({
      relaunch: false,
      words: 'an R session that starts now uses Auditor'
    });
  });
});

describe('the question before a relaunch', () => {
  it('says what is lost, and what the app has then', () => {
    const apps = runningApps(snapshotOf([app(ANALYST, AUDITOR)]), trans);

    expect(relaunchQuestion(apps, trans)).toContain('what is not saved there is lost');
    expect(relaunchQuestion(apps, trans)).toContain('launch it as Auditor');
  });
});

describe('the panel of what is running', () => {
  function panelOf(assignments: Assignment[]) {
    const actions = { relaunch: jest.fn(), relaunchAll: jest.fn() };
    const model = new FakeRoles(snapshotOf(assignments));
    return { panel: new RunningApps(model, trans, actions), actions };
  }

  it('offers a relaunch where there is something to change, and only there', () => {
    const { panel, actions } = panelOf([
      app(ANALYST, AUDITOR),
      { ...app(AUDITOR, AUDITOR), id: 'shiny' }
    ]);
    const [shiny, vscode] = panel.running();

    expect(shiny?.shutdown).toBeUndefined();
    vscode?.shutdown?.();
    expect(actions.relaunch).toHaveBeenCalledWith(expect.objectContaining({ id: 'vscode' }));

    panel.shutdownAll();
    const [[all]] = actions.relaunchAll.mock.calls as [[{ id: string }[]]];
    expect(all.map(({ id }) => id)).toEqual(['vscode']);
  });
});
