"use strict";
// The page: which episode and step are shown, and every way of going to another one.

const ROW = 30, EPISODE_ROW = 46;
const FILTERS = [["all", "All", 0], ["invalid", "Invalid", 1], ["errors", "Errors", 2], ["corrections", "Corrections", 4]];
const KEYS = [
  ["j  ↓  →", "next step"], ["k  ↑  ←", "previous step"], ["PgDn  PgUp", "ten steps"], ["Home  End", "first step, end"], ["]  [", "next, previous episode"],
  ["/", "search"], ["n  N", "next, previous hit; without a search: next step with an event"], ["f", "next filter"], ["p", "open or close the prompt"], ["d", "first difference"],
  ["space", "play, pause"], ["t", "light or dark"], ["?", "these keys"], ["Esc", "close, leave the search"],
];
const $ = (id) => document.getElementById(id);

// One opened episode: its columns, and its steps, rows and messages as they are needed.
class EpisodeView {
  constructor(source, episode, run) {
    this.source = source;
    this.key = episode.key;
    this.run = run;
    this.stepBlocks = new Blocks(20, 40, (start, stop) => source.steps(this.key, start, stop));
    this.rowBlocks = new Blocks(200, 100, (start, stop) => source.rows(this.key, start, stop));
    this.known = new Map();
    this.at = 0;
    this.highlight = () => {};
    this.update(episode);
  }

  update(episode) {
    if (this.episode && episode.rows !== this.rows) [this.stepBlocks, this.rowBlocks].forEach((blocks) => blocks.clear());
    this.episode = episode;
    this.rows = episode.rows;
  }

  row(n) { return this.rowBlocks.now(n); }
  flags(n) { return n < this.rows ? parseInt(this.episode.flags[n], 16) : this.episode.end_flags; }

  // Damaged lines leave holes: rows are counted from 0, steps carry their own number.
  stepOf(row) {
    let shift = 0;
    for (const [from, by] of this.episode.shifts) if (from <= row) shift = by;
    return row + shift;
  }

  rowOf(step) {
    let low = 0, high = this.rows;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.stepOf(middle) < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async messages(ids) {
    const missing = [...new Set(ids.filter((id) => !this.known.has(id)))];
    for (let n = 0; n < missing.length; n += 100) {
      const found = await this.source.messages(this.key, missing.slice(n, n + 100));
      for (const [id, message] of Object.entries(found)) this.known.set(id, message);
    }
    const wanted = Object.fromEntries(ids.filter((id) => this.known.has(id)).map((id) => [id, this.known.get(id)]));
    while (this.known.size > 2000) this.known.delete(this.known.keys().next().value);
    return wanted;
  }

  async promptHere() {
    if (this.at >= this.rows) return [];
    const { decision } = await this.stepBlocks.get(this.at);
    return decision.calls.at(-1)?.messages || [];
  }

  async promptBefore() {
    if (this.at === 0 || this.at > this.rows) return [];
    const { decision } = await this.stepBlocks.get(this.at - 1);
    return decision.calls.at(-1)?.messages || [];
  }
}

// Tasks of an environment often share a long beginning: the end tells them apart. An only task has no name worth showing.
function shortName({ task, env }) {
  const name = task.split("/").pop();
  return name && name !== "default" ? name : env;
}

class Viewer {
  constructor(source) {
    this.source = source;
    this.view = null;
    this.other = null;
    this.filter = "all";
    this.words = "";
    this.hits = [];
    this.order = null; // rows in the list when a filter is on
    this.opened = { prompt: false, info: false };
    this.results = new Map();
    this.shown = [];
    this.episodes = new VirtualList($("episode-list"), EPISODE_ROW, (node, n) => this.drawEpisode(node, this.shown[n]), (n) => this.open(this.shown[n].key));
    this.steps = new VirtualList($("step-list"), ROW, (node, n) => this.drawRow(node, this.order ? this.order[n] : n), (n) => this.go(this.order ? this.order[n] : n));
    this.chart = new Chart($("chart"), (row) => this.go(row));
    this.listen();
  }

  async start() {
    this.wayBack();
    try {
      this.plan = await this.source.runs();
    } catch (error) {
      $("detail").replaceChildren(h("p", { class: "empty" }, error.message));
      return;
    }
    this.index = new Map(this.plan.episodes.map((episode, n) => [episode.key, n]));
    document.body.classList.toggle("single", !this.source.live);
    $("run").textContent = this.plan.runs.map((run) => run.name).join("  ·  ");
    document.title = `${this.plan.runs.map((run) => run.name).join(", ")} – Embodied`;
    $("episode-outcome").append(h("option", { value: "" }, "All"), ...Object.entries(OUTCOMES).map(([value, [words]]) => h("option", { value }, words)), h("option", { value: "none" }, "not ended"));
    this.listEpisodes();
    if (!this.plan.episodes.length) {
      $("detail").replaceChildren(h("p", { class: "empty" }, "This run has no episodes yet."));
      return;
    }
    await this.follow();
    this.loadResults();
  }

  // A run of a folder has an address below the folder's page; the filters and order there are kept.
  wayBack() {
    $("back").hidden = !this.source.live || !/\/run\/[^/]+\/$/.test(location.pathname);
    try {
      $("back").href = `../../${sessionStorage.getItem("embodied-runs") || ""}`;
    } catch { /* a browser may keep nothing */ }
  }

  // ------------------------------------------------------------------ episodes

  async loadResults() {
    for (let start = 0; start < this.plan.episodes.length; start += 250) {
      try {
        for (const result of await this.source.results(start, start + 250)) this.results.set(result.key, result);
      } catch (error) {
        this.banner([error.message]);
        return;
      }
      if ($("episode-outcome").value) this.listEpisodes();
      else this.episodes.refresh();
    }
  }

  listEpisodes() {
    const words = $("episode-words").value.toLowerCase(), outcome = $("episode-outcome").value;
    this.shown = this.plan.episodes.filter((e) => {
      const result = this.results.get(e.key)?.outcome;
      return (!words || `${e.key} ${this.plan.runs[e.run].name}`.toLowerCase().includes(words)) && (!outcome || (outcome === "none" ? !result : result === outcome));
    });
    this.episodes.set(this.shown.length);
    this.episodes.select(this.shown.findIndex((e) => e.key === this.view?.key.split("~")[0]));
  }

  drawEpisode(node, episode) {
    const result = this.results.get(episode.key);
    const tone = result ? (OUTCOMES[result.outcome] || ["", "quiet"])[1] : "quiet";
    const score = result?.outcome ? (typeof result.progress === "number" ? format.percent(result.progress) : "no score") : result?.started ? "playing" : "–";
    const bar = h("i", { class: "fill" });
    bar.style.width = `${100 * Math.min(1, result?.progress || 0)}%`;
    const runs = this.plan.runs.length > 1 ? `${this.plan.runs[episode.run].name} · ` : "";
    node.title = episode.key;
    node.classList.toggle("branch", Boolean(episode.depth));
    node.style.setProperty("--depth", Math.min(episode.depth || 0, 5));
    const where = episode.depth ? `${runs}from step ${episode.from_step}` : `${runs}${episode.env}`;
    node.replaceChildren(
      h("span", { class: `dot ${tone}` }), h("span", { class: "name" }, episode.depth ? "branch" : shortName(episode), h("small", {}, ` ${episode.number}`)),
      h("span", { class: "score" }, score), h("small", { class: "env" }, where), h("small", { class: "count" }, result?.outcome && result.steps !== undefined ? `${format.count(result.steps)} steps` : ""),
      h("span", { class: "track" }, bar));
  }

  async open(key, step = null, replace = false) {
    const ticket = (this.ticket = (this.ticket || 0) + 1);
    document.body.classList.remove("drawn");
    let episode;
    try {
      episode = await this.source.episode(key);
    } catch (error) {
      if (ticket === this.ticket) $("detail").replaceChildren(h("p", { class: "empty" }, error.message));
      return;
    }
    if (ticket !== this.ticket) return;
    this.pause();
    this.view = new EpisodeView(this.source, episode, this.plan.runs[episode.run]);
    this.view.highlight = () => this.highlight();
    this.other = null;
    this.words = $("words").value = "";
    this.hits = [];
    this.listCompared();
    this.episodes.select(this.shown.findIndex((e) => e.key === key.split("~")[0]), true);
    this.showEpisode();
    this.setFilter("all");
    const row = step === "end" ? this.view.rows : step === null ? 0 : Math.min(this.view.rows, this.view.rowOf(Number(step)));
    if (!replace) history.pushState(null, "", `#${encodeURIComponent(key)}`);
    this.go(row, true);
    this.poll();
  }

  poll() {
    clearTimeout(this.polling);
    if (!this.source.live || this.view.episode.result || this.view.key.includes("~")) return;
    const view = this.view;
    this.polling = setTimeout(async () => {
      try {
        const episode = await this.source.episode(view.key);
        if (view !== this.view) return;
        if (episode.rows !== view.rows || episode.result) {
          view.update(episode);
          this.showEpisode();
          this.setFilter(this.filter);
          this.go(view.at);
        }
      } catch (error) {
        this.banner([error.message]);
        return;
      }
      this.poll();
    }, 2000);
  }

  showEpisode() {
    const { episode } = this.view, result = episode.result;
    const attempt = this.view.key.split("~")[1];
    $("title").replaceChildren(h("b", {}, episode.task.task && episode.task.task !== "default" ? episode.task.task : episode.task.env), h("span", {}, `${episode.task.env} · episode ${episode.number}${episode.parent ? " · branch" : ""}${attempt ? ` · attempt ${attempt}` : ""}`), outcomeBadge(result?.outcome || (episode.problem ? "damaged" : null)));
    const usage = result?.usage;
    $("facts").replaceChildren(...[
      fact("progress", format.percent(result?.progress)), result && result.success !== null ? fact("success", result.success ? "yes" : "no") : null, fact("steps", format.count(result?.steps ?? episode.rows)),
      fact("invalid", format.count(this.count(1))), result ? fact("return", format.number(result.return_)) : null,
      usage?.input ? fact("tokens", `${format.short(usage.input)} in · ${format.short(usage.output)} out`) : null, result ? fact("time", format.seconds(result.seconds)) : null,
    ].filter(Boolean));
    const goal = result?.mission?.goal;
    $("goal").hidden = !goal && !episode.floor;
    $("goal").replaceChildren(...[goal && h("b", {}, "Goal: "), goal, goal && episode.floor && h("br"), episode.floor && h("span", { class: "floor" }, `Floor: ${episode.floor}.`)].filter(Boolean));
    this.showFamily(episode);
    const notes = [];
    if (episode.damaged_count) notes.push(`${episode.damaged_count} damaged line${episode.damaged_count > 1 ? "s" : ""} of steps.jsonl could not be read and ${episode.damaged_count > 1 ? "are" : "is"} left out: line ${episode.damaged.slice(0, 8).join(", ")}${episode.damaged_count > 8 ? ", …" : ""}.`);
    if (episode.problem) notes.push(episode.problem);
    if (result?.error) notes.push(`${result.error_kind}: ${result.error}`);
    this.banner(notes);
    this.drawChart();
  }

  // From which episode a branch goes on, and which branches go on from an episode.
  showFamily({ parent, from_step: step, branches }) {
    const link = (key, at, words) => this.index.has(key) ? h("a", { href: `#${encodeURIComponent(key)}/${at}` }, words) : h("span", {}, words);
    const lines = [];
    if (parent) lines.push([`Branch: steps 0 to ${step - 1} are those of `, link(parent, step, "the episode it goes on from"), `; step ${step} is its first of its own. It counts in no score.`]);
    if (parent && !step) lines[0] = ["Branch: it begins anew, as ", link(parent, 0, "the episode it goes on from"), ". It counts in no score."];
    if (branches?.length) lines.push(["Branches: ", ...branches.flatMap((b, n) => [n ? ", " : "", link(b.key, b.from_step, `from step ${b.from_step}`), ` by ${b.by}${b.rewinds ? " (this one ended there)" : ""}`]), "."]);
    $("family").hidden = !lines.length;
    $("family").replaceChildren(...lines.flatMap((line, n) => [n ? h("br") : "", ...line]));
  }

  banner(notes) {
    $("banner").hidden = !notes.length;
    $("banner").replaceChildren(...notes.map((note) => h("p", {}, note)));
  }

  drawChart() {
    const { episode } = this.view;
    const lanes = { correction: this.flagged(4), warn: this.flagged(2), bad: this.flagged(1), good: episode.rewards.filter(([, r]) => r > 0).map(([row]) => row), hit: this.hits };
    this.chart.set({ last: this.view.rows, progress: episode.progress, other: this.other?.episode.progress || null, lanes });
  }

  flagged(flag) {
    const rows = [];
    for (let row = 0; row <= this.view.rows; row++) if (this.view.flags(row) & flag) rows.push(row);
    return rows;
  }

  count(flag) { return flag ? this.flagged(flag).length : this.view.rows; }

  // ------------------------------------------------------------------ steps

  drawRow(node, row) {
    const { view } = this;
    if (row >= view.rows) {
      const outcome = view.episode.result?.outcome;
      node.className = "row last";
      node.replaceChildren(h("span", { class: "n" }, "end"), h("span", { class: "what" }, outcome ? OUTCOMES[outcome][0] : "not ended"));
      return;
    }
    const flags = view.flags(row);
    node.className = `row ${flags & 1 ? "bad" : flags & 2 ? "warn" : ""} ${this.hitSet?.has(row) ? "hit" : ""} ${view.stepOf(row) < (view.episode.from_step || 0) ? "repeated" : ""}`;
    if (view.rowBlocks.missing(row, () => view === this.view && this.steps.soon(true), (error) => this.banner([error.message]))) {
      node.replaceChildren(h("span", { class: "n" }, String(view.stepOf(row))), h("span", { class: "what waiting" }, "…"));
      return;
    }
    const item = view.row(row);
    const marks = item.events.map(([kind, text]) => h("span", { class: `tag ${EVENT_KINDS[kind] || "quiet"}`, title: text }, kind));
    const reward = item.reward ? h("span", { class: `reward ${item.reward > 0 ? "good" : "bad"}` }, `${item.reward > 0 ? "+" : ""}${format.number(item.reward)}`) : null;
    node.replaceChildren(h("span", { class: "n" }, String(item.index)), h("span", { class: "what" }, item.action || "(nothing)"), h("span", { class: "spring" }), ...marks, ...(reward ? [reward] : []));
  }

  go(row, middle = false) {
    const { view } = this;
    if (!view) return;
    view.at = row = Math.max(0, Math.min(row, view.rows));
    const step = row === view.rows ? "end" : view.stepOf(row);
    history.replaceState(null, "", `#${encodeURIComponent(view.key)}/${step}`);
    this.steps.select(this.order ? this.order.indexOf(row) : row, middle);
    this.chart.move(row);
    this.showHits();
    this.showStep();
  }

  // To the next or previous row of the list; a filter leaves rows out.
  move(by) {
    const { view } = this;
    if (!view) return;
    if (!this.order) return this.go(view.at + by);
    const rows = this.order;
    let place = by > 0 ? rows.findLastIndex((row) => row <= view.at) + by : rows.findIndex((row) => row >= view.at) + by;
    place = Math.max(0, Math.min(rows.length - 1, place));
    if (rows.length) this.go(rows[place]);
  }

  async showStep() {
    const { view, other } = this, row = view.at;
    try {
      const nodes = [await this.node(view, row)];
      if (other) {
        other.at = row === view.rows ? other.rows : Math.min(other.rows, other.rowOf(view.stepOf(row)));
        nodes.push(await this.node(other, other.at));
      }
      if (view !== this.view || row !== view.at || other !== this.other) return; // somebody went on meanwhile
      const head = (v) => h("div", { class: "which" }, `${v.run.name} · ${v.episode.task.task || v.episode.task.env} · episode ${v.episode.number}`);
      if (other) nodes.forEach((node, n) => node.prepend(head(n ? other : view)));
      $("detail").className = `detail ${other ? "two" : ""}`;
      const settings = other && other.run !== view.run ? [settingsPane(view.run, other.run)] : [];
      $("detail").replaceChildren(...(other && this.found ? [this.found] : []), ...settings, ...nodes);
      this.highlight();
      this.ahead(view, row + 1);
    } catch (error) {
      if (row === view.at) $("detail").replaceChildren(h("p", { class: "empty" }, error.message));
    }
  }

  async node(view, row) {
    if (row >= view.rows) return endNode(view, this.opened);
    await view.rowBlocks.get(row);
    return stepNode(view, row, await view.stepBlocks.get(row), this.opened);
  }

  // The next step is fetched while this one is looked at.
  ahead(view, row) {
    if (row >= view.rows) return;
    view.stepBlocks.get(row).then((step) => {
      for (const image of pictures(step.observation)) new Image().src = view.source.image(view.key, image.digest);
    }).catch(() => {}); // it is asked for again, and complained about, when it is shown
  }

  setFilter(name) {
    this.filter = name;
    const flag = FILTERS.find(([id]) => id === name)[2];
    this.order = flag ? this.flagged(flag) : null;
    $("filters").replaceChildren(...FILTERS.map(([id, words, bits]) =>
      h("button", { type: "button", role: "radio", "aria-checked": String(id === name), "data-filter": id, onclick: () => this.setFilter(id) }, words, bits ? h("small", {}, format.count(this.count(bits))) : null)));
    this.steps.set(this.order ? this.order.length : this.view.rows + 1);
    this.steps.select(this.order ? this.order.indexOf(this.view.at) : this.view.at);
    if (this.order?.length && !this.order.includes(this.view.at)) this.go(this.order.find((row) => row >= this.view.at) ?? this.order.at(-1));
  }

  // ------------------------------------------------------------------ search

  async search(words) {
    this.words = words;
    const view = this.view;
    let hits = [];
    if (words && view) {
      try {
        hits = await this.source.search(view.key, words);
      } catch (error) {
        this.banner([error.message]);
      }
    }
    if (view !== this.view || words !== this.words) return;
    this.hits = hits;
    this.hitSet = new Set(hits);
    this.steps.refresh();
    this.drawChart();
    this.showHits();
    this.highlight();
  }

  showHits() {
    const place = this.hits.indexOf(this.view?.at);
    $("hits").textContent = !this.words ? "" : !this.hits.length ? "none" : place >= 0 ? `${place + 1} / ${this.hits.length}` : `${this.hits.length}`;
  }

  jump(forward, from = this.view?.at) {
    if (!this.view) return;
    const rows = this.words ? this.hits : this.flagged(15);
    const next = forward ? rows.find((row) => row > from) ?? rows[0] : rows.findLast((row) => row < from) ?? rows.at(-1);
    if (next !== undefined) this.go(next, true);
  }

  // Marks the words where they occur in what is shown, without touching the document.
  highlight() {
    if (!CSS.highlights) return;
    CSS.highlights.delete("search");
    if (!this.words) return;
    const needle = this.words.toLowerCase(), ranges = [];
    const walker = document.createTreeWalker($("detail"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode() && ranges.length < 500) {
      const text = walker.currentNode.data.toLowerCase();
      if (text.length !== walker.currentNode.data.length) continue; // lower case of a few letters is longer: places would be wrong
      for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + needle.length)) {
        const range = new Range();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, at + needle.length);
        ranges.push(range);
      }
    }
    CSS.highlights.set("search", new Highlight(...ranges));
  }

  // ------------------------------------------------------------------ comparing

  // The likeliest to be compared come first: the same task and seed of another run, then the same task.
  listCompared() {
    const mine = this.view.episode, here = this.view.key;
    const rank = (e) => (e.task === mine.task.task && e.env === mine.task.env ? (e.seed === mine.seed ? 0 : 1) : 2);
    const ranked = this.plan.episodes.filter((e) => e.key !== here).map((e) => [rank(e), e]).sort(([a], [b]) => a - b).slice(0, 300);
    const groups = ["Same task and seed", "Same task", "Others"].map((label, n) => [label, ranked.filter(([r]) => r === n)]).filter(([, list]) => list.length);
    const name = (e) => `${this.plan.runs.length > 1 ? `${this.plan.runs[e.run].name} · ` : ""}${shortName(e)} ${e.number}${e.depth ? `, from step ${e.from_step}` : ""}`;
    $("compare").replaceChildren(h("option", { value: "" }, "nothing"), ...groups.map(([label, list]) => h("optgroup", { label }, list.map(([, e]) => h("option", { value: e.key }, name(e))))));
    $("difference").disabled = true;
  }

  async compare(key) {
    this.found = null;
    this.other = null;
    $("difference").disabled = !key;
    try {
      if (key) {
        const episode = await this.source.episode(key);
        this.other = new EpisodeView(this.source, episode, this.plan.runs[episode.run]);
        this.other.highlight = () => this.highlight();
        this.other.compared = this.view;
      }
    } catch (error) {
      this.banner([error.message]);
    }
    this.view.compared = this.other;
    this.drawChart();
    this.showStep();
  }

  async firstDifference() {
    if (!this.other) {
      $("compare").focus();
      return;
    }
    const view = this.view;
    const { row, what } = await this.source.difference(view.key, this.other.key);
    if (view !== this.view) return;
    const words = { observation: "what the agents saw", action: "what was executed", reward: "the reward", length: "one of them goes on" }[what];
    this.found = h("p", { class: "found", role: "status" }, row === null ? "The two episodes are the same in every step." : `First difference: step ${view.stepOf(row)}, ${words}.`);
    this.go(row === null ? view.at : row, true);
  }

  // ------------------------------------------------------------------ links, keys

  follow() {
    const [key, step] = location.hash.slice(1).split("/").map((part) => { try { return decodeURIComponent(part); } catch { return part; } });
    if (!key) return this.open(this.plan.episodes[0].key, null, true);
    if (this.view?.key === key) return this.go(step === "end" ? this.view.rows : this.view.rowOf(Number(step) || 0), true);
    return this.open(key, step === undefined || step === "" ? null : step === "end" ? "end" : Number(step) || 0, true);
  }

  play() {
    if (this.playing) return this.pause();
    this.playing = setInterval(() => {
      if (this.view.at >= this.view.rows) this.pause();
      else this.move(1);
    }, 250);
  }

  pause() {
    clearInterval(this.playing);
    this.playing = 0;
  }

  nextEpisode(by) {
    const place = this.shown.findIndex((e) => e.key === this.view?.key.split("~")[0]);
    const next = this.shown[place + by];
    if (next) this.open(next.key);
  }

  theme() {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("embodied-theme", document.documentElement.dataset.theme);
    } catch { /* a page from a file may keep nothing */ }
  }

  keys() {
    $("keys").replaceChildren(h("h2", {}, "Keys"), h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "key"), h("th", {}, "what it does"))), KEYS.map(([keys, words]) => h("tr", {}, h("td", {}, keys.split("  ").map((key) => h("kbd", {}, key))), h("td", {}, words)))),
      h("button", { type: "button", autofocus: true, onclick: () => $("keys").close() }, "Close"));
    $("keys").showModal();
  }

  togglePrompt() {
    this.opened.prompt = !this.opened.prompt;
    for (const box of document.querySelectorAll("#detail details:has(.prompt)")) box.open = this.opened.prompt;
  }

  nextFilter() {
    const place = FILTERS.findIndex(([id]) => id === this.filter);
    this.setFilter(FILTERS[(place + 1) % FILTERS.length][0]);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    const typing = event.target.closest?.("input, select, textarea");
    if (event.key === "Escape") {
      document.body.classList.remove("drawn");
      if (event.target === $("words") || this.words) this.search(($("words").value = ""));
      event.target.blur?.();
      return;
    }
    if (typing || (event.key === " " && event.target.closest?.("button, summary, a"))) return;
    const actions = {
      j: () => this.move(1), ArrowDown: () => this.move(1), ArrowRight: () => this.move(1), k: () => this.move(-1), ArrowUp: () => this.move(-1), ArrowLeft: () => this.move(-1),
      PageDown: () => this.move(10), PageUp: () => this.move(-10), Home: () => this.move(-Infinity), End: () => this.move(Infinity),
      "]": () => this.nextEpisode(1), "[": () => this.nextEpisode(-1), "/": () => $("words").select(), n: () => this.jump(true), N: () => this.jump(false),
      f: () => this.nextFilter(), p: () => this.togglePrompt(), d: () => this.firstDifference(), " ": () => this.play(), t: () => this.theme(), "?": () => this.keys(),
    };
    if (!actions[event.key] || (!this.view && !"t?".includes(event.key))) return;
    event.preventDefault();
    if (event.key !== " ") this.pause();
    actions[event.key]();
  }

  listen() {
    let waiting = 0;
    document.addEventListener("keydown", (event) => this.press(event));
    addEventListener("hashchange", () => this.follow());
    $("words").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => this.search($("words").value), 180); });
    $("words").addEventListener("keydown", async (event) => {
      if (event.key !== "Enter") return;
      clearTimeout(waiting);
      if ($("words").value !== this.words) {
        await this.search($("words").value);
        this.jump(true, this.view.at - 1);
      } else this.jump(!event.shiftKey);
    });
    $("episode-words").addEventListener("input", () => this.listEpisodes());
    $("episode-outcome").addEventListener("change", () => this.listEpisodes());
    $("compare").addEventListener("change", () => this.compare($("compare").value));
    $("difference").addEventListener("click", () => this.firstDifference());
    $("theme").addEventListener("click", () => this.theme());
    $("help").addEventListener("click", () => this.keys());
    $("drawer").addEventListener("click", () => document.body.classList.toggle("drawn"));
    $("veil").addEventListener("click", () => document.body.classList.remove("drawn"));
  }
}

try {
  const kept = localStorage.getItem("embodied-theme");
  if (kept) document.documentElement.dataset.theme = kept;
} catch { /* as above */ }
const viewer = new Viewer(openSource());
viewer.start();
