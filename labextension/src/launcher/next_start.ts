import type { TranslationBundle } from '@jupyterlab/translation';

import { defaultSession, type IView } from '../server/view';
import { roleLabel } from '../words/identity';

/** The role that is picked for whatever starts next; null: "no AWS role"; undefined: none yet. */
export function selectedArn(view: IView): string | null | undefined {
  return view.choice.chosen ? (defaultSession(view)?.role_arn ?? null) : undefined;
}

/** Say what the user's notebooks, consoles and terminals have that they start now. */
export function choiceWords(view: IView, trans: TranslationBundle): string {
  const wait = waitWords(view, trans);
  if (wait !== null) {
    return wait;
  }
  const current = defaultSession(view);
  if (current !== null) {
    return trans.__(
      'Notebooks, consoles and terminals that you start from now on work as %1. Running ones keep their role.',
      current.label
    );
  }
  if (view.choice.ended !== null) {
    return trans.__(
      'The role session of %1 has ended: notebooks, consoles and terminals that you start from now on have no AWS role.',
      view.choice.ended
    );
  }
  return view.choice.chosen
    ? trans.__('Notebooks, consoles and terminals that you start from now on have no AWS role.')
    : trans.__(
        'Pick one, and the notebooks, consoles and terminals that you start have AWS credentials.'
      );
}

/** Say what starts have until the role is ready that was picked; null where none is under way. */
export function waitWords(view: IView, trans: TranslationBundle): string | null {
  const picked = view.startingDefaults[view.startingDefaults.length - 1];
  if (picked === undefined) {
    return null;
  }
  const label = roleLabel(picked, view.roles);
  const current = defaultSession(view);
  if (current !== null) {
    return trans.__(
      'Wait until %1 is ready: what you start now still has %2.',
      label,
      current.label
    );
  }
  return view.choice.chosen
    ? trans.__('Wait until %1 is ready: what you start now still has no AWS role.', label)
    : trans.__(
        'Wait until %1 is ready: what you start now still has the AWS access that the server itself has, if any.',
        label
      );
}
