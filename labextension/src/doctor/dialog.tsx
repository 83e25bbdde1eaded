import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { CopyButton, FailureNote } from '../components/failure_note';
import type { DoctorFinding, DoctorReport } from '../server/api';
import { failureOf, type IFailure } from '../words/failure';
import {
  caller,
  checksWithoutFindings,
  heading,
  reportText,
  severityWord,
  verdict
} from './report';

/** Runs the doctor and shows its findings, the worst first, each with a remedy. */
export function Doctor(props: {
  ask: () => Promise<DoctorReport>;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { ask, trans } = props;
  const [report, setReport] = React.useState<DoctorReport | null>(null);
  const [failure, setFailure] = React.useState<IFailure | null>(null);
  const [asked, setAsked] = React.useState(1);
  React.useEffect(() => {
    let wanted = true;
    setReport(null);
    setFailure(null);
    ask().then(
      answer => wanted && setReport(answer),
      (error: unknown) => wanted && setFailure(failureOf(error, trans))
    );
    return () => {
      wanted = false;
    };
    // Asked when it opens and when the user wants it; `ask` is a new function at each rendering.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [asked]);

  const busy = report === null && failure === null;
  return (
    <div className="jp-AwsRoles-doctor">
      <p role="status">
        {busy && trans.__('Checking, with a test call to AWS…')}
        {report !== null && verdict(report, trans)}
      </p>
      {failure !== null && <FailureNote failure={failure} trans={trans} />}
      {report !== null && <Found report={report} trans={trans} />}
      <div className="jp-AwsRoles-buttons">
        <button
          type="button"
          className="jp-AwsRoles-button jp-mod-styled jp-mod-reject"
          // Not `disabled`, which would lose the focus.
          aria-disabled={busy}
          onClick={() => !busy && setAsked(asked + 1)}
        >
          {trans.__('Check again')}
        </button>
        {report !== null && (
          <CopyButton
            key={report.checked_at}
            text={reportText(report, trans)}
            label={trans.__('Copy report')}
            trans={trans}
          />
        )}
      </div>
    </div>
  );
}

function Found(props: { report: DoctorReport; trans: TranslationBundle }): React.JSX.Element {
  const { report, trans } = props;
  const who = caller(report, trans);
  return (
    <>
      {who !== '' && <p>{who}</p>}
      {report.findings.length > 0 && <h3>{heading(report, trans)}</h3>}
      {report.findings.length > 0 && (
        // It scrolls, so the keyboard must reach it.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <ul tabIndex={0} aria-label={heading(report, trans)}>
          {report.findings.map((finding, index) => (
            <Finding key={`${finding.code}-${index}`} finding={finding} trans={trans} />
          ))}
        </ul>
      )}
      <p className="jp-AwsRoles-doctorFine">
        {trans.__('Checked, and nothing found: %1.', checksWithoutFindings(report))}
      </p>
      <p className="jp-AwsRoles-doctorFine">
        {trans.__('To check from a running notebook or terminal:')}{' '}
        <code>jupyter wb-aws doctor</code>
      </p>
    </>
  );
}

function Finding(props: { finding: DoctorFinding; trans: TranslationBundle }): React.JSX.Element {
  const { finding, trans } = props;
  return (
    <li data-severity={finding.severity}>
      <strong>{severityWord(finding.severity, trans)}</strong> <code>{finding.code}</code>
      {finding.sdks.length > 0 && (
        <span className="jp-AwsRoles-doctorSdks"> {finding.sdks.join(', ')}</span>
      )}
      <p>{finding.message}</p>
      {finding.remedy !== '' && <p className="jp-AwsRoles-doctorRemedy">{finding.remedy}</p>}
      {finding.admin_hint !== null && (
        <p>{trans.__('For your administrator: %1', finding.admin_hint)}</p>
      )}
    </li>
  );
}
