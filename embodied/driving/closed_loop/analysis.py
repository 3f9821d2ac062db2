"""Tables of the closed loop: the parts of the score, what became of the corner cases, twins."""

from __future__ import annotations

from collections.abc import Sequence

from embodied.driving.closed_loop.env import OUTCOMES
from embodied.eval.analysis import Cell, Replies, Table, share
from embodied.eval.intervals import interval
from embodied.eval.statistics import stratify
from embodied.types import Episode

PARTS = ("nc", "dac", "ttc", "ep", "c")


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """Score parts, outcomes by kind of scene and by template, and pairs of twins. Nothing is read but how the episodes ended."""
    made = [_parts(episodes), _outcomes(episodes), _templates(episodes)]
    return [*made, *_twins(episodes)]


def _kinds(episodes: Sequence[Episode]) -> list[tuple[str, list[Episode]]]:
    hazards = [e for e in episodes if e.info["hazard"]]
    others = [e for e in episodes if not e.info["hazard"]]
    kinds = [("all", list(episodes)), ("with a corner case", hazards), ("without", others)]
    return [(name, part) for name, part in kinds if part]


def _mean(values: Sequence[float], episodes: Sequence[Episode]) -> str:
    """A mean with its interval; scenes that are driven more than once are one sample each."""
    scenes: dict[tuple[str, str], list[float]] = {}
    for value, episode in zip(values, episodes, strict=True):
        scenes.setdefault(("scenes", episode.info["scene"]), []).append(value)
    means = [sum(v) / len(v) for v in scenes.values()]
    found = interval(stratify({("scenes", "all"): means}))
    mean = sum(values) / len(values)
    return f"{mean:.2f} [{found[0]:.2f}, {found[1]:.2f}]" if found else f"{mean:.2f}"


def _parts(episodes: Sequence[Episode]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, part in _kinds(episodes):
        means = (_mean([e.metrics[p] for e in part], part) for p in PARTS)
        rows.append((name, len(part), _mean([e.progress or 0.0 for e in part], part), *means))
    return Table(
        "Closed loop: NAVSIM's score and its parts",
        ("scenes", "n", "score", "NC", "DAC", "TTC", "EP", "C"),
        tuple(rows),
        "Score = NC * DAC * (5 TTC + 5 EP + 2 C) / 12 of each drive. Intervals: over scenes. A drive that is over early through a collision has"
        " little EP, and NC makes it 0 or halves it.",
    )


def _outcome_row(name: str, part: Sequence[Episode]) -> tuple[Cell, ...]:
    return (name, len(part), *(share(sum(e.metrics.get(o, 0.0) for e in part), len(part)) for o in OUTCOMES))


def _outcomes(episodes: Sequence[Episode]) -> Table:
    return Table(
        "Closed loop: what became of it",
        ("scenes", "n", *(o.replace("_", " ") for o in OUTCOMES)),
        tuple(_outcome_row(name, part) for name, part in _kinds(episodes)),
        "Avoided: a corner case was there and the drive was clean; passed: none was there. Stopped for nothing: stood without a reason, or crept.",
    )


def _templates(episodes: Sequence[Episode]) -> Table:
    names = sorted({e.info["template"] for e in episodes})
    rows = []
    for name in names:
        part = [e for e in episodes if e.info["template"] == name]
        clean, seen = sum(bool(e.success) for e in part), [e for e in part if e.info["hazard"]]
        rows.append((name.replace("_", " "), len(part), _mean([e.progress or 0.0 for e in part], part), share(clean, len(part)), _hits(seen), _hits(part)))
    return Table("Closed loop: by template", ("template", "n", "score", "clean", "hit, with it", "hit, all"), tuple(rows), "Clean: avoided or passed.")


def _hits(part: Sequence[Episode]) -> str:
    return share(sum(e.metrics.get("hit", 0.0) for e in part), len(part))


def _twins(episodes: Sequence[Episode]) -> list[Table]:
    """Pairs of drives through a scene and its twin that began alike: of the same round of seeds. Harmless oddities have no such pair."""
    found: dict[tuple, dict[str, Episode]] = {}
    for e in episodes:
        if e.info["twin"]:
            key = (e.spec.task.task, min(e.info["scene"], e.info["twin"]), e.info["run_up"], e.info["cruising_speed"])
            found.setdefault(key, {}).setdefault(e.info["scene"], e)
    pairs = [tuple(sides.values()) for sides in found.values() if len(sides) == 2]
    pairs = [p for p in pairs if p[0].info["hazard"] != p[1].info["hazard"]]
    if not pairs:
        return []
    ordered = [(a, b) if a.info["hazard"] else (b, a) for a, b in pairs]
    n = len(ordered)
    counts = {
        "both right": sum(bool(a.success) and bool(b.success) for a, b in ordered),
        "only without the corner case": sum(not a.success and bool(b.success) for a, b in ordered),
        "only with it": sum(bool(a.success) and not b.success for a, b in ordered),
        "neither": sum(not a.success and not b.success for a, b in ordered),
    }
    rows = tuple((name, n, share(k, n)) for name, k in counts.items())
    note = "Twins are the same scene with and without the corner case, begun alike. Who never reacts is right only without it; who always stops, at no time."
    return [Table("Closed loop: twins", ("pairs", "n", "share"), rows, note)]
