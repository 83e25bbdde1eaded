import type { Model } from './model';

const FIRST_WAIT = 2_000;
const LONGEST_WAIT = 30_000;

/**
 * Read again after a read that failed while the event stream is open, ever more rarely.
 *
 * Nothing else would: no event comes of a lost packet, or of a proxy that was busy for a moment.
 */
export function readAgain(model: Model, isOpen: () => boolean): void {
  let timer = 0;
  let wait = FIRST_WAIT;
  model.changed.connect((_, { situation }) => {
    if (situation !== 'unreachable') {
      wait = FIRST_WAIT;
    } else if (timer === 0) {
      timer = window.setTimeout(() => {
        timer = 0;
        wait = Math.min(2 * wait, LONGEST_WAIT);
        // Without a stream, the next one that can be had reads.
        if (isOpen()) {
          void model.read({ roles: true });
        }
      }, wait);
    }
  });
}
