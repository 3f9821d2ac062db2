"use strict";
// Where episodes come from: the server's API, or the data inside an exported page. Both answer the same questions.

class HttpSource {
  live = true;

  async ask(name, parameters = {}) {
    const response = await fetch(`api/${name}?${new URLSearchParams(parameters)}`);
    const body = await response.json().catch(() => ({ error: `The viewer answered ${response.status}. Was it stopped?` }));
    if (!response.ok) throw new Error(body.error || `The viewer answered ${response.status}.`);
    return body;
  }

  runs() { return this.ask("runs"); }
  results(start, stop) { return this.ask("results", { start, stop }); }
  episode(key) { return this.ask("episode", { key }); }
  rows(key, start, stop) { return this.ask("rows", { key, start, stop }); }
  steps(key, start, stop) { return this.ask("steps", { key, start, stop }); }
  messages(key, ids) { return this.ask("messages", { key, ids: ids.join(",") }); }
  search(key, words) { return this.ask("search", { key, words }); }
  difference(a, b) { return this.ask("difference", { a, b }); }
  image(key, digest) { return `api/image?${new URLSearchParams({ key, digest })}`; }
}

// The data of `embodied export --format html`; see embodied/console/viewer/page.py.
class EmbeddedSource {
  live = false;

  constructor(data) { this.data = data; }

  async runs() { return this.data.runs; }
  async results() { return this.data.results; }
  async episode() { return this.data.episode; }
  async rows(_, start, stop) { return this.data.rows.slice(start, stop); }
  async steps(_, start, stop) { return this.data.steps.slice(start, stop); }
  async messages(_, ids) { return Object.fromEntries(ids.filter((id) => id in this.data.messages).map((id) => [id, this.data.messages[id]])); }
  async difference() { throw new Error("An exported page holds one episode; compare two with `embodied view`."); }
  image(_, digest) { return this.data.images[digest] || ""; }

  async search(_, words) {
    const needle = words.toLowerCase();
    const has = (texts) => texts.some((text) => typeof text === "string" && text.toLowerCase().includes(needle));
    const seen = (o) => (o ? [o.text, o.status, o.expert] : []);
    const found = [];
    this.data.steps.forEach((step, row) => {
      const replies = (step.decision.calls || []).flatMap((call) => [call.reply.text, call.reply.reasoning]);
      const events = this.data.rows[row].events.map(([, text]) => text);
      if (has([...seen(step.observation), step.executed, step.decision.action, step.decision.thought, ...replies, ...events])) found.push(row);
    });
    const result = this.data.episode.result;
    if (result && has([...seen(result.last), result.error])) found.push(this.data.steps.length);
    return found;
  }
}

function openSource() {
  const embedded = document.getElementById("data");
  return embedded ? new EmbeddedSource(JSON.parse(embedded.textContent)) : new HttpSource();
}

// Items 0, 1, ... loaded in blocks when they are asked for; the blocks used last are kept.
class Blocks {
  constructor(size, most, load) {
    this.size = size;
    this.most = most;
    this.load = load;
    this.blocks = new Map();
  }

  now(n) { return this.blocks.get(Math.floor(n / this.size))?.items?.[n % this.size]; }

  // Whether somebody has to wait for item n; then its block is asked for, once, and `loaded` is told.
  missing(n, loaded, failed) {
    const block = this.blocks.get(Math.floor(n / this.size));
    if (!block) this.get(n).then(loaded, failed);
    return !block?.items;
  }

  async get(n) {
    const number = Math.floor(n / this.size);
    let block = this.blocks.get(number);
    if (!block) {
      block = { items: null, loading: this.load(number * this.size, (number + 1) * this.size) };
      this.blocks.set(number, block);
      try {
        block.items = await block.loading;
      } catch (error) {
        this.blocks.delete(number); // asked for again the next time
        throw error;
      }
      for (const old of this.blocks.keys()) {
        if (this.blocks.size <= this.most) break;
        if (old !== number) this.blocks.delete(old);
      }
    } else {
      this.blocks.delete(number); // to the end: used last
      this.blocks.set(number, block);
    }
    return (await block.loading)[n % this.size];
  }

  clear() { this.blocks.clear(); }
}
