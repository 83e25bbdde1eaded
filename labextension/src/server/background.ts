import type { IAwsRoles, IReadOptions } from './aws_roles';

/**
 * Return a function that reads the state when an event, a timer or a new connection asks for it.
 *
 * No user asked: such a read is not activity of the server. While the page is hidden it waits, since
 * JupyterHub's proxy takes every request for activity.
 */
export function backgroundReads(model: IAwsRoles): (options?: IReadOptions) => void {
  let waiting: IReadOptions | null = null;
  const read = (options: IReadOptions) => void model.read({ ...options, background: true });
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && waiting !== null) {
      read(waiting);
      waiting = null;
    }
  });
  return (options = {}) => {
    // A page that opens in a hidden tab reads once, so that it has something to show.
    if (!document.hidden || model.reads === 0) {
      read(options);
      return;
    }
    waiting = {
      roles: Boolean(waiting?.roles || options.roles),
      server: Boolean(waiting?.server || options.server)
    };
  };
}
