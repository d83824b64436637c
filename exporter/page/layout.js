// On a small screen the errors come before charts and tables, and the filters are collapsed. The nodes themselves are moved, so
// that keyboard and screen reader have the same order as the screen.

const small = matchMedia("(max-width: 640px)");
const by = (id) => document.getElementById(id);

function place() {
  if (small.matches) by("time-panel").before(by("list")); else by("desk").after(by("list"));
  unfold(!small.matches);
}

// Shows the selects of the filters, or hides them.
export function unfold(yes) {
  by("filters").hidden = !yes;
  by("filters-toggle").setAttribute("aria-expanded", String(yes));
}

// Measures the sticky header, so that elements which stick or are scrolled to stay below it.
function measure() {
  const header = document.querySelector("header");
  const above = parseFloat(getComputedStyle(header).top) || 0; // negative on a small screen, where the header's first line scrolls away
  document.documentElement.style.setProperty("--header", `${header.offsetHeight + above}px`);
}

export function bind() {
  place();
  by("filters-toggle").onclick = () => unfold(by("filters").hidden);
  new ResizeObserver(measure).observe(document.querySelector("header"));
  small.addEventListener("change", place);
}
