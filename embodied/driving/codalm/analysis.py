"""The tables of CodaLM-v0: `grounded-v1` by task and group, controls on the same questions, twins. One dataset a table,
never two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from embodied.driving import controls
from embodied.driving.categories import GROUPS, label
from embodied.driving.codalm import sources, twins
from embodied.driving.codalm.ground import item
from embodied.driving.controls import GroundedScore, Item
from embodied.driving.grounded import NAME, GeneralScore, RegionScore, SuggestionScore
from embodied.driving.grounded.overlap import rouge_l, tfidf_cosine
from embodied.driving.grounded.reference import facts_of
from embodied.driving.records import Key, Question, Scene, Task
from embodied.errors import EmbodiedError
from embodied.eval.tables import Cell, Replies, Table, share
from embodied.types import Episode
from embodied.variables import resolved

_ALWAYS_STOP = "Stop."


@dataclass(frozen=True)
class Answered:
    """Questions of one task of one dataset, with the answers of a run."""

    items: list[Item]
    answers: list[str]


def tables(episodes: Sequence[Episode], replies: Replies) -> list[Table]:
    """Tables of the scored episodes of a run (`embodied.eval.analysis`)."""
    by_set: dict[tuple[str, str, str, str | None, Task], list[Episode]] = defaultdict(list)
    for episode in episodes:
        info, spec = episode.info, episode.spec.task
        asked = cast(Task, spec.task)  # the environment has no other
        by_set[info["dataset"], info["split"], info["language"], resolved(spec.kwargs).get("data"), asked].append(
            episode
        )
    found: list[Table] = []
    twin_answers: dict[str, dict[str, str]] = {}
    for (dataset, split, language, data, task), those in by_set.items():
        name = dataset if dataset == sources.PROCEDURAL_NAME else f"{dataset} {split} {language}"
        try:
            scenes = sources.open_set(split, data, language, partial=True)
        except EmbodiedError as error:
            found.append(
                Table(
                    f"{name}/{NAME}: {label(task)}",
                    ("answers",),
                    ((f"{len(those)}",),),
                    f"No tables without the data: {error}",
                )
            )
            continue
        by_name, by_key = {s.name: s for s in scenes.scenes}, {q.key: q for q in scenes.questions(task)}
        answered = _answered(those, replies, by_name, by_key, task)
        found += score_tables(name, answered.items, {"this run": answered.answers})
        found += overlap_tables(name, answered.items, {"this run": answered.answers})
        if dataset == sources.PROCEDURAL_NAME and task != "region_perception":
            twin_answers[task] = {i.facts.image: a for i, a in zip(answered.items, answered.answers, strict=True)}
    if twin_answers:
        found += twin_tables(pairs(), {task: {"this run": answers} for task, answers in twin_answers.items()})
    return found


def _answered(
    episodes: Sequence[Episode],
    replies: Replies,
    scenes: dict[str, Scene],
    questions: dict[Key, Question],
    task: Task,
) -> Answered:
    """Items and answers of episodes. A question asked twice counts twice, for the controls as well."""
    items: list[Item] = []
    answers: list[str] = []
    for episode in episodes:
        scene = scenes.get(episode.info["scene"])
        question = questions.get((task, episode.info["scene"], episode.info["region"]))
        steps = replies(episode)
        if scene is not None and question is not None and steps:
            items.append(item(scene, question))
            answers.append(str(steps[-1].info.get("answer", "")))
    return Answered(items, answers)


# --------------------------------------------------------------------------- scores


def score_tables(
    name: str, items: Sequence[Item], runs: dict[str, list[str]], shown: Sequence[str] = controls.CONTROLS
) -> list[Table]:
    """Scores, and scores by group where there are some, of answers to one task of one dataset; controls in the same
    tables.

    Args:
        name: Of the dataset, for the title.
        items: The questions, all of one task.
        runs: Name of a row -> an answer an item.
        shown: Which controls.
    """
    if not items:
        return []
    rows: dict[str, list[GroundedScore]] = {
        row: [controls.score(i, a) for i, a in zip(items, answers, strict=True)] for row, answers in runs.items()
    }
    rows |= {
        control: controls.scores(control, items)
        for control in shown
        if control != "reference" or any(i.reference for i in items)
    }
    title = f"{name}/{NAME}: {label(items[0].task)}"
    columns, cells = _PARTS[type(next(iter(rows.values()))[0])]
    body = tuple((row, *_common(scored, len(items)), *cells(scored)) for row, scored in rows.items())
    scored_of = {row: [i for _ in range(len(s) // len(items)) for i in items] for row, s in rows.items()}
    found = [
        Table(
            title,
            ("answers", "n", "score", "of readable", "unreadable", "unrecognised", "empty", *columns),
            body,
            _note(items),
        )
    ]
    if items[0].task != "driving_suggestion":
        by_group = tuple((row, *_by_group(scored, scored_of[row])) for row, scored in rows.items())
        general = items[0].task == "general_perception"
        what = (
            "mean F1 by group, over the scenes that have it or are said to"
            if general
            else "group named, by the group of the region"
        )
        found.append(Table(f"{title}, {what}", ("answers", *(label(g) for g in GROUPS)), by_group))
    return found


def _note(items: Sequence[Item]) -> str:
    return (
        f"Questions: {len(items)}. score: mean over all, unreadable and empty answers at 0, which makes it a lower"
        " bound. Controls answer the same questions: oracle states the facts, reference is the reference text,"
        f" shuffled gives a question another's right answer (mean of {controls.SHUFFLES} shuffles), blind is the"
        " likeliest answer without the picture, constant says nothing. Not comparable with a judge's scores."
    )


def _common(scored: Sequence[GroundedScore], questions: int) -> tuple[Cell, ...]:
    """n, score, score of what could be read, and what could not be scored on its content. Several answers to a question
    do not narrow the interval.
    """
    readable = [s.value for s in scored if s.status != "unreadable"]
    count = {status: sum(s.status == status for s in scored) for status in ("unreadable", "unrecognised", "empty")}
    return (
        len(scored),
        share(sum(s.value for s in scored) / len(scored) * questions, questions),
        _mean(readable),
        *count.values(),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _general(scored: Sequence[GroundedScore]) -> tuple[Cell, ...]:
    those = [s for s in scored if isinstance(s, GeneralScore)]
    precision = _mean([g.precision for s in those for g in s.groups.values() if g.precision is not None])
    recall = _mean([g.recall for s in those for g in s.groups.values() if g.recall is not None])
    said, corner = sum(s.mentions for s in those), sum(s.corner_cases for s in those)
    return (
        precision,
        recall,
        sum(s.invented for s in those) / said if said else None,
        said / len(those),
        sum(s.found for s in those) / corner if corner else None,
    )


def _region(scored: Sequence[GroundedScore]) -> tuple[Cell, ...]:
    those = [s for s in scored if isinstance(s, RegionScore)]
    return _mean([s.group for s in those]), _mean([s.category for s in those])


def _suggestion(scored: Sequence[GroundedScore]) -> tuple[Cell, ...]:
    those = [s for s in scored if isinstance(s, SuggestionScore)]
    hazards = [s.hazard_recall for s in those if s.hazard_recall is not None]
    return (
        _mean([s.f1 for s in those]),
        _mean([float(s.primary) for s in those]),
        _mean(hazards),
        _mean([float(s.contradiction) for s in those]),
    )


_PARTS: dict[type, tuple[tuple[str, ...], Callable[[Sequence[GroundedScore]], tuple[Cell, ...]]]] = {
    GeneralScore: (("precision", "recall", "hallucinated", "named a scene", "corner cases found"), _general),
    RegionScore: (("group hit", "category hit"), _region),
    SuggestionScore: (("action F1", "first action", "hazards named", "contradictions"), _suggestion),
}


def _by_group(scored: Sequence[GroundedScore], items: Sequence[Item]) -> tuple[Cell, ...]:
    values: dict[str, list[float]] = {group: [] for group in GROUPS}
    for one, asked in zip(scored, items, strict=True):
        if isinstance(one, GeneralScore):
            for group, part in one.groups.items():
                values[group].append(part.f1)
        elif isinstance(one, RegionScore) and asked.object is not None:
            values[asked.object.group].append(one.group)
    return tuple(_mean(values[group]) for group in GROUPS)


def overlap_tables(name: str, items: Sequence[Item], runs: dict[str, list[str]]) -> list[Table]:
    """Words that answers share with the reference texts; secondary, and no part of `grounded-v1`."""
    if not items or not all(i.reference for i in items):
        return []
    references = [i.reference for i in items]
    rows = runs | {control: controls.answers(control, items) for control in ("oracle", "blind", "constant")}
    rows["shuffled"] = [references[k] for k in controls.elsewhere(len(items))]
    body = tuple(
        (
            row,
            len(items),
            _mean([rouge_l(a, r) for a, r in zip(texts, references, strict=True)]),
            _mean(tfidf_cosine(texts, references)),
        )
        for row, texts in rows.items()
    )
    note = (
        "Secondary: shared words reward the reference's way of speaking, and the reference of another picture shares"
        " many of them (shuffled)."
    )
    return [Table(f"{name}/overlap: {label(items[0].task)}", ("answers", "n", "ROUGE-L", "TF-IDF cosine"), body, note)]


# --------------------------------------------------------------------------- twins


def twin_tables(pairs: Sequence[twins.Twins], runs: dict[str, dict[str, dict[str, str]]]) -> list[Table]:
    """Twin tables of descriptions and of advice.

    Args:
        pairs: All twins of the set.
        runs: Task -> name of a row -> name of a picture -> answer.
    """
    found = []
    for task, count in (("general_perception", twins.described), ("driving_suggestion", twins.advised)):
        if task not in runs:
            continue
        # a literal of the tuple above
        items = [Item(task, f) for p in pairs for f in (p.present, p.absent)]  # type: ignore[arg-type]
        rows = dict(runs[task])
        shown = ("oracle", "shuffled", "blind", "constant", "empty")
        rows |= {
            control: dict(zip((i.facts.image for i in items), controls.answers(control, items), strict=True))
            for control in shown
        }
        if task == "driving_suggestion":
            rows["always stop"] = {i.facts.image: _ALWAYS_STOP for i in items}
        body = tuple((row, *_outcome_cells(count(pairs, answers))) for row, answers in rows.items())
        found.append(Table(f"{sources.PROCEDURAL_NAME}/{NAME}: twins, {label(task)}", _TWIN_COLUMNS, body, _TWIN_NOTE))
    return found


_TWIN_COLUMNS = (
    "answers",
    "pairs",
    "twin accuracy",
    "understanding",
    "ignorance",
    "always yes",
    "always no",
    "indecision",
    "F1",
)
_TWIN_NOTE = (
    "The same scene with and without its hazard; twin accuracy: both answers right. Understanding, ignorance and"
    " stubbornness (always yes, always no) are shares of the things that differ, indecision of those that do not; F1 is"
    " the harmonic mean of understanding and 1 - indecision (BEAF, Ye-Bin et al. 2024)."
)


def _outcome_cells(o: twins.Outcomes) -> tuple[Cell, ...]:
    n = o.questions
    shares = tuple(v / n if n else None for v in (o.understood, o.ignorant, o.always_yes, o.always_no))
    return (o.pairs, share(o.right, o.pairs), *shares, o.wavered / o.unchanged if o.unchanged else None, o.f1)


def pairs() -> list[twins.Twins]:
    """The twins of the procedural set."""
    from embodied.driving.scene.sets import twin_names

    facts = {s.name: facts_of(s) for s in sources.procedural().scenes}
    return [twins.Twins(facts[present], facts[absent]) for present, absent in twin_names()]
