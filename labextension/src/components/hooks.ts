import type { ISignal } from '@lumino/signaling';
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';

import type { ISnapshot } from '../server/snapshot';
import type { IAwsRoles } from '../tokens';

/**
 * Return a value that changes only when a signal is emitted, and render again when it does.
 *
 * @param signals - the signals; the same array at each rendering, or the hook subscribes again.
 * @param read - returns the value, the same one (by `Object.is`) as long as nothing has changed.
 */
export function useSignals<T>(signals: readonly ISignal<unknown, unknown>[], read: () => T): T {
  const subscribe = useCallback(
    (listener: () => void) => {
      signals.forEach(signal => signal.connect(listener));
      return () => signals.forEach(signal => signal.disconnect(listener));
    },
    [signals]
  );
  return useSyncExternalStore(subscribe, read);
}

/** Return the current snapshot, and render again when it changes. */
export function useSnapshot(model: IAwsRoles): ISnapshot {
  const signals = useMemo(() => [model.changed], [model]);
  return useSignals(signals, () => model.snapshot);
}

/** Return the server's time in milliseconds, and render again every `period` milliseconds. */
export function useNow(model: IAwsRoles, period = 15_000): number {
  const [now, setNow] = useState(() => model.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(model.now()), period);
    return () => window.clearInterval(timer);
  }, [model, period]);
  return now;
}
