"""BabyAI's own table: does the agent read its instruction? Success alone does not say.

Two measures do. `first_object_named` is recorded with the episode. The path length is compared with that of minigrid's
bot from the same start, as SPL does (Anderson et al. 2018, On Evaluation of Embodied Navigation Agents, section 4). The
bot plays when the table is made, so old runs have the measure too, and no record changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from embodied.eval.intervals import interval
from embodied.eval.metrics import Metric
from embodied.eval.statistics import mean, stratify
from embodied.eval.tables import Cell, Replies, Table
from embodied.types import Episode, Step

MOST_DISTRACTORS = 12
_COLUMNS = ("player", "n", "success", "first object named", "SPL")
_KEYS = ("success", "first_object_named", "spl")
"""Keys of the same measures in `data/reading.json`."""
_NOTE = (
    "First object named: the first object that the agent touched is one that the instruction names. SPL: success times"
    " the steps of minigrid's bot from the same start / the larger of its steps and the agent's (Anderson et al. 2018)."
    " Only with distractors do these two show whether an agent reads."
)


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """This run by task, and beside it what the bot, a walker that never reads and random actions get."""
    rows: list[tuple[Cell, ...]] = [_row("this run", episodes)]
    names = list(dict.fromkeys(e.spec.task.task for e in episodes))
    if len(names) > 1:
        rows += [_row(name.rpartition("/")[2], [e for e in episodes if e.spec.task.task == name]) for name in names]
    counts = {-1 if "max_steps" in e.spec.task.kwargs else distractors(e) for e in episodes}
    known = {row["distractors"] for row in measured()["rows"]}
    for count in sorted(counts & known):
        rows += [_floor(row) for row in measured()["rows"] if row["distractors"] == count]
    note = f"{_NOTE} 95 % intervals."
    if counts & known:
        note += f" Rows with ± are means of all five tasks with standard errors: `{measured()['command']}`."
    if counts - known:
        note += (
            f" Other players are measured with {', '.join(map(str, sorted(known)))} distractors and the tasks' own step"
            " limits."
        )
    return [Table("BabyAI: does it read the instruction?", _COLUMNS, tuple(rows), note)]


def first_object_named(episode: Episode) -> float | None:
    """1 if the first object touched is a named one, else 0; None where it is not recorded."""
    return episode.metrics.get("first_object_named") if episode.spec.task.env == "babyai" else None


def spl(episode: Episode) -> float | None:
    """Success weighted by path length, in [0, 1]; 0 for an episode that did not succeed.

    Returns:
        None where the episode cannot be compared: another environment, minigrid is not installed, or the level of this
        minigrid is not the one that was played.
    """
    kind, count = episode.spec.task.task.rpartition("/")[2], distractors(episode)
    if episode.spec.task.env != "babyai" or episode.success is None:
        return None
    if not episode.success:
        return 0.0
    seed = episode.spec.seed
    if not 0 <= count <= MOST_DISTRACTORS or not 0 <= seed < 2**31 or find_spec("minigrid") is None:
        return None
    from embodied.games.babyai.levels import KINDS
    from embodied.games.babyai.paths import bot_path

    found = bot_path(kind, count, seed) if kind in KINDS else None
    if found is None or found[0] != episode.info.get("instruction"):
        return None
    return found[1] / max(found[1], episode.steps)


def distractors(episode: Episode) -> int:
    """How many; -1 if the record says something else than a number."""
    count = episode.spec.task.kwargs.get("distractors", 0)
    return count if isinstance(count, int) else -1


@lru_cache(maxsize=1)
def measured() -> dict[str, Any]:
    """What others get: `data/reading.json`, written by `benchmarks/babyai_blind.py`."""
    known: dict[str, Any] = json.loads(
        files("embodied.games.babyai").joinpath("data/reading.json").read_text(encoding="utf-8")
    )
    return known


def _steps_unread(measure: Callable[[Episode], float | None]) -> Callable[[Episode, Sequence[Step]], float | None]:
    return lambda episode, steps: measure(episode)


FIRST_OBJECT = Metric("BabyAI: first object named", _steps_unread(first_object_named))
SPL = Metric("BabyAI: success weighted by path length", _steps_unread(spl))


def _row(name: str, episodes: Sequence[Episode]) -> tuple[Cell, ...]:
    measures = (lambda e: None if e.success is None else float(e.success), first_object_named, spl)
    return (name, len(episodes), *(averaged(episodes, measure) for measure in measures))


def averaged(episodes: Sequence[Episode], measure: Callable[[Episode], float | None]) -> str:
    """The mean over tasks with its interval; with its own n where some episodes have no number."""
    by_task: dict[tuple[str, str], list[float]] = {}
    for episode in episodes:
        if (value := measure(episode)) is not None:
            by_task.setdefault(("babyai", episode.spec.task.task), []).append(value)
    strata = stratify(by_task)
    average, found, n = mean(strata), interval(strata), sum(map(len, by_task.values()))
    if average is None:
        return "-"
    within = f" [{found[0]:.2f}, {found[1]:.2f}]" if found else ""
    return f"{average:.2f}{within}" + (f" (n = {n})" if n < len(episodes) else "")


def _floor(row: dict[str, Any]) -> tuple[Cell, ...]:
    names = {"bot": "minigrid's bot", "blind": "walker that never reads", "random": "random actions"}
    cells = (f"{row[key]['mean']:.2f} ± {row[key]['standard_error']:.2f}" for key in _KEYS)
    return (f"{names[row['player']]}, {row['distractors']} distractors", row["episodes"], *cells)
