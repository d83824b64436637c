// On a small screen the errors come before the charts, and the filters are collapsed. The nodes themselves are moved, so that
// keyboard and screen reader have the same order as the screen.

const small = matchMedia("(max-width: 640px)");
const by = (id) => document.getElementById(id);

function place() {
  if (small.matches) by("middle").prepend(by("list")); else by("patterns-panel").before(by("list"));
  by("filters").open = !small.matches;
}

// Measures the sticky header, so that elements which stick or are scrolled to stay below it.
function measure() {
  const header = document.querySelector("header");
  const above = parseFloat(getComputedStyle(header).top) || 0; // negative on a small screen, where the header's first line scrolls away
  document.documentElement.style.setProperty("--header", `${header.offsetHeight + above}px`);
}

export function bind() {
  place();
  new ResizeObserver(measure).observe(document.querySelector("header"));
  small.addEventListener("change", place);
}
