"""What the leaderboard's pages and plots share: the frame of a page, labels of an entry."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from embodied.eval.leaderboard.board import BoardEntry
from embodied.eval.markup import Html, el, raw
from embodied.quantities import Interval, coverage, span


def document(title: str, body: Html, script: bool) -> bytes:
    """A page with the site's style and, on the index, its script; its policy allows nothing else."""
    static = files("embodied.eval.leaderboard").joinpath("static")
    code = static.joinpath("site.js").read_text() if script else ""
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" if script else "'none'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
        " form-action 'none'"
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", title),
        el("style", raw(static.joinpath("site.css").read_text())),
    )
    page = el("html", head, el("body", body, el("script", raw(code)) if script else None), lang="en")
    return f"<!doctype html>\n{page}\n".encode("utf-8", "replace")


def data(e: BoardEntry) -> dict[str, Any]:
    """What the filters ask of a row or a point."""
    return {
        "data_entry": e.key,
        "data_sees": sees(e),
        "data_open": openness(e),
        "data_agent": e.settings.agent,
        "data_source": source(e),
        "data_ranked": "yes" if e.ranked else "no",
    }


def sees(e: BoardEntry) -> str:
    """`vision` where the agent got pictures, else `text`."""
    return "vision" if e.settings.vision else "text"


def openness(e: BoardEntry) -> str:
    """Whether the weights of the entry's model are public, in a word."""
    if not e.settings.model:
        return "no model"
    return {True: "open", False: "closed", None: "unknown"}[e.settings.open_model]


def source(e: BoardEntry) -> str:
    """Which project recorded the entry."""
    return e.settings.imported or "own runs"


def marks(e: BoardEntry) -> Html:
    """The entry's properties as small labels."""
    s = e.settings
    found = [(sees(e), "vision") if s.vision else None, (f"{openness(e)} model", "open") if s.open_model else None]
    found += [
        (f"imported from {s.imported.upper()}", "imported") if s.imported else None,
        (f"rules: {s.rules}", "") if s.rules not in ("", "embodied") else None,
    ]
    if e.summary_only:
        found.append(("summary only", "imported"))
    if e.total.coverage < 1:
        found.append(
            (f"{coverage(e.total.scored, e.total.planned)} played" + ("" if e.ranked else ", unranked"), "short")
        )
    return el("span", (el("span", m[0], class_=f"mark {m[1]}".strip()) for m in found if m), class_="marks")


def small_span(interval: Interval | None, digits: int = 1) -> Html | None:
    """An interval in percent, small: `53.0–70.1`."""
    return el("span", span(interval, digits, between="–"), class_="span") if interval else None
