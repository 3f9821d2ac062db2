"use strict";
// The page of the desk: one episode in front, the others in a list. Strings become text nodes only, never markup.

const $ = (id) => document.getElementById(id);
const MODES = {
  autonomous: ["agent", "The agent decides"],
  paused: ["paused", "Paused"],
  takeover: ["person", "A person decides"],
  ended: ["ended", "Ended"],
};
const KEYS = [
  ["Space", "pause, or go on"], [".", "play one step, then wait"], ["any letter", "begin a correction"],
  ["Enter", "show the action that the words name; again: send"], ["Escape", "discard the words; outside the line: end the correction"],
  ["F2, held", "talk; the words come into the line"], ["1 to 9", "in a takeover: that action"], ["Page Up, Page Down", "the episode before, the next one"],
  ["?", "these keys"],
];

const episodes = new Map();
let front = null; // the episode that is shown
let me = { role: "watch", you: "" };
let mine = new Set(); // the episodes that this page controls
let resolved = null; // what the desk said of the words in the line
let drawn = 0; // number of frames that were drawn, for measurements
window.deskFrames = () => drawn;

const wire = new Wire(hear, see, (word) => {
  const over = word !== "connected" && episodes.size > 0 && [...episodes.values()].every((live) => live.outcome);
  $("link").textContent = over ? "the run has ended" : word;
  $("link").className = `badge ${word === "connected" ? "good" : "warn"}`;
});

// ------------------------------------------------------------------ what the desk tells

function hear(told) {
  if (told.kind === "welcome") {
    me = { role: told.role, you: told.you };
    $("role").hidden = false;
    $("role").textContent = told.role === "control" ? told.you : `${told.you}, watching`;
    if (told.episodes) {
      const kept = mine;
      episodes.clear();
      for (const snapshot of told.episodes) episodes.set(snapshot.id, enrich(snapshot));
      mine = new Set([...kept].filter((id) => episodes.get(id)?.lease.by === told.you));
    }
    show(episodes.has(front) ? front : [...episodes.keys()].at(-1) ?? null);
    return;
  }
  if (told.kind === "error") return say(told.error, true);
  if (told.kind === "opened") {
    episodes.set(told.episode, enrich(told.snapshot));
    if (told.snapshot.lease.by === me.you) mine.add(told.episode); // a branch of an episode that this page controls
  }
  const live = episodes.get(told.episode);
  if (!live) return;
  if (told.mode) live.mode = told.mode;
  EVENTS[told.kind]?.(live, told);
  if (told.kind === "opened" && (front === null || ["ended"].includes(episodes.get(front)?.mode))) show(told.episode);
  else if (told.kind === "ended" && told.episode === front && told.outcome === "cancelled") show(branchOf(front) ?? front); // rewound
  else if (told.episode === front) draw();
  list();
}

// The newest branch of an episode that is being played.
function branchOf(id) {
  return [...episodes.values()].findLast((live) => live.parent === id && !live.outcome)?.id;
}

const EVENTS = {
  begun: (live, told) => Object.assign(live, { mission: told.mission, steps: told.steps, cost: told.cost, progress: told.progress, weighs: told.weighs }),
  observation: (live, told) => Object.assign(live, { observation: told.observation, decision: null, superseded: null, held: false, deciding: true, framed: false }),
  decision: (live, told) => Object.assign(live, { decision: told.decision, superseded: told.superseded, deciding: false, held: told.held }),
  unheard: (live, told) => Object.assign(live, { unheard: told.unheard }),
  weighing: (live, told) => {
    live.weighing = told.weighing;
    if (told.error && live.id === front) say(told.error, true);
  },
  waiting: (live, told) => Object.assign(live, { waiting: told.waiting }),
  receipt: (live, told) => {
    const at = live.receipts.findIndex((r) => r.id === told.receipt.id);
    if (at < 0) live.receipts.push(told.receipt);
    else live.receipts[at] = told.receipt;
  },
  step: (live, told) => {
    live.steps.push(told.line);
    live.cost = told.cost;
    live.progress = told.line.progress;
  },
  ended: (live, told) => Object.assign(live, { outcome: told.outcome, success: told.success, error: told.error, waiting: false, deciding: false }),
  pace: (live, told) => Object.assign(live, { real_time: told.real_time }),
  lease: (live, told) => {
    live.lease = told.lease;
    if (!told.lease.taken || told.lease.by !== me.you) mine.delete(live.id);
    else mine.add(live.id);
  },
};

function enrich(snapshot) {
  return { lease: { taken: false, by: "", lost: false }, framed: false, ...snapshot };
}

function see(head, png) {
  const live = episodes.get(head.episode);
  if (!live || head.episode !== front) return;
  live.framed = true;
  if (!live.moving) {
    live.moving = true;
    drawButtons(live);
  }
  createImageBitmap(png).then((bitmap) => head.episode === front && paint(bitmap));
}

function paint(bitmap) {
  const canvas = $("picture");
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  canvas.hidden = false;
  drawn += 1;
}

// ------------------------------------------------------------------ what is drawn

function show(id) {
  front = id;
  $("live").hidden = id === null;
  $("empty").hidden = id !== null;
  if (id === null) return;
  $("picture").hidden = true;
  pictured = "";
  clearLine();
  wire.post({ kind: "watching", episode: id });
  list();
  draw();
}

// Fills an element anew where `state` has changed: a button must not vanish while somebody presses it.
const filled = new WeakMap();
function fill(element, state, make) {
  const now = JSON.stringify(state);
  if (filled.get(element) === now) return;
  filled.set(element, now);
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset.testid : null;
  element.replaceChildren(...make());
  if (focused) element.querySelector(`[data-testid="${focused}"]`)?.focus();
}

const rows = new Map(); // episode -> its button, which stays the same

function list() {
  for (const id of rows.keys()) if (!episodes.has(id)) rows.delete(id);
  for (const live of episodes.values()) {
    if (!rows.has(live.id)) rows.set(live.id, h("button", { type: "button", class: "table", onclick: () => show(live.id) }));
    const row = rows.get(live.id);
    if (live.id === front) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    row.replaceChildren(
      h("span", { class: `dot ${MODES[live.mode][0]}`, "aria-hidden": "true" }),
      h("span", { class: "name", title: live.id }, `${(live.task || live.env).split("/").at(-1)} ${live.index}`),
      h("small", {}, live.outcome ?? `${MODES[live.mode][0]}, step ${live.steps.length}`),
      live.lease.taken ? h("small", { class: "by" }, live.lease.lost ? `${live.lease.by} (lost)` : live.lease.by) : "",
      live.parent ? h("small", {}, "a branch") : "");
  }
  fill($("episodes"), [...episodes.keys()], () => [...episodes.keys()].map((id) => rows.get(id)));
}

let pictured = "";

function draw() {
  const live = episodes.get(front);
  if (!live) return;
  const [word, sentence] = MODES[live.mode];
  $("mode").className = `mode ${word}`;
  $("mode").textContent = live.outcome ? `Ended: ${live.outcome.replace("_", " ")}` : sentence;
  const limit = live.mission?.max_steps;
  $("clock").textContent = `step ${live.steps.length}${limit ? ` of ${limit}` : ""}` + (typeof live.progress === "number" ? `, progress ${format.percent(live.progress)}` : "");
  const { input, output, dollars } = live.cost;
  $("cost").textContent = input || output ? `${format.short(input)} tokens in, ${format.short(output)} out${dollars ? `, ${dollars.toFixed(4)} dollars` : ""}` : "";
  $("goal").textContent = live.mission?.goal ?? "The environment is being made.";
  drawSeen(live);
  drawDecision(live);
  drawSaid(live);
  drawSteps(live);
  drawButtons(live);
}

function drawSeen(live) {
  const { text = "", status = "", image = null } = live.observation ?? {};
  $("text").textContent = text;
  $("status").textContent = status;
  $("status").hidden = !status;
  if (image && !live.framed && pictured !== image.digest) {
    pictured = image.digest;
    fetch(`image/${image.digest}`).then((r) => r.blob()).then(createImageBitmap).then((bitmap) => {
      if (pictured === image.digest) paint(bitmap);
    });
  } else if (!image && !live.framed) $("picture").hidden = true;
}

let decided = [];

function drawDecision(live) {
  const decision = live.decision;
  const now = [live.id, decision, live.superseded, live.held, live.mode, live.outcome, decision ? null : live.waiting];
  if (now.every((value, n) => value === decided[n])) return; // an opened prompt stays open
  decided = now;
  if (!decision) return $("decision").replaceChildren(h("p", { class: "soft" }, live.outcome ? "The episode is over." : live.waiting ? "It waits for you." : "The agent decides …"));
  const weighed = decision.weighed ?? (decision.chance ? { [decision.action]: Math.log(decision.chance) } : {});
  const chances = Object.entries(weighed).sort((a, b) => b[1] - a[1]);
  const bars = chances.map(([action, log]) => h("div", { class: "chance" }, h("span", {}, action), h("meter", { min: 0, max: 1, value: Math.exp(log), "aria-label": action }), h("small", {}, format.percent(Math.exp(log)))));
  const open = $("decision").querySelector("details[open] summary") !== null; // who reads one wants to read the next
  const before = live.superseded;
  const prompt = (of) => (of?.prompt ?? []).map((message) =>
    h("div", { class: "message" }, h("small", {}, message.role), h("pre", {}, message.parts.map((p) => (p.type === "text" ? p.text : `[picture, ${p.width} by ${p.height}]`)).join("\n"))));
  const exact = (of, what) => (of?.prompt?.length ? h("details", { open }, h("summary", {}, `${what}, ${of.prompt.length} ${of.prompt.length === 1 ? "message" : "messages"}`), ...prompt(of)) : "");
  $("decision").replaceChildren(
    h("p", { class: "intended" }, h("span", { class: "soft" }, live.mode === "takeover" ? "would have done " : live.held && live.mode === "paused" ? "would do " : "does "), h("code", {}, decision.action), decision.parsed ? null : h("span", { class: "tag bad" }, "not understood")),
    ...bars,
    decision.thought ? h("p", { class: "thought" }, decision.thought) : "",
    decision.reasoning ? h("details", {}, h("summary", {}, "Reasoning"), h("pre", {}, decision.reasoning)) : "",
    exact(decision, "The exact prompt"),
    before ? h("p", { class: "soft superseded" }, "Not executed: it would have done ", h("code", {}, before.action)) : "",
    exact(before, "The exact prompt of what was not executed"));
}

function drawSaid(live) {
  const spoken = live.receipts.filter((r) => ["Speak", "TakeOver", "Label", "Branch", "Rewind"].includes(r.command)).slice(-8).reverse();
  $("said").replaceChildren(...(spoken.length ? spoken.map((r) =>
    h("p", { class: "word" }, h("span", { class: `tag ${r.status === "applied" ? "note" : r.status === "refused" ? "bad" : ""}` }, became(r)),
      ` ${r.command === "Speak" ? "" : { TakeOver: "take over", Label: "label", Branch: "branch", Rewind: "rewind" }[r.command] + " "}${r.words ?? ""}`,
      h("small", {}, ` ${r.by ? r.by + ", " : ""}step ${r.opened}${r.why || r.question ? `. ${r.why || r.question}` : ""}`))) : [h("p", { class: "soft" }, "Nobody has spoken.")]));
}

// What became of a command, in a word. A correction can be over without having been obeyed.
function became(receipt) {
  if (receipt.command !== "Speak" || receipt.status !== "done") return receipt.status;
  return receipt.ended_by === "done" ? "obeyed" : `over: ${receipt.ended_by}`;
}

let listed = { id: null, count: 0 };

function drawSteps(live) {
  const element = $("steps");
  if (listed.id !== live.id || listed.count > live.steps.length) {
    element.replaceChildren();
    listed = { id: live.id, count: 0 };
  }
  for (const line of live.steps.slice(listed.count)) {
    element.prepend(h("li", { value: line.index },
      h("code", {}, line.executed), line.valid ? null : h("span", { class: "tag bad" }, "not valid"),
      line.person ? h("span", { class: "tag note" }, "person") : null,
      ...line.words.map((words) => h("span", { class: "tag note" }, words)),
      line.reward ? h("span", { class: `reward ${line.reward > 0 ? "good" : "bad"}` }, format.number(line.reward)) : null));
    if (element.children.length > 500) element.lastElementChild.remove();
  }
  listed.count = live.steps.length;
  const moment = $("moment");
  const end = Number(moment.value) === Number(moment.max);
  moment.max = live.steps.length;
  if (end) moment.value = live.steps.length;
  $("moment-number").textContent = moment.value;
}

function drawButtons(live) {
  const may = me.role === "control";
  const holds = may && mine.has(live.id);
  const have = holds && !live.outcome;
  const paused = live.mode === "paused";
  const taken = live.mode === "takeover";
  const other = live.lease.taken && !mine.has(live.id);
  const button = (name, label, press, on = true, title = null) => h("button", { type: "button", "data-testid": name, onclick: press, disabled: !on, title }, label);
  const spoken = live.receipts.some((r) => r.command === "Speak" && ["applied", "waiting"].includes(r.status));
  const shown = [live.id, me.role, may, have, live.mode, live.lease.by, other, spoken, live.moving, live.real_time, live.outcome, live.weighs, live.weighing];
  fill($("buttons"), shown, () => (me.role !== "control" ? [h("span", { class: "soft" }, "You watch. The other address controls.")] : have ? [
    button("pause", paused ? "Go on" : "Pause", () => command(paused ? "go_on" : "pause"), true, "Space"),
    button("step", "One step", () => command("step"), paused, "."),
    button("takeover", taken ? "Give back" : "Take over", () => command(taken ? "give_back" : "take_over")),
    button("end-correction", "End correction", () => command("end_correction"), spoken, "Escape"),
    button("success", "Success", () => command("label", { label: "success" })),
    button("failure", "Failure", () => command("label", { label: "failure" })),
    button("restart", "Restart", () => command("rewind", { step: 0 }), true, "The same seed from its beginning; this episode ends"),
    live.weighs ? button("weigh", live.weighing ? "Hide chances" : "Show chances", () => command("weigh", { on: !live.weighing }), true, "How likely the model finds each action. It costs one more call of the model in this process for each decision, which stands in no record.") : "",
    live.moving ? button("pace", live.real_time ? "As fast as possible" : "In real time", () => command("pace", { real_time: !live.real_time }), true, "How fast the frames of a step follow each other") : "",
    button("end", "End episode", () => command("end")),
    button("leave", "Leave control", () => command("leave")),
  ] : holds ? [
    button("success", "Success", () => command("label", { label: "success" })),
    button("failure", "Failure", () => command("label", { label: "failure" })),
    button("restart", "Play again", () => command("branch", { step: 0 }), true, "The same seed from its beginning, as a branch; this episode stays as it is"),
    button("leave", "Leave control", () => command("leave")),
  ] : [button("take", other ? `${live.lease.by} controls` : "Take control", () => command("take"), may && !other)]));
  for (const id of ["words", "send", "talk", "lasts", "rewind"]) $(id).disabled = !have;
  $("branch").disabled = !holds;
  const left = have ? live.unheard ?? [] : [];
  fill($("unheard"), [live.id, left], () => left.map((one, n) => h("p", { class: "word" }, h("span", { class: "tag warn" }, "not heard"), ` ${one.text} `,
    h("small", {}, `${one.by}, step ${one.step}, when the run was stopped `),
    button(`again-${n}`, "Say again", () => command("unheard", { words: one.id, again: true })),
    button(`drop-${n}`, "Drop", () => command("unheard", { words: one.id, again: false })))));
  $("line-label").textContent = taken ? "Do" : "Say";
  $("line").classList.toggle("acting", taken);
  const phrases = live.observation?.actions ?? Object.keys(live.mission?.actions ?? {});
  const chips = live.mission?.free_text ? [] : phrases.slice(0, 40);
  fill($("chips"), [live.id, have, taken, chips], () => (have ? [
    ...chips.map((phrase, n) => button(`chip-${n}`, taken && n < 9 ? `${n + 1} ${phrase}` : phrase, () => (taken ? command("act", { phrase }) : offer(phrase, "choice")), true)),
    taken ? "" : button("advice", "Ask the expert", async () => {
      const { advice, error } = await wire.ask("advice", live.id);
      if (advice) offer(advice, "choice");
      else say(error ?? "This run's environment gives no expert's advice.", Boolean(error));
    }),
  ] : []));
}

// ------------------------------------------------------------------ what a person does

function say(sentence, bad = false) {
  $("resolved").textContent = sentence;
  $("resolved").classList.toggle("bad", bad);
}

async function command(kind, fields = {}) {
  const answer = await wire.ask(kind, front, fields);
  say(answer.error ?? "", Boolean(answer.error));
  return answer;
}

let how = "typed";
let recording = ""; // of the words in the line, where they were spoken

function offer(words, by) {
  $("words").value = words;
  how = by;
  if (by !== "speech") recording = "";
  resolved = null;
  $("words").focus();
  preview();
}

function clearLine() {
  $("words").value = "";
  how = "typed";
  recording = "";
  $("offers").replaceChildren();
  resolved = null;
  say("");
}

// Says which action the words name. The next Enter sends them.
async function preview() {
  const words = $("words").value.trim();
  if (!words) return say("");
  const answer = await wire.ask("resolve", front, { text: words });
  if ($("words").value.trim() !== words) return; // it was typed on
  resolved = words;
  if (answer.error) say(answer.error, true);
  else if (answer.resolved) say(`Names the action “${answer.resolved}” (${answer.method}). Enter sends it, Escape discards it.`);
  else if (answer.several?.length) say(`Could be: ${answer.several.join(", ")}. Enter sends the words as they are.`);
  else say("Names no action. Only an agent with a model reads other words. Enter sends them, Escape discards them.");
}

$("line").addEventListener("submit", async (event) => {
  event.preventDefault();
  const live = episodes.get(front);
  const words = $("words").value.trim();
  if (!live || !words) return;
  if (live.mode === "takeover") {
    const answer = await command("act", { phrase: words });
    if (!answer.error) clearLine();
  } else if (resolved !== words) await preview();
  else {
    const answer = await command("speak", { text: words, how, lasts: Number($("lasts").value) || 1, ...(recording ? { recording } : {}) });
    if (answer.error) return;
    clearLine();
    $("words").blur(); // the keys for steps work again
    say("Sent.");
  }
});
$("words").addEventListener("input", () => {
  resolved = null;
  if (!$("words").value) clearLine();
  how = recording ? "speech" : "typed"; // spoken words may be edited
  say("");
});
$("picture").addEventListener("click", (event) => {
  const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
  const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height].map((share) => Math.round(100 * share));
  const words = $("words").value;
  if (!$("words").disabled) offer(`${words ? words + " " : "Look "}at the point ${x} % from the left and ${y} % from the top`, "pointer");
});
$("moment").addEventListener("input", () => { $("moment-number").textContent = $("moment").value; });
$("rewind").addEventListener("click", () => command("rewind", { step: Number($("moment").value) }));
$("branch").addEventListener("click", () => command("branch", { step: Number($("moment").value) }));
$("theme").addEventListener("click", () => {
  const dark = document.documentElement.dataset.theme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "light" : "dark";
});
$("keys").append(h("h2", {}, "Keys"), h("dl", {}, KEYS.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])), h("form", { method: "dialog" }, h("button", {}, "Close")));
$("help").addEventListener("click", () => $("keys").showModal());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const typing = event.target.matches("input:not([type=range])");
  const live = episodes.get(front);
  if (!live) return;
  const have = mine.has(front);
  if (event.key === "Escape") {
    if ($("words").value) clearLine();
    else if (have && !typing) command("end_correction");
    document.activeElement.blur();
  } else if (typing) return;
  else if (event.key === "PageDown" || event.key === "PageUp") {
    const ids = [...episodes.keys()];
    show(ids[(ids.indexOf(front) + (event.key === "PageDown" ? 1 : ids.length - 1)) % ids.length]);
  } else if (event.key === "?") $("keys").showModal();
  else if (!have || live.outcome) return;
  else if (event.key === " " && !event.target.matches("button, summary")) command(live.mode === "paused" ? "go_on" : "pause");
  else if (event.key === ".") command("step");
  else if (live.mode === "takeover" && /^[1-9]$/.test(event.key)) document.querySelector(`[data-testid="chip-${event.key - 1}"]`)?.click();
  else if (event.key.length === 1 && /\p{L}/u.test(event.key)) return $("words").focus(); // the letter arrives in the line
  else return;
  event.preventDefault();
});
