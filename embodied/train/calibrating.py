"""Makes an agent that asks: the version that played recorded runs, with a calibrated threshold as a part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from embodied.agents.asking.calibration import LEVELS, PART, Calibration, threshold
from embodied.agents.versions import AgentVersion, Lineage, write
from embodied.config import recorded, restore
from embodied.errors import UsageError
from embodied.eval.asking import Played, digest, rate, read, scores
from embodied.store.codec import encode
from embodied.store.run import Run
from embodied.terminal import plain
from embodied.versions import MODEL, of_run

_OWN = ("model.name", "model.path", "model.mmproj", "model.sha256", "agent.version", "agent.asks")
"""Keys that are computed, or that a calibration sets."""
_NOT_HELD = ("model.base_url", "model.api_key_env", "model.script", "agent.demonstrations.runs")
"""Keys that no version may hold: the user gives them again."""


def calibrated(
    runs: Sequence[Run], risk: float, level: str, agent: str | None = None
) -> tuple[AgentVersion, Calibration]:
    """The version that played `runs`, and its threshold for a risk.

    Args:
        runs: Played by one version, with one configuration, on the training or dev split.
        risk: How often a set may lack every right action, in (0, 1).
        level: episode or step (`Calibration.level`).
        agent: The version's folder, where it was moved.

    Raises:
        UsageError: The runs cannot be calibrated with; the sentence says why.
        StoreError: A run is damaged, or the version is not found.
    """
    if level not in LEVELS:
        raise UsageError(f"--level is one of {', '.join(LEVELS)}, not {level!r}.")
    splits = {_split(run) for run in runs}
    _check_same(runs)
    version = of_run(str(_agent(runs[0]).get("version") or ""), agent, runs[0].root)
    if version is None:
        raise UsageError(
            f"{plain(str(runs[0].root))} was not played with an agent's folder, and a calibration belongs to one: play"
            " an agent that is a folder (docs/agents.md)."
        )
    episodes = [played for run in runs for played in read(run)]
    limit = threshold(scores(episodes, level), risk)
    return version, Calibration(
        threshold=round(limit, 9),
        risk=risk,
        level=level,
        episodes=len(episodes),
        rate=round(rate(episodes, limit), 6),
        split=" and ".join(sorted(splits)),
        runs=digest(runs),
        agent=version.hash,
        samples=int(_agent(runs[0]).get("samples", 1)),
    )


def held_out(runs: Sequence[Run], calibration: Calibration, calibrated_on: Sequence[Run]) -> list[Played]:
    """The episodes of other runs of the same version.

    Raises:
        UsageError: An episode was calibrated with, or another version played it.
    """
    _check_same([*calibrated_on, *runs])
    seen = {(s.task.env, s.task.task, s.seed) for run in calibrated_on for s in run.record.planned}
    if any((s.task.env, s.task.task, s.seed) in seen for run in runs for s in run.record.planned):
        raise UsageError("An episode to check with was calibrated with. Play others: another --split or run.seed.")
    return [played for run in runs for played in read(run)]


def asking_version(version: AgentVersion, calibration: Calibration, run: Run, out: Path) -> AgentVersion:
    """Writes the version with its calibration in a new folder. It asks, and is set up as in `run`.

    Raises:
        UsageError: `out` exists.
    """
    chosen = dict(_chosen(version, run))
    parts = {name: version.part(name) for name in version.record.parts if name != PART}
    record = msgspec.structs.replace(
        version.record,
        settings={**version.record.settings, **chosen, "agent.asks": "conformal"},
        lineage=Lineage(parent=version.hash, learner="calibrate", used={"episodes": calibration.episodes}),
    )
    with TemporaryDirectory() as folder:
        place = Path(folder) / f"{PART}.json"
        place.write_bytes(msgspec.json.format(encode(calibration), indent=1) + b"\n")
        return write(out, record, {**parts, PART: place})


def _split(run: Run) -> str:
    config: Any = run.record.config.get("run")
    split = str((config or {}).get("split") or "test")
    if split == "test":
        raise UsageError(
            f"{run.root} was played on the test split, which must decide nothing. Calibrate with --split train or dev."
        )
    return split


def _agent(run: Run) -> dict[str, Any]:
    """The agent's configuration; empty for an imported run."""
    found = run.record.config.get("agent")
    return found if isinstance(found, dict) else {}


def _check_same(runs: Sequence[Run]) -> None:
    """Raises `UsageError` where the agents of two runs differ."""
    first = dict(_flat({key: runs[0].record.config.get(key) for key in ("agent", "model")}))
    for run in runs[1:]:
        other = dict(_flat({key: run.record.config.get(key) for key in ("agent", "model")}))
        differ = [key for key in first.keys() | other.keys() if first.get(key) != other.get(key)]
        if differ:
            raise UsageError(
                f"{run.root} and {runs[0].root} were played by different agents ({min(differ)}): name runs of one."
            )


def _chosen(version: AgentVersion, run: Run) -> Iterator[tuple[str, Any]]:
    """What the user had set besides the version."""
    alone = recorded(restore({}, (), version.record.settings))
    usual = dict(_flat({key: alone[key] for key in ("agent", "model")}))
    skipped = _OWN if MODEL in version.record.parts else _OWN[1:]
    for key, value in _flat({key: run.record.config.get(key) for key in ("agent", "model")}):
        if key in usual and value != usual[key] and key not in skipped and key not in _NOT_HELD:
            yield key, value


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
