"""What all reports share: the frame of a page, sections, tables and tiles."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from embodied.eval.markup import Html, el, raw

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def document(title: str, *body: Any) -> bytes:
    """A page without a script. Its policy allows no request."""
    style = files("embodied.eval").joinpath("data", "report.css").read_text()
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", raw(style)),
    )
    return f"<!doctype html>\n{el('html', head, el('body', el('main', body)), lang='en')}\n".encode("utf-8", "replace")


def section(title: str, *children: Any, note: str = "") -> Html:
    """A part of a page with its heading."""
    return el("section", el("h2", title), el("p", note, class_="note") if note else None, children)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], class_: str = "") -> Html:
    """A table whose first column is text."""
    lines = [el("tr", (el("th" if n == 0 else "td", cell) for n, cell in enumerate(row))) for row in rows]
    return el(
        "div",
        el("table", el("thead", el("tr", (el("th", h) for h in header))), el("tbody", lines), class_=class_),
        class_="wide",
    )


def tiles(figures: Sequence[tuple[str, Any, str]]) -> Html:
    """Large figures: each with its name, its value and a remark."""
    return el(
        "div",
        (
            el("div", el("span", name, class_="name"), el("b", value), el("span", more, class_="more"), class_="tile")
            for name, value, more in figures
        ),
        class_="tiles",
    )
