"""The report as one HTML file: no script, no request to anywhere, everything a model or simulator wrote escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embodied.eval import floors
from embodied.eval.charts import bar, curve_plot, stacked, whisker
from embodied.eval.markup import Html, el, join
from embodied.eval.remarks import remarks
from embodied.eval.report import Activity, Report, Times
from embodied.eval.report_parts import document, section, table, tiles
from embodied.eval.results import progress
from embodied.eval.score import Score
from embodied.eval.settings import changed, describe
from embodied.eval.statistics import LEVEL
from embodied.eval.tables import words
from embodied.quantities import coverage, percent, seconds, short, span
from embodied.store.run import Run
from embodied.terminal import shell_word
from embodied.types import Episode

OUTCOMES = (
    ("finished", "finished", "good"),
    ("limit", "step limit", "warn"),
    ("refused", "prompt refused", "bad"),
    ("model_failure", "model failure", "bad"),
    ("infra_failure", "infrastructure failure", "worse"),
    ("cancelled", "cancelled", "quiet"),
    ("", "not played", "none"),
)
"""Outcome, words, class."""
MOST_GOAL = 240
"""Characters of a goal that are shown on top."""
UNSET = ("None", "", "[]", "{}")


def page(report: Report, links: Mapping[str, str], against: Run | None = None) -> bytes:
    """The report as a document.

    Args:
        report: From `gather`.
        links: Episode id -> address of its page, relative to the report; episodes that are not in it have no link.
        against: Another run, to say in which settings the two differ.
    """
    name = report.results.path.rstrip("/").rsplit("/", 1)[-1] or "run"
    sections = [_scores, _tasks, _analysis, _curves, _outcomes, _actions, _tokens, _settings]
    return document(
        f"{name} – report",
        _top(report, name),
        [part(report) for part in sections],
        against and _against(report, against),
        _episodes(report, links),
    )


# --------------------------------------------------------------------------- parts


def _top(report: Report, name: str) -> Html:
    record, total = report.results.record, report.score.total
    about = describe(record)
    who = " · ".join(word for word in (about.agent, about.model, about.suite) if word)
    interval = f"{percent(total.interval[0])} to {percent(total.interval[1])}" if total.interval else "no interval"
    figures = [
        ("progress", percent(total.progress), interval),
        (
            "coverage",
            coverage(total.scored, total.planned),
            f"{total.scored:,} of {total.planned:,} episodes have a score",
        ),
        ("steps", f"{total.steps:,}", f"{percent(_rate(total.invalid_actions, total.steps))} invalid actions"),
    ]
    if total.usage.input:
        figures.append(
            (
                "tokens",
                short(total.usage.input + total.usage.output),
                f"{short(total.usage.input)} in, {short(total.usage.output)} out",
            )
        )
    if report.cost:
        figures.append(("cost", f"${sum(report.cost.values()):,.2f}", "at list prices, or the run's own"))
    warnings = [] if about.split == "test" else [f"Episodes of the {about.split} split: this is not a test score."]
    if about.control:
        warnings.append(f"Under the control {about.control}: this is not the agent's own score.")
    warnings += report.results.damaged[:5]
    if len(report.results.damaged) > 5:
        warnings.append(f"{len(report.results.damaged) - 5} more results could not be read.")
    if damaged := sum(a.damaged for a in report.activity.values()):
        warnings.append(
            f"{damaged} damaged lines of steps could not be read and are left out of what is counted by step."
        )
    if total.scored < total.planned:
        warnings.append(
            f"{total.planned - total.scored} planned episodes have no score. They do not count as zeros: read every"
            " score together with its coverage."
        )
    if not record.planned:
        warnings.append("This run has no planned episodes.")
    return el(
        "header",
        el("h1", name),
        el("p", who, f" · begun {record.created}" if record.created else "", class_="note"),
        [el("p", el("b", f"Goal of {env}: "), goal, class_="goal") for env, goal in _goals(report)],
        tiles(figures),
        (el("p", w, class_="warning") for w in warnings),
    )


def _goals(report: Report) -> list[tuple[str, str]]:
    """The goals of the agent, by environment: that of the first episode, and how many episodes had another goal."""
    asked: dict[str, list[str]] = {}
    for episode in report.results.ended.values():
        if episode.mission is not None and episode.mission.goal:
            asked.setdefault(episode.spec.task.env, []).append(" ".join(episode.mission.goal.split()))
    shown = []
    for env, goals in asked.items():
        others = len(set(goals)) - 1
        more = f" ({others} other goal{'s' if others > 1 else ''} in {len(goals)} episodes)" if others else ""
        shown.append((env, (goals[0] if len(goals[0]) <= MOST_GOAL else f"{goals[0][: MOST_GOAL - 1]}…") + more))
    return shown


def _scores(report: Report) -> Html:
    rows = [*report.score.environments, *([report.score.total] if len(report.score.environments) > 1 else [])]
    note = (
        f"Progress is the mean over environments, their tasks and seeds, with a {LEVEL:.0%} interval; success has a"
        " Wilson interval."
    )
    if report.score.total.no_interval:
        note += f" No interval for all: {report.score.total.no_interval}."
    note = " ".join([note, *remarks(report.score.total)])
    header = [
        "environment",
        "progress",
        "0 to 100 %",
        "interval",
        "success",
        "scored",
        "steps",
        "invalid",
        "tokens in / out",
    ]
    return section("Score", table(header, [_score_row(r) for r in rows], "numbers"), _floors(report), note=note)


def _floors(report: Report) -> Html | None:
    """What agents earn without looking at anything: rows to compare the scores with."""
    rows = []
    for env, found in floors.of_run(report.results.record).items():
        shown = [
            [
                env,
                floors.who(f),
                percent(f.progress),
                whisker(f.progress, None, width=170),
                f"± {100 * f.error:.1f}",
                f"{f.episodes:,}",
            ]
            for f in found
        ]
        rows += shown or [[env, "no floor known for what was played", "–", "", "–", "–"]]
    if not rows:
        return None
    header = ["environment", "agent that looks at nothing", "progress", "0 to 100 %", "standard error", "episodes"]
    return join([el("h3", "Floors"), table(header, rows, "numbers")])


def _score_row(s: Score) -> list[Any]:
    success = percent(s.success, 0) + (f" of {s.decided} ({span(s.success_interval, 0)})" if s.success_interval else "")
    scored = el("span", f"{s.scored} / {s.planned}", class_="" if s.scored == s.planned else "short")
    interval = span(s.interval)
    tokens = f"{short(s.usage.input)} / {short(s.usage.output)}" if s.usage.input else "–"
    invalid = percent(_rate(s.invalid_actions, s.steps))
    return [
        s.name,
        el("b", percent(s.progress)),
        whisker(s.progress, s.interval, width=170),
        interval,
        success,
        scored,
        f"{s.steps:,}",
        invalid,
        tokens,
    ]


def _tasks(report: Report) -> Html:
    values: dict[str, list[float]] = {}
    for episode in report.results.ended.values():
        if (value := progress(episode)) is not None:
            values.setdefault(f"{episode.spec.task.env} {episode.spec.task.task}".strip(), []).append(value)
    blocks = []
    for env in report.score.environments:
        tasks = [t for t in report.score.tasks if t.name.split(" ", 1)[0] == env.name]
        rows = [
            [
                t.name.split(" ", 1)[-1],
                percent(t.progress),
                whisker(t.progress, t.interval, values.get(t.name, [])),
                span(t.interval),
                f"{t.scored} / {t.planned}",
                percent(_rate(t.invalid_actions, t.steps)),
            ]
            for t in tasks
        ]
        blocks.append(el("h3", env.name))
        blocks.append(table(["task", "progress", "0 to 100 %", "interval", "scored", "invalid"], rows, "numbers"))
    return section("Tasks", blocks, note="A dot is an episode; above them the mean and its interval.")


def _analysis(report: Report) -> list[Html]:
    """The environments' own tables."""
    return [
        section(
            t.title, table(list(t.columns), [[words(cell) for cell in row] for row in t.rows], "numbers"), note=t.note
        )
        for t in report.tables
    ]


def _curves(report: Report) -> Html | None:
    if not report.curves:
        return None
    figures = (
        el("figure", el("figcaption", env, el("span", f" · {c.episodes} episodes")), curve_plot(c))
        for env, c in report.curves.items()
    )
    note = (
        "The line is the mean, the band the middle half of the episodes. An episode that ended early keeps its last"
        " progress."
    )
    return section("Progress over steps", el("div", figures, class_="figures"), note=note)


def _outcomes(report: Report) -> Html:
    rows = []
    for env in report.score.environments:
        counts = {**env.outcomes, "": env.planned - sum(env.outcomes.values())}
        parts = [(words, class_, counts.get(outcome, 0)) for outcome, words, class_ in OUTCOMES]
        rows.append([env.name, stacked(parts), ", ".join(f"{n:,} {words}" for words, _, n in parts if n)])
    errors: dict[tuple[str, str], int] = {}
    reasons: dict[tuple[str, str], int] = {}
    for episode in report.results.ended.values():
        for tally, key in (
            (errors, (episode.error_kind, episode.error[:300])),
            (reasons, (episode.spec.task.env, episode.end_reason[:120])),
        ):
            if key[1]:
                tally[key] = tally.get(key, 0) + 1
    lists = []
    for title, heads, found in (
        ("Why episodes ended", ("environment", "reason"), reasons),
        ("Errors", ("kind", "error"), errors),
    ):
        if found:
            most = sorted(found.items(), key=lambda item: -item[1])[:15]
            lists.append(
                el("div", el("h3", title), table([*heads, "episodes"], [[a, b, f"{n:,}"] for (a, b), n in most]))
            )
    legend = el(
        "p", (el("span", el("i", class_=f"key {class_}"), words) for _, words, class_ in OUTCOMES), class_="legend"
    )
    return section(
        "Outcomes",
        legend,
        table(["environment", "share", "episodes"], rows, "bars"),
        el("div", lists, class_="halves"),
        note="Only finished and step-limit episodes are scored.",
    )


def _actions(report: Report) -> Html | None:
    if not report.activity:
        return None
    rates = [
        [
            env,
            f"{a.steps:,}",
            percent(_rate(a.invalid + a.unread, a.steps)),
            percent(_rate(a.invalid, a.steps)),
            percent(_rate(a.unread, a.steps)),
            len(a.actions),
        ]
        for env, a in report.activity.items()
    ]
    header = ["environment", "steps", "invalid", "outside the vocabulary", "not understood", "different actions"]
    blocks = (el("div", el("h3", env), _most(a), class_="block") for env, a in report.activity.items() if a.steps)
    return section("Actions", table(header, rates, "numbers"), el("div", blocks, class_="halves"))


def _most(activity: Activity) -> Html:
    shown = activity.actions.most_common(12)
    most = shown[0][1]
    rows = [[el("code", name or "(nothing)"), bar(n / most), percent(n / activity.steps)] for name, n in shown]
    refused = [
        [el("code", name), bar(n / most, "bar bad"), f"{n:,} times"] for name, n in activity.refused.most_common(5)
    ]
    return join(
        [
            table(["executed", "share", "of all steps"], rows, "most"),
            table(["said, but not accepted", "share", "how often"], refused, "most") if refused else None,
        ]
    )


def _tokens(report: Report) -> Html | None:
    if not report.activity:
        return None
    usage = {s.name: s.usage for s in report.score.environments}
    rows = []
    for env, a in report.activity.items():
        u = usage[env]
        cost = report.cost.get(env)
        per_step = f"{short(u.input / a.steps)} / {short(u.output / a.steps)}" if u.input and a.steps else "–"
        rows.append(
            [env, f"{a.calls:,}", short(u.input), short(u.cached), short(u.output), short(u.reasoning), per_step]
        )
        rows[-1] += [
            f"{a.retried:,}",
            f"{a.cut_off:,}",
            _times(a.agent),
            _times(a.world),
            "–" if cost is None else f"${cost:,.2f}",
        ]
    header = [
        "environment",
        "calls",
        "tokens in",
        "from cache",
        "tokens out",
        "reasoning",
        "a step",
        "retried",
        "cut off",
        "agent",
        "world",
        "cost",
    ]
    return section(
        "Tokens, time and cost",
        table(header, rows, "numbers"),
        note="Times of a step: the median, and what one step in twenty exceeds.",
    )


def _settings(report: Report) -> Html:
    record = report.results.record
    flat = _flat(record.config)
    settings = [[el("code", key), el("code", value)] for key, value in flat if value not in UNSET]
    unset = [key for key, value in flat if value in UNSET]
    versions = [[name, el("code", version)] for name, version in record.versions.items()]
    versions += [
        ["run identity", el("code", record.identity)],
        ["begun", record.created or "–"],
        ["suite", record.suite or "–"],
    ]
    left = [table(["setting", "value"], settings)]
    if unset:
        left.append(
            el(
                "details",
                el("summary", f"{len(unset)} settings that are not set"),
                el("p", el("code", ", ".join(unset))),
            )
        )
    return section(
        "Settings and versions",
        el("div", el("div", left), el("div", table(["part", "version"], versions)), class_="halves"),
    )


def _against(report: Report, other: Run) -> Html:
    rows = [
        [el("code", key), el("code", a), el("code", b)] for key, a, b in changed(report.results.record, other.record)
    ]
    title = f"Settings against {other.root}"
    return (
        section(title, table(["setting", "this run", str(other.root)], rows))
        if rows
        else section(title, note="The two runs have the same settings.")
    )


def _episodes(report: Report, links: Mapping[str, str]) -> Html:
    words = {outcome: (name, class_) for outcome, name, class_ in OUTCOMES}
    rows = []
    for spec in report.results.record.planned:
        episode: Episode | None = report.results.ended.get(spec.id)
        outcome, class_ = words[episode.outcome if episode else ""]
        name = el("a", spec.id, href=links[spec.id]) if spec.id in links else spec.id
        cells = [name, spec.seed, el("span", outcome, class_=f"outcome {class_}")]
        if episode is None:
            rows.append([*cells, "–", "–", "–", "–", "–"])
            continue
        success = "–" if episode.success is None else "yes" if episode.success else "no"
        rows.append(
            [
                *cells,
                percent(progress(episode)),
                success,
                f"{episode.return_:.4g}",
                f"{episode.steps:,}",
                percent(_rate(episode.invalid_actions, episode.steps)),
            ]
        )
    header = ["episode", "seed", "outcome", "progress", "success", "return", "steps", "invalid"]
    note = f"Any of them step by step: embodied view {shell_word(report.results.path)} --episode ID"
    return section("Episodes", table(header, rows, "numbers episodes"), note=note)


# --------------------------------------------------------------------------- words


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _times(times: Times) -> str:
    middle, slow = times.quantile(0.5), times.quantile(0.95)
    return "–" if middle is None or slow is None else f"{seconds(middle)}, {seconds(slow)}"


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [pair for key, v in value.items() for pair in _flat(v, f"{path}.{key}" if path else str(key))]
    return [(path, str(value))]
