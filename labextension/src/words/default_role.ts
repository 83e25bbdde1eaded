import type { TranslationBundle } from '@jupyterlab/translation';

import { defaultSession, isOfferedNone, type ISnapshot } from '../server/snapshot';
import { roleLabel } from './identity';

/**
 * Say which role the notebooks, consoles and terminals get that the user starts now; empty where the user is offered
 * no role, which the list of roles says.
 */
export function defaultRoleText(snapshot: ISnapshot, trans: TranslationBundle): string {
  const wait = waitText(snapshot, trans);
  if (wait !== null) {
    return wait;
  }
  const session = defaultSession(snapshot);
  if (session !== null) {
    return trans.__(
      'Notebooks, consoles and terminals that you start from now on work as %1. Running ones keep their role.',
      session.label
    );
  }
  if (snapshot.choice.ended !== null) {
    return trans.__(
      'The role session of %1 has ended. Notebooks, consoles and terminals that you start from now on have no AWS role.',
      snapshot.choice.ended
    );
  }
  if (snapshot.choice.chosen) {
    return trans.__(
      'Notebooks, consoles and terminals that you start from now on have no AWS role.'
    );
  }
  return isOfferedNone(snapshot)
    ? ''
    : trans.__(
        'Pick a role to give AWS credentials to the notebooks, consoles and terminals that you start.'
      );
}

/** Say what a user to whom no role is offered can do. */
export function noneOfferedText(trans: TranslationBundle): string {
  return trans.__('No AWS role is offered to you. Ask your administrator for one.');
}

/** Say what starts get until the new default role is ready; null if none is starting. */
export function waitText(snapshot: ISnapshot, trans: TranslationBundle): string | null {
  const starting = snapshot.startingDefaults[snapshot.startingDefaults.length - 1];
  if (starting === undefined) {
    return null;
  }
  const label = roleLabel(starting, snapshot.roles);
  const session = defaultSession(snapshot);
  if (session !== null) {
    return trans.__(
      'Wait until %1 is ready: what you start now still uses %2.',
      label,
      session.label
    );
  }
  return snapshot.choice.chosen
    ? trans.__('Wait until %1 is ready: what you start now still has no AWS role.', label)
    : trans.__(
        'Wait until %1 is ready: what you start now still has the server’s own AWS access, if any.',
        label
      );
}
