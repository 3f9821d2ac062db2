"use strict";
// The page of the corrections of a run. Strings become text nodes and attribute values only, never markup.

const $ = (id) => document.getElementById(id);
const KEYS = [
  ["j k, arrows", "the next correction, the one before"], ["Page Down, Page Up", "ten on, ten back"], ["Home, End", "the first, the last"],
  ["e", "edit the words"], ["Ctrl Enter", "save the words"], ["Escape", "leave the words as they were"],
  ["x", "exclude, or include again"], ["/", "filter by words"], ["t", "light or dark"], ["?", "these keys"],
];
const FILTERS = ["task", "by", "status", "changed"];
const CHANGED = {
  edited: (row) => row.edited,
  excluded: (row) => row.excluded,
  untouched: (row) => !row.edited && !row.excluded,
};

const words = (row) => row.text || row.said;
const short = (task) => task.split("/").at(-1);
const key = (row) => `${row.episode} ${row.id}`;

class Page {
  constructor() {
    this.rows = [];
    this.shown = [];
    this.may = false;
    this.open = null; // key of the row in the detail
    this.list = new VirtualList($("list"), 52, (node, n) => this.drawRow(node, this.shown[n]), (n) => this.pick(n));
    this.listen();
  }

  async load() {
    const told = await ask("api/corrections");
    if (told.error) return this.complain(told.error);
    this.rows = told.rows;
    this.may = told.role === "control";
    this.exports = told.exports;
    this.improve = told.improve;
    this.episodes = told.episodes;
    $("desk").hidden = !told.desk;
    if (told.desk) $("desk").href = told.desk;
    $("run").textContent = `${told.run}: corrections`;
    document.title = `${told.run} – corrections`;
    $("role").hidden = this.may;
    $("role").textContent = "read only";
    if (told.damaged_count) this.complain([`${format.count(told.damaged_count)} lines cannot be read and are left out:`, ...told.damaged].join("\n"));
    for (const name of ["task", "by", "status"]) options(name, [...new Set(this.rows.map((row) => row[name]))].sort());
    options("changed", Object.keys(CHANGED));
    this.filter();
  }

  complain(sentence) {
    $("problem").textContent = sentence;
    $("problem").hidden = !sentence;
  }

  filter() {
    const needles = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = Object.fromEntries(FILTERS.map((name) => [name, $(name).value]));
    this.shown = this.rows.filter((row) => {
      for (const name of ["task", "by", "status"]) if (wanted[name] && row[name] !== wanted[name]) return false;
      if (wanted.changed && !CHANGED[wanted.changed](row)) return false;
      const text = needles.length ? [row.text, row.said, row.resolved, row.superseded, row.executed, row.by, row.task, row.how].join("\n").toLowerCase() : "";
      return needles.every((needle) => text.includes(needle));
    });
    const all = this.rows.length === 1 ? "1 correction" : `${format.count(this.rows.length)} corrections`;
    $("count").textContent = this.shown.length === this.rows.length ? all : `${format.count(this.shown.length)} of ${all}`;
    const at = this.shown.findIndex((row) => key(row) === this.open);
    this.list.selected = at;
    this.list.set(this.shown.length);
    if (at < 0) this.pick(0);
    else this.list.select(at);
  }

  drawRow(node, row) {
    node.replaceChildren(
      h("span", { class: `name${row.excluded ? " excluded" : ""}` }, words(row)),
      h("span", { class: "tags" }, row.excluded ? h("span", { class: "tag warn" }, "excluded") : null, row.edited ? h("span", { class: "tag note" }, "edited") : null),
      h("small", { class: "where" }, `${short(row.task)} ${row.number}${row.branch ? ", a branch" : ""}, step ${row.step}`),
      h("small", {}, `${row.by}, ${row.status}`));
  }

  async pick(n) {
    const row = this.shown[n];
    this.list.select(row ? n : -1);
    this.open = row ? key(row) : null;
    if (!row) return $("detail").replaceChildren(h("p", { class: "empty" }, this.rows.length ? "No correction is like that." : "Nobody corrected the agent in this run."));
    const found = await ask(`api/correction?${new URLSearchParams({ episode: row.episode, id: row.id })}`);
    if (this.open !== key(row)) return; // another one was chosen since
    if (found.error) return $("detail").replaceChildren(h("p", { class: "empty" }, found.error));
    this.draw(row, found);
  }

  draw(row, found) {
    const side = (title, seen, verb, action, thought, missing) => h("section", {}, h("h3", {}, title),
      ...(seen?.images ?? []).map((digest) => h("img", { src: `image/${digest}`, alt: `${title}: what the agent saw` })),
      seen ? (seen.text ? h("pre", { tabindex: 0, "aria-label": `${title}: observation` }, seen.text) : null) : h("p", { class: "soft" }, missing),
      seen?.status ? h("pre", { class: "soft" }, seen.status) : null,
      action ? h("p", {}, h("span", { class: "soft" }, `${verb} `), h("code", { class: "does" }, action)) : null,
      thought ? h("details", {}, h("summary", {}, "Thought"), h("pre", {}, thought)) : null);
    const facts = [
      ["said", row.said], ["how", row.how], ["by", row.by], ["status", row.why ? `${row.status} (${row.why})` : row.status],
      ["named then", row.resolved || "no action"], ["not executed", row.superseded ?? "–"], ["executed", row.executed ?? "nobody heard it"],
      ["episode", row.episode], ["id", row.id], ...(row.changed_by ? [["changed by", row.changed_by]] : []),
    ];
    this.names = h("p", { class: "result", role: "status", id: "result" });
    $("detail").replaceChildren(
      h("h2", {}, words(row)),
      h("p", { class: "soft" }, found.goal ? `Goal: ${found.goal}` : ""),
      this.form(row),
      this.sound(row),
      h("div", { class: "pair" },
        side("Before", found.before, "the agent would have done", row.superseded, found.superseded_thought, "Nothing is recorded."),
        side("After", found.after, "then happened", row.executed, found.thought, row.executed === null ? "No decision heard these words." : "Nothing came after this step.")),
      h("h3", {}, "The record, which never changes"),
      h("dl", { class: "record" }, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    $("detail").scrollTop = 0;
    this.teach(row, found.names);
  }

  form(row) {
    if (!this.may) return h("div", { class: "change" }, this.names);
    const area = row.kind === "correction" ? h("textarea", { id: "text", maxlength: 2000, rows: 2, spellcheck: true, "aria-describedby": "result" }) : null;
    if (area) area.value = row.text;
    const button = (name, label, press, title) => h("button", { type: "button", "data-testid": name, onclick: press, title }, label);
    const by = h("input", { id: "label", maxlength: 100, value: label(), autocomplete: "off" });
    by.addEventListener("change", () => sessionStorage.setItem("label", by.value.trim()));
    return h("form", { class: "change", onsubmit: (event) => event.preventDefault() },
      area ? [h("label", { for: "text" }, "The words as exports teach them"), area] : h("p", {}, "A person acted in this step. There are no words to edit."),
      h("div", { class: "buttons" },
        area ? button("save", "Save", () => this.change(row, { text: area.value }), "Ctrl Enter") : null,
        row.edited ? button("restore", "Back to what was said", () => this.change(row, { text: row.said })) : null,
        button("exclude", row.excluded ? "Include" : "Exclude", () => this.change(row, { excluded: !row.excluded }), "x"),
        h("label", {}, "Your label ", by)),
      this.names);
  }

  // The recording of spoken words, and its end.
  sound(row) {
    if (row.heard === null) return h("p", { id: "sound", hidden: true });
    if (!row.recording) return h("p", { id: "sound", class: "soft" }, `The recording was deleted. The recognizer had understood “${row.heard}”.`);
    const remove = h("button", { type: "button", "data-testid": "delete-recording", onclick: () => {
      if (remove.dataset.sure) return this.change(row, { delete_recording: true });
      remove.dataset.sure = "yes";
      remove.textContent = "Delete for ever";
    } }, "Delete the recording");
    return h("div", { id: "sound", class: "buttons" },
      h("audio", { src: `recording/${row.recording}`, controls: true, preload: "none", "aria-label": "The recording" }),
      h("span", { class: "soft" }, `The recognizer understood “${row.heard}”.`), this.may ? remove : null);
  }

  teach(row, names) {
    this.names.className = "result";
    this.names.textContent = row.excluded ? "Exports leave it out." : row.executed === null ? "Exports leave it out: no decision heard it."
      : names ? `Exports teach the action “${names}”.` : "Exports leave it out: the words name no action.";
  }

  async change(row, fields) {
    const now = await ask("api/change", { episode: row.episode, id: row.id, by: label(), ...fields });
    if (now.error) {
      this.names.className = "result bad";
      this.names.textContent = now.error;
      return;
    }
    const at = this.rows.findIndex((one) => key(one) === key(row));
    const { names, ...fresh } = now;
    Object.assign(this.rows[at], fresh); // in place: the list that is shown holds the same objects
    this.list.refresh();
    if (this.open !== key(row)) return;
    const focused = document.activeElement?.dataset?.testid;
    $("detail").querySelector("h2").textContent = words(this.rows[at]);
    $("detail").querySelector(".change").replaceWith(this.form(this.rows[at]));
    $("sound").replaceWith(this.sound(this.rows[at]));
    this.teach(this.rows[at], names);
    this.names.prepend("Saved. ");
    if (focused) (document.querySelector(`[data-testid="${focused}"]`) ?? $("list")).focus();
    else if (document.activeElement === document.body) $("list").focus();
  }

  // ------------------------------------------------------------------ keys and clicks

  move(by) {
    if (!this.shown.length) return;
    this.pick(Math.min(this.shown.length - 1, Math.max(0, this.list.selected + by)));
  }

  theme() {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  }

  exporting() {
    $("exports").replaceChildren(h("h2", {}, "Export"),
      h("p", { class: "soft" }, "These commands write what you see here: edited words as they are now, and nothing that is excluded. Branches need their own command, with their id behind the run."),
      ...this.exports.flatMap(({ about, command }) => {
        const shown = h("code", { tabindex: 0 }, command);
        return [h("p", {}, about), h("div", { class: "command" }, shown, copying(shown))];
      }),
      h("h2", {}, "Improve the agent"), ...this.learning(),
      h("form", { method: "dialog" }, h("button", {}, "Close")));
    $("exports").showModal();
  }

  // The command with which the agent learns from these corrections, or why there is none.
  learning() {
    const { command, why } = this.improve;
    if (!command) return [h("p", { id: "improve" }, why)];
    const shown = h("code", { id: "improve", tabindex: 0 }, command);
    return [h("p", {}, "This command makes versions of the agent that learn from the corrections, and tests whether they are better."),
      h("div", { class: "command" }, shown, copying(shown))];
  }

  // Episodes that have ended: what they came to, a label, and how to go back in one.
  plays() {
    $("episodes").replaceChildren(h("h2", {}, "Episodes that have ended"),
      h("p", { class: "soft" }, this.episodes.length ? "A label stands beside the record and changes no score. The command goes back to a step and plays on from there, as a branch; with --console behind it, at the desk, if the run was begun there." : "No episode has ended."),
      h("ul", { class: "plays" }, this.episodes.map((one, n) => this.play(one, n))),
      h("p", { id: "labelled", class: "result", role: "status" }),
      h("form", { method: "dialog" }, h("button", {}, "Close")));
    if (!$("episodes").open) $("episodes").showModal();
  }

  play(one, n) {
    const name = `${short(one.task)} ${one.number}`;
    const label = (text) => h("button", { type: "button", "data-testid": `${text}-${n}`, "aria-pressed": String(one.label === text), onclick: () => this.label(n, text) }, text === "success" ? "Success" : "Failure");
    const command = h("code", { tabindex: 0 }, `${one.command} 0`);
    const step = h("input", { type: "number", min: 0, max: one.steps, value: 0, "aria-label": `Step of ${name} to go back to` });
    step.addEventListener("input", () => { command.textContent = `${one.command} ${Math.min(one.steps, Math.max(0, Number(step.value) || 0))}`; });
    return h("li", {}, h("span", { class: "name", title: one.episode }, name), one.branch ? h("small", {}, "a branch") : null,
      h("small", {}, `${one.outcome.replace("_", " ")}, ${one.steps} steps${typeof one.progress === "number" ? `, progress ${format.percent(one.progress)}` : ""}`),
      one.label ? h("span", { class: "tag note", title: one.labelled_by }, one.label) : null,
      h("span", { class: "spring" }), ...(this.may ? [label("success"), label("failure")] : []),
      one.command ? h("div", { class: "command" }, h("label", {}, "Step ", step), command, copying(command)) : null);
  }

  async label(n, text) {
    const now = await ask("api/label", { episode: this.episodes[n].episode, label: text, by: label() });
    if (!now.error) {
      this.episodes[n] = now;
      this.plays();
      $("episodes").querySelector(`[data-testid="${text}-${n}"]`).focus();
    }
    $("labelled").className = `result${now.error ? " bad" : ""}`;
    $("labelled").textContent = now.error ?? "Saved.";
  }

  listen() {
    $("filters").addEventListener("submit", (event) => event.preventDefault());
    $("words").addEventListener("input", () => this.filter());
    for (const name of FILTERS) $(name).addEventListener("change", () => this.filter());
    $("clear").addEventListener("click", () => {
      for (const name of ["words", ...FILTERS]) $(name).value = "";
      this.filter();
    });
    $("theme").addEventListener("click", () => this.theme());
    $("export").addEventListener("click", () => this.exporting());
    $("plays").addEventListener("click", () => this.plays());
    $("keys").append(h("h2", {}, "Keys"), h("dl", {}, KEYS.flatMap(([name, what]) => [h("dt", {}, h("kbd", {}, name)), h("dd", {}, what)])), h("form", { method: "dialog" }, h("button", {}, "Close")));
    $("help").addEventListener("click", () => $("keys").showModal());
    document.addEventListener("keydown", (event) => this.pressed(event));
  }

  pressed(event) {
    if ($("keys").open || $("exports").open || $("episodes").open || event.altKey) return;
    const row = this.shown[this.list.selected];
    const editing = event.target.id === "text";
    if (editing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return this.change(row, { text: event.target.value });
    }
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && event.target.matches("input, textarea, select")) {
      if (editing) event.target.value = row.text;
      return $("list").focus();
    }
    if (event.target.matches("input, textarea, select")) return;
    const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.key in steps && (event.key.length === 1 || !event.target.matches("pre, summary, #detail"))) this.move(steps[event.key]);
    else if (event.key === "e" && $("text")) $("text").focus();
    else if (event.key === "x" && this.may && row) this.change(row, { excluded: !row.excluded });
    else if (event.key === "/") $("words").select();
    else if (event.key === "t") this.theme();
    else if (event.key === "?") $("keys").showModal();
    else return;
    event.preventDefault();
  }
}

function label() {
  return sessionStorage.getItem("label") || "person";
}

// A button that copies what an element says.
function copying(element) {
  return h("button", { type: "button", "aria-label": `Copy ${element.textContent}`, onclick: async (event) => {
    const button = event.currentTarget;
    await navigator.clipboard.writeText(element.textContent).catch(() => getSelection().selectAllChildren(element));
    button.textContent = "Copied";
  } }, "Copy");
}

function options(name, values) {
  $(name).replaceChildren(h("option", { value: "" }, "all"), ...values.map((value) => h("option", { value }, name === "task" ? short(value) : value)));
}

// What the server answers: an object, with `error` where it refuses.
async function ask(address, body = null) {
  try {
    const answer = await fetch(address, body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {});
    return await answer.json();
  } catch {
    return { error: "The server cannot be reached. Start `embodied console RUN` again." };
  }
}

const page = new Page();
page.load();
