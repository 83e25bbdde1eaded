import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

/** Return the style of an administrator's color; undefined if the browser does not know it. */
export function swatch(color: string | null | undefined): React.CSSProperties | undefined {
  return color && CSS.supports('color', color) ? { backgroundColor: color } : undefined;
}

/** A bar in the administrator's color of a role, beside the role's label. A dot would look like a state. */
export function RoleColor(props: {
  color: string | null | undefined;
  trans: TranslationBundle;
}): React.JSX.Element | null {
  const style = swatch(props.color);
  return style ? (
    <span
      className="jp-AwsRoles-roleColor"
      style={style}
      title={props.trans.__('Your administrator’s color for this role')}
      aria-hidden="true"
    />
  ) : null;
}
