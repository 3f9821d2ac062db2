"""An entry's own page: scores by environment and task, what it was played with, replays. No script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from embodied.eval.leaderboard.board import Board, BoardEntry, ScoreCell
from embodied.eval.leaderboard.parts import document, marks, small_span
from embodied.eval.leaderboard.plot import span_bar
from embodied.eval.markup import Html, el
from embodied.quantities import coverage, dollars, percent, short

UNSET: tuple[Any, ...] = (None, "", [], {})


def entry_page(board: Board, entry: BoardEntry, replays: Sequence[tuple[str, str]]) -> bytes:
    """The page of one entry; `replays` are (words, address relative to this page)."""
    body = el(
        "main",
        el("p", el("a", f"← {board.title}", href=f"../index.html#{board.key}")),
        el("header", el("div", el("h1", entry.settings.name), marks(entry))),
        el(
            "div",
            (
                el("div", el("span", name), el("b", value), el("span", more), class_="tile")
                for name, value, more in _figures(board, entry)
            ),
            class_="tiles",
        ),
        (el("p", note, class_="warning") for note in entry.notes),
        _section("Environments", _scores([(env, c) for env, c in entry.environments.items()], "environment")),
        _section("Tasks", _scores([(f"{env} {task}".strip(), c) for (env, task), c in entry.tasks.items()], "task"))
        if entry.tasks
        else None,
        _section(
            "Replays",
            el("ul", (el("li", el("a", words, href=address)) for words, address in replays), class_="replays"),
        )
        if replays
        else None,
        _section("Settings", _pairs(_flat(_settings(entry)), ("setting", "value"))),
        _section("Versions", _pairs(sorted(entry.versions.items()), ("part", "version"))) if entry.versions else None,
    )
    return document(f"{entry.settings.name} – {board.title}", body, script=False)


def _figures(board: Board, e: BoardEntry) -> list[tuple[str, str, str]]:
    ranked = sum(1 for other in board.entries if other.ranked)
    total = e.total
    rank = ("–", "not ranked")
    if e.place and e.ranks:
        rank = (
            f"{e.place}",
            f"of {ranked}" + (f"; could be {e.ranks[0]} to {e.ranks[1]}" if e.ranks[0] != e.ranks[1] else ""),
        )
    interval = (
        f"{percent(total.interval[0])} to {percent(total.interval[1])}"
        if total.interval
        else total.no_interval or "no interval"
    )
    figures = [
        ("rank", *rank),
        ("progress", percent(total.score), interval),
        ("coverage", coverage(total.scored, total.planned), f"{total.scored} of {total.planned} episodes"),
    ]
    if total.success is not None and total.success_interval is not None:
        low, high = total.success_interval
        figures.append(("success", percent(total.success, 0), f"{percent(low, 0)} to {percent(high, 0)}"))
    if e.steps:
        figures.append(("steps", f"{e.steps:,}", f"{percent(e.invalid_actions / e.steps)} invalid actions"))
    if e.usage.input:
        read, written = short(e.usage.input, " "), short(e.usage.output, " ")
        figures.append(("tokens", short(e.usage.input + e.usage.output, " "), f"{read} in, {written} out"))
    if e.cost is not None:
        figures.append(
            ("cost", dollars(e.cost), f"{dollars(e.cost / total.scored)} an episode" if total.scored else "")
        )
    return figures


def _section(title: str, *children: Any) -> Html:
    return el("section", el("h2", title), children)


def _scores(rows: Sequence[tuple[str, ScoreCell]], what: str) -> Html:
    columns = ((what, None), ("progress", "number"), ("0 to 100 %", "bar"), ("success", "number"), ("scored", "number"))
    head = el("tr", (el("th", words, class_=class_, scope="col") for words, class_ in columns))
    return el(
        "div", el("table", el("thead", head), el("tbody", (_score_row(name, c) for name, c in rows))), class_="wide"
    )


def _score_row(name: str, c: ScoreCell) -> Html:
    short_ = None if c.scored == c.planned else "short"
    return el(
        "tr",
        el("td", name),
        el("td", el("b", percent(c.score)), small_span(c.interval), class_="number", title=c.no_interval or None),
        el("td", span_bar(c, width=260) if c.score is not None else None, class_="bar"),
        el("td", percent(c.success, 0), small_span(c.success_interval, 0), class_="number"),
        el("td", el("span", f"{c.scored} / {c.planned}", class_=short_), class_="number"),
    )


def _settings(e: BoardEntry) -> dict[str, Any]:
    """The configuration, without the numbers that an imported one brings along."""
    imported = e.config.get("imported")
    if not isinstance(imported, dict):
        return e.config
    return {**e.config, "imported": {k: v for k, v in imported.items() if k != "summary"}}


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flat(item, f"{path}.{key}" if path else str(key))]
    return [] if value in UNSET else [(path, value)]


def _pairs(pairs: Sequence[tuple[str, Any]], heads: tuple[str, str]) -> Html:
    head = el("thead", el("tr", (el("th", words, scope="col") for words in heads)))
    body = el("tbody", (el("tr", el("td", key), el("td", el("code", str(value)))) for key, value in pairs))
    return el("div", el("table", head, body, class_="pairs"), class_="wide")
