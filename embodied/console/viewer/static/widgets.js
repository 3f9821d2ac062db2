"use strict";
// Building blocks of the page. Strings reach the document as text nodes and attribute values only, never as markup.

function h(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const format = {
  count: (n) => (n ?? 0).toLocaleString("en"),
  short: (n) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(n ?? 0),
  percent: (p) => (typeof p !== "number" ? "–" : `${(100 * p).toFixed(p && p < 0.0995 ? 2 : 1).replace(/\.?0+$/, "")} %`),
  number: (x) => (typeof x !== "number" ? "–" : String(Number(x.toPrecision(4)))),
  seconds: (s) => (typeof s !== "number" ? "–" : s < 0.01 ? `${(1000 * s).toFixed(2)} ms` : s < 1 ? `${Math.round(1000 * s)} ms` : s < 120 ? `${s.toFixed(1)} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`),
};

// A list of any length: only the rows in sight are in the document, and their nodes are used again while scrolling.
class VirtualList {
  // draw(node, n) fills a row's node with item n; pick(n) hears a click.
  constructor(element, height, draw, pick) {
    this.element = element;
    this.height = height;
    this.draw = draw;
    this.count = 0;
    this.selected = -1;
    this.nodes = new Map();
    this.spare = [];
    this.sizer = h("div", { class: "sizer", role: "presentation" });
    element.replaceChildren(this.sizer);
    element.addEventListener("scroll", () => this.soon(), { passive: true });
    element.addEventListener("click", (event) => {
      const row = event.target.closest("[data-n]");
      if (row) pick(Number(row.dataset.n));
    });
    new ResizeObserver(() => this.soon()).observe(element);
  }

  set(count) {
    this.count = count;
    this.sizer.style.height = `${count * this.height}px`;
    this.refresh();
  }

  select(n, middle = false) {
    this.selected = n;
    const { scrollTop, clientHeight } = this.element;
    const top = n * this.height;
    if (n >= 0 && (top < scrollTop || top + this.height > scrollTop + clientHeight)) {
      const near = !middle && (Math.abs(top - scrollTop) < 3 * this.height || Math.abs(top + this.height - scrollTop - clientHeight) < 3 * this.height);
      if (!near) this.element.scrollTop = top - (clientHeight - this.height) / 2;
      else this.element.scrollTop = top < scrollTop ? top : top + this.height - clientHeight;
    }
    this.refresh();
  }

  refresh() {
    this.changed = false;
    for (const node of this.nodes.values()) node.dataset.n = "";
    this.place();
  }

  // At the next frame: rows that came into sight are drawn, and all of them when what they show has changed.
  soon(changed = false) {
    this.changed ||= changed;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.changed) this.refresh();
      else this.place();
    });
  }

  place() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - 4);
    const last = Math.min(this.count, Math.ceil((scrollTop + clientHeight) / this.height) + 4);
    for (const [n, node] of this.nodes) {
      if (n < first || n >= last) {
        this.nodes.delete(n);
        this.spare.push(node);
        node.hidden = true;
      }
    }
    for (let n = first; n < last; n++) {
      let node = this.nodes.get(n);
      if (node && node.dataset.n === String(n)) continue;
      if (!node) {
        node = this.spare.pop() || this.sizer.appendChild(h("div", { role: "option", class: "row" }));
        node.hidden = false;
        this.nodes.set(n, node);
        node.style.transform = `translateY(${n * this.height}px)`;
      }
      node.dataset.n = n;
      node.id = `${this.element.id}-${n}`;
      node.setAttribute("aria-selected", n === this.selected);
      node.setAttribute("aria-posinset", n + 1);
      node.setAttribute("aria-setsize", this.count);
      this.draw(node, n);
    }
    if (this.selected >= 0) this.element.setAttribute("aria-activedescendant", `${this.element.id}-${this.selected}`);
    else this.element.removeAttribute("aria-activedescendant");
  }
}

// The progress curve with a lane of marks below it; a click or drag goes to a step.
class Chart {
  constructor(element, seek) {
    this.element = element;
    this.seek = seek;
    this.data = null;
    this.svg = element.appendChild(svg("svg", { "aria-hidden": "true" }));
    this.cursor = svg("g", { class: "cursor" }, svg("line"), svg("circle", { r: 4 }));
    new ResizeObserver(() => this.draw()).observe(element);
    const at = (event) => {
      if (!this.data) return;
      const share = (event.clientX - element.getBoundingClientRect().left - this.left) / this.width;
      this.seek(Math.round(Math.min(1, Math.max(0, share)) * this.data.last));
    };
    element.addEventListener("pointerdown", (event) => { element.setPointerCapture(event.pointerId); at(event); });
    element.addEventListener("pointermove", (event) => { if (element.hasPointerCapture(event.pointerId)) at(event); });
  }

  // data: {last, progress: [[row, value]], other: the same or null, rewards: [[row, value]], lanes: {name: [rows]}}
  set(data) {
    this.data = data;
    this.draw();
  }

  x(row) { return this.left + (this.data.last ? row / this.data.last : 0) * this.width; }
  y(value) { return this.base - (Math.min(value, this.top) / this.top) * (this.base - 10); }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!this.data || !width) return;
    this.left = 46;
    this.width = Math.max(10, width - this.left - 14);
    this.base = height - 18;
    const highest = Math.max(...[...this.data.progress, ...(this.data.other || [])].map(([, value]) => value || 0), 0);
    this.top = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((limit) => highest <= limit) || highest;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const y = this.y(this.top * share);
      parts.push(svg("line", { class: "grid", x1: this.left, x2: this.left + this.width, y1: y, y2: y }));
      parts.push(svg("text", { x: this.left - 7, y: y + 3.5, "text-anchor": "end" }, format.percent(this.top * share)));
    }
    if (this.data.other) parts.push(svg("path", { class: "other", d: this.curve(this.data.other) }));
    const curve = this.curve(this.data.progress);
    if (curve) parts.push(svg("path", { class: "area", d: `${curve}V${this.base}H${this.x(0)}Z` }), svg("path", { class: "curve", d: curve }));
    for (const [name, rows] of Object.entries(this.data.lanes)) if (rows.length) parts.push(svg("path", { class: `mark ${name}`, d: this.marks(rows, name) }));
    this.svg.replaceChildren(...parts, this.cursor);
    this.move(this.row || 0);
  }

  curve(changes) {
    let path = "", last = null;
    for (const [row, value] of changes) {
      if (typeof value !== "number" || row > this.data.last) continue; // another episode may be longer
      path += last === null ? `M${this.x(0)} ${this.y(value)}` : `H${this.x(row).toFixed(1)}V${this.y(value).toFixed(1)}`;
      last = value;
    }
    return path && `${path}H${this.x(this.data.last)}`;
  }

  // One line for all rows that fall on the same pixel, the taller the larger their share of it.
  marks(rows, name) {
    const [top, bottom] = name === "hit" ? [1, 7] : [this.base + 4, this.base + 14];
    const columns = new Map();
    for (const row of rows) {
      const x = Math.round(this.x(row));
      columns.set(x, (columns.get(x) || 0) + 1);
    }
    const all = Math.max(1, this.data.last / this.width);
    return [...columns].map(([x, n]) => `M${x} ${bottom}V${(bottom - (bottom - top) * Math.min(1, Math.max(0.25, n / all))).toFixed(1)}`).join("");
  }

  move(row) {
    this.row = row;
    if (!this.data || !this.width) return;
    let value = 0;
    for (const [at, progress] of this.data.progress) {
      if (at >= row) break; // a step's progress is known after it
      value = progress || 0;
    }
    const [line, dot] = this.cursor.children, x = this.x(Math.min(row, this.data.last));
    for (const [name, at] of Object.entries({ x1: x, x2: x, y1: 2, y2: this.base + 13 })) line.setAttribute(name, at);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", this.y(value));
    this.element.setAttribute("aria-valuemax", this.data.last);
    this.element.setAttribute("aria-valuenow", row);
  }
}
