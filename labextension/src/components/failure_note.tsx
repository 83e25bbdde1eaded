import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IFailure } from '../words/failure';

/** What went wrong, why, what to do next, and what to hand to an administrator. */
export function FailureNote(props: {
  failure: IFailure;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { failure, trans } = props;
  const ref = React.useRef<HTMLDivElement>(null);
  const { title, detail } = failure;
  const show = () => {
    // Not returned: newer browsers return a promise, which React would call as a cleanup function.
    ref.current?.scrollIntoView({ block: 'nearest' });
  };
  React.useEffect(show, [title, detail]);
  return (
    <div ref={ref} className="jp-AwsRoles-failure" role="alert">
      <p className="jp-AwsRoles-failureTitle">{failure.title}</p>
      {failure.detail !== '' && <p>{failure.detail}</p>}
      {failure.hint !== '' && <p>{failure.hint}</p>}
      {failure.requestUrl !== null && (
        <p>
          <a href={failure.requestUrl} target="_blank" rel="noopener noreferrer">
            {trans.__('Ask for this role')}
          </a>
        </p>
      )}
      {failure.forAdministrator !== '' && (
        <>
          <details onToggle={show}>
            <summary>{trans.__('Details for your administrator')}</summary>
            {/* It scrolls, so the keyboard must reach it. */}
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
            <pre tabIndex={0}>{failure.forAdministrator}</pre>
          </details>
          <CopyButton
            text={failure.forAdministrator}
            label={trans.__('Copy details for your administrator')}
            trans={trans}
          />
        </>
      )}
    </div>
  );
}

/** For how many milliseconds "Copied" is shown. */
const COPIED_SHOWN = 2_000;

/** A button that copies a text and confirms it. */
export function CopyButton(props: {
  text: string;
  label: string;
  trans: TranslationBundle;
}): React.JSX.Element {
  const [copied, setCopied] = React.useState(0);
  React.useEffect(() => {
    if (copied === 0) {
      return;
    }
    const timer = window.setTimeout(() => setCopied(0), COPIED_SHOWN);
    return () => window.clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      className="jp-AwsRoles-button jp-mod-styled jp-mod-minimal"
      onClick={() => {
        Clipboard.copyToSystem(props.text);
        setCopied(copied + 1);
      }}
    >
      {copied > 0 ? props.trans.__('Copied') : props.label}
    </button>
  );
}
