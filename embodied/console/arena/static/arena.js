"use strict";
// Two episodes side by side. Everything that a model or simulator wrote is put in as text, never as markup.
const $ = (id) => document.getElementById(id);
const root = document.documentElement;
const sides = Object.fromEntries([...document.querySelectorAll(".side")].map((section) => [section.dataset.side, section]));
const choices = [...document.querySelectorAll("[data-choice]")];
const state = { match: null, index: 0, last: 0, voted: false, playing: 0, asked: 0 };

const remember = { // a browser may not allow it
  get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("theme", value); } catch { /* for this visit only */ } },
};
if (remember.get()) root.dataset.theme = remember.get();
$("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  remember.set(root.dataset.theme);
});

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

async function ask(path, options) {
  const answer = await fetch(`api/${path}`, options);
  if (!answer.ok) throw new Error((await answer.text()).trim() || `The arena answered ${answer.status}.`);
  return answer.json();
}

async function guarded(work) {
  try {
    await work();
    $("problem").hidden = true;
  } catch (error) {
    $("problem").textContent = error instanceof TypeError ? "The arena does not answer: was it stopped?" : error.message;
    $("problem").hidden = false;
  }
}

// ---- a match

const HIDDEN = {
  pictures: "Only one of the two players saw pictures. Pictures and thoughts are hidden on both sides, so that nothing says which.",
  observations: "Only one of the two players saw pictures, and their texts differ. Both sides show only what they do, so that nothing says which.",
};

function next() {
  return guarded(async () => {
    pause();
    const match = await ask("match", { method: "POST" });
    Object.assign(state, { match, index: 0, last: Math.max(match.steps.left, match.steps.right), voted: false });
    $("task").textContent = `${match.env} ${match.task}${match.goal ? `: ${match.goal}` : ""}`;
    $("hidden").textContent = HIDDEN[match.hidden] || "";
    $("hidden").hidden = !match.hidden;
    $("slider").max = state.last;
    $("next").firstChild.textContent = "Skip ";
    for (const choice of choices) {
      choice.disabled = false;
      choice.classList.remove("chosen");
    }
    for (const [side, section] of Object.entries(sides)) {
      const title = make("h2", "", side === "left" ? "Left" : "Right");
      title.append(make("span", "", `${match.steps[side]} steps`), make("span", "known", ""));
      section.replaceChildren(title, make("div", "view"), make("p", "thought"), make("div", "action"));
    }
    await show(0);
  });
}

async function show(index) {
  state.index = Math.min(Math.max(index, 0), state.last);
  $("slider").value = state.index;
  $("at").textContent = `step ${state.index} of ${state.last}`;
  const asked = ++state.asked;
  const { match } = state.match;
  await Promise.all(Object.keys(sides).map(async (side) => {
    const own = Math.min(state.index, state.match.steps[side]);
    const place = `match=${encodeURIComponent(match)}&side=${side}&index=${own}`;
    const step = await ask(`step?${place}`);
    if (asked !== state.asked) return; // a later step was asked for meanwhile
    draw(sides[side], step, place);
  }));
}

function draw(section, step, place) {
  const view = section.querySelector(".view");
  const text = make("pre", "", step.text);
  if (step.image) {
    const image = make("img");
    image.alt = "What the agent saw";
    image.src = `api/image?${place}`;
    view.replaceChildren(image, text);
  } else view.replaceChildren(...(step.text || !state.match.hidden ? [text] : []));
  section.querySelector(".thought").textContent = step.thought;
  const action = section.querySelector(".action");
  action.className = step.valid ? "action" : "action invalid";
  if (step.action === null) action.replaceChildren(make("b", "", "The end"));
  else action.replaceChildren("Does ", make("b", "", step.action), step.valid ? "" : " (its answer was no valid action)");
}

function vote(choice) {
  if (!state.match || state.voted) return;
  state.voted = true;
  for (const button of choices) button.disabled = true;
  guarded(async () => {
    let known;
    try {
      known = await ask("vote", { method: "POST", body: JSON.stringify({ match: state.match.match, choice }) });
    } catch (error) {
      state.voted = false;
      for (const button of choices) button.disabled = false;
      throw error;
    }
    choices.find((button) => button.dataset.choice === choice).classList.add("chosen");
    for (const [side, section] of Object.entries(sides)) {
      const progress = known[side].progress === null ? "" : ` · progress ${(100 * known[side].progress).toFixed(1)} %`;
      section.querySelector(".known").textContent = known[side].name + progress;
    }
    $("next").firstChild.textContent = "Next ";
    await standings();
  });
}

// ---- standings

const span = (interval, digits, factor = 1) => (interval ? interval.map((v) => (factor * v).toFixed(digits)).join(" to ") : "");

async function standings() {
  const table = await ask("standings");
  $("rows").replaceChildren(...table.rows.map((row) => {
    const line = make("tr");
    const number = (words, more) => {
      const cell = make("td", "number", words);
      if (more) cell.append(make("small", "", more));
      return cell;
    };
    line.append(
      make("th", "", row.name),
      number(row.strength === null ? "–" : row.strength.toFixed(2), span(row.interval, 2)),
      number(String(row.wins)),
      number(String(row.votes)),
      number(row.score === null ? "–" : `${(100 * row.score).toFixed(1)} %`, span(row.score_interval, 1, 100)),
    );
    return line;
  }));
  $("count").textContent = `${table.votes} votes` + (table.damaged ? `; ${table.damaged} lines of the votes' file could not be read` : "");
}

// ---- playing

function pause() {
  clearInterval(state.playing);
  state.playing = 0;
  $("play").textContent = "Play";
}

function play() {
  if (state.playing) return pause();
  $("play").textContent = "Pause";
  if (state.index >= state.last) state.index = -1;
  let busy = false;
  state.playing = setInterval(() => {
    if (busy) return;
    if (state.index >= state.last) return pause();
    busy = true;
    guarded(() => show(state.index + 1)).finally(() => { busy = false; });
  }, 250);
}

const go = (index) => { pause(); if (state.match) guarded(() => show(index)); };
$("play").addEventListener("click", play);
$("slider").addEventListener("input", () => go(Number($("slider").value)));
$("next").addEventListener("click", next);
for (const choice of choices) choice.addEventListener("click", () => vote(choice.dataset.choice));
const keys = {
  ArrowRight: () => go(state.index + 1), ArrowLeft: () => go(state.index - 1), Home: () => go(0), End: () => go(state.last),
  1: () => vote("left"), 2: () => vote("right"), 0: () => vote("tie"), n: next, " ": play,
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  if (event.key === " " && event.target.tagName === "BUTTON") return;
  event.preventDefault();
  keys[event.key]();
});

next();
guarded(standings);
