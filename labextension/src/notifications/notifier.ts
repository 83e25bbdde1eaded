import { Clipboard, Notification } from '@jupyterlab/apputils';

import type { ISnapshot } from '../server/snapshot';
import type { IAwsRoles, IAwsRoleSettings } from '../tokens';
import { administratorText } from '../words/failure';
import {
  type INotice,
  type INoticeContext,
  nextLook,
  nextNotices,
  type NoticeAction,
  NOTHING_REMEMBERED,
  withEnding,
  withoutNotice
} from './notices';

/** Shows as JupyterLab's notifications what `nextNotices` decides. */
export class Notifier {
  constructor(
    private readonly model: IAwsRoles,
    private readonly settings: IAwsRoleSettings,
    private readonly context: INoticeContext,
    private readonly signIn: () => void
  ) {
    model.changed.connect((_, snapshot) => this.look(snapshot));
    model.ended.connect((_, session) => {
      this.known = withEnding(this.known, session);
      this.look(model.snapshot);
    });
    settings.changed.connect(() => this.look(model.snapshot));
    Notification.manager.changed.connect((_, { type, notification }) => {
      if (type === 'removed') {
        this.removed(notification.id);
      }
    });
    this.look(model.snapshot);
  }

  private look(snapshot: ISnapshot): void {
    const now = this.model.now();
    const before = this.known.notices;
    this.known = nextNotices(
      this.known,
      snapshot,
      now,
      this.context,
      !this.settings.values.notifications
    );
    this.show(before, this.known.notices);
    window.clearTimeout(this.timer);
    const wait = nextLook(this.known, now);
    if (wait !== null) {
      this.timer = window.setTimeout(() => this.look(this.model.snapshot), wait);
    }
  }

  private show(before: readonly INotice[], notices: readonly INotice[]): void {
    for (const gone of before.filter(was => !notices.some(is => is.key === was.key))) {
      const id = this.ids.get(gone.key);
      this.ids.delete(gone.key); // first, so that it does not count as dismissed by the user
      if (id !== undefined) {
        Notification.dismiss(id);
      }
    }
    for (const notice of notices) {
      const was = before.find(each => each.key === notice.key);
      const id = this.ids.get(notice.key);
      if (was === undefined || id === undefined) {
        const { key, message, type } = notice;
        this.ids.set(key, Notification.emit(message, type, this.options(notice)));
      } else if (differs(was, notice)) {
        const isNew = notice.topics.some(topic => !was.topics.includes(topic));
        this.update(id, notice, isNew);
      }
    }
  }

  private update(id: string, notice: INotice, isNew: boolean): void {
    const { message, type } = notice;
    // An update opens a closed toast again: without news, change it silently.
    const silent = !isNew && document.getElementById(id) === null;
    const options = this.options(notice);
    Notification.update({ id, message, type, ...options, ...(silent ? { autoClose: 0 } : {}) });
  }

  private options(notice: INotice): Notification.IOptions<null> {
    return {
      autoClose: false,
      actions: notice.actions.map(action => ({
        label: this.label(action),
        displayType: action.kind === 'sign-in' ? 'accent' : 'default',
        callback: event => {
          event.preventDefault(); // keep it until its reason is over or the user closes it
          this.act(notice.key, action);
        }
      }))
    };
  }

  private label(action: NoticeAction): string {
    const { trans } = this.context;
    return action.kind === 'sign-in'
      ? trans.__('Sign in')
      : trans.__('Copy details for your administrator');
  }

  private act(key: string, { kind }: NoticeAction): void {
    if (kind === 'sign-in') {
      this.signIn();
      return;
    }
    const notice = this.known.notices.find(each => each.key === key);
    for (const action of notice?.actions ?? []) {
      if (action.kind === 'copy') {
        Clipboard.copyToSystem(administratorText(action.problem, this.context.trans));
      }
    }
  }

  private removed(id: string): void {
    for (const [key, ours] of this.ids) {
      if (ours === id) {
        this.ids.delete(key);
        this.known = withoutNotice(this.known, key);
      }
    }
  }

  private readonly ids = new Map<string, string>();
  private known = NOTHING_REMEMBERED;
  private timer = 0;
}

function differs(was: INotice, is: INotice): boolean {
  return (
    was.message !== is.message ||
    was.type !== is.type ||
    was.topics.join() !== is.topics.join() ||
    was.actions.map(action => action.kind).join() !== is.actions.map(action => action.kind).join()
  );
}
