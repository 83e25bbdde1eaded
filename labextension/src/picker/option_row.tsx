import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { STATE_ICONS, stateIcon } from '../components/icons';
import { swatch } from '../components/swatch';
import type { Role } from '../server/api';
import { type ISnapshot, isByEndpoint, sessionOfRole } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';
import { stateText } from '../words/state';
import type { AtOnce, PickerOption } from './options';
import { ROW_EM } from './visible_rows';

/** Return what an option is called; `none` is the name of "no AWS role". */
export function optionLabel(option: PickerOption, none: string): string {
  return option.kind === 'role' ? option.role.label : (option.arn ?? none);
}

/** A line of the picker's list. */
export function OptionRow(props: {
  id: string;
  at: number;
  count: number;
  active: boolean;
  option: PickerOption;
  selected: boolean;
  selectedLabel: string;
  current: boolean;
  note: string | undefined;
  atOnce: AtOnce;
  /** Whether the list has roles of both kinds, see `isMixed`. */
  mixed: boolean;
  model: IAwsRoles;
  snapshot: ISnapshot;
  trans: TranslationBundle;
  none: string;
  onPick: (option: PickerOption) => void;
}): React.JSX.Element {
  const { option, trans, model, snapshot } = props;
  const role = option.kind === 'role' ? option.role : null;
  const session = option.arn === null ? null : sessionOfRole(snapshot, option.arn);
  const starting = option.arn !== null && snapshot.starting.includes(option.arn);
  const about =
    option.kind === 'none'
      ? trans.__('Without AWS credentials')
      : option.kind === 'named'
        ? trans.__('Not in your list; pick it to see where to ask for it')
        : [
            role!.account_id,
            role!.region,
            props.mixed && switching(role!, props.atOnce, trans),
            role!.description
          ]
            .filter(Boolean)
            .join(' · ');
  return (
    // The filter box handles the keyboard, see above.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
    <div
      id={props.id}
      role="option"
      className="jp-AwsRoles-option"
      aria-selected={props.selected}
      aria-setsize={props.count}
      aria-posinset={props.at + 1}
      data-active={props.active}
      title={option.arn ?? undefined}
      style={{ height: `${ROW_EM}em`, top: `${props.at * ROW_EM}em` }}
      onMouseDown={event => event.preventDefault()}
      onClick={() => props.onPick(option)}
    >
      <span className="jp-AwsRoles-swatch" style={swatch(role?.color)} />
      <span className="jp-AwsRoles-optionText">
        <span className="jp-AwsRoles-optionLabel">{optionLabel(option, props.none)}</span>
        <span className="jp-AwsRoles-optionAbout">{props.note ?? about}</span>
      </span>
      {starting ? (
        <Tag icon={STATE_ICONS.starting} text={trans.__('starting…')} />
      ) : props.selected ? (
        <Tag icon={checkIcon} text={props.selectedLabel} />
      ) : props.current ? (
        <Tag text={trans.__('now')} />
      ) : session?.state === 'active' ? (
        <Tag text={trans.__('role session running')} />
      ) : session !== null ? (
        <Tag icon={stateIcon(session.state)} text={stateText(session, model.now(), trans).word} />
      ) : null}
    </div>
  );
}

/** Say how a running notebook gets a role, among roles that differ in that. */
function switching(role: Role, atOnce: AtOnce, trans: TranslationBundle): string {
  if (isByEndpoint(role)) {
    return atOnce ? '' : trans.__('can be switched in a running notebook');
  }
  return atOnce === 'kernel'
    ? trans.__('needs a restart')
    : atOnce === 'terminal'
      ? trans.__('needs a new terminal')
      : '';
}

function Tag(props: { icon?: typeof checkIcon; text: string }): React.JSX.Element {
  return (
    <span className="jp-AwsRoles-tag">
      {props.icon && <props.icon.react tag="span" width="14px" height="14px" aria-hidden="true" />}
      {props.text}
    </span>
  );
}
