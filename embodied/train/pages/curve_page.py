"""The report of an improvement as one HTML file: no script, no request to anywhere, all text escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from embodied.eval.markup import Html, el
from embodied.eval.report_parts import document, section, table, tiles
from embodied.quantities import NOTHING, counted, percent, span
from embodied.terminal import shell_word
from embodied.train.gate import LEVEL
from embodied.train.learner import Used
from embodied.train.pages.charts import QUANTITIES, curve_chart, drawn, legend
from embodied.train.pages.reading import Improvement
from embodied.train.pages.words import named, sentences
from embodied.train.rounds import Point, Round, TaskVerdict

REFUSED = "REFUSED"
MOST_ROWS = 200
"""Rounds in a table."""
DECIDED = {"promoted": "good", "kept": "", "no version": "warn", "undecided": "warn", "first": "", "refused": "bad"}
"""What was decided -> class."""


def page(found: Improvement, back: str = "") -> bytes:
    """The report as a document.

    Args:
        found: What it is about.
        back: The address of the page that led here; empty for none.
    """
    title = f"{found.name} – improvement"
    parts = [_top, _charts, _versions, _rounds, _phases, _asked]
    way = el("p", el("a", "All runs", href=back), class_="note") if back else None
    return document(f"{REFUSED}: {title}" if found.refused else title, way, [part(found) for part in parts])


# --------------------------------------------------------------------------- parts


def _top(found: Improvement) -> Html:
    plan = found.plan
    tasks = f" ({plan.task})" if plan.task else ""
    who = [f"learner {plan.learner}", f"agent {plan.name}", f"{', '.join(plan.env)}{tasks}"]
    who += [f"corrected by {plan.corrector}"] if plan.corrector else []
    return el(
        "header",
        el("h1", el("span", REFUSED, class_="refused-mark") if found.refused else None, found.name),
        el("p", " · ".join(who), class_="note"),
        el("p", CONTROL, class_="note") if found.control else None,
        _warnings(found),
        tiles(list(_figures(found))),
    )


CONTROL = "This learner is a control: it must not make an agent better."


def _warnings(found: Improvement) -> Iterator[Html]:
    curve = found.curve
    if curve is None:
        more = f"{counted(len(found.rounds), 'round')} over so far."
        yield el("p", f"It is not over: there is no test yet. {more} The same command goes on.", class_="warning")
        return
    for sentence in sentences(curve):
        bad = curve.refused and sentence.startswith(REFUSED)
        warn = sentence in curve.leaks or sentence.startswith("It ended")
        yield el("p", sentence, class_="refusal" if bad else "warning" if warn else "note said")


def _figures(found: Improvement) -> Iterator[tuple[str, Any, str]]:
    first, now, used = found.first, found.in_place, found.used
    if first is not None:
        yield "first version", _struck(percent(first.score), found.refused), _between(first)
    if now is not None and first is not None and now is not first:
        yield "in place at the end", _struck(percent(now.score), found.refused), _between(now)
    if found.refused:
        yield "gain", NOTHING, "refused: it counts for nothing"
    elif now is not None and first is not None:
        if now is first:
            yield "gain", "0.0", "the first version is still in place"
        elif now.gain is not None:
            yield "gain", points(now.gain), f"95 %: {span(now.gain_interval)}, p = {_p(now.gain_p)}"
    yield "promoted", f"{found.promoted} of {len(found.rounds)}", "rounds whose version took the place"
    yield "used", f"{used.episodes:,}", f"episodes, {used.corrections:,} corrections"


def _between(point: Point) -> str:
    return f"95 %: {span(point.interval)}, {point.episodes:,} episodes"


def _charts(found: Improvement) -> Html | None:
    if not found.points:
        return None
    shown = [
        el("figure", el("figcaption", "score against ", q.name), chart)
        for q in QUANTITIES
        if (chart := curve_chart(found.points, q, found.refused)) is not None
    ]
    missing = [q.name for q in QUANTITIES if not drawn(found.points, q)]
    none = f" Not drawn, as nothing of it was used or it is not known: {', '.join(missing)}." if missing else ""
    return section(
        "Learning curve",
        legend(found.points),
        el("div", shown, class_=f"figures{' refused' if found.refused else ''}"),
        note="Score of each version on the same test episodes, with a 95 % interval, against all that was used up to"
        f" that version: playing, learning and gates.{none}",
    )


def _versions(found: Improvement) -> Html | None:
    if not found.points:
        return None
    header = ["version", "score", "95 % interval", "gain", "95 % interval", "p", "scored"]
    header += ["episodes", "corrections", "tokens", "seconds", "dollars"]
    rows = [_version(p, found.refused) for p in found.points[: MOST_ROWS + 3]]
    note = "Gain is over the first version, on the same seeds; p is two-sided. The test decided nothing."
    if found.refused:
        note = f"{REFUSED}: these figures count for nothing. {note}"
    return section(
        "Versions on the test", table(header, rows, f"numbers{' refused' if found.refused else ''}"), note=note
    )


def _version(p: Point, refused: bool) -> list[Any]:
    gain = NOTHING if p.gain is None else points(p.gain)
    between = NOTHING if p.gain is None else span(p.gain_interval)
    cells: list[Any] = [named(p), percent(p.score), span(p.interval), gain, between, _p(p.gain_p), f"{p.episodes:,}"]
    if refused:
        cells[1:6] = [_struck(cell, refused) for cell in cells[1:6]]
    if p.decided in ("corrected", "ceiling"):
        told = NOTHING if p.corrections is None else f"{p.corrections:.1f} an episode"
        return [*cells, NOTHING, told, *[NOTHING] * 3]
    return [*cells, *used_cells(p.spent)]


def _rounds(found: Improvement) -> Html:
    header = ["round", "decided", "parent", "child", "difference", "95 % interval", "p", "pairs", "why"]
    rows = [_round(done) for done in found.rounds[:MOST_ROWS]]
    tasks = [
        [f"round {done.number}", *_task(t)]
        for done in found.rounds[:MOST_ROWS]
        if done.verdict is not None
        for t in done.verdict.tasks[:MOST_ROWS]
    ]
    more = f" The first {MOST_ROWS} are shown." if len(found.rounds) > MOST_ROWS else ""
    heads = ["round", "environment", "task", "parent", "child", "difference", "pairs", "p that it is not worse"]
    return section(
        "Rounds and gates",
        table(header, rows, "numbers rounds"),
        [el("h3", "By task"), table(heads, tasks, "numbers gates")] if tasks else None,
        note="A gate plays parent and child on the same fresh dev episodes. The child is promoted if it is shown to be"
        f" better (p at most {LEVEL:g}, one-sided, paired) and no task is shown to be worse (p at most {LEVEL:g}, Holm"
        f" over the tasks).{more}",
    )


def _round(done: Round) -> list[Any]:
    v = done.verdict
    decided = el("span", done.decided, class_=f"outcome {DECIDED.get(done.decided, '')}".strip())
    if v is None or v.decided == "undecided":
        return [done.number, decided, *[NOTHING] * 6, el("span", done.why, class_="why")]
    scores = [
        percent(v.parent),
        percent(v.child),
        points(v.child - v.parent),
        span(v.interval),
        _p(v.p),
        f"{v.pairs:,}",
    ]
    return [done.number, decided, *scores, el("span", done.why, class_="why")]


def _task(t: TaskVerdict) -> list[Any]:
    p: Any = _p(t.worse)
    if t.worse <= LEVEL:
        p = el("span", f"{p}: worse", class_="outcome bad")
    return [t.env, t.task, percent(t.parent), percent(t.child), points(t.child - t.parent), f"{t.pairs:,}", p]


def _phases(found: Improvement) -> Html:
    rows: list[list[Any]] = []
    for done in found.rounds[:MOST_ROWS]:
        for phase, used in (("collect", done.collect), ("learn", done.learn), ("gate", done.gate)):
            rows.append([f"round {done.number}, {phase}", *used_cells(used)])
    total = found.used
    if found.curve is not None:
        rows.append(["test", *used_cells(found.curve.test)])
        total = total + found.curve.test
    rows.append([el("b", "all"), *(el("b", cell) for cell in used_cells(total))])
    header = ["phase", "episodes", "corrections", "tokens", "seconds", "dollars"]
    return section("What was used", table(header, rows, "numbers"), note="Tokens: input and output, of all models.")


def _asked(found: Improvement) -> Html:
    plain = msgspec.to_builtins(found.plan)
    rows = [
        [el("code", key), el("code", value)] for key, value in _flat(plain) if value not in ("", "None", "[]", "{}")
    ]
    look = f"Every run of it, step by step: embodied view {shell_word(found.root)}"
    return section("What was asked for", table(["setting", "value"], rows), note=look)


# --------------------------------------------------------------------------- words


def _struck(words: str, refused: bool) -> Any:
    return el("s", words) if refused and words != NOTHING else words


def used_cells(used: Used) -> list[str]:
    """Episodes, corrections, tokens, seconds, dollars, as cells."""
    dollars = "not known" if used.dollars is None else f"{used.dollars:.4g}"
    return [f"{used.episodes:,}", f"{used.corrections:,}", f"{used.tokens:,}", f"{used.seconds:,.0f}", dollars]


def points(share: float) -> str:
    """A difference of shares in percentage points: `+12.5`."""
    return f"{100 * share:+.1f}" if share else "0.0"


def _p(p: float | None) -> str:
    return NOTHING if p is None else f"{p:.3f}" if p >= 0.001 else "< .001"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _flat(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield path, ", ".join(map(str, value))
    else:
        yield path, str(value)
