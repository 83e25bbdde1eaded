/** JupyterLab cuts off longer messages. */
export const MAX_MESSAGE = 140;

/** Join the lines of a notification that fit; the first always does. */
export function fittingLines(first: string, ...more: (string | undefined)[]): string {
  let message = first;
  for (const line of more) {
    if (line && message.length + line.length + 2 <= MAX_MESSAGE) {
      message += (message === first ? '\n' : ' ') + (/[.!?]$/.test(line) ? line : `${line}.`);
    }
  }
  return message;
}
