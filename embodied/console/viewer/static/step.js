"use strict";
// One step, the end of an episode, and the facts about an episode, as nodes.

const OUTCOMES = {
  finished: ["finished", "good"], limit: ["step limit", "warn"], refused: ["prompt refused", "bad"], model_failure: ["model failure", "bad"], infra_failure: ["infrastructure failure", "bad"],
  cancelled: ["cancelled", "quiet"], damaged: ["damaged record", "bad"],
};
const EVENT_KINDS = { invalid: "bad", unread: "bad", retry: "warn", "asked again": "warn", "cut off": "warn", damaged: "warn", error: "bad", correction: "note", "correction ended": "note", takeover: "note" };

function outcomeBadge(outcome) {
  const [words, tone] = OUTCOMES[outcome] || [outcome ? String(outcome) : "not ended", "quiet"];
  return h("span", { class: `badge ${tone}` }, words);
}

function pane(title, body, ...tools) {
  return h("section", { class: "pane" }, h("h3", {}, h("span", {}, title), h("span", { class: "spring" }), ...tools), body);
}

// A map or table drawn in letters must not be wrapped; prose must.
function isDrawing(text) {
  let run = 0, length = -1;
  for (const line of text.split("\n")) {
    run = line.length === length && length >= 8 ? run + 1 : 0;
    length = line.length;
    if (run >= 4) return true;
  }
  return false;
}

function textBlock(text, kind = "") {
  return h("pre", { class: `text ${kind} ${isDrawing(text) ? "drawing" : ""}` }, text);
}

function copyButton(label, get) {
  const button = h("button", { type: "button", class: "small" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(await get());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = label; }, 1200);
  });
  return button;
}

function picture(view, image, kind = "") {
  const url = view.source.image(view.key, image.digest);
  const frame = h("figure", { class: `frame ${kind}` });
  const failed = () => frame.replaceChildren(h("p", { class: "missing" }, "This picture is missing or damaged."));
  if (!url) failed();
  else frame.append(h("img", { src: url, width: image.width, height: image.height, alt: `What the agent saw, ${image.width} by ${image.height} pixels`, decoding: "async", onerror: failed }));
  return frame;
}

function pictures(observation) {
  return [observation.image, ...(observation.more_images ?? [])].filter(Boolean);
}

function world(view, observation) {
  const panes = [];
  const images = pictures(observation);
  for (const image of images) panes.push(pane("Picture", picture(view, image)));
  if (observation.text || !observation.image) panes.push(pane("Observation", observation.text ? textBlock(observation.text, "observed") : h("p", { class: "missing" }, "No text.")));
  if (observation.status) panes.push(pane("Status", textBlock(observation.status)));
  if (observation.expert) panes.push(pane("What the expert would do", textBlock(observation.expert)));
  const wide = images.length && images[0].width > 1.6 * images[0].height;
  return h("div", { class: `world ${observation.image ? "pictured" : ""} ${wide ? "panorama" : ""}` }, panes);
}

function fact(name, value, title = "") {
  return h("span", { class: "fact", title }, h("span", { class: "name" }, name), h("span", { class: "value" }, value));
}

function eventList(events) {
  if (!events.length) return null;
  return h("ul", { class: "events" }, events.map(([kind, text]) => h("li", { class: EVENT_KINDS[kind] || "quiet" }, h("b", {}, kind), h("span", {}, text))));
}

function head(view, row, step) {
  const { decision } = step;
  const usage = decision.calls.reduce((sum, { reply }) => ({ input: sum.input + (reply.usage?.input || 0), output: sum.output + (reply.usage?.output || 0) }), { input: 0, output: 0 });
  const good = step.valid && decision.parsed;
  return h("header", { class: "act" },
    h("div", { class: "line" }, h("span", { class: "number" }, `Step ${step.index}`), h("span", { class: "of" }, `of ${format.count(view.rows)}`),
      h("span", { class: `badge ${good ? "good" : "bad"}` }, good ? "valid" : decision.parsed ? "invalid" : "not understood"),
      step.terminated && h("span", { class: "badge quiet" }, "last step"), step.truncated && h("span", { class: "badge quiet" }, "cut here by the limit")),
    h("div", { class: "actions" }, h("code", { class: "action" }, step.executed || "(nothing)"),
      decision.action !== step.executed && h("span", { class: "said" }, decision.parsed ? "the agent said " : "the reply was ", h("code", {}, decision.action || "(empty)"))),
    h("div", { class: "line" },
      fact("reward", format.number(step.reward)), fact("progress", format.percent(step.progress)),
      decision.calls.length ? fact("tokens", `${format.count(usage.input)} in · ${format.count(usage.output)} out`) : null,
      fact("agent", format.seconds(step.agent_seconds), "Time the agent took"), fact("world", format.seconds(step.env_seconds), "Time the environment took")),
    eventList(view.row(row)?.events || []));
}

function callPanes(view, decision, opened, title = "Reply") {
  const several = decision.calls.length > 1;
  return decision.calls.flatMap((call, number) => {
    const which = several ? ` ${number + 1} of ${decision.calls.length}` : "";
    const { reply } = call;
    const about = [reply.model, reply.stop && `stop: ${reply.stop}`, format.seconds(reply.seconds), reply.cached && "from the cache"].filter(Boolean).join(" · ");
    return [
      pane(`${title}${which}`, textBlock(reply.text || "(empty)", "reply"), h("span", { class: "about" }, about)),
      reply.reasoning && reply.reasoning.trim() !== decision.thought.trim() ? pane(`Reasoning${which}`, textBlock(reply.reasoning)) : null,
      promptPane(view, call, which, opened),
    ];
  });
}

// What happened before the decision that was executed: a decision that was superseded, and the words of a model that spoke.
function beforePanes(view, step, opened) {
  return (step.events || []).flatMap((event) => {
    const by = event.kind === "correction" ? `the correction \u201c${event.text}\u201d` : event.kind === "takeover" ? "a takeover" : "an interruption";
    const before = event.superseded;
    const own = event.calls?.length ? callPanes(view, { calls: event.calls, thought: "" }, opened, event.kind === "interrupt" ? "Call that was broken off" : `Reply of ${event.by || event.kind}`) : [];
    if (!before) return own;
    const thought = before.thought && before.thought.trim() !== before.calls.at(-1)?.reply.text.trim() ? pane("Thought", h("div", { class: "thought" }, before.thought)) : null;
    const action = h("p", { class: "withdrawn" }, "The agent had decided ", h("code", {}, before.action || "(nothing)"), ". This was not executed.");
    return [...own, h("section", { class: "superseded" }, h("h3", {}, `Superseded by ${by}`), action, thought, callPanes(view, before, opened))];
  });
}

// The actions of this step, where they change from step to step: what was executed is marked, what the mission has besides is struck out.
const MOST_OFFERED = 40;

function offeredPane(view, step) {
  const offered = step.observation.actions;
  if (!offered) return null;
  const mission = view.episode.result?.mission;
  const known = new Set(offered);
  const withheld = Object.keys(mission?.actions || {}).filter((phrase) => !known.has(phrase));
  const chip = (kind, title) => (phrase) => h("li", { class: phrase === step.executed ? "chosen" : kind, title: phrase === step.executed ? "This was executed" : title }, h("code", {}, phrase));
  const list = h("ul", { class: "offered" }, offered.map(chip("", "")), withheld.map(chip("withheld", "It could not be chosen in this step")));
  const title = mission?.free_text ? "Commands offered in this step" : "Actions offered in this step";
  const body = offered.length || withheld.length ? list : h("p", { class: "missing" }, "None.");
  if (offered.length + withheld.length <= MOST_OFFERED) return pane(title, body, h("span", { class: "about" }, format.count(offered.length)));
  return h("details", { class: "pane" }, h("summary", {}, `${title} (${format.count(offered.length)})`), body);
}

function promptPane(view, call, which, opened) {
  const ids = call.messages || [];
  const body = h("div", { class: "prompt" });
  const box = h("details", { class: "pane", open: opened.prompt }, h("summary", {}, h("span", {}, `Prompt${which}, as it was sent`), h("span", { class: "spring" }), h("span", { class: "about" }, `${ids.length} messages`)), body);
  const fill = async () => {
    if (body.firstChild) return;
    body.append(h("p", { class: "missing" }, "Loading…"));
    try {
      const messages = await view.messages(ids);
      const before = new Set(await view.promptBefore());
      const list = ids.map((id) => messageNode(view, messages[id]?.message, !before.has(id)));
      const changes = h("div", { hidden: true });
      const shown = h("div", {}, list);
      const compare = h("button", { type: "button", class: "small differ", "aria-pressed": "false" }, "Text diff");
      compare.addEventListener("click", async () => {
        const on = compare.getAttribute("aria-pressed") !== "true";
        compare.setAttribute("aria-pressed", String(on));
        changes.hidden = !on;
        shown.hidden = on;
        if (on) await fillChanges(view, changes, promptLines(ids, messages));
      });
      const plain = () => JSON.stringify(ids.map((id) => messages[id]?.message ?? null), null, 1);
      body.replaceChildren(h("div", { class: "legend" }, "A bar marks what was not in the prompt of the step before.", h("span", { class: "spring" }), compare, copyButton("Copy as JSON", plain)), shown, changes);
      view.highlight();
    } catch (error) {
      body.replaceChildren(h("p", { class: "missing" }, error.message));
    }
  };
  box.addEventListener("toggle", () => {
    opened.prompt = box.open;
    if (box.open) fill();
  });
  return box;
}

// The prompt's text beside that of the step before, and beside that of the episode one compares with.
async function fillChanges(view, body, lines) {
  body.replaceChildren(h("p", { class: "missing" }, "Loading…"));
  try {
    const others = [["the step before", view, await view.promptBefore()]];
    if (view.compared) others.push(["the other episode", view.compared, await view.compared.promptHere()]);
    const nodes = [];
    for (const [name, owner, ids] of others) {
      nodes.push(h("h4", {}, `Against the prompt of ${name}`));
      nodes.push(ids.length ? diffNode(promptLines(ids, await owner.messages(ids)), lines, [name, "this prompt"]) : h("p", { class: "missing" }, "There is no such prompt."));
    }
    body.replaceChildren(...nodes);
    view.highlight();
  } catch (error) {
    body.replaceChildren(h("p", { class: "missing" }, error.message));
  }
}

function messageNode(view, message, fresh) {
  if (!message) return h("p", { class: "missing" }, "A message of this prompt is missing: its line in messages.jsonl is damaged.");
  const parts = (message.parts || []).map((part) => (part.type === "image" ? picture(view, part, "small") : textBlock(part.text ?? "")));
  return h("div", { class: `message ${message.role} ${fresh ? "fresh" : ""}` }, h("span", { class: "role" }, message.role), parts);
}

function infoPane(title, value, opened, name) {
  if (!value || !Object.keys(value).length) return null;
  const box = h("details", { class: "pane", open: opened[name] }, h("summary", {}, title), textBlock(JSON.stringify(value, null, 2)));
  box.addEventListener("toggle", () => { opened[name] = box.open; });
  return box;
}

function stepNode(view, row, step, opened) {
  return h("article", { class: "step" },
    head(view, row, step),
    step.decision.thought && step.decision.thought.trim() !== step.decision.calls.at(-1)?.reply.text.trim() ? pane("Thought", h("div", { class: "thought" }, step.decision.thought)) : null,
    offeredPane(view, step),
    h("div", { class: "columns" }, world(view, step.observation), h("div", { class: "mind" }, beforePanes(view, step, opened), callPanes(view, step.decision, opened))),
    infoPane("Info from the environment", step.info, opened, "info"));
}

// The place behind the last step: how it ended, and what the world looked like then.
function endNode(view, opened) {
  const result = view.episode.result;
  const waiting = view.episode.problem || "The episode has not ended: it is being played, or the run was stopped.";
  const number = h("span", { class: "number" }, "End");
  if (!result) return h("article", { class: "step" }, h("header", { class: "act" }, h("div", { class: "line" }, number), h("p", {}, waiting)));
  const ending = [["outcome", result.end_reason], ["error", result.error && `${result.error_kind}: ${result.error}`]].filter(([, text]) => text);
  return h("article", { class: "step" },
    h("header", { class: "act" },
      h("div", { class: "line" }, number, outcomeBadge(result.outcome), result.success !== null && h("span", { class: `badge ${result.success ? "good" : "quiet"}` }, result.success ? "success" : "no success")),
      h("div", { class: "line" }, fact("progress", format.percent(result.progress)), fact("return", format.number(result.return_)), fact("steps", format.count(result.steps)),
        fact("invalid actions", format.count(result.invalid_actions)), fact("time", format.seconds(result.seconds))),
      eventList(ending)),
    result.last ? world(view, result.last) : null,
    infoPane("Metrics", result.metrics, { metrics: true }, "metrics"), episodePanes(view, opened));
}

function episodePanes(view, opened) {
  const { episode, run } = view;
  const mission = episode.result?.mission;
  const actions = Object.entries(mission?.actions || {});
  const heads = h("thead", {}, h("tr", {}, h("th", {}, mission?.free_text ? "command" : "action"), h("th", {}, "what it does")));
  const table = h("table", { class: "vocabulary" }, heads, actions.map(([phrase, gloss]) => h("tr", {}, h("td", {}, h("code", {}, phrase)), h("td", {}, gloss))));
  const attempts = episode.attempts.map((key, n) => h("a", { href: `#${encodeURIComponent(key)}` }, `attempt ${n + 1}`));
  return [
    mission ? pane("Mission", h("div", { class: "thought" }, [mission.intro, mission.goal, ...mission.tips.map((tip) => `· ${tip}`)].filter(Boolean).join("\n"))) : null,
    actions.length ? h("details", { class: "pane" }, h("summary", {}, `${mission.free_text ? "Kinds of commands" : "Actions"} (${actions.length})`), table) : null,
    attempts.length ? pane("Earlier attempts without a score", h("p", { class: "links" }, attempts)) : null,
    infoPane("What the seed chose", episode.result?.info, opened, "reset"),
    infoPane("Task and seed", { ...episode.task, seed: episode.seed, repeat: episode.number, id: episode.id }, opened, "task"),
    infoPane("Settings", run.config, opened, "config"), infoPane("Versions", run.versions, opened, "versions"),
  ];
}
