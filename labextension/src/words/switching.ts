import type { TranslationBundle } from '@jupyterlab/translation';

import type { Switch } from '../server/api';
import { clockTime } from './state';

const REGIONS = new Set(['AWS_REGION', 'AWS_DEFAULT_REGION']);
/** The variable that names the role for prompts; no reason to restart. */
const ROLE_NAME = 'JUPYTER_WB_AWS_ROLE';

/** Return the variables that are worth a restart, of those that a switch did not reach. */
export function staying({ applies, at_restart }: Switch): string[] {
  return applies === 'now' ? at_restart.filter(name => name !== ROLE_NAME) : [];
}

/**
 * Say what a switch that applies now has changed, and by when the rest follows.
 *
 * @param label - the label of the role; null for "no AWS role".
 */
export function switchedText(
  { old_clients_until }: Switch,
  label: string | null,
  trans: TranslationBundle
): string {
  const until = old_clients_until === null ? null : clockTime(old_clients_until);
  if (label === null) {
    return until === null
      ? trans.__('Programs and boto3 sessions have no AWS role from now on.')
      : trans.__(
          'New programs and new boto3 sessions have no AWS role now; those that run already lose theirs by %1 at the latest.',
          until
        );
  }
  return until === null
    ? trans.__('Programs and boto3 sessions use %1 from now on.', label)
    : trans.__(
        'New programs and new boto3 sessions use %1 now; those that run already follow by %2 at the latest.',
        label,
        until
      );
}

/** Say what stays as it is in a switched kernel until its restart, or in a terminal; empty if nothing does. */
export function stayingText(
  kind: 'kernel' | 'terminal',
  names: readonly string[],
  trans: TranslationBundle
): string {
  if (names.length === 0) {
    return '';
  }
  const all = names.join(', ');
  if (names.every(name => REGIONS.has(name))) {
    return kind === 'kernel'
      ? trans.__('The kernel keeps its region (%1) until it restarts.', all)
      : trans.__('The terminal keeps its region (%1); a new terminal has the new one.', all);
  }
  return kind === 'kernel'
    ? trans.__('The kernel keeps the values of these variables until it restarts: %1.', all)
    : trans.__(
        'The terminal keeps the values of these variables; a new terminal has the new ones: %1.',
        all
      );
}
