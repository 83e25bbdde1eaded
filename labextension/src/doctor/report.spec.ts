import { nullTranslator } from '@jupyterlab/translation';

import { aFinding, aReport } from '../testing';
import { caller, checksWithoutFindings, heading, reportText, verdict } from './report';

const trans = nullTranslator.load('any');
const INFO = aFinding('endpoint_set', { severity: 'info', sdks: [], remedy: '' });

test('the verdict counts errors and warnings, not what is worth knowing', () => {
  expect(verdict(aReport(INFO), trans)).toBe('AWS credentials work in what you start now.');
  const worse = aReport(
    aFinding('static_keys'),
    aFinding('token_expired'),
    aFinding('clock_off', { severity: 'warning' }),
    INFO
  );
  expect(verdict(worse, trans)).toBe('What you start now has 2 errors and 1 warning.');
});

test('the heading names the worst severity', () => {
  const warning = aFinding('clock_off', { severity: 'warning' });
  expect(heading(aReport(INFO), trans)).toBe('Worth knowing');
  expect(heading(aReport(warning, INFO), trans)).toBe('Warnings');
  expect(heading(aReport(warning, aFinding('static_keys')), trans)).toContain('wrong');
});

test('the caller is named with the provider, and not if the call failed', () => {
  const report = aReport();
  expect(caller(report, trans)).toContain('assumed-role/analyst/alice-1');
  expect(caller(report, trans)).toContain('assume-role-with-web-identity');
  const failed = { ...report.call!, outcome: 'failed' as const, identity: null };
  expect(caller({ ...report, call: failed }, trans)).toBe('');
  expect(caller({ ...report, call: null }, trans)).toBe('');
});

test('a copied report has each code, the programs it affects, and what to do', () => {
  const report = aReport(aFinding('static_keys', { admin_hint: 'Their keys.' }), INFO);
  expect(reportText(report, trans).split('\n')).toEqual([
    'What you start now has 1 error. (2026-11-25T12:00:00Z)',
    expect.stringContaining('boto3 works as '),
    'ERROR static_keys [boto3, aws]',
    '  Message of static_keys.',
    '  -> Run: mend static_keys',
    '  For your administrator: Their keys.',
    'INFO endpoint_set []',
    '  Message of endpoint_set.',
    'Checked, and nothing found: proxies.'
  ]);
  expect(checksWithoutFindings(report)).toBe('proxies');
});
