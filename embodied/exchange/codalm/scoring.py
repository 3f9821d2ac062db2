"""`grounded-v1` on CODA-LM's questions: of one answer, and of a whole submission without running any model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from embodied.driving.categories import GROUPS
from embodied.driving.codalm.analysis import score_tables
from embodied.driving.codalm.ground import Scored, grounded, item
from embodied.driving.codalm.sources import PROCEDURAL_NAME
from embodied.driving.grounded import NAME
from embodied.driving.records import OTHER, TASKS, Key, Question, Scene, Task
from embodied.eval.intervals import interval
from embodied.eval.statistics import Stratum
from embodied.eval.tables import Table
from embodied.exchange.codalm.answers import Answers
from embodied.exchange.codalm.tables import final
from embodied.models.thoughts import split

COLUMNS = (
    "",
    "questions",
    "answered",
    "scored",
    "empty",
    "nothing known named",
    "unreadable",
    "grounded-v1",
    "95 % interval",
)


def grounded_all(
    questions: Iterable[Question], scenes: Mapping[str, Scene], answers: Mapping[Key, str]
) -> dict[Key, Scored]:
    """Scores every question; one without an answer is scored as an empty one. What a model thought is not part of its
    answer.
    """
    return {q.key: grounded(q, scenes[q.scene], split(answers.get(q.key, "")).answer) for q in questions}


def tables(found: Answers) -> list[Table]:
    """`grounded-v1` by task and by group of regions, each with how many answers stand behind it; then a task at a time
    with its parts and the controls.
    """
    scenes = {scene.name: scene for scene in found.set.scenes}
    scored = grounded_all(found.questions, scenes, found.texts)
    name = (
        found.set.dataset
        if found.set.dataset == PROCEDURAL_NAME
        else f"{found.set.dataset} {found.set.name} {found.set.language}"
    )
    rows = []
    for task in found.tasks:
        of_task = [q for q in found.questions if q.task == task]
        rows.append(_row(task, of_task, scored, found))
        if task == "region_perception":
            groups = [(g, [q for q in of_task if q.group == g]) for g in (*GROUPS, OTHER)]
            rows += [_row(f"  {g}", members, scored, found) for g, members in groups if members]
    means = [
        mean
        for task in found.tasks
        if (mean := _mean([scored[q.key] for q in found.questions if q.task == task])) is not None
    ]
    if len(means) == len(TASKS):
        rows.append(("mean of the three", *[None] * 6, final(*means), None))
    thoughts = sum(
        split(found.texts[q.key]).answer != found.texts[q.key] for q in found.questions if q.key in found.texts
    )
    note = (
        "In [0, 1], by rules on facts, without a model; not a judge's rating, and not on the published scale. A missing"
        " answer counts as an empty one."
    )
    if thoughts:
        note += f" {thoughts} answers hold thoughts of the model (<think> and the like), which are not scored."
    whole = Table(f"{name}/{NAME}", COLUMNS, tuple(rows), note)
    return [whole, *(table for task in found.tasks for table in _with_controls(name, task, found, scenes, scored))]


def _with_controls(
    name: str, task: Task, found: Answers, scenes: Mapping[str, Scene], scored: Mapping[Key, Scored]
) -> list[Table]:
    """The parts of a task's scores, beside what answers score that never saw the picture."""
    asked = [q for q in found.questions if q.task == task and scored[q.key].value is not None]
    return score_tables(
        name, [item(scenes[q.scene], q) for q in asked], {"these answers": [found.texts.get(q.key, "") for q in asked]}
    )


def _row(
    name: str, questions: Sequence[Question], scored: Mapping[Key, Scored], found: Answers
) -> tuple[str | int | float | None, ...]:
    of = [scored[q.key] for q in questions]
    values = [s.value for s in of if s.value is not None]
    answered = sum(q.key in found.texts for q in questions)
    counts = [sum(bool(s.metrics.get(name)) for s in of) for name in ("empty", "unrecognised", "unreadable")]
    return (name, len(questions), answered, len(values), *counts, _mean(of), _interval(values))


def _mean(scored: Sequence[Scored]) -> float | None:
    values = [s.value for s in scored if s.value is not None]
    return sum(values) / len(values) if values else None


def _interval(values: Sequence[float]) -> str | None:
    """95 % interval of a mean; None where there can be none."""
    found = interval([Stratum("codalm", "", np.array(values), 1.0)]) if values else None
    return f"{found[0]:.3f} to {found[1]:.3f}" if found else None
