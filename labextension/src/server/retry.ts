import type { IAwsRoles, IReadOptions } from './aws_roles';

const MIN_WAIT = 2_000;
const MAX_WAIT = 30_000;

/**
 * Read again after a failed read, with growing waits (2 s to 30 s), while the event stream is open.
 *
 * Nothing else would: a lost packet, or a proxy that was busy for a moment, causes no event.
 *
 * @param read - reads in the background.
 * @param isOpen - whether the event stream is open; while it is not, its next connection reads.
 */
export function retryReads(
  model: IAwsRoles,
  read: (options: IReadOptions) => void,
  isOpen: () => boolean
): void {
  let timer = 0;
  let wait = MIN_WAIT;
  model.changed.connect((_, { situation }) => {
    if (situation !== 'unreachable') {
      wait = MIN_WAIT;
    } else if (timer === 0) {
      timer = window.setTimeout(() => {
        timer = 0;
        wait = Math.min(2 * wait, MAX_WAIT);
        if (isOpen()) {
          read({ roles: true });
        }
      }, wait);
    }
  });
}
