// What the page shows of the service, kept true: fetched when something comes, aged while nothing does, asked for again when
// it could not be had.

import { NoAnswer, Refusal, ask, query } from "./api.js";
import * as clock from "./clock.js";
import * as connection from "./connection.js";

const REFRESH_MS = 1000, AGE_MS = 20_000, FACETS_MS = 5000, FIRST_RETRY_MS = 1000, LONGEST_RETRY_MS = 30_000;

export class Data {
  // `draw(data)` and `drawFacets(facets)` get what came; `news(errors)` the newest errors of each whole snapshot; `refused`
  // is told of what the service does not take; `failed()` that it does not answer; `paused()` says whether to hold still.
  constructor({ state, list, draw, drawFacets, news, refused, failed, done, paused }) {
    Object.assign(this, { state, list, draw, drawFacets, news, refused, failed, done, paused });
    Object.assign(this, { owed: null, drawn: "", offered: "", offeredAt: 0, timer: 0, busy: false, wanted: false, pause: FIRST_RETRY_MS });
    setInterval(() => { if (!document.hidden && !paused()) this.soon(0); }, AGE_MS);
  }

  // All anew: the numbers and the list. Returns whether it was there.
  load() {
    const owed = this.owed = {}; // until it is paid, and nobody has asked anew
    return this.attempt(async () => {
      const range = this.state.range;
      const [data] = await Promise.all([this.overview(), this.list.fetch()]);
      if (this.owed === owed) this.owed = null;
      if (range === this.state.range) this.news(data);
      await this.facets();
    });
  }

  // At most once a second, however much comes: the numbers are the service's own.
  soon(after = REFRESH_MS) {
    if (this.busy) this.wanted = true; else this.timer ||= setTimeout(() => this.run(), after);
  }

  // Without waiting.
  now() {
    this.owed = {};
    clearTimeout(this.timer);
    return this.busy ? this.soon() : this.run();
  }

  async run() {
    this.timer = 0;
    this.busy = true;
    try {
      if (this.owed) await this.load(); else await this.attempt(async () => { await this.overview(); await this.facets(); });
    } finally {
      this.busy = false;
    }
    if (this.wanted) this.soon();
    this.wanted = false;
    this.list.settle();
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

  // While the updates are paused, nothing but another range or filter draws.
  async overview() {
    const range = this.state.range, place = String(query(this.state));
    const data = await ask(`/api/errors?time_range=${range}`);
    clock.set(data.timestamp);
    if (range !== this.state.range || (this.paused() && place === this.drawn)) return data;
    this.drawn = place;
    this.draw(data);
    return data;
  }

  // What the filters would give: not needed as often as the numbers.
  async facets() {
    const place = String(query(this.state));
    if (place === this.offered && (this.paused() || performance.now() - this.offeredAt < FACETS_MS)) return;
    const facets = await ask(`/api/errors/facets?${place}`);
    if (place !== String(query(this.state))) return;
    Object.assign(this, { offered: place, offeredAt: performance.now() });
    this.drawFacets(facets);
  }
}
