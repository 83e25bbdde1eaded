import { Clipboard } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IFailure } from '../failure';

/** What went wrong, why, what to do next, and what to hand to an administrator. */
export function FailureNote(props: {
  failure: IFailure;
  trans: TranslationBundle;
}): React.JSX.Element {
  const { failure, trans } = props;
  const ref = React.useRef<HTMLDivElement>(null);
  const { title, detail } = failure;
  React.useEffect(() => {
    // Not returned: it is a promise in newer browsers, and React would call it in the end.
    ref.current?.scrollIntoView({ block: 'nearest' });
  }, [title, detail]);
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
          <details>
            <summary>{trans.__('Details for your administrator')}</summary>
            {/* It scrolls, and so the keyboard must get there. */}
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

/** A button that copies a text, and says that it did. */
export function CopyButton(props: {
  text: string;
  label: string;
  trans: TranslationBundle;
}): React.JSX.Element {
  const [copied, setCopied] = React.useState(false);
  return (
    <button
      type="button"
      className="jp-AwsRoles-button jp-mod-styled jp-mod-minimal"
      onClick={() => {
        Clipboard.copyToSystem(props.text);
        setCopied(true);
      }}
    >
      {copied ? props.trans.__('Copied') : props.label}
    </button>
  );
}
