// Which tab of a browser makes the sounds: of those that may, the one opened first. The tabs tell each other over a
// BroadcastChannel, which works without HTTPS, where there are no Web Locks. Timers of a hidden tab may be a minute late and its
// messages are not, so a tab finds out that the leader is gone only when it matters: before it lets it sound.
//
//   tab opens:   here {ask} →  others: here {}            tab closes: gone
//   a sound:     ping {to} →   leader: here {}, or nobody within ANSWER_MS: the tab forgets it, and elects again

const NAME = "error-visualization.sound", ANSWER_MS = 1500, MOST = 50;

// Returns the tab that leads, null if none may sound. `tabs` are `{id, since, can}`.
export function elect(tabs) {
  const able = tabs.filter((tab) => tab.can).sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
  return able[0] ?? null;
}

export class Lead {
  // `changed()` is called when another tab leads, or none.
  constructor(changed) {
    const me = { id: String(Math.random()).slice(2), since: performance.timeOrigin, can: false };
    Object.assign(this, { me, tabs: new Map(), changed, heard: new Map(), leader: null });
    if (!("BroadcastChannel" in window)) return;
    this.channel = new BroadcastChannel(NAME);
    this.channel.onmessage = ({ data }) => this.take(data);
    addEventListener("pagehide", () => this.say("gone"));
    addEventListener("pageshow", ({ persisted }) => { if (persisted) this.say("here", { ask: true }); });
    this.say("here", { ask: true });
  }

  // Says whether this tab may make a sound.
  may(can) {
    if (can === this.me.can) return;
    this.me.can = can;
    this.say("here");
    this.look();
  }

  get another() { return this.leader !== null && this.leader !== this.me.id; }
  get others() { return this.tabs.size; }

  // Returns whether this tab is to make the sound that is due.
  async mine() {
    for (let tries = 0; tries < MOST && this.another; tries++) {
      const asked = this.leader;
      if (await this.answers(asked)) return false;
      this.tabs.delete(asked);
      this.look();
    }
    return !this.another;
  }

  answers(id) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => { this.heard.delete(id); resolve(false); }, ANSWER_MS);
      const before = this.heard.get(id);
      this.heard.set(id, () => { clearTimeout(timer); before?.(); resolve(true); });
      this.say("ping", { to: id });
    });
  }

  take({ kind, id, since, can, ask, to }) {
    if (kind === "ping") { if (to === this.me.id) this.say("here"); return; }
    if (kind === "gone") this.tabs.delete(id);
    else if (this.tabs.has(id) || this.tabs.size < MOST) this.tabs.set(id, { id, since, can });
    if (ask) this.say("here");
    if (kind === "here" && can) { this.heard.get(id)?.(); this.heard.delete(id); }
    this.look();
  }

  look() {
    const leader = elect([this.me, ...this.tabs.values()])?.id ?? null;
    this.leader = leader;
    this.changed();
  }

  say(kind, more = {}) {
    this.channel?.postMessage({ kind, ...this.me, ...more });
  }
}
