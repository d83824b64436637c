// Sounds: one AudioContext, one sound at a time, at most one in two seconds, the highest severity first.

import { preference, prefer } from "./state.js";

const PAUSE_MS = 2000;
const ORDER = ["system-critical", "critical", "warning", "info"];

export class Sound {
  // `blocked(yes)` is called with whether the browser blocks sound until a click.
  constructor(blocked) {
    Object.assign(this, { blocked, buffers: new Map(), wanted: null, timer: 0, last: -PAUSE_MS });
    this.muted = new Set(preference("muted", []));
    this.level = Math.min(1, Math.max(0, preference("volume", 0.6)));
    try { this.open(); } catch { this.context = null; } // without sound the page still works
  }

  open() {
    this.context = new AudioContext();
    this.gain = this.context.createGain();
    this.gain.connect(this.context.destination);
    this.gain.gain.value = this.level;
    this.context.onstatechange = () => this.blocked(this.context.state !== "running");
    this.blocked(this.context.state !== "running");
  }

  get volume() { return this.level; }
  set volume(value) {
    this.level = value;
    if (this.gain) this.gain.gain.value = value;
    prefer("volume", value);
  }

  mute(severity, yes) {
    if (yes) this.muted.add(severity); else this.muted.delete(severity);
    prefer("muted", [...this.muted]);
  }

  turnOn() { return this.context?.resume(); }

  // Plays a sound for new errors. During the pause after a sound, only the highest severity is kept for the next one.
  hear(errors) {
    for (const error of errors) {
      const name = error.is_system_critical ? "system-critical" : error.severity;
      if (this.muted.has("all") || this.muted.has(error.severity)) continue;
      if (this.wanted === null || ORDER.indexOf(name) < ORDER.indexOf(this.wanted)) this.wanted = name;
    }
    if (this.wanted === null || this.timer) return;
    const pause = Math.max(0, this.last + PAUSE_MS - performance.now());
    this.timer = setTimeout(() => { this.timer = 0; const name = this.wanted; this.wanted = null; this.play(name); }, pause);
  }

  async play(name) {
    this.last = performance.now();
    if (this.context?.state !== "running") return;
    try {
      const source = this.context.createBufferSource();
      source.buffer = await this.buffer(name);
      source.connect(this.gain);
      source.start();
    } catch { /* a sound that is missing or broken must not stop the page */ }
  }

  async buffer(name) {
    if (!this.buffers.has(name)) {
      const response = await fetch(`/sounds/error-${name}.mp3`);
      this.buffers.set(name, await this.context.decodeAudioData(await response.arrayBuffer()));
    }
    return this.buffers.get(name);
  }
}
