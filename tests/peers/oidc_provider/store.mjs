// What the provider remembers, as oidc-provider wants its adapters; everything can be taken out
// and put back, so that a test can restart the provider with its state kept.

const OF_A_GRANT = ['AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode'];

export class Store {
  #entries; // "Model:id" -> what oidc-provider stored

  constructor(state = []) {
    this.#entries = new Map(state);
  }

  dump() {
    return [...this.#entries];
  }

  // A user's grants and every token of theirs end; `models` may name more.
  forget(accountId, ...models) {
    this.#deleteWhere(
      ['Grant', ...OF_A_GRANT, ...models],
      (payload) => payload.accountId === accountId,
    );
  }

  adapter(model) {
    const entries = this.#entries;
    const key = (id) => `${model}:${id}`;
    const findBy = (field, value) => entries.values()
      .find((payload) => payload.kind === model && payload[field] === value);
    return {
      upsert: async (id, payload) => { entries.set(key(id), structuredClone(payload)); },
      find: async (id) => entries.get(key(id)),
      findByUid: async (uid) => findBy('uid', uid),
      findByUserCode: async (userCode) => findBy('userCode', userCode),
      consume: async (id) => { entries.get(key(id)).consumed = Math.floor(Date.now() / 1000); },
      destroy: async (id) => { entries.delete(key(id)); },
      revokeByGrantId: async (grantId) => {
        this.#deleteWhere([model], (payload) => payload.grantId === grantId);
      },
    };
  }

  #deleteWhere(models, matches) {
    for (const [key, payload] of this.#entries) {
      if (models.includes(payload.kind) && matches(payload)) this.#entries.delete(key);
    }
  }
}
