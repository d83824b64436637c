// A preference that the tabs of a browser share. A tab that changes it keeps what the others said meanwhile, and each tab
// learns of changes at once.

import { PREFIX, preference, prefer } from "./state.js";

export class Shared {
  // `merge(a, b)` returns what two values are together; its result must not depend on their order. `changed()` is called when
  // another tab changed the value.
  constructor(name, otherwise, { merge, changed = () => {} }) {
    Object.assign(this, { name, merge, value: merge(preference(name, {}), otherwise) });
    addEventListener("storage", ({ key }) => {
      if (key !== PREFIX + name) return;
      const theirs = preference(name, {}), before = JSON.stringify(this.value);
      this.value = merge(this.value, theirs);
      if (JSON.stringify(this.value) !== JSON.stringify(merge(theirs, theirs))) prefer(name, this.value); // they did not know ours
      if (JSON.stringify(this.value) !== before) changed();
    });
  }

  change(how) {
    this.value = how(this.merge(this.value, preference(this.name, {})));
    prefer(this.name, this.value);
  }
}
