import * as React from 'react';

/**
 * Return the body of the dialog that JupyterLab opens before it ends all of a group in its panel.
 *
 * A React element, whatever the type says: it is drawn when the dialog opens. JupyterLab 4.2 does
 * not call a function, and reads a string before there is anything to end.
 */
export function confirmation(text: () => string): string {
  const Text = (): React.ReactNode => text();
  return React.createElement(Text) as unknown as string;
}
