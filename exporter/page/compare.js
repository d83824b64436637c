// The span that the reader compares with: its overview, fetched with the same filters, and how much the cards' counts differ.

import { aged, ask, query } from "./api.js";
import { counted } from "./counted.js";
import { element } from "./dom.js";
import { COMPARED, compared } from "./span_steps.js";

const AGAIN_MS = 60_000; // the other span of one that ends now moves on with it
const MAX_AGE = 30; // seconds

export class Compare {
  // `draw()` is called when there are other numbers than at the last `take`.
  constructor(state, draw) {
    Object.assign(this, { state, draw, place: "", found: null, askedAt: -Infinity });
  }

  // Makes the next `take` fetch the other span again: the service has another database.
  forget() { this.place = ""; }

  // Gets each overview of the page. Fetches the other one if it is not known.
  take({ timestamp }) {
    const now = Date.parse(timestamp), { compare } = this.state;
    const place = compare ? `${compare} ${query(this.state)}` : "";
    const again = !this.state.to && performance.now() - this.askedAt > AGAIN_MS;
    if (place !== this.place) Object.assign(this, { place, found: null }); else if (!again || !place) return;
    this.askedAt = performance.now();
    if (place) this.fetch(place, now).catch(() => { this.askedAt = -Infinity; }); // the next overview tries again
  }

  async fetch(place, now) {
    const { begin, end, there } = compared(counted(this.state), this.state.compare, now);
    const span = { from: new Date(begin).toISOString(), to: new Date(end).toISOString(), filters: this.state.filters };
    const found = await ask(`/api/errors?${query(span)}`, aged(MAX_AGE));
    if (place !== this.place) return;
    this.found = { there, overview: found, how: COMPARED[this.state.compare] };
    this.draw();
  }

  // The other span's errors in each bucket of the time series of an overview: {name, values}; null if nothing is compared. Its own
  // buckets may be wider or narrower, and a day may have 25 hours: each of its errors is in a value all the same. An hour that comes
  // twice here is compared twice with the one there; one that is missing there, with the one after it; and one that is missing here
  // counts to the one before.
  line({ error_distribution: { time_series: { bucket_seconds: seconds, points } } }) {
    if (!this.found) return null;
    const { there, how, overview } = this.found, until = errorsUntil(overview.error_distribution.time_series);
    const starts = points.map(({ timestamp }) => there(Date.parse(timestamp)));
    const values = starts.map((at, i) => until(Math.max(at + seconds * 1000, starts[i + 1] ?? 0)) - until(at));
    return { name: how, values };
  }

  // Adds to each card how much its count differs, such as "+12 %".
  mark({ summary }) {
    for (const card of document.querySelectorAll("[data-card]")) {
      card.querySelector(".change")?.remove();
      const [now, other] = [summary[card.dataset.card], this.found?.overview.summary[card.dataset.card]];
      if (other === undefined || now === undefined || (!now && !other)) continue;
      const said = change(now, other);
      card.append(element("span", { class: "change", title: `${said} against ${this.found.how}: ${other.toLocaleString()}` }, said,
        element("span", { class: "hidden" }, ` against ${this.found.how}`)));
    }
  }
}

// Returns a function of a moment: how many errors a time series has until then, as if those of a bucket came evenly.
function errorsUntil({ bucket_seconds: seconds, points }) {
  const sums = [0], first = Date.parse(points[0]?.timestamp ?? 0);
  for (const { critical, warning, info } of points) sums.push(sums.at(-1) + critical + warning + info);
  return (at) => {
    const place = Math.min(Math.max((at - first) / (seconds * 1000), 0), points.length), whole = Math.floor(place);
    return Math.round(sums[whole] + (place - whole) * ((sums[whole + 1] ?? 0) - sums[whole]));
  };
}

// How much a count differs from another, in words as short as a card.
export function change(count, other) {
  if (count === other) return "same";
  if (!other) return "was 0";
  const percent = Math.round(100 * (count - other) / other);
  if (percent >= 1000) return `${Math.round(count / other).toLocaleString()} times`;
  return `${percent > 0 ? "+" : percent < 0 ? "−" : "±"}${Math.abs(percent)} %`;
}
