import * as React from 'react';

/**
 * Return the text of the dialog that JupyterLab opens before it ends all items of a group in its panel.
 *
 * It is a React element, despite the type, so that the text is made when the dialog opens. A string
 * would be read too early, and JupyterLab 4.2 does not take a function.
 */
export function confirmation(text: () => string): string {
  const Text = (): React.ReactNode => text();
  return React.createElement(Text) as unknown as string;
}
