// Makes the sounds: one AudioContext, one sound at a time, at most one in two seconds, the gravest first. A file that cannot be
// played is replaced by error-notification.mp3, and if that cannot be played either, by a tone: an event is never silent.

import { ORDER } from "./events.js";
import { preference, prefer } from "./state.js";

const PAUSE_MS = 2000, PATIENCE_MS = 5000;
const FALLBACK = "notification";
export const SOUNDS = {
  "system-critical": "system-critical error", critical: "critical error", warning: "warning, surge", info: "info", recovered: "recovery",
  [FALLBACK]: "fallback",
};

export class Sound {
  // `changed()` is called when `blocked` or `problems` change; `mine()` returns whether this tab is to sound, `muted(name)`
  // whether a sound is muted now.
  constructor({ changed, mine = async () => true, muted = () => false }) {
    Object.assign(this, { changed, mine, muted, buffers: new Map(), problems: new Map(), wanted: new Set(), timer: 0, last: -PAUSE_MS, prepared: false });
    this.level = Math.min(1, Math.max(0, preference("volume", 0.6)));
    try { this.open(); } catch { this.context = null; } // without sound the page still works
  }

  open() {
    this.context = new AudioContext();
    this.gain = this.context.createGain();
    this.gain.connect(this.context.destination);
    this.gain.gain.value = this.level;
    this.context.onstatechange = () => { this.changed(); if (this.able) this.prepare(); };
  }

  get able() { return this.context?.state === "running"; }

  // Whether the browser makes no sound until somebody clicks.
  get blocked() { return Boolean(this.context) && !this.able; }

  get volume() { return this.level; }
  set volume(value) {
    this.hearVolume(value);
    prefer("volume", value);
  }

  hearVolume(value) {
    this.level = value;
    if (this.gain) this.gain.gain.value = value;
  }

  turnOn() { return this.context?.resume(); }

  // Plays the gravest of these sounds. During the pause after a sound, only the gravest is kept for the next one. What is muted
  // before its turn makes no sound.
  want(names) {
    for (const name of names) this.wanted.add(name);
    if (!this.wanted.size || this.timer) return;
    const pause = Math.max(0, this.last + PAUSE_MS - performance.now());
    this.timer = setTimeout(async () => {
      const name = ORDER.find((one) => this.wanted.has(one) && !this.muted(one));
      this.wanted.clear();
      this.timer = 0;
      if (!name) return;
      this.last = performance.now();
      if (await this.mine() && !this.muted(name)) this.play(name);
    }, pause);
  }

  async play(name) {
    this.last = performance.now();
    if (!this.able) return;
    try {
      const source = this.context.createBufferSource();
      source.buffer = await this.buffer(name);
      source.connect(this.gain);
      source.start();
    } catch { /* the page must not stop where a browser has only half of Web Audio */ }
  }

  // Fetches all sounds, so that they can be played at once, and while the service does not answer. One that cannot be fetched now
  // is fetched when it is needed, so that is no problem yet.
  async prepare() {
    if (this.prepared || !this.context) return;
    this.prepared = true;
    for (const name of Object.keys(SOUNDS)) await this.load(name, { early: true });
  }

  async buffer(name) {
    const own = await this.load(name);
    if (own) return own;
    return (name === FALLBACK ? null : await this.load(FALLBACK)) ?? this.tone();
  }

  // Returns null if the file cannot be fetched or played.
  async load(name, { early = false } = {}) {
    if (this.buffers.has(name)) return this.buffers.get(name);
    try {
      const response = await fetch(`/sounds/error-${name}.mp3`, { signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!response.ok) throw new Error(response.status);
      const bytes = await response.arrayBuffer();
      const made = await this.context.decodeAudioData(bytes).catch(() => null);
      this.note(name, made ? "" : "is broken");
      if (made) this.buffers.set(name, made);
      return made;
    } catch {
      if (!early) this.note(name, "could not be fetched");
      return null;
    }
  }

  note(name, what) {
    if ((this.problems.get(name) ?? "") === what) return;
    if (what) this.problems.set(name, what); else this.problems.delete(name);
    this.changed();
  }

  tone() {
    const rate = this.context.sampleRate, made = this.context.createBuffer(1, rate / 2, rate);
    made.getChannelData(0).forEach((_, i, wave) => { wave[i] = Math.sin(2 * Math.PI * 880 * i / rate) * Math.sin(Math.PI * i / wave.length) / 3; });
    return made;
  }
}
