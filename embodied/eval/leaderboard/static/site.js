"use strict";
// The leaderboard's only script: theme, tabs, filters, sorting. All data are in the page; nothing is fetched.
const store = { // pages opened from disk may not be allowed to remember anything
  get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* stays as it is for this visit */ } },
};
const root = document.documentElement;
const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
if (store.get("theme")) root.dataset.theme = store.get("theme");

document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  store.set("theme", root.dataset.theme);
});

// ---- boards as tabs
const tabs = [...document.querySelectorAll("[role=tab]")];
const panels = [...document.querySelectorAll(".panel")];

function show(key) {
  if (!panels.some((panel) => panel.id === key)) return;
  for (const panel of panels) panel.hidden = panel.id !== key;
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === key;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
}

tabs.forEach((tab, number) => {
  tab.addEventListener("click", () => {
    show(tab.getAttribute("aria-controls"));
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(number + step + tabs.length) % tabs.length];
    next.click();
    next.focus();
  });
});
const hashed = () => show(decodeURIComponent(location.hash.slice(1)));
addEventListener("hashchange", hashed);
hashed();

// ---- filters
for (const panel of panels) {
  const choices = [...panel.querySelectorAll(".filters select")];
  const partial = panel.querySelector(".filters input");
  const count = panel.querySelector(".filters .count");
  const entries = [...panel.querySelectorAll("[data-entry]")];
  const rows = entries.filter((entry) => entry.tagName === "TR");
  const filter = () => {
    for (const entry of entries) {
      const wanted = choices.every((choice) => !choice.value || entry.dataset[choice.name] === choice.value);
      entry.toggleAttribute("hidden", !wanted || (!partial.checked && entry.dataset.ranked === "no"));
      if (entry.tagName !== "TR") entry.style.display = entry.hasAttribute("hidden") ? "none" : "";
    }
    const shown = rows.filter((row) => !row.hidden).length;
    const noun = rows.length === 1 ? "entry" : "entries";
    count.textContent = shown === rows.length ? `${shown} ${noun}` : `${shown} of ${rows.length} ${noun}`;
  };
  for (const control of [...choices, partial]) control.addEventListener("change", filter);
  filter();
}

// ---- sorting: numbers from high to low first, names from A to Z; what has no value stays below
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const first = head.dataset.first;
    const order = head.getAttribute("aria-sort") === first ? (first === "ascending" ? "descending" : "ascending") : first;
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.children[column].dataset.value ?? "";
    const body = table.tBodies[0];
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y);
    };
    body.append(...[...body.rows].sort(compare));
  });
}
