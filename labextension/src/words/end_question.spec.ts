import { nullTranslator } from '@jupyterlab/translation';

import { NOTHING_KNOWN } from '../server/snapshot';
import { aClient, anAssignment, anEndpointSession, aSession } from '../testing';
import { endedText, endQuestion, type IEnded } from './end_question';
import { MAX_MESSAGE } from './notification';
import { clockTime } from './state';

const trans = nullTranslator.load('test');
const ANALYST = aSession('analyst', { default: true });
const AUDITOR = aSession('auditor');
const nameOf = ({ id }: { id: string }) => `number ${id}`;

const SNAPSHOT = {
  ...NOTHING_KNOWN,
  assignments: [
    anAssignment('1', AUDITOR),
    anAssignment('2', ANALYST),
    anAssignment('3', ANALYST),
    anAssignment('4', null)
  ]
};

test('the question about the default role session says that what starts next has no role', () => {
  expect(endQuestion(SNAPSHOT, [ANALYST], nameOf, trans)).toContain('What you start next has no');
  expect(endQuestion(SNAPSHOT, [AUDITOR], nameOf, trans)).not.toContain('start next');
});

test('the question names what uses the role sessions, and what becomes of it', () => {
  expect(endQuestion(SNAPSHOT, [AUDITOR], nameOf, trans)).toContain(
    'number 1 uses it. It keeps working with its current AWS credentials, if it has any'
  );
  const all = endQuestion(SNAPSHOT, [ANALYST, AUDITOR], nameOf, trans);
  expect(all).toContain('In use by number 1, number 2, number 3. These keep working');
  expect(all).toContain('then AWS refuses them');
  expect(endQuestion(NOTHING_KNOWN, [ANALYST], nameOf, trans)).toContain(
    'Nothing uses it at the moment'
  );
});

test('the question about all role sessions names them', () => {
  expect(endQuestion(SNAPSHOT, [ANALYST, AUDITOR], nameOf, trans)).toContain(
    'the role sessions of analyst, auditor.'
  );
});

test('the question about a program’s own role session says so', () => {
  const own = endQuestion(SNAPSHOT, [aSession('own', { shared: false })], nameOf, trans);
  expect(own).toContain('A program that was started with its own role uses it');
  expect(own).not.toContain('Nothing that runs');
  expect(endQuestion(SNAPSHOT, [ANALYST, AUDITOR], nameOf, trans)).not.toContain('A program');
});

test('where credentials come from the endpoint, the question says both times', () => {
  const auditor = anEndpointSession('auditor');
  const words = endQuestion(SNAPSHOT, [auditor], nameOf, trans);

  expect(words).toContain('number 1 uses it, and keeps running.');
  expect(words).toContain(
    'boto3 can use AWS with it for about 6 minutes more, other programs for 16 minutes at most.'
  );
  expect(words).toContain(`work until ${clockTime(auditor.credentials_expire_at!)}`);
  expect(words).not.toContain('within an hour');
});

test('role sessions of both kinds are told apart', () => {
  const words = endQuestion(SNAPSHOT, [ANALYST, anEndpointSession('auditor')], nameOf, trans);

  expect(words).toContain('In use by number 2, number 3. These keep working');
  expect(words).toContain('number 1 uses it, and keeps running.');
});

test('a role session with which only a program left running has asked for credentials is in use', () => {
  const session = anEndpointSession('own', { id: 'id-own' });
  const asked = aClient('c1', { session_id: 'id-own', last_request_at: '2026-11-25T10:00:00Z' });

  for (const [clients, unused] of [
    [[], true],
    [[asked], false]
  ] as const) {
    const words = endQuestion({ ...SNAPSHOT, endpointClients: clients }, [session], nameOf, trans);
    expect(words.includes('Nothing uses it')).toBe(unused);
  }
});

function ended(label: string, ...times: (string | null)[]): IEnded[] {
  return times.map(credentials_expire_at => ({
    session: aSession('any', { label }),
    credentials_expire_at,
    clients_stop_by: null
  }));
}

const STOP = '2026-11-25T10:16:00Z';
const EXPIRY = '2026-11-25T11:00:00Z';

function endedAtEndpoint(clients_stop_by: string | null): IEnded {
  const session = anEndpointSession('auditor', { label: 'Auditor' });
  return { session, credentials_expire_at: EXPIRY, clients_stop_by };
}

test('the end of a role session by the endpoint says both times', () => {
  expect(endedText([endedAtEndpoint(STOP)], trans)).toBe(
    `Ended: Auditor. Programs stop by ${clockTime(STOP)}; copied credentials work until ${clockTime(EXPIRY)}.`
  );
  expect(endedText([endedAtEndpoint(null)], trans)).toContain('No program has AWS credentials');
  const both = [endedAtEndpoint(STOP), ...ended('Analyst', EXPIRY)];
  expect(endedText(both, trans)).toContain(`that they have until ${clockTime(EXPIRY)}`);
});

test('an older server, which says only one time, is understood', () => {
  const { clients_stop_by, ...older } = ended('Analyst', EXPIRY)[0]!;
  const { delivery, lease, credentials_expire_at, ...session } = ANALYST;
  const said = { ...older, session } as unknown as IEnded;

  expect([clients_stop_by, delivery, lease, credentials_expire_at]).not.toContain(EXPIRY);
  expect(endedText([said], trans)).toContain(`until ${clockTime(EXPIRY)}`);
  expect(endQuestion(SNAPSHOT, [said.session], nameOf, trans)).toContain('usually within an hour');
});

test('after several ends, the latest time counts', () => {
  const times = ['2026-11-25T11:00:00Z', null, '2026-11-25T12:00:00.5Z', '2026-11-25T11:30:00Z'];

  const words = endedText(ended('Analyst', ...times), trans);

  expect(words).toContain('Ended: Analyst.');
  expect(words).toContain(`until ${clockTime(times[2]!)}`);
});

test('without issued credentials, none are in use', () => {
  expect(endedText(ended('Analyst', null), trans)).toBe(
    'Ended: Analyst. No program has AWS credentials from it.'
  );
});

test('it fits a notification with long labels too', () => {
  const label = 'A role with a long, long, long, long name';
  const many = ended(label, '2026-11-20T23:59:00Z');
  const both = {
    session: anEndpointSession('any', { label }),
    credentials_expire_at: '2026-11-20T23:59:00Z',
    clients_stop_by: '2026-11-20T22:59:00Z'
  };

  expect(endedText(many, trans).length).toBeLessThanOrEqual(MAX_MESSAGE);
  expect(endedText([both], trans).length).toBeLessThanOrEqual(MAX_MESSAGE);
});
