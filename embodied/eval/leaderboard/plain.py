"""Boards as JSON, CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from embodied.eval.floors import Floor
from embodied.eval.leaderboard.board import Board, BoardEntry, ScoreCell
from embodied.quantities import coverage
from embodied.terminal import cell as formula_free
from embodied.types import Json

COLUMNS = (
    *("board", "place", "rank_from", "rank_to", "name", "agent", "model", "vision", "open_model", "rules", "imported"),
    *("environment", "score", "low", "high", "success", "scored", "planned", "cost"),
)
"""Of the CSV."""


def as_json(boards: Sequence[Board]) -> bytes:
    """Everything but the configurations, indented."""
    body = {
        "boards": [
            {
                "key": b.key,
                "title": b.title,
                "environments": b.environments,
                "entries": [_entry(e) for e in b.entries],
                "floors": b.floors,
            }
            for b in boards
        ]
    }
    return msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n"


def _entry(e: BoardEntry) -> Json:
    plain = msgspec.to_builtins(e.settings)
    return {
        "key": e.key,
        **plain,
        "ranked": e.ranked,
        "place": e.place,
        "ranks": e.ranks,
        "coverage": e.total.coverage,
        "total": e.total,
        "environments": e.environments,
        "tasks": [{"env": env, "task": task, **msgspec.to_builtins(cell)} for (env, task), cell in e.tasks.items()],
        "steps": e.steps,
        "invalid_actions": e.invalid_actions,
        "usage": e.usage,
        "cost": e.cost,
        "outcomes": e.outcomes,
        "versions": e.versions,
        "summary_only": e.summary_only,
        "notes": e.notes,
    }


def as_csv(boards: Sequence[Board]) -> str:
    """A row an entry and environment, the whole as environment `all`. Shares are in [0, 1]."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for b in boards:
        for e in b.entries:
            s = e.settings
            place = [
                b.title,
                e.place,
                *(e.ranks or (None, None)),
                s.name,
                s.agent,
                s.model,
                s.vision,
                s.open_model,
                s.rules,
                s.imported,
            ]
            place = [formula_free(value) for value in place]
            for env, cell in {"all": e.total, **e.environments}.items():
                low, high = cell.interval or (None, None)
                writer.writerow(
                    [
                        *place,
                        env,
                        cell.score,
                        low,
                        high,
                        cell.success,
                        cell.scored,
                        cell.planned,
                        e.cost if env == "all" else None,
                    ]
                )
        for r in b.floors:
            for env, floor in {"all": r.total, **r.environments}.items():
                if floor is not None:
                    about = [
                        b.title,
                        None,
                        None,
                        None,
                        f"floor: {r.name}",
                        floor.agent,
                        None,
                        None,
                        None,
                        r.rules,
                        None,
                    ]
                    writer.writerow(
                        [*about, env, floor.progress, None, None, None, floor.episodes, floor.episodes, None]
                    )
    return out.getvalue()


def as_markdown(boards: Sequence[Board]) -> str:
    """A table a board, for a README or an issue."""
    return "\n".join(_table(b) for b in boards)


def _table(b: Board) -> str:
    money = any(e.cost is not None for e in b.entries)
    header = ["rank", "entry", "score", *b.environments, "coverage", *(["cost"] if money else [])]
    lines = [f"## {_plain(b.title)}", "", _row(header), _row(["---:", "---", *["---:"] * (len(header) - 2)])]
    for e in b.entries:
        marks = [
            m
            for m in (
                "imported" if e.settings.imported else "",
                "summary only" if e.summary_only else "",
                "vision" if e.settings.vision else "",
            )
            if m
        ]
        name = e.settings.name + (f" ({', '.join(marks)})" if marks else "")
        cost = [] if not money else ["" if e.cost is None else f"${e.cost:,.2f}"]
        cells = [_said(e.environments.get(env)) for env in b.environments]
        lines.append(_row([ranks(e), name, _said(e.total), *cells, coverage(e.total.scored, e.total.planned), *cost]))
    for r in b.floors:
        rules = f", rules {r.rules}" if r.rules != "embodied" else ""
        cells = [_floor(r.total), *(_floor(r.environments.get(env)) for env in b.environments)]
        lines.append(_row(["–", f"floor: {r.name}{rules}", *cells, "–", *([""] if money else [])]))
    return "\n".join([*lines, ""])


def _floor(floor: Floor | None) -> str:
    return "–" if floor is None else f"{100 * floor.progress:.1f} (± {100 * floor.error:.1f})"


def ranks(e: BoardEntry) -> str:
    """Place and rank range: `2 (1–3)`; a dash for the unranked."""
    if e.place is None or e.ranks is None:
        return "–"
    return f"{e.place} ({e.ranks[0]}–{e.ranks[1]})" if e.ranks[0] != e.ranks[1] else str(e.place)


def _said(cell: ScoreCell | None) -> str:
    if cell is None or cell.score is None:
        return "–"
    return f"{100 * cell.score:.1f}" + (
        f" ({100 * cell.interval[0]:.1f}–{100 * cell.interval[1]:.1f})" if cell.interval else ""
    )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(c).replace("|", "\\|") for c in cells) + " |"


def _plain(text: str) -> str:
    """Text without markup and without a second line."""
    return str(text).replace("\n", " ").replace("<", "&lt;")
