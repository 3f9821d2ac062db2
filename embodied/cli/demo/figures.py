"""The figures of the demo: rows for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embodied.cli.demo.plays import DISTRACTORS, LEARNER, Shown
from embodied.eval.compare import compare_two
from embodied.eval.results import progress
from embodied.eval.score import Score
from embodied.evaluation import Evaluation
from embodied.games.babyai.analysis import averaged, first_object_named, measured, spl
from embodied.quantities import NOTHING, percent, span

READING = ("player", "success", "95 % interval", "first object named", "SPL", "tinyvlm minus player", "n")
GAMES = ("game", "task", "player", "progress", "n")
_NOT_PLAYED = "not played"


@dataclass(frozen=True)
class Row:
    """A row of a table, and what a plot of it needs."""

    cells: tuple[str, ...]
    mean: float | None = None
    """In [0, 1]."""
    interval: tuple[float, float] | None = None
    note: str = ""
    """A sentence that must stand under the table."""


def reading(shown: Sequence[Shown]) -> list[Row]:
    """BabyAI: each player of the demo, and beside them who never reads and who acts at random (measured before)."""
    own = next((s.result for s in shown if s.play.agent == LEARNER and s.result is not None), None)
    rows = [_reader(s, own) for s in shown if s.play.envs == ("babyai",)]
    names = {"blind": "a walker that never reads", "random": "random actions"}
    for row in measured()["rows"]:
        if row["distractors"] == DISTRACTORS and row["player"] in names:
            cells = [
                f"{row[key]['mean']:.2f} ± {row[key]['standard_error']:.2f}" for key in ("first_object_named", "spl")
            ]
            success = row["success"]
            within = f"± {100 * success['standard_error']:.1f}"
            shares = (percent(success["mean"]), within, *cells, NOTHING, str(row["episodes"]))
            rows.append(Row((names[row["player"]], *shares), success["mean"]))
    return rows


def games(shown: Sequence[Shown]) -> list[Row]:
    """The six games, by their experts and by the embedded text model."""
    found: list[Row] = []
    for s in shown:
        if s.play.name not in ("experts", "smollm2"):
            continue
        if s.result is None:
            found.append(Row((NOTHING, NOTHING, s.play.title, _NOT_PLAYED, "0"), note=_why(s)))
            continue
        found += [_game(s, score) for score in s.result.scores.tasks]
    return sorted(found, key=lambda row: row.cells[0])


def _game(s: Shown, score: Score) -> Row:
    env, _, task = score.name.partition(" ")
    limit = f"{s.play.title}, {s.play.steps} steps at most"
    interval = f" ({span(score.interval)})" if score.interval else ""
    return Row(
        (env, task, limit, percent(score.progress) + interval, str(score.scored)), score.progress, score.interval
    )


def _reader(s: Shown, own: Evaluation | None) -> Row:
    run = s.result
    if run is None or run.progress is None:
        return Row((s.play.title, _NOT_PLAYED, *[NOTHING] * 4, "0"), note=_why(s))
    scored = [episode for episode in run.episodes if progress(episode) is not None]
    cells = (
        s.play.title,
        percent(run.progress),
        span(run.total.interval),
        averaged(scored, first_object_named),
        averaged(scored, spl),
        _less(own, run),
        str(len(scored)),
    )
    return Row(cells, run.progress, run.total.interval, _why(s))


def _less(own: Evaluation | None, other: Evaluation) -> str:
    """What the learner has more than another player, in points, over the episodes that both have."""
    if own is None or other is own:
        return NOTHING
    found = compare_two(own, other)
    if found is None:
        return NOTHING
    interval = f" ({span(found.interval)})" if found.interval else ""
    return f"{100 * found.difference:.1f}{interval}"


def _why(s: Shown) -> str:
    return f"{s.play.title}: {s.why_not}" if s.why_not else ""
