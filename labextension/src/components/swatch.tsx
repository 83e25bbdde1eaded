import * as React from 'react';

/** Return the style of an administrator's colour; undefined if the browser does not know it. */
export function swatch(color: string | null | undefined): React.CSSProperties | undefined {
  return color && CSS.supports('color', color) ? { backgroundColor: color } : undefined;
}

/** A dot in the administrator's colour of a role, beside the role's label. */
export function Dot(props: { color: string | null }): React.JSX.Element | null {
  const style = swatch(props.color);
  return style ? <span className="jp-AwsRoles-dot" style={style} aria-hidden="true" /> : null;
}
