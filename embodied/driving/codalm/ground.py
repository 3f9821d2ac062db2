"""`grounded-v1` of one answer to one of CODA-LM's questions."""

from __future__ import annotations

from dataclasses import dataclass, field

from embodied.driving import controls
from embodied.driving.controls import Item
from embodied.driving.facts import ObjectFact
from embodied.driving.grounded.reference import facts_of, of_region
from embodied.driving.records import Question, Scene


@dataclass(frozen=True)
class Scored:
    """One answer's score."""

    value: float | None
    """In [0, 1]; None if nothing can score it: there is no reference, or the category is not one of the 43."""
    metrics: dict[str, float] = field(default_factory=dict)
    """The parts of `grounded-v1`."""


def grounded(question: Question, scene: Scene, answer: str) -> Scored:
    """Scores an answer on the facts of the scene; in a real scene, on the facts in its annotation."""
    if scene.facts is None and not question.answer.strip():
        return Scored(None)
    asked = item(scene, question)
    if question.region is not None and asked.object is None:
        return Scored(None)
    score = controls.score(asked, answer)
    return Scored(score.value, score.metrics())


def item(scene: Scene, question: Question) -> Item:
    """A question as the controls take it."""
    facts = facts_of(scene)
    asked: ObjectFact | None = None
    if question.region is not None:
        box, named = tuple(question.region.box), of_region(question.region)
        asked = next(
            (o for o in facts.objects if named and o.category == named.category and tuple(o.box) == box), named
        )
    return Item(question.task, facts, asked, question.answer)
