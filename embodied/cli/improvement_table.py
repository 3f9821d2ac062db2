"""What `embodied improve` prints: needs by phase before, the learning curve after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from embodied.cli.output import print_json
from embodied.cli.tables import console, percent, print_table, span, table
from embodied.correctors.config import CorrectorConfig
from embodied.rollout.estimate import Range
from embodied.terminal import line, plain, shell_word
from embodied.train.learner import Used
from embodied.train.needs import Phase
from embodied.train.pages.words import named, sentences
from embodied.train.rounds import Curve, Point


def print_phases(phases: Sequence[Phase], corrector: CorrectorConfig) -> None:
    """Prints the dry run."""
    shown = table("phase", "episodes", "tokens", "dollars")
    for phase in phases:
        dollars = "not known" if phase.dollars is None else _range(phase.dollars, ".4g")
        shown.add_row(phase.name, f"{phase.episodes:,}", _range(phase.tokens, ",.0f"), dollars)
    print_table(console(), shown)
    out = console()
    said = [
        "At most: a gate may be given fewer episodes, and a version that is refused plays the test, too.",
        "Not estimated: what the learner plays and asks besides, which depends on what it finds.",
    ]
    if corrector.model.provider:
        model = f"{corrector.model.provider}/{corrector.model.name}"
        said.append(f"Not estimated: the corrector {corrector.name} asks {model} once in each step of collect.")
    for sentence in (*said, "Nothing was played."):
        out.print(line(sentence), highlight=False, markup=False, soft_wrap=True)


def print_curve(curve: Curve, root: Path, as_json: bool) -> None:
    """Prints the learning curve, or JSON."""
    if as_json:
        print_json(curve)
        return
    print()
    out = console()
    shown = table(
        *("version", "test score", "95 % interval", "gain", "95 % interval", "p", "scored"),
        *("episodes", "corrections", "tokens", "seconds", "dollars"),
    )
    for point in curve.points:
        shown.add_row(Text(line(named(point))), *_scores(point), *used(point))
    print_table(out, shown)
    for sentence in sentences(curve):
        out.print(line(sentence), highlight=False, markup=False, soft_wrap=True)
    print(plain(f"Look: `embodied view {shell_word(root)}`, `embodied report {shell_word(root)}`."))
    if best := _in_place(curve):
        folder = root / "start" if best.round == 0 else root / f"round-{best.round}" / "child"
        if folder.exists():
            print(plain(f"In place: {best.label}. Play it: `embodied eval --agent {shell_word(_path(folder))} ...`."))


def _scores(point: Point) -> list[str]:
    gain = "" if point.gain is None else f"{100 * point.gain:+.1f}"
    p = "" if point.gain_p is None else f"{point.gain_p:.3f}"
    between = "" if point.gain is None else span(point.gain_interval)
    return [percent(point.score), span(point.interval), gain, between, p, str(point.episodes)]


def used(point: Point) -> list[str]:
    """What a version took, as cells: episodes, corrections, tokens, seconds, dollars."""
    if point.decided in ("corrected", "ceiling"):
        told = "" if point.corrections is None else f"{point.corrections:.1f} an episode"
        return ["", told, "", "", ""]
    spent: Used = point.spent
    dollars = "-" if spent.dollars is None else f"{spent.dollars:.4g}"
    return [str(spent.episodes), str(spent.corrections), f"{spent.tokens:,}", f"{spent.seconds:.0f}", dollars]


def _in_place(curve: Curve) -> Point | None:
    """The version that is in place at the end."""
    after = curve.rounds[-1].after if curve.rounds else curve.plan.agent
    return next((point for point in curve.points if point.version == after), None)


def _range(r: Range, form: str) -> str:
    return f"{r.low:{form}}" if r.low == r.high else f"{r.low:{form}} to {r.high:{form}}"


def _path(folder: Path) -> str:
    return str(folder) if folder.is_absolute() else f"./{folder}"
