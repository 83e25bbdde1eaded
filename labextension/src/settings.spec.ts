import { Signal } from '@lumino/signaling';

import { Settings } from './settings';

/** Settings as JupyterLab keeps them, which a test can change. */
function kept(composite: Record<string, unknown>) {
  const settings = { composite, changed: new Signal<object, void>({}) };
  const change = (now: Record<string, unknown>) => {
    settings.composite = now;
    settings.changed.emit();
  };
  return { settings, change };
}

test('without settings, everything is shown', () => {
  expect(new Settings().values).toEqual({ statusBar: true, launcher: true, notifications: true });
});

test('the user’s values count, unless they are not booleans', () => {
  const settings = new Settings();
  settings.follow(kept({ statusBar: false, launcher: 'no' }).settings);

  expect(settings.values).toEqual({ statusBar: false, launcher: true, notifications: true });
});

test('a change is announced', () => {
  const settings = new Settings();
  const { settings: registered, change } = kept({});
  settings.follow(registered);
  const heard: boolean[] = [];
  settings.changed.connect((_, { statusBar }) => heard.push(statusBar));

  change({ statusBar: false });

  expect(heard).toEqual([false]);
});
