// An OpenID provider for tests: the certified oidc-provider with its own sign-in pages.
//
// The first line of standard input configures it; each further line is a command, and standard
// output answers each with one line of JSON. It ends when standard input does, so that nothing
// stays behind when a test run is killed. Secrets stand in no file and no command line.

import { createInterface } from 'node:readline';

import { Provider } from 'oidc-provider';

import { Store } from './store.mjs';

console.info = console.error; // standard output is for answers

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

// port, jwks, cookieKeys, clients, ttl, users: {name: claims}, state: what `dump` answered,
// accessTokenAudience: access tokens are opaque without it, else JWTs for it with the user's claims
const setup = JSON.parse((await lines.next()).value);
const { users, accessTokenAudience, ttl } = setup;
const store = new Store(setup.state);
const issued = new Map(); // everything secret that was given out, and what it is

const provider = new Provider(`http://127.0.0.1:${setup.port}`, {
  adapter: (model) => store.adapter(model),
  clients: setup.clients,
  jwks: setup.jwks,
  cookies: { keys: setup.cookieKeys },
  ttl: Object.fromEntries(Object.keys(ttl).map((kind) => [kind, () => ttl[kind]])),
  scopes: ['openid', 'profile', 'groups', 'offline_access'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username', 'groups'],
    groups: ['groups'],
  },
  conformIdTokenClaims: false, // the claims of a scope stand in the ID token, as AWS needs them
  rotateRefreshToken: true,
  features: {
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: Boolean(accessTokenAudience),
      defaultResource: () => accessTokenAudience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: '', audience: accessTokenAudience, accessTokenFormat: 'jwt',
      }),
    },
  },
  extraTokenClaims: (_ctx, token) => users[token.accountId],
  findAccount: (_ctx, id) => Object.hasOwn(users, id)
    ? { accountId: id, claims: () => ({ sub: id, ...users[id] }) }
    : undefined,
});

for (const kind of ['authorization_code', 'device_code']) {
  provider.on(`${kind}.saved`, (code) => issued.set(code.jti, kind));
}
provider.on('grant.success', (ctx) => {
  for (const kind of ['access_token', 'id_token', 'refresh_token']) {
    if (ctx.body[kind]) issued.set(ctx.body[kind], kind);
  }
});
provider.on('server_error', (_ctx, error) => console.error(error));

// The pages take a font from another machine. A browser of the tests has no business there.
provider.use(async (ctx, next) => {
  await next();
  if (typeof ctx.body === 'string') ctx.body = ctx.body.replace(/@import url\([^)]*\);/g, '');
});

const commands = {
  dump: () => store.dump(),
  issued: () => [...issued],
  set_lifetimes: (seconds) => Object.assign(ttl, seconds),
  set_claims: ({ user, claims }) => Object.assign(users[user], claims),
  revoke: ({ user }) => store.forget(user),
  close_sessions: ({ user }) => store.forget(user, 'Session'),
};

const server = provider.listen(setup.port, '127.0.0.1', () => answer('ready'));
server.on('error', (error) => { throw error; });

for await (const line of lines) {
  const { command, ...options } = JSON.parse(line);
  answer(commands[command](options) ?? null);
}
process.exit();
