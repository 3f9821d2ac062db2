"""The leaderboard as a static site: plain files that make no requests. They can be opened from disk or put on any
server.

    index.html                        every board: table, filters, score against cost
    entries/<entry>.html              settings, scores by environment and task, replays
    entries/<entry>/<episode>.html    replays
    leaderboard.json, .csv, .md
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embodied.eval import floors
from embodied.eval.floors import Floor
from embodied.eval.leaderboard import plain
from embodied.eval.leaderboard.board import Board, BoardEntry, Reference, ScoreCell
from embodied.eval.leaderboard.entry_page import entry_page
from embodied.eval.leaderboard.parts import data, document, marks, openness, sees, small_span, source
from embodied.eval.leaderboard.plot import cost_key, score_against_cost, span_bar
from embodied.eval.markup import Html, el
from embodied.quantities import counted, coverage, dollars, percent, short
from embodied.store.disk import named, write_whole

Links = Mapping[str, Sequence[tuple[str, str]]]
"""Entry key -> (words, address relative to the entry's page) of each replay."""


def write_site(boards: Sequence[Board], out: Path, replays: Links, title: str = "Leaderboard") -> list[Path]:
    """Writes the site's pages and data files.

    Args:
        boards: From `embodied.eval.leaderboard.board.boards`.
        out: The folder; files of an earlier call are replaced.
        replays: Replays already written below `out/entries`.
        title: Heading of the index.

    Raises:
        StoreError: A file cannot be written.
    """
    documents: dict[str, bytes] = {"index.html": index(boards, title)}
    for board in boards:
        for entry in board.entries:
            documents[f"entries/{entry.key}.html"] = entry_page(board, entry, replays.get(entry.key, ()))
    documents["leaderboard.json"] = plain.as_json(boards)
    documents["leaderboard.csv"] = plain.as_csv(boards).encode()
    documents["leaderboard.md"] = plain.as_markdown(boards).encode()
    paths = []
    for name, content in documents.items():
        path = out / name
        with named(path):
            write_whole(path, content, durable=False)
        paths.append(path)
    return paths


def index(boards: Sequence[Board], title: str) -> bytes:
    """The page with every board; one board a tab."""
    tabs = [
        el(
            "button",
            b.title,
            " ",
            el("small", len(b.entries)),
            role="tab",
            aria_controls=b.key,
            aria_selected="true" if n == 0 else "false",
            type="button",
        )
        for n, b in enumerate(boards)
    ]
    body = el(
        "main",
        el(
            "header",
            el(
                "div",
                el("h1", title),
                el(
                    "p",
                    "Mean progress over environments, their tasks and seeds, in percent, with 95 % intervals. A rank"
                    " range holds every rank that an entry could have, given how uncertain all scores are. The rows"
                    " below the line are floors: what agents earn that look at nothing, with standard errors. They are"
                    " not ranked.",
                    class_="note",
                ),
            ),
            el("button", "Light / dark", id="theme", type="button"),
        ),
        el("div", tabs, class_="tabs", role="tablist", aria_label="Boards") if len(boards) > 1 else None,
        [_panel(b, hidden=n > 0) for n, b in enumerate(boards)]
        or el("section", el("p", "There is nothing to show yet.")),
        el(
            "footer",
            "The same as data: ",
            _link("leaderboard.json"),
            ", ",
            _link("leaderboard.csv"),
            ", ",
            _link("leaderboard.md"),
            ".",
        ),
    )
    return document(title, body, script=True)


def _link(name: str) -> Html:
    return el("a", name, href=name)


def _panel(board: Board, hidden: bool) -> Html:
    money = any(e.cost is not None for e in board.entries)
    plot = [score_against_cost(board), score_against_cost(board, narrow=True), cost_key(board)] if money else None
    words = f"{board.tasks} tasks in {len(board.environments)} environment{'s' if len(board.environments) != 1 else ''}"
    return el(
        "div",
        el(
            "section",
            el("h2", board.title),
            el("p", words + "".join(f", {option}" for option in board.options) + ".", class_="note"),
            _filters(board),
            el("div", _table(board, money), class_="wide"),
        ),
        el("section", el("h2", "Score against cost"), el("p", COST_NOTE, class_="note"), plot) if plot else None,
        class_="panel",
        id=board.key,
        role="tabpanel",
        hidden=hidden,
    )


COST_NOTE = (
    "US dollars for the whole run at public list prices, from the tokens that providers counted. The dashed line joins"
    " entries that no cheaper entry beats. Entries without a known price are not in the plot."
)


def _filters(board: Board) -> Html:
    choices = (
        ("sees", "Sees", {sees(e) for e in board.entries}),
        ("open", "Model", {openness(e) for e in board.entries}),
        ("agent", "Agent", {e.settings.agent for e in board.entries}),
        ("source", "From", {source(e) for e in board.entries}),
    )
    partial = any(not e.ranked for e in board.entries)
    return el(
        "div",
        [
            el(
                "label",
                words,
                el(
                    "select",
                    el("option", "all", value=""),
                    (el("option", v or "none", value=v) for v in sorted(values)),
                    name=name,
                ),
            )
            for name, words, values in choices
            if len(values) > 1
        ],
        el("label", el("input", type="checkbox", checked="checked"), "unranked entries too", hidden=not partial),
        el("span", counted(len(board.entries), "entry", "entries"), class_="count", aria_live="polite"),
        class_="filters",
    )


def _table(board: Board, money: bool) -> Html:
    columns: list[tuple[str, str, str]] = [
        ("rank", "rank", "ascending"),
        ("entry", "who", "ascending"),
        ("score, 0 to 100 %", "score", "descending"),
    ]
    columns += [(env, "number", "descending") for env in board.environments] if len(board.environments) > 1 else []
    columns += [
        ("success", "number", "descending"),
        ("coverage", "number", "descending"),
        ("invalid", "number", "ascending"),
        ("tokens", "number", "ascending"),
    ]
    columns += [("cost", "number", "ascending")] if money else []
    head = (
        el(
            "th",
            el("button", words, type="button"),
            class_=class_,
            scope="col",
            data_first=first,
            aria_sort="ascending" if n == 0 else None,
        )
        for n, (words, class_, first) in enumerate(columns)
    )
    rows = (_row(board, e, money) for e in board.entries)
    references = (
        el("tbody", (_reference(board, r, money) for r in board.floors), class_="floors") if board.floors else None
    )
    return el("table", el("thead", el("tr", head)), el("tbody", rows), references, class_="board")


def _reference(board: Board, r: Reference, money: bool) -> Html:
    """A floor: outside of what is sorted and filtered, without a rank."""
    rules = el(
        "span",
        el("span", "floor", class_="mark"),
        el("span", f"rules: {r.rules}", class_="mark") if r.rules != "embodied" else None,
        class_="marks",
    )
    cells = [el("td", "–", class_="rank", title="for reference, not ranked"), el("td", r.name, rules, class_="who")]
    if r.total is None:
        cells.append(el("td", "–", class_="score", title="not every environment of the board has this floor"))
    else:
        bar = span_bar(ScoreCell(r.total.progress, None, 0, 0))
        cells.append(el("td", el("b", f"{100 * r.total.progress:.1f}"), " ", bar, plus_minus(r.total), class_="score"))
    if len(board.environments) > 1:
        cells += [_floor_cell(r.environments.get(env)) for env in board.environments]
    return el("tr", cells, [el("td", "–", class_="number") for _ in range(5 if money else 4)])


def _floor_cell(floor: Floor | None) -> Html:
    if floor is None:
        return el("td", "–", class_="number", title="no floor known")
    return el("td", f"{100 * floor.progress:.1f}", plus_minus(floor), class_="number", title=floors.sentence([floor]))


def plus_minus(floor: Floor) -> Html:
    """A floor's standard error and number of episodes, small."""
    return el("span", f"± {100 * floor.error:.1f}, n {floor.episodes}", class_="span")


def _row(board: Board, e: BoardEntry, money: bool) -> Html:
    cells = [_rank(e), _who(e), _score(e.total)]
    if len(board.environments) > 1:
        cells += [_environment(e.environments.get(env)) for env in board.environments]
    tokens = e.usage.input + e.usage.output
    invalid = e.invalid_actions / e.steps if e.steps else None
    cells += [
        _number(e.total.success, percent(e.total.success, 0), small_span(e.total.success_interval, 0)),
        _coverage(e),
        _number(invalid, percent(invalid)),
        _number(tokens or None, short(tokens, " ") if tokens else "–"),
    ]
    if money:
        cells.append(_number(e.cost, dollars(e.cost)))
    return el("tr", cells, class_=None if e.ranked else "unranked", **data(e))


def _rank(e: BoardEntry) -> Html:
    if e.place is None or e.ranks is None:
        return el("td", "–", class_="rank", title="not ranked", data_value="")
    low, high = e.ranks
    around = el("span", f"{low}–{high}", class_="range", title="ranks it could have") if low != high else None
    return el("td", el("b", e.place), around, class_="rank", data_value=e.place)


def _who(e: BoardEntry) -> Html:
    return el(
        "td",
        el("a", e.settings.name, href=f"entries/{e.key}.html"),
        marks(e),
        class_="who",
        data_value=e.settings.name.lower(),
    )


def _score(cell: ScoreCell) -> Html:
    if cell.score is None:
        return el("td", "–", class_="score", data_value="")
    return el(
        "td",
        el("b", f"{100 * cell.score:.1f}"),
        " ",
        span_bar(cell),
        small_span(cell.interval),
        class_="score",
        data_value=cell.score,
    )


def _environment(cell: ScoreCell | None) -> Html:
    if cell is None or cell.score is None:
        return el("td", "–", class_="number", data_value="")
    title = cell.no_interval or f"{cell.scored} of {cell.planned} episodes"
    return el(
        "td", f"{100 * cell.score:.1f}", small_span(cell.interval), class_="number", data_value=cell.score, title=title
    )


def _number(value: float | None, words: str, *more: Any) -> Html:
    return el("td", words, *more, class_="number", data_value="" if value is None else value)


def _coverage(e: BoardEntry) -> Html:
    words = el("span", coverage(e.total.scored, e.total.planned), class_=None if e.total.coverage >= 1 else "short")
    return el(
        "td",
        words,
        el("span", f"{e.total.scored}/{e.total.planned}", class_="span"),
        class_="number",
        data_value=e.total.coverage,
    )
