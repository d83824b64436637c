// On a small screen the errors come before the charts, and the filters are folded. The nodes are moved, not painted
// elsewhere: who goes through the page by keyboard or by ear finds the same order.

const small = matchMedia("(max-width: 640px)");
const by = (id) => document.getElementById(id);

function place() {
  if (small.matches) by("middle").prepend(by("list")); else by("patterns-panel").before(by("list"));
  by("filters").open = !small.matches;
}

// What sticks below the header, and what is scrolled to, keeps clear of it.
function measure() {
  const header = document.querySelector("header");
  const above = parseFloat(getComputedStyle(header).top) || 0; // on a small screen its first line scrolls away
  document.documentElement.style.setProperty("--header", `${header.offsetHeight + above}px`);
}

export function bind() {
  place();
  new ResizeObserver(measure).observe(document.querySelector("header"));
  small.addEventListener("change", place);
}
