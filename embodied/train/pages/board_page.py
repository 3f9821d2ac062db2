"""The board of improvements as a static site: plain files that make no requests.

index.html                 every board
improvements/<entry>.html  the report of each improvement
improvements.json, .csv
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from embodied.eval.markup import Html, el
from embodied.eval.report_parts import document, section, table
from embodied.quantities import NOTHING, counted, percent, span
from embodied.store.disk import named, write_whole
from embodied.terminal import cell as formula_free
from embodied.train.pages.board import UNITS, Board, Entry, boards, plain, tied
from embodied.train.pages.charts import gain_bar
from embodied.train.pages.curve_page import page as curve_page
from embodied.train.pages.curve_page import points, used_cells
from embodied.train.pages.reading import Improvement

NOTE = (
    "Gain is over the first version, on the same test seeds, in percentage points, with a 95 % interval. p is"
    " two-sided. An improvement counts with the version that is in place at its end. It is charged with all that its"
    " rounds used, refused versions and gates included. The test is not charged."
)
CONTROLS = (
    "Controls are not ranked: null changes nothing, and memorise copies what it saw. If one of them gains, do not"
    " believe the board."
)


def write_board(found: Sequence[Improvement], out: Path, title: str) -> tuple[list[Board], Path]:
    """Writes the site, with the report of every improvement. Returns the boards and the address of the index.

    Raises:
        StoreError: A file cannot be written.
    """
    made = boards(found)
    rows = plain(made)
    documents = {f"improvements/{e.key}.html": curve_page(e.found) for b in made for e in b.entries}
    documents["improvements.json"] = msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"
    documents["improvements.csv"] = _csv(rows).encode()
    documents["index.html"] = index(made, title)
    for name, content in documents.items():
        path = out / name
        with named(path):
            write_whole(path, content, durable=False)
    return made, out / "index.html"


def index(found: Sequence[Board], title: str) -> bytes:
    """The page with every board."""
    data = [el("a", name, href=name) for name in ("improvements.json", "improvements.csv")]
    return document(
        title,
        el("header", el("h1", title), el("p", NOTE, class_="note"), el("p", CONTROLS, class_="note")),
        [_board(b) for b in found] or section("Nothing to show", note="There is no improvement here."),
        el("p", "The same as data: ", data[0], ", ", data[1], ".", class_="note"),
    )


def _board(board: Board) -> Html:
    gained = ["", "improvement", "gain", "-100 to 100", "p", "promoted", "newest version made"]
    paid = ["improvement", *(f"per {words}" for words, _ in UNITS)]
    paid += ["episodes", "corrections", "tokens", "seconds", "dollars"]
    note = f"{counted(board.plan.test, 'test episode')} of each task, seed {board.plan.seed}."
    if board.first is not None:
        note += f" The first version scores {percent(board.first.score)} ({span(board.first.interval)})."
    if board.opened:
        note += f" Improvements that opened these test seeds on one machine: {board.opened}."
    return section(
        board.title,
        table(gained, [_gained(board, e) for e in board.entries], "numbers board"),
        el("h3", "Gain by what was used, and all that was used"),
        table(paid, [_paid(e) for e in board.entries], "numbers"),
        note=note,
    )


def _gained(board: Board, e: Entry) -> list[Any]:
    made: Any = NOTHING
    if e.made is not None and e.made.gain is not None:
        made = [points(e.made.gain), _small(f"{span(e.made.gain_interval)}, {_kept(e)}")]
    gain: Any = NOTHING
    if e.gain is not None:
        first = e.found.in_place is e.found.first
        gain = [el("b", points(e.gain)), _small("the first is in place" if first else span(e.interval))]
    return [
        _rank(e),
        _who(board, e),
        gain,
        gain_bar(e.gain, e.interval) if e.gain is not None else None,
        NOTHING if e.p is None else f"{e.p:.3f}",
        f"{e.found.promoted} of {len(e.found.rounds)}",
        made,
    ]


def _paid(e: Entry) -> list[Any]:
    per = (NOTHING if value is None else f"{100 * value:+.3g}" if value else "0" for value in e.per.values())
    return [e.found.name, *per, *used_cells(e.used)]


def _kept(e: Entry) -> str:
    assert e.made is not None
    return "promoted" if e.made.decided == "promoted" else "refused by the gate"


def _rank(e: Entry) -> Any:
    if e.place is None or e.ranks is None:
        return NOTHING
    low, high = e.ranks
    return [el("b", e.place), _small(f"{low} to {high}".replace(" ", "\u00a0")) if low != high else None]


def _who(board: Board, e: Entry) -> Html:
    plan = e.found.plan
    about = [f"learner {plan.learner}", f"corrected by {plan.corrector}" if plan.corrector else ""]
    class_ = {"REFUSED": "refused-mark", "control": "mark control", "not over": "mark"}.get(e.why_unranked, "")
    alike = tied(board, e)
    return el(
        "div",
        el("span", e.why_unranked, class_=class_) if class_ else None,
        el("a", e.found.name, href=f"improvements/{e.key}.html"),
        _small(", ".join(filter(None, about))),
        _small(f"not told apart from {', '.join(o.found.name for o in alike)}") if alike else None,
        class_="who",
    )


def _small(words: str) -> Html:
    return el("small", words)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    if rows:
        writer.writerow(rows[0])
        writer.writerows([[formula_free(value) for value in row.values()] for row in rows])
    return out.getvalue()


def summary(found: Sequence[Board]) -> list[str]:
    """A line a board."""
    lines = []
    for board in found:
        more = [f"{n} {why}" for why in ("control", "not over", "REFUSED") if (n := _count(board, why))]
        lines.append(", ".join([f"{board.title}: {counted(len(board.entries), 'improvement')}", *more]))
    return lines


def _count(board: Board, why: str) -> int:
    return sum(e.why_unranked == why for e in board.entries)
