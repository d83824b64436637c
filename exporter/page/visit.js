// Navigation. Each step changes the URL, so that back, forward and shared links work. Closing what is open over the page goes
// back in the browser's history, so that looking at ten errors does not leave twenty entries in it.

import { address, opened, read, shut } from "./state.js";

const BACK_MS = 2000; // to wait until the browser has gone back, which it may refuse

export class Visit {
  // `show(before)` draws the differences from the state `before`.
  constructor(state, show) {
    Object.assign(this, { state, show, leaving: null, arrived: () => {}, returning: false });
    addEventListener("popstate", () => {
      this.returning = true;
      this.step(() => Object.assign(state, read()));
      this.returning = false;
      this.arrived();
    });
  }

  // How many other things were opened before the one that is open, without closing: Back leads to them.
  get beneath() { return history.state?.inside ?? 0; }

  // Goes back to the thing that was open before, or closes the one that is open.
  back() {
    if (this.beneath) history.back(); else this.leave();
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

  // Called when what is open is closed. If this page opened it, goes back to the entry from which it was opened.
  leave() {
    if (!opened(this.state)) return;
    const deep = history.state?.deep;
    if (!deep) return void this.go(shut({}), { replace: true });
    Object.assign(this.state, shut({}));
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
    if (replace) history.replaceState(opened(this.state) ? history.state : null, "", to);
    else history.pushState(this.depth(before, history.state), "", to);
  }

  // The history state of what is open: `deep` is the number of steps since the page with nothing open; null if that is unknown,
  // because the page was opened with it. `inside` is the number of steps since the first thing was opened.
  depth(before, here) {
    if (!opened(this.state)) return null;
    if (!opened(before)) return { deep: 1, inside: 0 };
    return { deep: here?.deep ? here.deep + 1 : null, inside: (here?.inside ?? 0) + 1 };
  }
}
