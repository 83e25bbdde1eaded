const { TestEnvironment } = require('jest-environment-jsdom');

/** jsdom has no fetch; Node's is the same standard's. */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    Object.assign(this.global, { fetch, Headers, Request, Response });
  }
};
