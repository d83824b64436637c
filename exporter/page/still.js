// Whether somebody reads the list, so that it must not move: updates are paused, the pointer is on the list, a row has the
// keyboard focus, the top of the list is scrolled out of sight, or details are open. On touch screens, which have no hover,
// any scrolling counts.

const SCROLLED = 8;
const by = (id) => document.getElementById(id);
const hovers = () => matchMedia("(hover: hover)").matches;

export function still() {
  return by("pause").checked || by("details").open || pointed() || focused() || scrolled();
}

function pointed() {
  return hovers() && by("list").matches(":hover");
}

function focused() {
  return by("errors").contains(document.activeElement) && document.activeElement.matches(":focus-visible");
}

function scrolled() {
  if (!hovers() && scrollY > SCROLLED) return true;
  return by("errors").getBoundingClientRect().top < by("bar").getBoundingClientRect().bottom - 1;
}

// Calls `look` when reading may have ended.
export function onRest(look) {
  by("list").addEventListener("pointerleave", look);
  by("list").addEventListener("focusout", () => setTimeout(look));
  by("details").addEventListener("close", () => setTimeout(look));
  addEventListener("scroll", look, { passive: true });
}
