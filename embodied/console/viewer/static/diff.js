"use strict";
// Differences of two texts by lines, and of two settings by keys, as nodes. Texts are put in as text, never as markup.

const DIFF_CELLS = 4_000_000; // of the table that the middle takes; above it, what is left is shown as one change

// Lines of a and b in order: [" ", line] in both, ["-", line] in a only, ["+", line] in b only.
function lineDiff(a, b) {
  let start = 0, enda = a.length, endb = b.length;
  while (start < enda && start < endb && a[start] === b[start]) start++;
  while (enda > start && endb > start && a[enda - 1] === b[endb - 1]) { enda--; endb--; }
  const one = a.slice(start, enda), two = b.slice(start, endb);
  const middle = one.length * two.length > DIFF_CELLS ? [...one.map((line) => ["-", line]), ...two.map((line) => ["+", line])] : longestCommon(one, two);
  return [...a.slice(0, start).map((line) => [" ", line]), ...middle, ...a.slice(enda).map((line) => [" ", line])];
}

function longestCommon(a, b) {
  const width = b.length + 1, table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { found.push([" ", a[i]]); i++; j++; }
    else if (i < a.length && (j === b.length || table[(i + 1) * width + j] >= table[i * width + j + 1])) found.push(["-", a[i++]]);
    else found.push(["+", b[j++]]);
  }
  return found;
}

const KEPT = 3; // equal lines shown around a change

function diffNode(a, b, names) {
  const lines = lineDiff(a, b);
  const changed = lines.map(([kind], n) => (kind === " " ? -1 : n)).filter((n) => n >= 0);
  if (!changed.length) return h("p", { class: "missing" }, `${names[0]} and ${names[1]} are the same.`);
  const near = new Uint8Array(lines.length);
  for (const n of changed) near.fill(1, Math.max(0, n - KEPT), n + KEPT + 1);
  const rows = [];
  for (let n = 0; n < lines.length; n++) {
    if (near[n]) {
      const [kind, text] = lines[n];
      rows.push(h("div", { class: kind === "+" ? "added" : kind === "-" ? "removed" : "" }, h("span", { class: "sign", "aria-label": { "+": "added", "-": "removed", " ": "same" }[kind], role: "img" }, kind), text));
      continue;
    }
    let end = n;
    while (end < lines.length && !near[end]) end++;
    rows.push(h("div", { class: "gap" }, `${end - n} equal line${end - n > 1 ? "s" : ""}`));
    n = end - 1;
  }
  const count = (sign) => lines.filter(([kind]) => kind === sign).length;
  return h("div", {}, h("p", { class: "legend" }, `− ${names[0]}: ${count("-")} lines · + ${names[1]}: ${count("+")} lines`), h("div", { class: "diff text" }, rows));
}

// The lines of a prompt: each message under its role; a picture by the beginning of its name.
function promptLines(ids, messages) {
  return ids.flatMap((id) => {
    const message = messages[id]?.message;
    if (!message) return ["(a message that is missing)"];
    const parts = message.parts || [];
    return [`[${message.role}]`, ...parts.flatMap((part) => (part.type === "image" ? [`(picture ${String(part.digest).slice(0, 12)})`] : String(part.text ?? "").split("\n")))];
  });
}

// Keys of two settings that differ: [key, there, here].
function settingsDiff(a, b, path = "") {
  const plain = (value) => value === null || typeof value !== "object" || Array.isArray(value);
  if (plain(a) || plain(b)) return JSON.stringify(a) === JSON.stringify(b) ? [] : [[path, a, b]];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().flatMap((key) => settingsDiff(a[key] ?? null, b[key] ?? null, path ? `${path}.${key}` : key));
}

function settingsPane(mine, theirs) {
  const rows = settingsDiff({ ...mine.config, versions: mine.versions }, { ...theirs.config, versions: theirs.versions });
  const said = (value) => h("td", {}, h("code", {}, value === null ? "–" : typeof value === "string" ? value : JSON.stringify(value)));
  const head = h("thead", {}, h("tr", {}, h("th", {}, "setting"), h("th", {}, mine.name), h("th", {}, theirs.name)));
  const body = h("tbody", {}, rows.map(([key, a, b]) => h("tr", {}, h("td", {}, h("code", {}, key)), said(a), said(b))));
  return h("details", { class: "pane", id: "settings-diff", open: true }, h("summary", {}, `Settings that differ (${rows.length})`),
    rows.length ? h("div", { class: "wide" }, h("table", { class: "settings" }, head, body)) : h("p", { class: "missing" }, "The two runs have the same settings."));
}
