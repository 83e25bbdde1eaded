import type { TranslationBundle } from '@jupyterlab/translation';

import type { DoctorFinding, DoctorReport } from '../server/api';

/** Sum up a report in a sentence. */
export function verdict(report: DoctorReport, trans: TranslationBundle): string {
  const count = (severity: DoctorFinding['severity']) =>
    report.findings.filter(finding => finding.severity === severity).length;
  const errors = count('error');
  const warnings = count('warning');
  const found = [
    errors > 0 ? trans._n('%1 error', '%1 errors', errors, errors) : '',
    warnings > 0 ? trans._n('%1 warning', '%1 warnings', warnings, warnings) : ''
  ].filter(Boolean);
  const [first, second] = found;
  if (first === undefined) {
    return trans.__('AWS credentials work in what you start now.');
  }
  return second === undefined
    ? trans.__('What you start now has %1.', first)
    : trans.__('What you start now has %1 and %2.', first, second);
}

/** Say as whom the real call was made, and by which provider of boto3's chain; empty if it failed. */
export function caller(report: DoctorReport, trans: TranslationBundle): string {
  const { call } = report;
  return call?.identity
    ? trans.__('boto3 works as %1 (provider %2).', call.identity.Arn, call.provider ?? '')
    : '';
}

/** Return the findings' heading, by their worst severity. */
export function heading(report: DoctorReport, trans: TranslationBundle): string {
  const severities = report.findings.map(({ severity }) => severity);
  return severities.includes('error')
    ? trans.__('What is wrong, and what to do')
    : severities.includes('warning')
      ? trans.__('Warnings')
      : trans.__('Worth knowing');
}

/** Return a severity's name for people. */
export function severityWord(
  severity: DoctorFinding['severity'],
  trans: TranslationBundle
): string {
  switch (severity) {
    case 'error':
      return trans.__('Error');
    case 'warning':
      return trans.__('Warning');
    default:
      return trans.__('Note');
  }
}

/** List the checks without findings. */
export function checksWithoutFindings(report: DoctorReport): string {
  return report.looked_at
    .filter(({ codes }) => codes.length === 0)
    .map(({ what }) => what)
    .join(', ');
}

/** Write a report as text, for copying. */
export function reportText(report: DoctorReport, trans: TranslationBundle): string {
  const findings = report.findings.map(finding =>
    [
      `${finding.severity.toUpperCase()} ${finding.code} [${finding.sdks.join(', ')}]`,
      `  ${finding.message}`,
      finding.remedy && `  -> ${finding.remedy}`,
      finding.admin_hint && `  ${trans.__('For your administrator: %1', finding.admin_hint)}`
    ]
      .filter(Boolean)
      .join('\n')
  );
  return [
    `${verdict(report, trans)} (${report.checked_at})`,
    caller(report, trans),
    ...findings,
    trans.__('Checked, and nothing found: %1.', checksWithoutFindings(report))
  ]
    .filter(Boolean)
    .join('\n');
}
