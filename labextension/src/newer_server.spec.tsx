/** A page that is older or newer than its server: what one of them does not know must not break the page. */
import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { Doctor } from './doctor/dialog';
import { DocumentPanel } from './documents/panel';
import { nextNotices, NOTHING_REMEMBERED, withEnding } from './notifications/notices';
import { Picker } from './picker/picker';
import type { DoctorFinding, RoleSession } from './server/api';
import { type ISnapshot, NOTHING_KNOWN } from './server/snapshot';
import { otherWay, stepOf } from './sign_in/attempt';
import { Popover } from './status/popover';
import { statusOf } from './status/words';
import {
  aDocument,
  aFinding,
  anAssignment,
  aReport,
  aRole,
  aSession,
  FakeRoles,
  NO_RECENT_ROLES,
  panelProps
} from './testing';
import { processNames } from './words/process_names';

jest.mock('@jupyterlab/apputils', () => ({ Dialog: jest.fn(), Notification: {}, Clipboard: {} }));

const trans = nullTranslator.load('any');
const NEW = 'of_the_future';

/** What only a newer server says of a role session. */
const SESSION = {
  ...aSession('analyst', { default: true }),
  state: NEW,
  end_reason: NEW,
  delivery: 'endpoint',
  notices: [{ code: NEW, message: 'Something new.' }]
} as unknown as RoleSession;

/** Leave out what only a server with the credential endpoint says. */
function withoutEndpoint<T extends object>(what: T): T {
  const later = ['delivery', 'lease', 'credentials_expire_at'];
  return Object.fromEntries(Object.entries(what).filter(([key]) => !later.includes(key))) as T;
}

const OLDER_SESSION = withoutEndpoint(aSession('analyst', { default: true }));
const OLDER: ISnapshot = {
  ...NOTHING_KNOWN,
  situation: 'ready',
  read: 1,
  roles: [withoutEndpoint(aRole('analyst')), withoutEndpoint(aRole('auditor'))],
  sessions: [OLDER_SESSION],
  choice: { session_id: OLDER_SESSION.id, chosen: true, ended: null },
  assignments: [withoutEndpoint(anAssignment('kernel-1', OLDER_SESSION))]
};

const SNAPSHOT = {
  ...NOTHING_KNOWN,
  situation: 'ready',
  read: 1,
  roles: [{ ...aRole('analyst'), confirmation: 'needed' }],
  sessions: [SESSION],
  choice: { session_id: SESSION.id, chosen: true, ended: null },
  assignments: [
    anAssignment('kernel-1', SESSION),
    { ...anAssignment('job-1', SESSION), kind: NEW, given: NEW, next: { given: NEW } }
  ],
  signIn: { state: NEW, user: null, expires_at: null, flows: [NEW, 'device'], problem: null }
} as unknown as ISnapshot;

/** Return what draws the parts of the page, by name. */
function parts(model: FakeRoles): [string, () => React.JSX.Element][] {
  return [
    [
      'picker',
      () => (
        <Picker
          model={model}
          recent={NO_RECENT_ROLES}
          trans={trans}
          label="Roles"
          selected={undefined}
          selectedLabel="default"
          onPick={() => Promise.resolve()}
        />
      )
    ],
    ['popover', () => <Popover model={model} trans={trans} actions={{} as never} />],
    [
      'panel of a notebook',
      () => (
        <DocumentPanel
          {...panelProps(model)}
          document={aDocument().document}
          close={() => undefined}
        />
      )
    ],
    [
      'doctor',
      () => (
        <Doctor
          trans={trans}
          ask={() =>
            Promise.resolve(
              aReport(aFinding('clock_skew' as DoctorFinding['code'], { severity: NEW as never }))
            )
          }
        />
      )
    ]
  ];
}

async function drawn(part: () => React.JSX.Element): Promise<string> {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const node = document.body.appendChild(document.createElement('div'));
  const root = createRoot(node);
  await React.act(async () => {
    root.render(part());
    await Promise.resolve();
  });
  const text = node.textContent;
  React.act(() => root.unmount());
  return text;
}

test.each(parts(new FakeRoles(SNAPSHOT)))('the %s is drawn', async (_, part) => {
  expect(await drawn(part)).not.toBe('');
});

test.each(parts(new FakeRoles(OLDER)))(
  'on a server from before the credential endpoint, the %s is drawn without a word on it',
  async (_, part) => {
    const text = await drawn(part);

    expect(text).not.toBe('');
    expect(text).not.toMatch(/at once|can be switched|undefined|NaN|Invalid/);
  }
);

test('an unknown state is shown by its name, with what to do', () => {
  const status = statusOf(SNAPSHOT, 0, trans)!;

  expect(status.health).toBe(NEW);
  expect(status.sentence).toContain('Reload it');
});

test('unknown states and reasons cause no notification', () => {
  const words = { trans, kernelName: () => '' };

  const known = nextNotices(withEnding(NOTHING_REMEMBERED, SESSION), SNAPSHOT, 0, words);

  expect(known.notices).toEqual([]);
});

test('an unknown way to sign in is not offered, the known ones are', () => {
  const step = stepOf(SNAPSHOT, null, 0);

  expect(step).toMatchObject({ kind: 'start', flow: 'device' });
  expect(otherWay(SNAPSHOT, step)).toBeNull();
});

test('a process of a new kind is named by its id', () => {
  const nameOf = processNames({ running: () => [] }, trans);

  expect(nameOf({ kind: NEW as never, id: 'job-1' })).toBe('job-1');
});
