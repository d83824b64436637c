// Keeps the page's data current: fetches it when errors arrive, refreshes it periodically, and retries failed requests.

import { NoAnswer, Refusal, aged, ask, query } from "./api.js";
import * as clock from "./clock.js";
import * as connection from "./connection.js";

const REFRESH_MS = 1000, AGE_MS = 20_000, FACETS_MS = 5000, FIRST_RETRY_MS = 1000, LONGEST_RETRY_MS = 30_000;
const MAX_AGE = 1, FACETS_MAX_AGE = 5; // seconds, of answers in a refresh

export class Data {
  // Callbacks: `draw(data)` and `drawFacets(facets)` get fetched data; `news(data)` gets each complete snapshot;
  // `refused(failure)` is called if the service refuses a filter, and returns whether it has handled that; `failed()` if the
  // service does not answer; `done()` after a success. `paused()` returns whether updates are paused, `heard()` the id of the
  // last error that the live updates told of.
  // `rank()` fetches and draws what is ranked.
  constructor({ state, list, draw, drawFacets, rank, news, refused, failed, done, paused, heard }) {
    Object.assign(this, { state, list, draw, drawFacets, rank, news, refused, failed, done, paused, heard });
    Object.assign(this, { owed: null, drawn: "", drawnAsk: 0, asked: 0, offered: "", offeredAt: 0, timer: 0, busy: false, wanted: false, pause: FIRST_RETRY_MS });
    setInterval(() => { if (!document.hidden && !paused()) this.soon(0); }, AGE_MS);
  }

  // Fetches the numbers and the list, which may be `maxAge` seconds old. Returns whether that succeeded.
  load(maxAge = 0) {
    const owed = this.owed = { maxAge }; // a full load is needed; cleared when this one succeeds, unless a later one has begun
    return this.attempt(async () => {
      const place = String(query(this.state));
      const [data] = await Promise.all([this.overview(maxAge), this.list.fetch(maxAge)]);
      if (this.owed === owed) this.owed = null;
      if (this.list.skippedAt) this.owe();
      if (place === String(query(this.state))) this.news(data);
      await this.facets();
    });
  }

  // Makes the next answer be drawn, also while updates are paused: the service has another database.
  forget() { this.drawn = ""; }

  // Refreshes the numbers, at most once a second however many errors arrive.
  soon(after = REFRESH_MS) {
    if (this.busy) this.wanted = true; else this.timer ||= setTimeout(() => this.run(), after);
  }

  // Loads all data without delay.
  now() {
    this.owed = { maxAge: 0 };
    clearTimeout(this.timer);
    return this.busy ? this.soon() : this.run();
  }

  async run() {
    this.timer = 0;
    this.busy = true;
    try {
      // The list belongs to another span, too, when the moment from which the reader counts has left the span.
      if (this.owed || !this.list.current) await this.load(this.owed?.maxAge ?? MAX_AGE); else await this.attempt(async () => { await this.overview(MAX_AGE); await this.facets(); });
    } finally {
      this.busy = false;
    }
    if (this.wanted) this.soon();
    this.wanted = false;
    this.list.settle();
  }

  // The live updates left errors out: the list is fetched, too, at most once a second.
  owe() {
    this.owed ??= { maxAge: MAX_AGE };
    if (!this.paused()) this.soon();
  }

  async attempt(work) {
    try {
      await work();
      this.pause = FIRST_RETRY_MS;
      connection.api(true);
      this.done();
      return true;
    } catch (failure) {
      if (!(failure instanceof Refusal || failure instanceof NoAnswer)) throw failure;
      if (failure instanceof Refusal && failure.status === 400 && this.refused(failure)) return false;
      connection.api(false);
      this.failed();
      setTimeout(() => this.soon(0), this.pause);
      this.pause = Math.min(this.pause * 2, LONGEST_RETRY_MS);
      return false;
    }
  }

  // Fetches the numbers. While updates are paused, draws them only after a change of range or filters, and never over
  // the answer to a later request. Numbers that lack errors that were heard of are fetched again.
  async overview(maxAge) {
    const place = String(query(this.state)), mine = ++this.asked, began = performance.now();
    const data = await ask(`/api/errors?${place}`, aged(maxAge));
    clock.set(data.timestamp, performance.now() - began + 1000 * maxAge);
    if (data.seq < this.heard() && !this.paused()) this.soon();
    if (place !== String(query(this.state)) || mine < this.drawnAsk || (this.paused() && place === this.drawn)) return data;
    Object.assign(this, { drawn: place, drawnAsk: mine });
    this.draw(data);
    return data;
  }

  // Fetches the counts of the filters' values, less often than the numbers; a wall shows no filters.
  async facets() {
    if (this.state.wall) return;
    const place = String(query(this.state));
    if (place === this.offered && (this.paused() || performance.now() - this.offeredAt < FACETS_MS)) return;
    const facets = await ask(`/api/errors/facets?${place}`, aged(place === this.offered ? FACETS_MAX_AGE : 0));
    if (place !== String(query(this.state))) return;
    Object.assign(this, { offered: place, offeredAt: performance.now() });
    this.drawFacets(facets);
    await this.rank();
  }
}
