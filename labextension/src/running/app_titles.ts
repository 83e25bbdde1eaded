import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** What jupyter-server-proxy says of its apps, for the launcher's cards. */
interface IServersInfo {
  readonly server_processes: readonly {
    readonly name: string;
    readonly launcher_entry: { readonly title: string };
  }[];
}

/** Return the names of jupyter-server-proxy's apps in the launcher, by id; empty if it does not say. */
export async function appTitles(
  settings: ServerConnection.ISettings
): Promise<Record<string, string>> {
  const url = URLExt.join(settings.baseUrl, 'server-proxy', 'servers-info');
  try {
    const response = await ServerConnection.makeRequest(url, {}, settings);
    const { server_processes } = (await response.json()) as IServersInfo;
    return Object.fromEntries(
      server_processes
        .filter(({ launcher_entry: { title } }) => title !== '')
        .map(({ name, launcher_entry: { title } }) => [name, title])
    );
  } catch {
    return {};
  }
}
