import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { type ISignal, Signal } from '@lumino/signaling';

/** What the user can set; the schema is `schema/settings.json`. */
export interface ISettingValues {
  /** Whether the status bar shows the AWS role. */
  readonly statusBar: boolean;
  /** Whether the launcher has the section "AWS role". */
  readonly launcher: boolean;
  /** Whether there are notifications; that one has to sign in is always told. */
  readonly notifications: boolean;
}

const DEFAULTS: ISettingValues = { statusBar: true, launcher: true, notifications: true };

/** The user's settings of this extension, as they are now. */
export class Settings {
  get values(): ISettingValues {
    return this._values;
  }

  get changed(): ISignal<this, ISettingValues> {
    return this._changed;
  }

  /** Take the values that JupyterLab keeps, now and whenever they change. */
  follow(kept: ISettingRegistry.ISettings): void {
    const take = () => {
      const { composite } = kept;
      const on = (name: keyof ISettingValues) =>
        typeof composite[name] === 'boolean' ? composite[name] : DEFAULTS[name];
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
