const { TestEnvironment } = require('jest-environment-jsdom');

/** Adds what jsdom lacks: fetch is Node's, the rest are minimal stand-ins. */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    Object.assign(this.global, {
      fetch,
      Headers,
      Request,
      Response,
      DragEvent: class extends this.global.MouseEvent {},
      ResizeObserver: class {
        observe() {}
        unobserve() {}
        disconnect() {}
      },
      requestIdleCallback: callback => setTimeout(callback)
    });
    this.global.Element.prototype.scrollIntoView = () => undefined;
  }
};
