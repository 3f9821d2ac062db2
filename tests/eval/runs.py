"""Runs with known results, written through the store's own API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from embodied.catalog import ENTRIES
from embodied.rollout.plan import identity
from embodied.store.run import Run, RunRecord
from embodied.types import (
    Call,
    Decision,
    Episode,
    EpisodeSpec,
    Message,
    Mission,
    Observation,
    Reply,
    Step,
    TaskSpec,
    Text,
    Usage,
)

PRESENT = {e.family: e.version for e in ENTRIES.values() if e.version != "v0"}
"""What a run records of environments that have had more than one version."""
CONFIG = {
    "suite": None,
    "preset": "naive",
    "image": False,
    "agent": {"policy": "naive"},
    "model": {"provider": "openai", "name": "gpt-4o"},
}


def spec(env: str, task: str, seed: int, index: int, **kwargs: Any) -> EpisodeSpec:
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in f"{env}-{task}").strip("-")
    return EpisodeSpec(f"{name}-{index:03d}-{seed:x}", TaskSpec(env, task, kwargs), seed, index, 0)


def ended(s: EpisodeSpec, progress: float | None, outcome: str = "finished", **fields: Any) -> Episode:
    """An episode of ten steps; succeeded if its progress is 1."""
    progress = progress if progress is None else float(progress)
    success = None if progress is None else progress == 1
    given = {
        "invalid_actions": 1,
        "usage": Usage(100, 10),
        "seconds": 1.0,
        "last": Observation("the end", step=10),
        **fields,
    }
    return Episode(
        s, outcome, given.pop("steps", 10), progress, given.pop("success", success), given.pop("return_", 0.0), **given
    )


def make_run(
    root: Path,
    results: Mapping[tuple[str, str], Sequence[float | None]],
    *,
    config: Mapping[str, Any] | None = None,
    suite: str = "",
    first_seed: int = 0,
    versions: Mapping[str, str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> Run:
    """A run with one episode for each number; None is an infrastructure failure, NaN a score that is not a number."""
    config = {**CONFIG, **(config or {}), "test": root.name}
    specs = {
        key: [spec(*key, first_seed + i, i, **(kwargs or {})) for i in range(len(values))]
        for key, values in results.items()
    }
    planned = tuple(s for group in specs.values() for s in group)
    run = Run.create(
        root,
        RunRecord(
            identity(config),
            dict(config),
            planned,
            {"numpy": "2", **PRESENT} if versions is None else dict(versions),
            "2026-01-02T03:04:05+00:00",
            suite,
        ),
    )
    for key, values in results.items():
        for s, value in zip(specs[key], values, strict=True):
            finish(
                run,
                ended(s, value)
                if value is not None
                else ended(s, None, "infra_failure", error="it died", error_kind="EnvironmentFailure"),
            )
    return run


def finish(run: Run, episode: Episode, steps: Sequence[Step] = ()) -> None:
    """Writes an episode and its steps."""
    with closing(run.claim(episode.spec)) as writer:
        for s in steps:
            writer.append(s)
        writer.finish(episode)


def step(
    index: int,
    action: str,
    *,
    text: str = "a room",
    raw: str | None = None,
    valid: bool = True,
    progress: float = 0.0,
    last: bool = False,
    **kw: Any,
) -> Step:
    """A step in which a model was asked once and said `raw`."""
    prompt = (Message("user", (Text("You are in a game."),)), Message("user", (Text(f"Current Observation:\n{text}"),)))
    calls = kw.pop("calls", (Call(prompt, Reply(raw if raw is not None else action, usage=Usage(50, 5))),))
    decision = Decision(action, parsed=valid, thought=kw.pop("thought", ""), calls=calls)
    observation = kw.pop("observation", Observation(text, step=index))
    return Step(
        index,
        observation,
        decision,
        action if valid else "wait",
        valid,
        kw.pop("reward", 0.0),
        last,
        False,
        progress,
        {},
        "",
        0.1,
        0.01,
    )


MISSION = Mission("reach the goal", {"go": "walks", "wait": "waits"}, default_action="wait")
