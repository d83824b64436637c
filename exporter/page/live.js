// The WebSocket: says what comes, knows what was missed, and comes back when it is lost.

const FIRST_PAUSE = 500, LONGEST_PAUSE = 30_000;

export class Live {
  // `hear(errors)` gets each new error once; `resync()` is called when some were missed; `state(word)` tells of the
  // connection: "live" or "lost".
  constructor({ hours, seq, hear, resync, state }) {
    Object.assign(this, { hours, seq, hear, resync, state, pause: FIRST_PAUSE });
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}/ws/error-visualization`);
    this.socket.onopen = () => this.socket.send(JSON.stringify(
      { type: "error_visualization_init", time_range: this.hours, since: this.seq, batch: true }));
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.socket.onclose = () => this.lose();
  }

  take(message) {
    if (message.type === "error_visualization_init_confirmed") {
      this.pause = FIRST_PAUSE;
      this.state("live");
      if (message.resync) this.resync();
    } else if (message.type === "error_visualization_update") {
      const errors = message.data.errors;
      const gap = message.seq - errors.length !== this.seq;
      this.seq = message.seq;
      if (gap) this.resync(); else this.hear(errors);
    }
  }

  lose() {
    if (this.closed) return;
    this.state("lost");
    setTimeout(() => { if (!this.closed) this.open(); }, this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}
