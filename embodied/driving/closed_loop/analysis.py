"""Tables of the closed loop: the pairs of roads, NAVSIM's number and its parts, the outcomes of the corner cases, what
one word earns.
"""

from __future__ import annotations

from collections.abc import Sequence

from embodied.driving.closed_loop.env import KINDS
from embodied.driving.closed_loop.road import GOOD, OUTCOMES
from embodied.driving.floors import floors, shown
from embodied.eval.intervals import interval
from embodied.eval.statistics import stratify
from embodied.eval.tables import Cell, Replies, Table, share
from embodied.types import Episode

PARTS = ("navsim", "nc", "dac", "ttc", "ep", "c")
NAMES = {"hazard": "with the corner case", "clear": "without it"}


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """Read from how the episodes ended. Episodes of CornerCaseDrive-v0, one road each, are counted and left out."""
    known = [e for e in episodes if "roads" in e.info]
    old = [_old(len(episodes) - len(known))] if len(known) < len(episodes) else []
    whole = [e for e in known if all(f"{kind}_{GOOD[0]}" in e.metrics for kind in KINDS)]
    made = [_pairs(whole), _parts(whole), _outcomes(whole), _templates(whole)] if whole else []
    return [*old, *made, *([_floors(known)] if known else [])]


def _old(number: int) -> Table:
    note = (
        "An episode of v0 was one road, and a driver that says one word could earn .71. Their score stands above; it is"
        " not one of v1."
    )
    return Table("Closed loop: recorded under CornerCaseDrive-v0", ("episodes", "n"), (("of v0", number),), note)


def _mean(values: Sequence[float], episodes: Sequence[Episode]) -> str:
    """A mean with its interval; pairs that are driven more than once are one sample each."""
    pairs: dict[tuple[str, str], list[float]] = {}
    for value, episode in zip(values, episodes, strict=True):
        pairs.setdefault(("pairs", episode.info["pair"]), []).append(value)
    means = [sum(v) / len(v) for v in pairs.values()]
    found = interval(stratify({("pairs", "all"): means}))
    mean = sum(values) / len(values)
    return f"{mean:.2f} [{found[0]:.2f}, {found[1]:.2f}]" if found else f"{mean:.2f}"


def _good(episode: Episode, kind: str) -> bool:
    return any(episode.metrics[f"{kind}_{name}"] for name in GOOD)


def _pairs(whole: Sequence[Episode]) -> Table:
    n = len(whole)
    sides = [(_good(e, "hazard"), _good(e, "clear")) for e in whole]
    counts = {
        "both right": (True, True),
        "only without the corner case": (False, True),
        "only with it": (True, False),
        "neither": (False, False),
    }
    rows = tuple((name, n, share(sides.count(which), n)) for name, which in counts.items())
    note = (
        "An episode is the same road with the corner case and without it. Its progress is the smaller of the two roads'"
        " NAVSIM numbers; a road that was not"
    )
    note += " driven as it must be counts as 0."
    return Table("Closed loop: pairs of roads", ("pairs", "n", "share"), rows, note)


def _parts(whole: Sequence[Episode]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for kind in KINDS:
        rows.append(
            (NAMES[kind], len(whole), *(_mean([e.metrics[f"{kind}_{part}"] for e in whole], whole) for part in PARTS))
        )
    rows.append(
        ("mean of both", len(whole), _mean([e.metrics["navsim"] for e in whole], whole), *(None for _ in PARTS[1:]))
    )
    note = (
        "NAVSIM's own number is NC * DAC * (5 TTC + 5 EP + 2 C) / 12 of each road, not the score: always yielding"
        " earns .71 by it. Intervals:"
    )
    return Table(
        "Closed loop: NAVSIM's number and its parts",
        ("road", "n", "NAVSIM", "NC", "DAC", "TTC", "EP", "C"),
        tuple(rows),
        f"{note} over pairs.",
    )


def _outcomes(whole: Sequence[Episode]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (NAMES[k], len(whole), *(share(sum(e.metrics[f"{k}_{o}"] for e in whole), len(whole)) for o in OUTCOMES))
        for k in KINDS
    )
    note = (
        "Avoided: with the corner case, a clean drive; passed: without it. Late: not at the end of the road in time."
        " Stopped for nothing: stood without a"
    )
    note += " reason, or crept. Swerved for nothing: left its lane where nothing was in the way."
    return Table("Closed loop: outcomes", ("road", "n", *(o.replace("_", " ") for o in OUTCOMES)), rows, note)


def _templates(whole: Sequence[Episode]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in sorted({e.info["template"] for e in whole}):
        part = [e for e in whole if e.info["template"] == name]
        n = len(part)
        both = sum(bool(e.success) for e in part)
        hits = sum(e.metrics["hazard_hit"] for e in part)
        rows.append(
            (name.replace("_", " "), n, _mean([e.progress or 0.0 for e in part], part), share(both, n), share(hits, n))
        )
    return Table("Closed loop: by template", ("template", "n", "score", "both right", "hit, with it"), tuple(rows))


def _floors(known: Sequence[Episode]) -> Table:
    """The run's score beside those of drivers that look at nothing."""
    measured = floors("corner_case_drive")
    rows: list[tuple[Cell, ...]] = [("this run", len(known), _mean([e.progress or 0.0 for e in known], known), None)]
    named = {"rule-based driver": measured["rule_driver"], **measured["constants"]}
    rows += [(name, measured["seeds"], shown(row["score"]), shown(row["navsim"])) for name, row in named.items()]
    best, two = measured["best_blind_same_on_both"], measured["best_blind_two_programs"]
    rows.append((f"best blind: {best['name']}", measured["seeds"], shown(best["score"]), None))
    rows.append(
        (
            f"best blind: {two['first']}; on the second road {two['second']}",
            measured["seeds"],
            shown(two["score"]),
            None,
        )
    )
    note = (
        f"Means with standard errors; {{}}. Best blind: of {measured['blind_programs']} timed programs that look at"
        " nothing, the same on both roads,"
    )
    note += " and another one on the second road, which is of the other kind than the first."
    command = measured["command"]
    return Table(
        "Closed loop: what looking at nothing earns",
        ("driver", "n", "score", "NAVSIM"),
        tuple(rows),
        note.format(f"`{command}` makes them"),
    )
