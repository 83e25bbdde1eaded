import { type ISignal, Signal } from '@lumino/signaling';

/** What JupyterLab keeps of a plugin's settings: the part of `ISettingRegistry.ISettings` used here. */
export interface IKeptSettings {
  readonly composite: Readonly<Record<string, unknown>>;
  readonly changed: ISignal<unknown, unknown>;
}

/** What the user can set; the schema is `schema/settings.json`. */
export interface ISettingValues {
  /** Whether the status bar shows the AWS role. */
  readonly statusBar: boolean;
  /** Whether the launcher has the section "AWS role". */
  readonly launcher: boolean;
  /** Whether there are notifications; the one to sign in always comes. */
  readonly notifications: boolean;
}

const DEFAULTS: ISettingValues = { statusBar: true, launcher: true, notifications: true };

/** The user's settings of this extension. */
export class Settings {
  get values(): ISettingValues {
    return this._values;
  }

  get changed(): ISignal<this, ISettingValues> {
    return this._changed;
  }

  /** Take the values that JupyterLab keeps, now and at each change. */
  follow(kept: IKeptSettings): void {
    const take = () => {
      const { composite } = kept;
      const on = (name: keyof ISettingValues) => {
        const value = composite[name];
        return typeof value === 'boolean' ? value : DEFAULTS[name];
      };
      this._values = {
        statusBar: on('statusBar'),
        launcher: on('launcher'),
        notifications: on('notifications')
      };
      this._changed.emit(this._values);
    };
    kept.changed.connect(take);
    take();
  }

  private _values = DEFAULTS;
  private readonly _changed = new Signal<this, ISettingValues>(this);
}
