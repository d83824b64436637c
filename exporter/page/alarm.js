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
    this.sound = new Sound({ mine: () => this.lead.mine(), muted: (name) => this.isUnheard(name), changed: () => { this.lead.may(this.sound.able); changed(); } });
    this.shared = new Shared("mutes", ofList(preference("muted", [])), { merge, changed: () => { this.wait(); changed(); } });
    Object.assign(this, { changed, timer: 0, ears: { heard: new Map(), state: null }, eyes: { heard: new Map(), state: null } });
    this.lead.may(this.sound.able);
    this.wait();
  }

  // Notes errors of before, which are no events.
  remember(errors) { for (const { heard } of [this.ears, this.eyes]) firsts(heard, errors); }

  // `shown(error)` returns whether the page shows an error: only of these is told on the desktop.
  errors(errors, shown) {
    const every = preference("every-error", false), unheard = (error) => this.isUnheard(soundOf(error));
    this.play(firsts(this.ears.heard, errors, { every, unheard }).map(soundOf));
    const told = firsts(this.eyes.heard, errors).filter((error) => error.is_critical && shown(error));
    notify.tell(errors.filter(shown).length, told[0]);
  }

  verdict(verdict) {
    const event = this.turn(this.ears, verdict, this.isUnheard("surge")), seen = this.turn(this.eyes, verdict);
    if (event) this.play([event]);
    if (seen) notify.say(seen, verdict);
  }

  turn(sense, verdict, unheard) {
    const { state, event } = turn(sense.state, verdict, unheard);
    sense.state = state;
    if (event === "recovered") sense.heard.clear(); // what comes now is a first again
    return event;
  }

  play(events) {
    this.sound.want(events.filter((name) => !this.isUnheard(name)).map((name) => SOUNDS[name] ?? name));
  }

  // Whether no tab would make the sound of an event now.
  isUnheard(name) {
    const sound = SOUNDS[name] ?? name;
    return this.isMuted("all") || this.isMuted(MUTES[sound] ?? sound) || !this.sound.able && !this.lead.another;
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
