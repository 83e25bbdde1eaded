/** The ids of this extension's commands. */
export const CommandIDs = {
  /** Pick the role for what starts next, from a list. */
  pick: 'aws-roles:pick',
  none: 'aws-roles:none',
  /** Change the role of the terminal in front, while it runs. */
  switchTerminal: 'aws-roles:switch-terminal',
  signIn: 'aws-roles:sign-in',
  signOut: 'aws-roles:sign-out',
  refresh: 'aws-roles:refresh',
  /** End the default role session, or, with the argument `session_id`, that one. */
  end: 'aws-roles:end',
  endAll: 'aws-roles:end-all',
  /** Relaunch the proxied app that the argument `app_id` names. */
  relaunch: 'aws-roles:relaunch-app',
  /** Find out why AWS credentials don't work. */
  doctor: 'aws-roles:doctor',
  /** Show the default role session, or, with the argument `session_id`, that one. */
  showIdentity: 'aws-roles:show-identity'
} as const;
