"""What makes a page usable by everyone, asked of a real browser: names of controls, contrast of
texts, heads of tables.
"""

from __future__ import annotations

NAMELESS = """() => {
  const shown = (e) => e.checkVisibility({ visibilityProperty: true });
  const name = (e) => {
    const by = (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => \
document.getElementById(id)?.textContent || "").join(" ");
    const labels = [...(e.labels || [])].map((l) => l.textContent).join(" ");
    const inside = ["INPUT", "SELECT", "TEXTAREA"].includes(e.tagName) ? "" : e.textContent;
    return [e.getAttribute("aria-label"), by, labels, inside, e.getAttribute("alt"), e.title]
      .map((t) => (t || "").trim()).find(Boolean) || "";
  };
  const wanted = "button, a[href], input, select, textarea, summary, " +
    "[tabindex], [role=img], [role=slider], [role=listbox], [role=radio], [role=tab], img, dialog";
  return [...document.querySelectorAll(wanted)].filter(shown)
    .filter((e) => e.tagName !== "MAIN" && !name(e)).map((e) => e.outerHTML.slice(0, 160));
}"""
"""Controls and pictures in sight that have no name."""

HEADLESS = """() => [...document.querySelectorAll("table")].filter((t) => t.checkVisibility()).flatMap((table) =>
  table.tHead ? [...table.tHead.querySelectorAll("th")]
    .filter((h) => !h.textContent.trim()).map(() => table.outerHTML.slice(0, 160)) : ["no head: " + \
table.outerHTML.slice(0, 160)])"""
"""Tables in sight without a head, or with an empty one."""

FAINT = """() => {
  const read = (text) => {
    const m = text.match(/[\\d.]+/g); return m ? [...m.slice(0, 3).map(Number), m.length > 3 ? Number(m[3]) : 1] : \
[0, 0, 0, 0]; };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);
  const ground = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) layers.push(read(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const light = (c) => [0, 1, 2].map((n) => c[n] / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((s, v, n) => s + v * [0.2126, \
0.7152, 0.0722][n], 0);
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), e = walker.currentNode.parentElement;
    if (!text || !e.checkVisibility({ visibilityProperty: true })) continue;
    if (["SCRIPT", "STYLE", "OPTION", "TITLE", "title"].includes(e.tagName) || e.closest("button:disabled")) continue;
    const style = getComputedStyle(e), svg = e instanceof SVGElement;
    const below = ground(e);
    let opacity = 1;
    for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity);
    const ink = read(svg ? style.fill : style.color);
    const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * opacity], below)), light(below)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found[`${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""}: ${ratio.toFixed(2)}`] = \
text.slice(0, 40);
  }
  return found;
}"""
"""Texts in sight with a contrast below 4.5 to what is behind them: where, and which. Disabled buttons are left out, as
WCAG does.
"""
