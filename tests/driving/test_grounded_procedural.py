"""`grounded-v1` on the embedded scenes: the separation that docs/driving.md prints."""

from __future__ import annotations

from itertools import permutations

import pytest

from embodied.driving import controls
from embodied.driving.codalm import sources, twins
from embodied.driving.codalm.analysis import pairs
from embodied.driving.codalm.ground import item
from embodied.driving.records import TASKS


def _items(task: str) -> list[controls.Item]:
    scenes = {s.name: s for s in sources.procedural().scenes}
    return [item(scenes[q.scene], q) for q in sources.procedural().questions(task)]  # type: ignore[arg-type]


def _mean(control: str, items: list[controls.Item]) -> float:
    scored = controls.scores(control, items)
    return sum(s.value for s in scored) / len(scored)


@pytest.mark.parametrize("task", TASKS)
def test_facts_score_and_emptiness_does_not(task: str) -> None:
    items = _items(task)
    assert _mean("oracle", items) >= 0.95
    assert _mean("reference", items) >= 0.9  # the annotator's sentences, not written for this score
    assert max(_mean("empty", items), _mean("constant", items)) <= 0.1
    assert _mean("blind", items) <= 0.4  # advice that fits most roads


@pytest.mark.parametrize("task", TASKS)
def test_shuffled_answers_are_near_chance(task: str) -> None:
    items = _items(task)[::3]  # every third: all pairs of 143 regions take seconds
    right = [controls.oracle(i) for i in items]
    drawn = [controls.score(items[i], right[j]).value for i, j in permutations(range(len(items)), 2)]
    assert abs(_mean("shuffled", items) - sum(drawn) / len(drawn)) <= 0.1


def test_who_always_stops_fails_the_twins() -> None:
    facts = {f.image: f for p in pairs() for f in (p.present, p.absent)}
    assert len(facts) == 48
    oracle = {name: controls.oracle(controls.Item("driving_suggestion", f)) for name, f in facts.items()}
    assert twins.advised(pairs(), oracle).right == 24
    assert twins.advised(pairs(), dict.fromkeys(facts, "Stop.")).right == 0
    assert twins.advised(pairs(), dict.fromkeys(facts, "Slow down.")).right == 0
    assert twins.advised(pairs(), dict.fromkeys(facts, "Continue driving in this lane.")).right <= 1  # the plastic bag
    named = {name: controls.oracle(controls.Item("general_perception", f)) for name, f in facts.items()}
    found = twins.described(pairs(), named)
    assert found.right >= 0.9 * found.pairs
    assert found.wavered == 0
