"use strict";
// The page of a folder of runs: a table that can be filtered and sorted, and links into each run's viewer. Filters and
// order stand in the address, so that they survive a way into a run and back.

const FILTERS = ["group_name", "env", "suite", "agent", "model", "state"];
const STATES = { finished: "good", "in play": "note", "not over": "note", stopped: "warn", "ended early": "warn", damaged: "bad", REFUSED: "bad" };
// key of a column -> its words, what it is sorted by, and whether large values come first
const COLUMNS = {
  name: ["Run", (run) => run.name.toLowerCase(), false],
  played: ["Played", (run) => played(run).toLowerCase(), false],
  agent: ["Agent", (run) => run.agent.toLowerCase(), false],
  model: ["Model", (run) => run.model.toLowerCase(), false],
  created: ["Date", (run) => run.created, true],
  progress: ["Score", (run) => run.progress, true],
  coverage: ["Scored", (run) => (run.planned ? run.coverage : null), true],
  dollars: ["Dollars", (run) => run.dollars, true],
  state: ["State", (run) => run.state, false],
};
const REFRESH = 5000;
const $ = (id) => document.getElementById(id);

function played(run) {
  const worlds = run.suite || (run.envs.length > 3 ? `${run.envs.length} environments` : run.envs.join(", "));
  return run.control ? `${worlds} (${run.control})` : worlds;
}
function dollars(value) { return typeof value !== "number" ? "–" : value && value < 0.995 ? `$${Number(value.toPrecision(2))}` : `$${value.toFixed(2)}`; }
function worldsOf(run, key) { return key === "env" ? run.envs : [run[key]]; }

// A score on a line from 0 to 100 %, its interval as a bar.
function interval(run) {
  if (typeof run.progress !== "number") return null;
  const [low, high] = run.interval || [run.progress, run.progress], x = (share) => (2 + 96 * share).toFixed(1);
  return svg("svg", { class: "interval", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("line", { class: "axis", x1: 2, x2: 98, y1: 4, y2: 4 }), svg("line", { class: "span", x1: x(low), x2: x(high), y1: 4, y2: 4 }),
    svg("line", { class: "point", x1: x(run.progress), x2: x(run.progress), y1: 0, y2: 8 }));
}

class Shelf {
  constructor() {
    this.runs = [];
    this.ticked = new Set();
    this.listen();
    this.keep();
  }

  async load() {
    clearTimeout(this.waiting);
    try {
      const response = await fetch("api/shelf");
      const body = await response.json().catch(() => ({ error: `The viewer answered ${response.status}. Was it stopped?` }));
      if (!response.ok) throw new Error(body.error);
      this.runs = body.runs;
      this.improvements = body.improvements;
      $("problem").hidden = true;
      $("folder").textContent = body.folder + (body.wanted ? `  ·  ${body.wanted}` : "");
      document.title = `${body.folder} – Embodied`;
      this.total = body.total;
      this.offer();
      this.draw();
    } catch (error) {
      $("problem").textContent = error instanceof TypeError ? "The viewer does not answer. Was it stopped?" : error.message;
      $("problem").hidden = false;
    }
    if (this.runs.some((run) => run.state === "in play")) this.waiting = setTimeout(() => this.load(), REFRESH);
  }

  // ------------------------------------------------------------------ filters and order, kept in the address

  get asked() { return new URLSearchParams(location.hash.slice(1)); }
  get sort() {
    const said = this.asked.get("sort") || "-created", key = said.replace(/^-/, "");
    return key in COLUMNS ? [key, said.startsWith("-")] : ["created", true];
  }

  ask(changes) {
    const asked = this.asked;
    for (const [key, value] of Object.entries(changes)) {
      if (value) asked.set(key, value);
      else asked.delete(key);
    }
    history.replaceState(null, "", `#${asked}`);
    this.keep();
    this.show();
    this.draw();
  }

  // For the way back out of a run.
  keep() {
    try {
      sessionStorage.setItem("embodied-runs", location.hash);
    } catch { /* a browser may keep nothing */ }
  }

  order(key) {
    const [now, down] = this.sort;
    this.ask({ sort: `${(key === now ? !down : COLUMNS[key][2]) ? "-" : ""}${key}` });
  }

  // What each filter offers: every value that there is.
  offer() {
    for (const key of FILTERS) {
      const every = new Set(this.runs.flatMap((run) => worldsOf(run, key))), values = [...every].filter(Boolean).sort();
      $(key).replaceChildren(h("option", { value: "" }, "all"), ...values.map((value) => h("option", { value }, value)));
      $(key).closest("label").hidden = every.size < 2 && !this.asked.get(key);
    }
    this.show();
  }

  show() {
    const asked = this.asked, [key, down] = this.sort;
    if (document.activeElement !== $("words")) $("words").value = asked.get("words") || "";
    for (const name of FILTERS) $(name).value = asked.get(name) || "";
    $("order").value = `${down ? "-" : ""}${key}`;
    $("clear").disabled = !["words", ...FILTERS].some((name) => asked.get(name));
  }

  chosen() {
    const asked = this.asked, words = (asked.get("words") || "").toLowerCase().split(/\s+/).filter(Boolean);
    const [key, down] = this.sort, value = COLUMNS[key][1];
    const takes = (run) => FILTERS.every((name) => !asked.get(name) || worldsOf(run, name).includes(asked.get(name)))
      && words.every((word) => [run.name, ...run.envs, run.suite, run.agent, run.preset, run.model, run.state, run.created, run.problem, run.role || ""].some((text) => text.toLowerCase().includes(word)));
    const none = (v) => v === null || v === undefined || v === "";
    return this.runs.filter(takes).sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (none(x) || none(y)) return none(x) - none(y) || (a.name < b.name ? -1 : 1); // what has no value is last
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || (a.name < b.name ? -1 : 1);
    });
  }

  // ------------------------------------------------------------------ the table

  draw() {
    const [sorted, down] = this.sort;
    $("heads").replaceChildren(h("th", { scope: "col", class: "tick" }, h("span", { class: "unseen" }, "Tick")), ...Object.entries(COLUMNS).map(([key, [words]]) =>
      h("th", { scope: "col", class: key, "aria-sort": key === sorted ? (down ? "descending" : "ascending") : null },
        h("button", { type: "button", "data-sort": key, onclick: () => this.order(key) }, words, h("span", { class: "arrow", "aria-hidden": "true" }, key === sorted ? (down ? "▾" : "▴") : "")))));
    const runs = this.chosen();
    $("rows").replaceChildren(...this.grouped(runs).map((run) => (run.heading ? this.heading(run.heading) : this.row(run))));
    $("count").textContent = runs.length === this.total ? `${format.count(runs.length)} run${runs.length === 1 ? "" : "s"}` : `${format.count(runs.length)} of ${format.count(this.total)} runs`;
    $("none").hidden = Boolean(runs.length);
    $("none").textContent = this.runs.length ? "No run is like that." : "There are no runs here yet.";
    $("runs").hidden = !runs.length;
    this.tell();
  }

  // The runs of an improvement stand together, below a line that leads to its curve: where the first of them stands, in
  // their turn unless something else than the date is asked for.
  grouped(runs) {
    const [key] = this.sort, groups = new Map(), shown = [];
    for (const run of runs) {
      if (!run.group) shown.push([run]);
      else if (groups.has(run.group)) groups.get(run.group).push(run);
      else {
        groups.set(run.group, [{ heading: run.group }, run]);
        shown.push(groups.get(run.group));
      }
    }
    if (key === "created") for (const group of groups.values()) group.sort((a, b) => (a.heading ? -1 : b.heading ? 1 : a.turn - b.turn || (a.name < b.name ? -1 : 1)));
    return shown.flat();
  }

  heading(group) {
    const found = this.improvements[group], columns = Object.keys(COLUMNS).length;
    return h("tr", { class: "heading", "data-group": group }, h("td", { colspan: columns }, h("span", { class: "what" }, "Improvement "),
      found.problem ? h("span", { class: "dead" }, found.name) : h("a", { href: `improvement/${group}/` }, found.name), h("small", {}, ` ${found.about}`),
      found.problem ? h("p", { class: "wrong" }, found.problem) : h("small", {}, found.result ? ` · ${found.result}` : "")),
      h("td", { class: "state", "data-name": "State" }, h("span", { class: `badge ${STATES[found.state] || ""}` }, found.state)));
  }

  row(run) {
    const cell = (key, ...children) => h("td", { class: key, "data-name": COLUMNS[key][0] }, ...children);
    const tick = h("input", { type: "checkbox", "aria-label": `Tick ${run.name}`, checked: this.ticked.has(run.key), disabled: run.state === "damaged" });
    tick.addEventListener("change", () => {
      if (tick.checked) this.ticked.add(run.key);
      else this.ticked.delete(run.key);
      this.tell();
    });
    const state = cell("state", h("span", { class: `badge ${STATES[run.state] || ""}` }, run.state));
    if (run.state === "damaged") return h("tr", { "data-key": run.key }, h("td", { class: "tick" }, tick), cell("name", h("span", { class: "dead" }, run.name)), h("td", { class: "why", colspan: Object.keys(COLUMNS).length - 2 }, run.problem), state);
    const figures = run.interval ? h("small", {}, `${(100 * run.interval[0]).toFixed(1)} to ${(100 * run.interval[1]).toFixed(1)}`) : null;
    return h("tr", { "data-key": run.key }, h("td", { class: "tick" }, tick),
      cell("name", h("a", { href: `run/${run.key}/` }, run.name), run.role ? h("small", { class: "role" }, run.role) : null, run.problem ? h("p", { class: "wrong" }, run.problem) : null),
      cell("played", played(run)), cell("agent", run.agent, run.preset && run.preset !== run.agent ? h("small", {}, ` ${run.preset}`) : null), cell("model", run.model || "–"),
      cell("created", h("time", { datetime: run.created, title: run.created }, run.created.slice(0, 10) || "–")),
      cell("progress", h("span", { class: "value" }, typeof run.progress === "number" ? `${(100 * run.progress).toFixed(1)} %` : "–"), interval(run), figures),
      cell("coverage", run.planned ? `${format.count(run.scored)}/${format.count(run.planned)}` : "–"), cell("dollars", dollars(run.dollars)), state);
  }

  tell() {
    const known = new Set(this.runs.map((run) => run.key));
    for (const key of this.ticked) if (!known.has(key)) this.ticked.delete(key);
    $("beside").disabled = this.ticked.size < 2;
    $("beside").textContent = this.ticked.size > 1 ? `Open ${this.ticked.size} side by side` : "Open side by side";
  }

  // ------------------------------------------------------------------ keys and clicks

  theme() {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("embodied-theme", document.documentElement.dataset.theme);
    } catch { /* a browser may keep nothing */ }
  }

  listen() {
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("words").addEventListener("input", () => this.ask({ words: $("words").value }));
    for (const key of FILTERS) $(key).addEventListener("change", () => this.ask({ [key]: $(key).value }));
    $("clear").addEventListener("click", () => {
      $("words").value = "";
      this.ask(Object.fromEntries(["words", ...FILTERS].map((key) => [key, ""])));
    });
    for (const [key, [words, , down]] of Object.entries(COLUMNS))
      for (const falls of [down, !down]) $("order").append(h("option", { value: `${falls ? "-" : ""}${key}` }, `${words} ${falls ? "▾" : "▴"}`));
    $("order").addEventListener("change", () => this.ask({ sort: $("order").value }));
    $("beside").addEventListener("click", () => { location.href = `run/${[...this.ticked].join("+")}/`; });
    $("theme").addEventListener("click", () => this.theme());
    addEventListener("hashchange", () => { this.keep(); this.show(); this.draw(); });
    addEventListener("pageshow", (event) => { if (event.persisted) this.load(); });
    document.addEventListener("keydown", (event) => {
      const typing = ["INPUT", "SELECT"].includes(event.target.tagName);
      if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
      if (event.key === "/") { event.preventDefault(); $("words").select(); }
      if (event.key === "t") this.theme();
      if (event.key === "Escape") event.target.blur();
    });
  }
}

try {
  const kept = localStorage.getItem("embodied-theme");
  if (kept) document.documentElement.dataset.theme = kept;
} catch { /* as above */ }
const shelf = new Shelf();
shelf.load();
