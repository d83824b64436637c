// Where the reader is. Each step changes the address, so that back, forward and a shared link lead there; closing the details
// is going back, so that looking at ten errors does not leave twenty steps.

import { address, read } from "./state.js";

const BACK_MS = 2000; // a browser may refuse to go back

export class Visit {
  // `show(before)` draws what is different from the state `before`.
  constructor(state, show) {
    Object.assign(this, { state, show, leaving: null, arrived: () => {} });
    addEventListener("popstate", () => {
      this.step(() => Object.assign(state, read()));
      this.arrived();
    });
  }

  // Shows another part of the data. `replace` makes it no step of its own.
  go(change, { replace = false } = {}) {
    return this.there(() => this.step((before) => {
      Object.assign(this.state, change);
      this.write(before, replace);
    }));
  }

  follow(to) {
    return this.there(() => this.step((before) => {
      const here = history.state;
      history.pushState(here, "", to);
      Object.assign(this.state, read());
      history.replaceState(this.depth(before, here), "");
    }));
  }

  // Takes a step at once, or when the browser is back: a step before would be undone by that.
  there(take) {
    return this.leaving ? this.leaving.then(take) : take();
  }

  // The details were closed. Where this page opened them, that is going back to where they were opened from.
  leave() {
    if (!this.state.error) return;
    const deep = history.state?.deep;
    if (!deep) return void this.go({ error: null }, { replace: true });
    this.state.error = null;
    const leaving = this.leaving = new Promise((resolve) => {
      this.arrived = () => { this.leaving = null; resolve(); };
    });
    setTimeout(() => {
      if (this.leaving !== leaving) return;
      history.replaceState(null, "", address(this.state));
      this.arrived();
    }, BACK_MS);
    history.go(-deep);
  }

  step(change) {
    const before = { ...this.state };
    change(before);
    return this.show(before);
  }

  write(before, replace) {
    const to = address(this.state);
    if (to === address(before)) return;
    if (replace) history.replaceState(this.state.error ? history.state : null, "", to);
    else history.pushState(this.depth(before, history.state), "", to);
  }

  // How many steps lie between an open error and the page without one; unknown where the page began with the error.
  depth(before, here) {
    if (!this.state.error) return null;
    if (!before.error) return { deep: 1 };
    return here?.deep ? { deep: here.deep + 1 } : null;
  }
}
