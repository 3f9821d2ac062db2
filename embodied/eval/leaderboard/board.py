"""The content of a board: entries with their scores, grouped by what was played, and ranked if they are complete."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from embodied.controls import control_of, in_words
from embodied.errors import UsageError
from embodied.eval import balrog, floors
from embodied.eval.compare import defining
from embodied.eval.floors import Floor
from embodied.eval.leaderboard.ranking import Standing, rank_ranges
from embodied.eval.remarks import remarks
from embodied.eval.results import Results
from embodied.eval.score import RunScore, Score, score
from embodied.eval.settings import RunSettings, describe, help_of, old_version, spent
from embodied.eval.statistics import LEVEL, Interval, Spread, Stratum, normal_quantile, spread_of
from embodied.eval.suites import SUITES, suite
from embodied.splits import split_of
from embodied.types import Json, TaskSpec, Usage

SHOWN_NOT_GROUPED = ("rules",)
"""Options that are shown beside an entry and do not give it another board."""


@dataclass(frozen=True)
class ScoreCell:
    """A score with what stands behind it."""

    score: float | None
    interval: Interval | None
    scored: int
    planned: int
    success: float | None = None
    success_interval: Interval | None = None
    no_interval: str = ""

    @property
    def coverage(self) -> float:
        return self.scored / self.planned if self.planned else 0.0


@dataclass(frozen=True)
class BoardEntry:
    """One run on a board."""

    key: str
    """Of its page: small letters, digits, hyphens; unique."""
    settings: RunSettings
    path: str
    total: ScoreCell
    environments: dict[str, ScoreCell]
    tasks: dict[tuple[str, str], ScoreCell]
    steps: int
    invalid_actions: int
    usage: Usage
    cost: float | None
    """US dollars of the whole run; None where the price is not known."""
    outcomes: dict[str, int]
    versions: dict[str, str]
    config: Json
    notes: tuple[str, ...]
    """Sentences a reader must know."""
    summary_only: bool = False
    """Imported without episodes: numbers as published, without intervals."""
    ranked: bool = False
    place: int | None = None
    """By score among the ranked, from 1; equal scores share one."""
    ranks: tuple[int, int] | None = None
    """All ranks it could have (see `embodied.eval.leaderboard.ranking`)."""


@dataclass(frozen=True)
class Reference:
    """A row to read scores against; it has no rank."""

    name: str
    """`random`, or the best constant."""
    rules: str
    total: Floor | None
    """None where an environment of the board has no floor."""
    environments: dict[str, Floor]


@dataclass(frozen=True)
class Board:
    """Entries that played the same tasks."""

    key: str
    title: str
    environments: tuple[str, ...]
    tasks: int
    options: tuple[str, ...]
    """Options of the environments that a run named, such as `max_steps 20`; those that all tasks share."""
    entries: tuple[BoardEntry, ...]
    """The ranked by place, then the others by score."""
    floors: tuple[Reference, ...] = ()
    """What agents earn without looking at anything, for each rule set of the entries."""


PlayedTask = tuple[str, str, tuple[tuple[str, str], ...]]
"""Environment, task, and the options that make it the task it is."""
Group = tuple[str, frozenset[PlayedTask], str]
"""The facts that all entries of one board share: the suite's name, the tasks, and BALROG's track."""


def _check_assisted(runs: Sequence[Results]) -> None:
    """Raises `UsageError` where a score with help would stand beside one without, or with other help."""
    named = {help_of(results.record) for results in runs}
    if len(named) < 2:
        return
    helped = next(results for results in runs if results.record.corrector)
    raise UsageError(
        f"In {helped.path} the corrector {help_of(helped.record)} spoke to the agent, and not in every other run: a"
        " leaderboard never mixes such scores. Leave it out, or rank the runs with this corrector alone; `embodied"
        " compare` sets two runs side by side."
    )


def boards(runs: Sequence[Results], partial: bool = False) -> list[Board]:
    """Groups and ranks runs.

    Args:
        runs: In any order.
        partial: Whether runs with coverage below 1 are ranked as well.

    Raises:
        UsageError: A run is of the train or the dev split, or under a control; or somebody spoke to the agent of one
            run and not of another.
    """
    for results in runs:
        if (split := split_of(results.record.config)) != "test":
            raise UsageError(
                f"{results.path} is a run of the {split} split, and a leaderboard takes runs of the test split: leave"
                " it out, or play it again without --split."
            )
        if control := control_of(results.record.config):
            raise UsageError(
                f"{results.path} was played under the control {in_words(control)}: its score is not the agent's own."
                " Leave it out."
            )
    _check_assisted(runs)
    groups: dict[Group, list[tuple[BoardEntry, Standing]]] = {}
    taken: set[str] = set()
    for results in runs:
        entry, standing = _entry(results)
        names = (entry.key if n == 1 else f"{entry.key}-{n}" for n in count(1))
        entry = replace(entry, key=next(name for name in names if name not in taken))
        taken.add(entry.key)
        groups.setdefault(_group(results, entry), []).append((entry, standing))
    made = [_board(group, members, partial) for group, members in groups.items()]
    return _titled(sorted(made, key=lambda b: (-len(b.entries), b.title)))


# --------------------------------------------------------------------------- boards


def _group(results: Results, entry: BoardEntry) -> Group:
    """The facts that all entries of one board must share: the suite's name, every task with the options that define it,
    and BALROG's track.
    """
    name, track = entry.settings.suite, _track(results.record.config, entry.settings)
    if entry.summary_only:
        played: list[PlayedTask] = (
            [(env, task, ()) for env, task, _ in suite(name).tasks if env in entry.environments]
            if name in SUITES
            else [(env, "", ()) for env in entry.environments]
        )
        return (name, frozenset(played), track)
    tasks: set[PlayedTask] = set()
    shown = (*SHOWN_NOT_GROUPED, "image") if track else SHOWN_NOT_GROUPED  # a track says it already
    old = {env: old_version(results.record, env) for env in {spec.task.env for spec in results.record.planned}}
    for spec in results.record.planned:
        then = old[spec.task.env]
        told = {**defining(spec.task), **({"version": then} if then else {})}
        options = tuple(sorted((k, repr(v)) for k, v in told.items() if k not in shown))
        tasks.add((spec.task.env, spec.task.task, options))
    return (name, frozenset(tasks), track)


def _track(config: Json, settings: RunSettings) -> str:
    """Under which of BALROG's headings its suite was played: the heading of a published submission; else whether
    pictures were shown.
    """
    if settings.suite != "balrog":
        return ""
    published = config.get("imported")
    said = published.get("track") if isinstance(published, dict) else None
    return str(said) if said in ("LLM", "VLM") else "VLM" if settings.vision else "LLM"


def _board(group: Group, members: list[tuple[BoardEntry, Standing]], partial: bool) -> Board:
    able = [(e, s) for e, s in members if e.total.score is not None and (partial or e.total.coverage >= 1)]
    able.sort(key=lambda pair: -pair[1].score)
    ranges = rank_ranges([s for _, s in able])
    scores = [round(standing.score, 12) for _, standing in able]
    ranked = [
        replace(e, ranked=True, place=1 + scores.index(score), ranks=r)
        for (e, _), score, r in zip(able, scores, ranges, strict=True)
    ]
    keys = {e.key for e in ranked}
    others = sorted(
        (e for e, _ in members if e.key not in keys),
        key=lambda e: -(e.total.score if e.total.score is not None else -1),
    )
    environments = tuple(dict.fromkeys(env for e, _ in members for env in e.environments))
    title = " · ".join(filter(None, (group[0], group[2]))) or (
        ", ".join(environments) if environments else "nothing played"
    )
    options = {options for _, _, options in group[1]}
    said = tuple(f"{k} {v}" for k, v in options.pop()) if len(options) == 1 else ()
    return Board(
        slug(title),
        title,
        environments,
        len(group[1]),
        said,
        (*ranked, *others),
        _references(group[1], environments, members),
    )


def _references(
    tasks: frozenset[PlayedTask], environments: tuple[str, ...], members: list[tuple[BoardEntry, Standing]]
) -> tuple[Reference, ...]:
    """The floors of a board's tasks. Entries of several rule sets may stand on one board: each set has floors of its
    own.
    """
    made = []
    for rules in sorted(
        {e.settings.rules for e, _ in members if e.settings.rules in ("embodied", "balrog")} or {"embodied"}
    ):
        played = [TaskSpec(env, task, {"rules": rules, **dict(options)}) for env, task, options in tasks]
        by_env = floors.of_tasks(played)
        for agent in floors.AGENTS:
            own = {env: f for env in environments for f in by_env.get(env, ()) if f.agent == agent}
            if own:
                whole = floors.mean([own.get(env) for env in environments])
                name = (
                    "random" if agent == "random" else floors.who(whole) if whole and whole.phrase else "best constant"
                )
                made.append(Reference(name, rules, whole, own))
    return tuple(made)


def _titled(made: list[Board]) -> list[Board]:
    """Gives boards with the same title different names: by options, number of environments or tasks, and at last by a
    number.
    """
    for words in (_own_options, lambda b, _: f"{len(b.environments)} environments", lambda b, _: f"{b.tasks} tasks"):
        same: dict[str, list[Board]] = {}
        for b in made:
            same.setdefault(b.title, []).append(b)
        differ = {title: len({words(b, group) for b in group}) > 1 for title, group in same.items()}
        made = [
            replace(b, title=f"{b.title} · {more}") if differ[b.title] and (more := words(b, same[b.title])) else b
            for b in made
        ]
    seen: Counter[str] = Counter()
    told = []
    for b in made:
        seen[b.title] += 1
        title = b.title if seen[b.title] == 1 else f"{b.title} · {seen[b.title]}"
        told.append(replace(b, title=title, key=slug(title)))
    return told


def _own_options(board: Board, group: Sequence[Board]) -> str:
    """The options that not all boards of the group share."""
    return ", ".join(o for o in board.options if any(o not in other.options for other in group))


def slug(text: str) -> str:
    """Small letters, digits and hyphens, for file names and anchors."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "entry"


# --------------------------------------------------------------------------- entries


def _entry(results: Results) -> tuple[BoardEntry, Standing]:
    about = describe(results.record)
    published = results.record.config.get("imported", {}).get("summary") or {}
    if not results.ended and published.get("environments"):
        return _from_summary(results, about, published)
    found = score(results)
    strata = results.strata()
    made = BoardEntry(
        key=slug(about.name),
        settings=about,
        path=results.path,
        total=_cell(found.total),
        environments={s.name: _cell(s) for s in found.environments},
        tasks=dict(
            zip(
                dict.fromkeys((s.task.env, s.task.task) for s in results.record.planned),
                map(_cell, found.tasks),
                strict=True,
            )
        ),
        steps=found.total.steps,
        invalid_actions=found.total.invalid_actions,
        usage=found.total.usage,
        cost=spent(results.record.config, found.total.usage, about, found.total.advice),
        outcomes=found.total.outcomes,
        versions=results.record.versions,
        config=results.record.config,
        notes=tuple(_notes(found)),
    )
    return made, Standing(
        made.total.score or 0.0, _error(strata, made.total), {(s.env, s.task): s for s in strata}, results.by_task()
    )


def _cell(s: Score) -> ScoreCell:
    return ScoreCell(s.progress, s.interval, s.scored, s.planned, s.success, s.success_interval, s.no_interval)


def _error(strata: list[Stratum], total: ScoreCell) -> Spread | None:
    """Standard error of the score; for a constant score from its Wilson interval, because it is not certain either."""
    found = spread_of(strata)
    if found is not None and found.error == 0 and total.interval:
        return Spread((total.interval[1] - total.interval[0]) / 2 / normal_quantile((1 + LEVEL) / 2), found.freedom)
    return found if found is not None and found.error > 0 else None


def _from_summary(results: Results, about: RunSettings, published: Json) -> tuple[BoardEntry, Standing]:
    numbers = balrog.summary(results)
    ours = {theirs: env for env, theirs in balrog.NAMES.items()}
    environments = {ours.get(name, name): _published(e) for name, e in numbers["environments"].items()}
    played = sum(c.scored for c in environments.values())
    total = _published(
        {
            "progression_percentage": numbers["average_progress"],
            "standard_error": numbers["standard_error"],
            "episodes_played": played,
        }
    )
    notes = (
        (
            "Imported without episodes: scores are as published. Rank ranges use the published standard errors, as"
            " there is nothing else."
        ),
    )
    usage = Usage(int(published.get("total_input_tokens", 0)), int(published.get("total_output_tokens", 0)))
    cost = spent(results.record.config, usage, about)
    made = BoardEntry(
        slug(about.name),
        about,
        results.path,
        total,
        environments,
        {},
        0,
        0,
        usage,
        cost,
        {},
        {},
        results.record.config,
        notes,
        summary_only=True,
    )
    return made, Standing(
        total.score or 0.0, Spread(numbers["standard_error"] / 100, float(max(1, played - 1))), {}, {}
    )


def _published(e: Mapping[str, float]) -> ScoreCell:
    played = int(e["episodes_played"])
    return ScoreCell(
        e["progression_percentage"] / 100,
        None,
        played,
        played,
        no_interval="published without episodes to compute one from",
    )


def _notes(found: RunScore) -> list[str]:
    total = found.total
    notes = []
    if total.scored < total.planned:
        failed = ", ".join(
            f"{n} {what.replace('_', ' ')}" for what, n in total.outcomes.items() if what not in ("finished", "limit")
        )
        notes.append(
            f"{total.planned - total.scored} of {total.planned} planned episodes have no"
            f" score{f' ({failed})' if failed else ''}."
        )
    if total.no_interval:
        notes.append(f"No interval: {total.no_interval}.")
    if total.unscorable:
        notes.append(
            f"{total.unscorable} of the planned episodes ended without a score: the environment had nothing to measure"
            " them by."
        )
    notes += remarks(total)
    if found.damaged:
        notes.append(f"Results that could not be read and count as not played: {len(found.damaged)}.")
    return notes
