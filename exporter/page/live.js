// The WebSocket: delivers live updates, detects missed ones, and reconnects. It pings the service, and treats a connection
// without an answer as lost.

import { ask } from "./api.js";

const FIRST_PAUSE = 500, LONGEST_PAUSE = 30_000, PING_MS = 10_000, WAKE_MS = 4000;
const LOGGED_OUT = 1008; // code of a close
const MOST = 50; // errors in one message, ten times a second at most

export class Live {
  // `hear(errors)` gets each new error once; `left()` is called when some were left out in a flood. `back({missed, anew})` is
  // called after each reconnect and when updates were missed (`anew`: the service has another log, so nothing that was shown need be there).
  // `state(word)` gets "live" or "lost". `alive()` is called for each message. `verdict(data)` gets each verdict, `states(data)` each change of states,
  // `version(text)` the version of the page that the service has, after each connect.
  constructor({ hours, seq, hear, left, back, state, alive, verdict, states, version }) {
    Object.assign(this, { hours, seq, hear, left, back, state, alive, verdict, states, version, pause: FIRST_PAUSE, retry: 0, unanswered: false, before: false, log: undefined });
    this.open();
    setInterval(() => this.check(), PING_MS);
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/error-visualization`);
    Object.assign(this, { socket, retry: 0, unanswered: false });
    socket.onopen = () => socket.send(JSON.stringify({ type: "error_visualization_init", time_range: this.hours, since: this.seq, log: this.log, batch: true, most: MOST }));
    socket.onmessage = (event) => { this.unanswered = false; this.alive(); this.take(JSON.parse(event.data)); };
    socket.onclose = ({ code }) => {
      this.lose();
      if (code === LOGGED_OUT) ask("/api/session").catch(() => {}); // leads to the login
    };
  }

  take(message) {
    if (message.type === "verdict") this.verdict(message.data);
    else if (message.type === "states") this.states(message.data);
    else if (message.type === "error_visualization_init_confirmed") {
      const anew = message.seq < this.seq || Boolean(this.log && message.log !== this.log);
      this.log = message.log;
      if (message.resync) this.seq = message.seq; // updates continue from here; the missed errors are fetched from the API
      this.pause = FIRST_PAUSE;
      this.state("live");
      for (const topic of ["verdict", "states"]) this.socket.send(JSON.stringify({ type: "subscribe", topic }));
      if (this.before || message.resync) this.back({ missed: message.resync, anew });
      this.before = true;
      this.version(message.version);
    } else if (message.type === "error_visualization_update") {
      const { errors, omitted } = message.data;
      const missed = message.seq - errors.length - omitted !== this.seq;
      this.seq = message.seq;
      this.hear(errors);
      if (missed) this.back({ missed, anew: false }); else if (omitted) this.left();
    }
  }

  // Called every PING_MS. A ping without an answer until the next call means that the connection is lost.
  check() {
    if (this.retry) return;
    if (this.unanswered) this.lose(); else this.ping();
  }

  ping() {
    this.unanswered = true;
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"type":"ping"}');
  }

  // Called when the network or the tab is back: reconnects without delay, or tests the old connection with a ping.
  wake() {
    if (this.retry) {
      clearTimeout(this.retry);
      this.pause = FIRST_PAUSE;
      this.open();
      return;
    }
    const asked = this.socket;
    this.ping();
    setTimeout(() => { if (this.unanswered && asked === this.socket && !this.retry) this.lose(); }, WAKE_MS);
  }

  lose() {
    Object.assign(this.socket, { onopen: null, onmessage: null, onclose: null }); // the close event may come late
    this.socket.close();
    this.state("lost");
    this.retry = setTimeout(() => this.open(), this.pause * (0.5 + Math.random() / 2));
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
  }
}
