import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { CommandIDs } from '../commands';
import { roleIcon } from '../components/icons';
import { askToEnd, orShowError, pickInDialog, showDoctor, showIdentity } from '../dialogs/dialogs';
import { switchTerminal } from '../dialogs/terminal';
import { RecentRoles } from '../picker/recent_roles';
import { defaultSession, isByEndpoint, sessionById } from '../server/snapshot';
import { DOMAIN, IAwsRoles } from '../tokens';
import { processNames } from '../words/process_names';

/** The commands, for the palette, the menu "AWS Role" (`schema/settings.json`) and shortcuts. */
export const commands: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-wb-aws:commands',
  description: 'Commands to pick, refresh and end AWS roles.',
  autoStart: true,
  requires: [IAwsRoles],
  optional: [ICommandPalette, ITranslator],
  activate: (
    { commands, serviceManager, shell }: JupyterFrontEnd,
    model: IAwsRoles,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const nameOf = processNames(serviceManager.sessions, trans);
    const recent = new RecentRoles(serviceManager.serverSettings.baseUrl);
    const ready = () => model.snapshot.situation === 'ready';
    const known = () => ready() || model.snapshot.situation === 'unreachable';
    const session = (args: { session_id?: unknown }) =>
      typeof args.session_id === 'string'
        ? sessionById(model.snapshot, args.session_id)
        : defaultSession(model.snapshot);

    commands.addCommand(CommandIDs.pick, {
      label: trans.__('Pick AWS Role…'),
      caption: trans.__('Pick the default AWS role, which what you start next uses'),
      icon: args => (args.always ? undefined : roleIcon),
      isEnabled: ready,
      // The menu keeps it even if the extension is not set up, so that the menu is never empty.
      isVisible: args => known() || args.always === true,
      // No argument names a role, since a button in a notebook's Markdown can run a command.
      execute: () => pickInDialog(model, recent, commands, trans)
    });
    commands.addCommand(CommandIDs.none, {
      label: trans.__('Use No AWS Role'),
      caption: trans.__('What you start next has no AWS credentials'),
      isEnabled: ready,
      isVisible: known,
      isToggled: () => model.snapshot.choice.chosen && model.snapshot.choice.session_id === null,
      execute: () =>
        orShowError(model.pickNone(), trans.__('Your choice could not be saved'), trans)
    });
    commands.addCommand(CommandIDs.switchTerminal, {
      label: trans.__('Change AWS Role of This Terminal…'),
      caption: trans.__('Change the AWS role of the terminal in front while it runs'),
      isEnabled: () => ready() && terminalOf(shell.currentWidget) !== null,
      isVisible: () => known() && model.snapshot.roles.some(isByEndpoint),
      execute: async () => {
        const name = terminalOf(shell.currentWidget);
        if (name !== null) {
          await model.read();
          await switchTerminal({ model, recent, trans, name }, commands);
        }
      }
    });
    commands.addCommand(CommandIDs.showIdentity, {
      label: trans.__('Show AWS Identity…'),
      caption: trans.__('Show who you are to AWS and what your programs get'),
      isEnabled: args => known() && session(args) !== null,
      isVisible: known,
      execute: async args => {
        const shown = session(args);
        if (shown !== null) {
          await showIdentity(model, shown, trans);
        }
      }
    });
    commands.addCommand(CommandIDs.refresh, {
      label: trans.__('Refresh AWS Token Now'),
      caption: trans.__('Get a new token for the default AWS role now'),
      isEnabled: args => ready() && session(args) !== null,
      isVisible: known,
      execute: async args => {
        const refreshed = session(args);
        if (refreshed !== null) {
          const title = trans.__('The token was not refreshed');
          await orShowError(model.refresh(refreshed.id), title, trans);
        }
      }
    });
    commands.addCommand(CommandIDs.end, {
      label: trans.__('End AWS Role Session…'),
      caption: trans.__('End the role session of the default AWS role'),
      isEnabled: args => ready() && session(args) !== null,
      isVisible: known,
      execute: async args => {
        const ended = session(args);
        await askToEnd(model, ended === null ? [] : [ended], nameOf, trans);
      }
    });
    commands.addCommand(CommandIDs.endAll, {
      label: trans.__('End All AWS Role Sessions…'),
      isEnabled: () => ready() && model.snapshot.sessions.length > 0,
      isVisible: known,
      execute: () => askToEnd(model, model.snapshot.sessions, nameOf, trans)
    });
    commands.addCommand(CommandIDs.doctor, {
      label: trans.__('Check AWS Credentials…'),
      caption: trans.__('Find out why AWS credentials don’t work in notebooks and terminals'),
      isEnabled: ready,
      isVisible: known,
      execute: () => showDoctor(model, trans)
    });

    const { pick, none, switchTerminal: terminal, showIdentity: show } = CommandIDs;
    const { refresh, doctor, end, endAll } = CommandIDs;
    const ours = [pick, none, terminal, show, refresh, doctor, end, endAll];
    // One by one: without an id, JupyterLab renders all menus and toolbars again.
    model.changed.connect(() => ours.forEach(command => commands.notifyCommandChanged(command)));
    for (const command of ours) {
      palette?.addItem({ command, category: trans.__('AWS') });
    }
  }
};

/**
 * Return the name of a terminal from its tab's widget; null if it is something else.
 *
 * By its shape, since JupyterLab's own package would be a dependency for this one name.
 */
function terminalOf(widget: Widget | null): string | null {
  if (widget === null) {
    return null;
  }
  const { content } = widget as { content?: Widget & { session?: { name?: unknown } } };
  return content?.hasClass('jp-Terminal') && typeof content.session?.name === 'string'
    ? content.session.name
    : null;
}
