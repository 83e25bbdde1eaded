import type { TranslationBundle } from '@jupyterlab/translation';

import { defaultSession, type IView } from '../server/view';
import { roleLabel } from './identity';

/** Say which role the notebooks, consoles and terminals get that the user starts now. */
export function defaultRoleText(view: IView, trans: TranslationBundle): string {
  const wait = waitText(view, trans);
  if (wait !== null) {
    return wait;
  }
  const session = defaultSession(view);
  if (session !== null) {
    return trans.__(
      'Notebooks, consoles and terminals that you start from now on work as %1. Running ones keep their role.',
      session.label
    );
  }
  if (view.choice.ended !== null) {
    return trans.__(
      'The role session of %1 has ended. Notebooks, consoles and terminals that you start from now on have no AWS role.',
      view.choice.ended
    );
  }
  return view.choice.chosen
    ? trans.__('Notebooks, consoles and terminals that you start from now on have no AWS role.')
    : trans.__(
        'Pick a role to give AWS credentials to the notebooks, consoles and terminals that you start.'
      );
}

/** Say what starts get until the new default role is ready; null if none is starting. */
export function waitText(view: IView, trans: TranslationBundle): string | null {
  const starting = view.startingDefaults[view.startingDefaults.length - 1];
  if (starting === undefined) {
    return null;
  }
  const label = roleLabel(starting, view.roles);
  const session = defaultSession(view);
  if (session !== null) {
    return trans.__(
      'Wait until %1 is ready: what you start now still uses %2.',
      label,
      session.label
    );
  }
  return view.choice.chosen
    ? trans.__('Wait until %1 is ready: what you start now still has no AWS role.', label)
    : trans.__(
        'Wait until %1 is ready: what you start now still has the server’s own AWS access, if any.',
        label
      );
}
