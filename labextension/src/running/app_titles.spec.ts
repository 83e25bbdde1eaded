import { ServerConnection } from '@jupyterlab/services';

import { appTitles } from './app_titles';

function settings(answer: () => Response) {
  return ServerConnection.makeSettings({
    baseUrl: 'http://here/user/alice/',
    fetch: input => {
      const [url] = (input as Request).url.split('?'); // JupyterLab adds the time, against caches
      expect(url).toBe('http://here/user/alice/server-proxy/servers-info');
      return Promise.resolve(answer());
    }
  });
}

test('apps have the names that the launcher shows', async () => {
  const server_processes = [
    { name: 'shiny', launcher_entry: { title: 'Sales' } },
    { name: 'bare', launcher_entry: { title: '' } }
  ];

  expect(
    await appTitles(settings(() => new Response(JSON.stringify({ server_processes }))))
  ).toEqual({
    shiny: 'Sales'
  });
});

test('without an answer there are none', async () => {
  expect(await appTitles(settings(() => new Response('<html>', { status: 404 })))).toEqual({});
  expect(await appTitles(settings(() => new Response('{}')))).toEqual({});
});
