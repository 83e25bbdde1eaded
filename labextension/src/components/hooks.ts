import { useEffect, useState } from 'react';

import type { IView, Model } from '../server/model';

/** Return what the model knows, and render again when that is something else. */
export function useView(model: Model): IView {
  const [view, setView] = useState(model.view);
  useEffect(() => {
    const changed = (_: Model, now: IView) => setView(now);
    model.changed.connect(changed);
    setView(model.view);
    return () => {
      model.changed.disconnect(changed);
    };
  }, [model]);
  return view;
}

/** Return the server's time in milliseconds, and render again every `period` milliseconds. */
export function useNow(model: Model, period = 15_000): number {
  const [now, setNow] = useState(() => model.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(model.now()), period);
    return () => window.clearInterval(timer);
  }, [model, period]);
  return now;
}
