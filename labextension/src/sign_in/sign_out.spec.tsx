import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { NOTHING_KNOWN } from '../server/snapshot';
import { anEndpointSession, aSession } from '../testing';
import { clockTime } from '../words/state';
import { AfterSignOut, BeforeSignOut } from './sign_out';

const trans = nullTranslator.load('any');
const STOP = '2026-11-25T10:16:00Z';
const EXPIRY = '2026-11-25T11:00:00Z';
const BY_ENDPOINT = anEndpointSession('analyst', { credentials_expire_at: EXPIRY });
const BY_FILE = aSession('auditor');
const ANSWER = { credentials_expire_at: EXPIRY, revoked: true, end_session_url: null };

function text(shown: React.JSX.Element): string {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const node = document.createElement('div');
  React.act(() => createRoot(node).render(shown));
  return node.textContent;
}

test('beforehand, both times are said where all role sessions are by the endpoint', () => {
  const before = (...sessions: (typeof BY_FILE)[]) =>
    text(<BeforeSignOut snapshot={{ ...NOTHING_KNOWN, sessions }} trans={trans} />);

  expect(before(BY_ENDPOINT)).toContain(
    'boto3 can use AWS for about 6 minutes more, other programs for 16 minutes at most.'
  );
  expect(before(BY_ENDPOINT)).toContain(`copied from a program work until ${clockTime(EXPIRY)}`);
  expect(before(BY_ENDPOINT, BY_FILE)).toContain('usually within an hour');
  expect(before(BY_FILE)).toContain('usually within an hour');
});

test.each([
  ['by the endpoint', [BY_ENDPOINT], STOP, [STOP, EXPIRY]],
  ['of both kinds', [BY_ENDPOINT, BY_FILE], STOP, [EXPIRY]],
  ['by file', [BY_FILE], null, [EXPIRY]],
  ['on an older server', [BY_FILE], undefined, [EXPIRY]]
])('afterwards, what still works of role sessions %s is said', (_, sessions, stop, times) => {
  const answer = { ...ANSWER, clients_stop_by: stop } as Parameters<
    typeof AfterSignOut
  >[0]['answer'];

  const said = text(<AfterSignOut answer={answer} sessions={sessions} trans={trans} />);

  const until = [STOP, EXPIRY].filter(time => said.includes(`until ${clockTime(time)}`));
  expect(until).toEqual(times);
});

test('if no client has asked, nothing is in use', () => {
  const said = text(
    <AfterSignOut
      answer={{ ...ANSWER, clients_stop_by: null }}
      sessions={[BY_ENDPOINT]}
      trans={trans}
    />
  );

  expect(said).toContain('no AWS credentials of them are in use');
});
