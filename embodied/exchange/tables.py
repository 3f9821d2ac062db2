"""The formats `csv` and `parquet`: a table of episodes and one of steps."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from embodied.errors import MissingExtra
from embodied.exchange import Export, Exported
from embodied.exchange.files import damaged_note, writing
from embodied.store.events import calls_of, opens
from embodied.store.run import Run
from embodied.terminal import cell
from embodied.types import Correction, Episode, Json, Step, Takeover

EPISODES = {
    "episode": str,
    "env": str,
    "task": str,
    "seed": int,
    "index": int,
    "outcome": str,
    "progress": float,
    "success": bool,
    "return": float,
    "steps": int,
    "invalid_actions": int,
    "input_tokens": int,
    "output_tokens": int,
    "reasoning_tokens": int,
    "cached_tokens": int,
    "seconds": float,
    "end_reason": str,
    "error": str,
}
"""Columns of the table of episodes and their types; the environment's own numbers follow as `metric_<name>` in CSV and
as one map in Parquet, and then `CORRECTOR`.
"""

CORRECTOR = "corrector"
"""The last column of the table of episodes: who spoke to the agent in this run; nothing where it played alone."""

STEPS = {
    "episode": str,
    "step": int,
    "observation": str,
    "status": str,
    "image": str,
    "thought": str,
    "reply": str,
    "action": str,
    "executed": str,
    "valid": bool,
    "reward": float,
    "progress": float,
    "terminated": bool,
    "truncated": bool,
    "calls": int,
    "input_tokens": int,
    "output_tokens": int,
    "agent_seconds": float,
    "env_seconds": float,
    "corrections": str,
    "taken_over": bool,
    "superseded": str,
}
"""Columns of the table of steps. `image` is the digest of a file in the run's `blobs/`; `reply` is the decision's last
one, raw. `calls` and the tokens are of all model calls of the step, those of its events included. `corrections` has the
texts that were spoken in the step, and `superseded` the actions that were not executed, one a line. Where nothing
happened around the step, the last three are missing.
"""

ROWS = 10_000
"""Rows of a Parquet row group: bounds memory."""


def write_csv(export: Export) -> Exported:
    """Writes `episodes.csv` and `steps.csv` (UTF-8, header, RFC 4180; a missing value is empty)."""
    episodes = _episodes(export)
    damaged: list[str] = []
    first = _csv(export.out / "episodes.csv", *flat(episodes, export.run.record.corrector))
    second = _csv(export.out / "steps.csv", list(STEPS), _steps(export.run, episodes, damaged))
    return Exported([first, second], damaged_note(damaged))


def write_parquet(export: Export) -> Exported:
    """Writes `episodes.parquet` and `steps.parquet`. Raises `MissingExtra` without PyArrow."""
    episodes = _episodes(export)
    damaged: list[str] = []
    by = {CORRECTOR: export.run.record.corrector or None}
    rows = ({**_episode(e), "metrics": list(e.metrics.items()), **by} for e in episodes)
    first = _parquet(export.out / "episodes.parquet", {**EPISODES, "metrics": dict, CORRECTOR: str}, rows)
    second = _parquet(export.out / "steps.parquet", STEPS, _steps(export.run, episodes, damaged))
    return Exported([first, second], damaged_note(damaged))


def _episodes(export: Export) -> list[Episode]:
    return [e for id_ in export.ids if (e := export.run.episode(id_)) is not None]


def flat(episodes: Sequence[Episode], corrector: str) -> tuple[list[str], Iterator[Json]]:
    """The table of episodes with a column for each of the environment's own numbers: its columns and rows. A row leaves
    out what the episode does not have.

    Args:
        episodes: Those of one run.
        corrector: Who spoke to the agent in this run; empty where it played alone.
    """
    metrics = sorted({name for e in episodes for name in e.metrics})
    by = {CORRECTOR: corrector or None}
    rows = ({**_episode(e), **{f"metric_{k}": v for k, v in e.metrics.items()}, **by} for e in episodes)
    return [*EPISODES, *(f"metric_{m}" for m in metrics), CORRECTOR], rows


def _episode(e: Episode) -> Json:
    spec, usage = e.spec, e.usage
    tokens = (usage.input, usage.output, usage.reasoning, usage.cached)
    row = (
        spec.id,
        spec.task.env,
        spec.task.task,
        spec.seed,
        spec.index,
        e.outcome,
        e.progress,
        e.success,
        e.return_,
        e.steps,
        e.invalid_actions,
        *tokens,
    )
    return dict(zip(EPISODES, (*row, e.seconds, e.end_reason, e.error), strict=True))


def _steps(run: Run, episodes: list[Episode], damaged: list[str]) -> Iterator[Json]:
    return (_step(e.spec.id, s) for e in episodes for s in run.steps(e.spec.id, damaged))


def _step(id_: str, s: Step) -> Json:
    seen, decision = s.observation, s.decision
    answered = [call.reply for call in decision.calls]
    paid = [call.reply.usage for call in calls_of(s)]
    shown = (seen.text, seen.status, seen.image.digest if seen.image else None)
    done = (decision.thought, answered[-1].text if answered else None, decision.action, s.executed, s.valid)
    after = (s.reward, s.progress, s.terminated, s.truncated)
    cost = (len(paid), sum(u.input for u in paid), sum(u.output for u in paid), s.agent_seconds, s.env_seconds)
    return dict(zip(STEPS, (id_, s.index, *shown, *done, *after, *cost, *_happened(s)), strict=True))


def _happened(s: Step) -> tuple[str | None, bool | None, str | None]:
    """What was spoken in the step, whether somebody took over, and what was not executed; nothing without events."""
    if not s.events:
        return None, None, None
    said = [e.text for e in s.events if isinstance(e, Correction) and opens(e, s.index)]
    given_up = (getattr(e, "superseded", None) for e in s.events)
    superseded = [decision.action for decision in given_up if decision is not None]
    return "\n".join(said) or None, any(isinstance(e, Takeover) for e in s.events), "\n".join(superseded) or None


def _csv(path: Path, columns: list[str], rows: Iterator[Json]) -> Path:
    with writing(path) as target, target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return path


def _parquet(path: Path, columns: dict[str, type], rows: Iterator[Json]) -> Path:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError as error:
        raise MissingExtra("The format parquet", "parquet") from error
    types = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        dict: pa.map_(pa.string(), pa.float64()),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    with writing(path) as target, pq.ParquetWriter(target, schema, compression="zstd") as writer:
        while batch := list(islice(rows, ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema))
    return path
