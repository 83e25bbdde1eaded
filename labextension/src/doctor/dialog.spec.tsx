import { Clipboard } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { type DoctorReport, Refused } from '../server/api';
import { aFinding, aProblem, aReport } from '../testing';
import { Doctor } from './dialog';

jest.mock('@jupyterlab/apputils', () => ({ Clipboard: { copyToSystem: jest.fn() } }));

const copyToSystem = jest.spyOn(Clipboard, 'copyToSystem');
const trans = nullTranslator.load('any');

beforeAll(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  Object.assign(Element.prototype, { scrollIntoView: jest.fn() });
});

/** Show the doctor, with these answers in turn; returns also what is shown before the first. */
async function shown(...answers: (() => Promise<DoctorReport>)[]) {
  const node = document.createElement('div');
  const root = createRoot(node);
  const ask = jest.fn<Promise<DoctorReport>, []>();
  answers.forEach(answer => ask.mockImplementationOnce(answer));
  React.act(() => root.render(<Doctor ask={ask} trans={trans} />));
  const before = node.textContent;
  await React.act(() => Promise.resolve());
  const press = (label: string) =>
    React.act(() => {
      const buttons = [...node.querySelectorAll('button')];
      buttons.find(button => button.textContent === label)?.click();
      return Promise.resolve();
    });
  return { node, ask, before, press };
}

test('findings are shown with the programs they affect and what to do, and can be copied', async () => {
  const report = aReport(aFinding('profile_static_keys', { sdks: ['JavaScript'] }));
  const { node, before, press } = await shown(() => Promise.resolve(report));

  expect(before).toContain('a test call');
  const item = node.querySelector('li')!;
  expect(item.dataset.severity).toBe('error');
  expect(item.textContent).toContain('profile_static_keys');
  expect(item.textContent).toContain('JavaScript');
  expect(item.textContent).toContain('Run: mend profile_static_keys');

  await press('Copy report');
  expect(copyToSystem).toHaveBeenCalledWith(
    expect.stringContaining('ERROR profile_static_keys [JavaScript]')
  );
  expect(node.textContent).toContain('Copied');
});

test('how a remedy is shown does not depend on its words', async () => {
  const remedies = ['Run: aws logout --all', 'Open a new terminal.', 'Type: unset AWS_PROFILE'];
  const findings = remedies.map(remedy => aFinding('static_keys', { remedy }));
  const { node } = await shown(() => Promise.resolve(aReport(...findings)));

  const drawn = [...node.querySelectorAll('.jp-AwsRoles-doctorRemedy')];
  expect(drawn.map(each => each.textContent)).toEqual(remedies);
});

test('what is only worth knowing is a note below that heading', async () => {
  const note = aFinding('endpoint_set', { severity: 'info' });
  const { node } = await shown(() => Promise.resolve(aReport(note)));

  expect(node.querySelector('h3')?.textContent).toBe('Worth knowing');
  expect(node.querySelector('li strong')?.textContent).toBe('Note');
});

test('it is asked again when the user wants it', async () => {
  const { node, ask, press } = await shown(
    () => Promise.resolve(aReport(aFinding('token_expired'))),
    () => Promise.resolve(aReport())
  );

  await press('Check again');

  expect(ask).toHaveBeenCalledTimes(2);
  expect(node.textContent).toContain('AWS credentials work in what you start now.');
  expect(node.querySelector('li')).toBeNull();
});

test('if it can’t be asked, the dialog says so, and it can be asked again', async () => {
  const { node, press } = await shown(
    () => Promise.reject(new Refused(aProblem('timeout'))),
    () => Promise.resolve(aReport())
  );
  expect(node.querySelector('[role=alert]')?.textContent).toContain('Title of timeout');

  await press('Check again');
  expect(node.querySelector('[role=alert]')).toBeNull();
});
