"use strict";
// The connection to the desk. It comes back by itself, with the number of the last event that arrived.

class Wire {
  // hear(event) gets every event in order; see(head, png) every frame; state(word) whether the desk is there.
  constructor(hear, see, state) {
    Object.assign(this, { hear, see, state });
    this.waiting = new Map();
    this.number = 0;
    this.seq = -1;
    this.tries = 0;
    this.open();
  }

  open() {
    this.state("connecting");
    const address = new URL("ws", location.href.replace(/^http/, "ws"));
    address.hash = "";
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.post({ kind: "hello", since: this.seq, key: sessionStorage.getItem("desk") ?? "" });
    this.socket.onmessage = (message) => this.take(message.data);
    this.socket.onclose = ({ code }) => (code === 4000 ? this.state("opened in another tab") : this.again());
  }

  again() {
    this.state("cut off");
    for (const refuse of this.waiting.values()) refuse({ error: "The connection was cut. It is not known whether this arrived." });
    this.waiting.clear();
    this.tries += 1;
    setTimeout(() => this.open(), Math.min(5000, 250 * 2 ** Math.min(this.tries, 5)));
  }

  take(data) {
    if (typeof data !== "string") return this.frame(data);
    const told = JSON.parse(data);
    if (told.kind === "answer") {
      this.waiting.get(told.id)?.(told);
      this.waiting.delete(told.id);
      return;
    }
    if (told.kind === "welcome") {
      sessionStorage.setItem("desk", told.key);
      this.tries = 0;
      this.state("connected");
      if (told.episodes) this.seq = told.seq;
    }
    if (typeof told.seq === "number" && told.kind !== "welcome") this.seq = told.seq;
    this.hear(told);
  }

  frame(buffer) {
    const size = new DataView(buffer).getUint32(0);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
    this.see(head, new Blob([new Uint8Array(buffer, 4 + size)], { type: "image/png" }));
  }

  post(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // What the desk answers; an answer with `error` where it refuses.
  ask(kind, episode, fields = {}) {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.resolve({ error: "The desk cannot be reached." });
    this.number += 1;
    const id = this.number;
    this.post({ kind, id, episode, ...fields });
    return new Promise((answer) => this.waiting.set(id, answer));
  }
}
