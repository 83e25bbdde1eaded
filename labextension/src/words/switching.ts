import type { TranslationBundle } from '@jupyterlab/translation';

import type { Role, Switch } from '../server/api';
import { isByEndpoint } from '../server/snapshot';
import { BOTO3_INSISTS, BOTO3_TRIES, isMixed } from './delivery';
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
 * @param now - the server's time in milliseconds.
 */
export function switchedText(
  { old_clients_until }: Switch,
  label: string | null,
  now: number,
  trans: TranslationBundle
): string {
  if (old_clients_until === null) {
    return label === null
      ? trans.__('Programs and boto3 sessions have no AWS role from now on.')
      : trans.__('Programs and boto3 sessions use %1 from now on.', label);
  }
  const until = clockTime(old_clients_until);
  const margin = label === null ? BOTO3_INSISTS : BOTO3_TRIES;
  const asks = Date.parse(old_clients_until) - margin * 1000;
  const boto3 = asks > now ? clockTime(new Date(asks).toISOString()) : null;
  if (label === null) {
    return boto3 === null
      ? trans.__(
          'boto3 has no AWS role from its next call on; other programs that run already lose theirs by %1 at the latest.',
          until
        )
      : trans.__(
          'New programs have no AWS role now. boto3 sessions that exist already lose theirs by %1, other programs by %2 at the latest.',
          boto3,
          until
        );
  }
  return boto3 === null
    ? trans.__(
        'boto3 uses %1 from its next call on; other programs that run already follow by %2 at the latest.',
        label,
        until
      )
    : trans.__(
        'New programs use %1 now. boto3 sessions that exist already follow by %2, other programs by %3 at the latest.',
        label,
        boto3,
        until
      );
}

/** Say when another role takes effect in a kernel that can be switched while it runs. */
export function atOnceText(roles: readonly Role[], trans: TranslationBundle): string {
  const regions = new Set(roles.filter(isByEndpoint).map(({ region }) => region));
  if (isMixed(roles)) {
    const atOnce = trans.__(
      'Another role takes effect at once, unless its line says that it needs a restart.'
    );
    return regions.size > 1 ? `${atOnce} ${trans.__('A new region needs one, too.')}` : atOnce;
  }
  return regions.size > 1
    ? trans.__('Another role takes effect at once; only a new region needs a restart.')
    : trans.__('Another role takes effect at once, without a restart.');
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
