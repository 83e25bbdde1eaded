import { Clipboard, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { FailureNote } from '../components/failure_note';
import { useSnapshot } from '../components/hooks';
import { isOfferedNone, type ISnapshot } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { noneOfferedText } from '../words/default_role';
import { isMixed } from '../words/delivery';
import { failureOf, type IFailure, failureOfProblem, requestAddress } from '../words/failure';
import { fittingLines } from '../words/notification';
import { situationText } from '../words/situation';
import { indexRoles } from './filter';
import { optionLabel, OptionRow } from './option_row';
import { type AtOnce, type PickerOption, pickerOptions } from './options';
import type { IRecentRoles } from './recent_roles';
import { MAX_ROWS, ROW_EM, useVisibleRows } from './visible_rows';

const { useEffect, useId, useMemo, useRef, useState } = React;

export interface IPickerProps {
  model: IAwsRoles;
  recent: IRecentRoles;
  trans: TranslationBundle;
  /** The accessible name. */
  label: string;
  /** The selected role's ARN; null for "no AWS role", undefined if nothing was ever chosen. */
  selected: string | null | undefined;
  /** What the selected role is: the default role, or that of a notebook. */
  selectedLabel: string;
  /** The ARN of the role that is in use until the selected one takes its place (null: "no AWS role"). */
  current?: string | null;
  /** Called with the ARN that the user picked (null: "no AWS role"). What it throws is shown in place. */
  onPick: (roleArn: string | null) => Promise<unknown>;
  /** Called when the user wants to sign in. */
  onSignIn?: () => void;
  autoFocus?: boolean;
  atOnce?: AtOnce;
  /** The ARN of a role to list first. */
  first?: string | null;
  /** Why it is first. */
  firstNote?: string;
}

/** A list of the user's roles with a box to filter it, to pick one. */
export function Picker(props: IPickerProps): React.JSX.Element {
  const { model, trans } = props;
  const snapshot = useSnapshot(model);
  if (snapshot.rolesProblem !== null || snapshot.situation !== 'ready') {
    const known = snapshot.situation === 'ready' || snapshot.situation === 'unreachable';
    return snapshot.rolesProblem !== null && known ? (
      <NoRoles snapshot={snapshot} trans={trans} onSignIn={props.onSignIn} />
    ) : snapshot.situation === 'unreachable' && snapshot.roles.length > 0 ? (
      <RoleList {...props} snapshot={snapshot} disabled />
    ) : (
      <p className="jp-AwsRoles-quiet">{situationText(snapshot, trans)}</p>
    );
  }
  return <RoleList {...props} snapshot={snapshot} disabled={false} />;
}

function NoRoles(props: {
  snapshot: ISnapshot;
  trans: TranslationBundle;
  onSignIn: (() => void) | undefined;
}): React.JSX.Element {
  const { snapshot, trans, onSignIn } = props;
  const problem = snapshot.rolesProblem!;
  if (problem.code !== 'sign_in_required') {
    return <FailureNote failure={failureOfProblem(problem, trans)} trans={trans} />;
  }
  return (
    <div className="jp-AwsRoles-quiet">
      <p>{trans.__('Sign in to see the AWS roles that you may use.')}</p>
      {onSignIn && snapshot.signIn?.state !== 'not_needed' && (
        <button
          type="button"
          className="jp-AwsRoles-button jp-mod-styled jp-mod-accept"
          onClick={onSignIn}
        >
          {trans.__('Sign in…')}
        </button>
      )}
    </div>
  );
}

function RoleList(
  props: IPickerProps & { snapshot: ISnapshot; disabled: boolean }
): React.JSX.Element {
  const { model, recent, trans, snapshot, disabled, selected } = props;
  const id = useId();
  const [query, setQuery] = useState('');
  // By its ARN, since the list may have changed at the next key.
  const [marked, setMarked] = useState<string | null | undefined>(undefined);
  const [failure, setFailure] = useState<IFailure | null>(null);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState('');

  const none = trans.__('No AWS role');
  // As they were when the list opened: the list must not move under the user's eyes.
  const [recentArns] = useState(() => recent.arns);
  const index = useMemo(() => indexRoles(snapshot.roles, recentArns), [snapshot.roles, recentArns]);
  const options = useMemo(
    () => pickerOptions(index, query, none, props.first),
    [index, query, none, props.first]
  );
  const mixed = useMemo(() => isMixed(snapshot.roles), [snapshot.roles]);

  const at = marked === undefined ? -1 : options.findIndex(option => option.arn === marked);
  // If the marked role has left the list, nothing is active: Enter must not start another one.
  const active = marked === undefined && query.trim() !== '' ? 0 : at;
  const selectedAt = query === '' ? options.findIndex(option => option.arn === selected) : -1;
  const list = useVisibleRows(active, selectedAt);
  const isShown = useIsShown();

  const found = options.filter(option => option.kind === 'role').length;

  // A message stays until the user goes on or something else is selected elsewhere.
  const own = useRef<string | null | undefined>(undefined);
  const forget = () => {
    setSaid('');
    setFailure(null);
  };
  useEffect(() => {
    if (!busy && selected !== own.current) {
      own.current = undefined;
      forget();
    }
    // Not for each `busy`: the message at the end of a pick stays.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [selected]);

  const search = (text: string) => {
    setQuery(text);
    setMarked(undefined);
    if (!busy) {
      forget();
    }
    list.toTop();
  };

  const pick = async (option: PickerOption) => {
    if (busy || disabled) {
      return;
    }
    own.current = option.arn;
    setFailure(null);
    setBusy(true);
    setSaid(option.kind === 'none' ? '' : trans.__('Starting %1…', optionLabel(option, none)));
    try {
      await props.onPick(option.arn);
      if (option.arn !== null) {
        recent.add(option.arn);
      }
      setQuery('');
      setMarked(undefined);
      setSaid(
        option.kind === 'none'
          ? trans.__('“%1” is selected.', none)
          : trans.__('%1 is ready.', optionLabel(option, none))
      );
    } catch (error) {
      const failed = failureOf(error, trans);
      const ask = option.kind === 'role' ? requestAddress(option.role.request_url) : null;
      const shown = {
        ...failed,
        requestUrl: failed.requestUrl ?? (failed.code === 'trust_refused' ? ask : null)
      };
      if (!isShown()) {
        notifyFailure(shown, trans);
        return;
      }
      own.current = undefined;
      setSaid('');
      setFailure(shown);
    } finally {
      setBusy(false);
    }
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.nativeEvent.isComposing) {
      return; // Enter accepts an input method's suggestion then.
    }
    const move = moves[event.key];
    const option = options[active];
    if (move) {
      setMarked(options[move(active, options.length, list.page())]?.arn);
    } else if (event.key === 'Enter' && option) {
      void pick(option);
    } else if (event.key === 'Escape' && query !== '') {
      search('');
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div className="jp-AwsRoles-picker" data-busy={busy}>
      <div className="jp-AwsRoles-filterRow">
        <input
          type="search"
          role="combobox"
          className="jp-AwsRoles-filter jp-mod-styled"
          aria-label={props.label}
          aria-describedby={`${id}-count`}
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={
            options[active] && list.isDrawn(active) ? `${id}-${active}` : undefined
          }
          placeholder={trans.__('Type a name or an account')}
          autoComplete="off"
          spellCheck={false}
          // eslint-disable-next-line jsx-a11y/no-autofocus -- only where the user has just opened it
          autoFocus={props.autoFocus}
          disabled={disabled}
          value={query}
          onChange={event => search(event.target.value)}
          onKeyDown={onKeyDown}
        />
        <span id={`${id}-count`} className="jp-AwsRoles-count">
          {matchesText(query, found, snapshot.roles.length, trans)}
        </span>
      </div>
      {/* The filter box keeps the focus and moves through the list: ARIA's combobox pattern. */}
      <div
        ref={list.ref}
        id={`${id}-list`}
        role="listbox"
        tabIndex={-1}
        className="jp-AwsRoles-list"
        aria-label={trans.__('AWS roles')}
        aria-disabled={disabled}
        style={{ height: `calc(${Math.min(options.length, MAX_ROWS) * ROW_EM}em)` }}
        onScroll={list.onScroll}
      >
        <div role="presentation" style={{ height: `${options.length * ROW_EM}em` }}>
          {options.slice(list.from, list.to).map((option, offset) => {
            const at = list.from + offset;
            return (
              <OptionRow
                key={option.arn ?? ''}
                id={`${id}-${at}`}
                at={at}
                count={options.length}
                active={at === active}
                option={option}
                selected={option.arn === selected}
                selectedLabel={props.selectedLabel}
                current={option.arn === props.current}
                atOnce={props.atOnce}
                mixed={mixed}
                note={
                  option.arn !== null && option.arn === props.first ? props.firstNote : undefined
                }
                model={model}
                snapshot={snapshot}
                trans={trans}
                none={none}
                onPick={option => void pick(option)}
              />
            );
          })}
        </div>
      </div>
      {options.length === 0 && (
        <p className="jp-AwsRoles-quiet">
          {trans.__(
            'None of your roles matches “%1”. To ask for another role, paste its ARN (its full name in AWS: arn:aws:iam::…).',
            query.trim()
          )}
        </p>
      )}
      {isOfferedNone(snapshot) && query === '' && (
        <p className="jp-AwsRoles-quiet">{noneOfferedText(trans)}</p>
      )}
      {disabled && <p className="jp-AwsRoles-quiet">{situationText(snapshot, trans)}</p>}
      {/* For screen readers; the count is visible beside the box. */}
      <p className={said === '' ? 'jp-AwsRoles-spoken' : 'jp-AwsRoles-said'} role="status">
        {said || (query.trim() === '' ? '' : trans._n('%1 role', '%1 roles', found, found))}
      </p>
      {failure !== null && <FailureNote failure={failure} trans={trans} />}
    </div>
  );
}

/** Say how many roles there are, and how many of them match the query. */
function matchesText(query: string, found: number, all: number, trans: TranslationBundle): string {
  if (all === 0) {
    return '';
  }
  const roles = trans._n('%1 role', '%1 roles', all, all);
  return query.trim() === '' ? roles : trans.__('%1 of %2', found, roles);
}

/** Return a function that says whether the component is still on the page. */
function useIsShown(): () => boolean {
  const shown = useRef(true);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);
  return () => shown.current;
}

/** Show a failure as a notification, for a user who has closed the list meanwhile. */
function notifyFailure(failure: IFailure, trans: TranslationBundle): void {
  const { title, detail, hint, requestUrl, forAdministrator } = failure;
  const ask = {
    label: trans.__('Ask for this role'),
    callback: () => void window.open(requestUrl ?? '', '_blank', 'noopener')
  };
  const copy = {
    label: trans.__('Copy details for your administrator'),
    callback: () => Clipboard.copyToSystem(forAdministrator)
  };
  Notification.error(fittingLines(title, detail, hint), {
    autoClose: false,
    actions: [...(requestUrl === null ? [] : [ask]), ...(forAdministrator === '' ? [] : [copy])]
  });
}

type Move = (active: number, count: number, page: number) => number;
const moves: Record<string, Move | undefined> = {
  ArrowDown: (active, count) => (active + 1 < count ? active + 1 : 0),
  ArrowUp: (active, count) => (active > 0 ? active - 1 : count - 1),
  PageDown: (active, count, page) => Math.min(active + page, count - 1),
  PageUp: (active, _count, page) => Math.max(active - page, 0)
};
