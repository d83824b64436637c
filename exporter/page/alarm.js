// Events become sounds and desktop notifications. Mutes are shared between the tabs of a browser, one of which sounds.

import { firsts, soundOf, turn } from "./events.js";
import { Lead } from "./lead.js";
import { NAMES, isMuted, merge, muted, ofList } from "./mutes.js";
import * as notify from "./notify.js";
import { Shared } from "./shared.js";
import { Sound } from "./sound.js";
import { preference } from "./state.js";

const TICK_MS = 60_000;
const SOUNDS = { surge: "warning" }, MUTES = { "system-critical": "critical" }; // events and sounds that share those of another

export class Alarm {
  // `changed()` is called when something that the controls show may have changed.
  constructor(changed) {
    this.lead = new Lead(changed);
    this.sound = new Sound({ mine: () => this.lead.mine(), changed: () => { this.lead.may(this.sound.able); changed(); } });
    this.shared = new Shared("mutes", ofList(preference("muted", [])), { merge, changed: () => { this.wait(); changed(); } });
    Object.assign(this, { changed, heard: new Map(), state: null, timer: 0 });
    this.lead.may(this.sound.able);
    this.wait();
  }

  // Notes errors of before, which are no events.
  remember(errors) { firsts(this.heard, errors); }

  errors(errors, shown) {
    const every = preference("every-error", false), events = firsts(this.heard, errors, { every });
    this.play(events.map(soundOf));
    notify.tell(errors.filter(shown).length, events.filter((error) => error.is_critical && shown(error))[0]);
  }

  verdict(verdict) {
    const { state, event } = turn(this.state, verdict);
    this.state = state;
    if (event === null) return;
    if (event === "recovered") this.heard.clear(); // what comes now is a first again
    this.play([event]);
    notify.say(event, verdict);
  }

  play(events) {
    if (this.isMuted("all")) return;
    this.sound.want(events.map((name) => SOUNDS[name] ?? name).filter((name) => !this.isMuted(MUTES[name] ?? name)));
  }

  isMuted(name) { return isMuted(this.shared.value, name, Date.now()); }

  // Until when all sound is muted, null for no end.
  get until() { return this.shared.value.all?.until; }

  mute(name, until) {
    this.shared.change((mutes) => muted(mutes, name, until, Date.now()));
    this.wait();
  }

  // Draws again when a mute ends; a timer may be late, so it asks the clock.
  wait() {
    clearTimeout(this.timer);
    const now = Date.now(), until = NAMES.map((name) => this.shared.value[name]?.until).filter((end) => end > now);
    if (until.length) this.timer = setTimeout(() => { this.changed(); this.wait(); }, Math.min(TICK_MS, Math.min(...until) - now + 1));
  }
}
