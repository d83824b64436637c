// Navigation. Each step changes the URL, so that back, forward and shared links work. Closing the details goes back in the
// browser's history, so that looking at ten errors does not leave twenty entries in it.

import { address, read } from "./state.js";

const BACK_MS = 2000; // to wait until the browser has gone back, which it may refuse

export class Visit {
  // `show(before)` draws the differences from the state `before`.
  constructor(state, show) {
    Object.assign(this, { state, show, leaving: null, arrived: () => {} });
    addEventListener("popstate", () => {
      this.step(() => Object.assign(state, read()));
      this.arrived();
    });
  }

  // Changes the state. `replace` replaces the history entry instead of adding one.
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

  // Calls `take` at once or, while the browser goes back, after that: the browser would undo an earlier step.
  there(take) {
    return this.leaving ? this.leaving.then(take) : take();
  }

  // Called when the details are closed. If this page opened them, goes back to the entry from which they were opened.
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

  // The history state of an open error: `deep` is the number of steps since the page without one; null if that is unknown,
  // because the page was opened with the error.
  depth(before, here) {
    if (!this.state.error) return null;
    if (!before.error) return { deep: 1 };
    return here?.deep ? { deep: here.deep + 1 } : null;
  }
}
