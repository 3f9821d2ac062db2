"""`grounded-v1` separates: who states the facts, who guesses, who says nothing; and twins catch
who answers from habit.
"""

from __future__ import annotations

from itertools import permutations

import pytest

from embodied.driving import controls
from embodied.driving.codalm import twins
from embodied.driving.codalm.analysis import score_tables, twin_tables
from embodied.driving.records import TASKS
from tests.driving.streets import items, pairs, scenes


def _mean(control: str, task: str) -> float:
    scored = controls.scores(control, items(task))
    return sum(s.value for s in scored) / len(scored)


@pytest.mark.parametrize("task", TASKS)
def test_the_oracle_is_right_and_the_silent_are_wrong(task: str) -> None:
    assert _mean("oracle", task) >= 0.95
    assert _mean("empty", task) == 0.0
    assert _mean("constant", task) <= 0.1
    assert _mean("blind", task) <= 0.4  # advice that fits most roads


@pytest.mark.parametrize("task", TASKS)
def test_shuffled_answers_are_at_chance(task: str) -> None:
    """Chance is the mean over all pairs of a question and another one's right answer."""
    asked = items(task)
    right = [controls.oracle(i) for i in asked]
    drawn = [controls.score(asked[i], right[j]).value for i, j in permutations(range(len(asked)), 2)]
    chance = sum(drawn) / len(drawn)
    assert abs(_mean("shuffled", task) - chance) <= 0.1
    assert chance < 0.4


def test_shuffling_moves_every_answer() -> None:
    asked = items("region_perception")
    numbered = [controls.Item(i.task, i.facts, None, str(n)) for n, i in enumerate(asked)]
    bare = [controls.Item(i.task, controls.SceneFacts(i.facts.image, 1, 1, ()), None, i.reference) for i in numbered]
    for shuffle in range(5):
        moved = controls.answers("shuffled", bare, shuffle)
        assert sorted(moved, key=int) == [str(n) for n in range(len(asked))]
        assert all(text != str(n) for n, text in enumerate(moved))


def test_twins_fail_who_answers_from_habit() -> None:
    facts = {f.image: f for f in scenes()}
    right = twins.advised(
        pairs(), {n: controls.oracle(controls.Item("driving_suggestion", f)) for n, f in facts.items()}
    )
    assert (right.pairs, right.right, right.understood) == (6, 6, 6)
    for habit in ("Stop.", "Slow down because of the pedestrian.", "Continue driving.", ""):
        found = twins.advised(pairs(), dict.fromkeys(facts, habit))
        assert (found.pairs, found.right, found.understood, found.ignorant) == (6, 0, 0, 0)
    assert twins.advised(pairs(), dict.fromkeys(facts, "Stop.")).always_yes == 2  # two hazards call for it
    described = twins.described(
        pairs(), {n: controls.oracle(controls.Item("general_perception", f)) for n, f in facts.items()}
    )
    assert (described.right, described.wavered, described.f1) == (6, 0, 1.0)
    listing = twins.described(pairs(), dict.fromkeys(facts, "A truck, a dog, a cone, a tire, a stroller and a carton."))
    assert (listing.always_yes, listing.right) == (6, 0)


def test_a_pair_without_both_answers_is_left_out() -> None:
    assert twins.advised(pairs(), {"dog_1": "Stop."}).pairs == 0
    assert twins.described(pairs(), {"dog_1": "A dog.", "dog_0": "A bus."}).pairs == 1


@pytest.mark.parametrize("task", TASKS)
def test_tables_have_controls_beside_the_run(task: str) -> None:
    asked = items(task)
    found = score_tables(
        "codalm-procedural", asked, {"this run": ["Ein Auto auf der Straße."] + [controls.oracle(i) for i in asked[1:]]}
    )
    head = found[0]
    assert head.title == f"codalm-procedural/grounded-v1: {task.replace('_', ' ')}"
    assert [row[0] for row in head.rows] == ["this run", "oracle", "shuffled", "blind", "constant", "empty"]
    run = dict(zip(head.columns, head.rows[0], strict=True))
    assert run["unreadable"] == 1
    assert run["of readable"] == pytest.approx(1.0)
    assert str(run["score"]).startswith(f"{(len(asked) - 1) / len(asked):.2f} ")
    assert all(len(row) == len(table.columns) for table in found for row in table.rows)
    assert len(found) == (1 if task == "driving_suggestion" else 2)


def test_twin_tables_have_a_driver_who_always_stops() -> None:
    tables = twin_tables(pairs(), {"general_perception": {}, "driving_suggestion": {}})
    rows = {row[0]: dict(zip(tables[1].columns, row, strict=True)) for row in tables[1].rows}
    assert str(rows["oracle"]["twin accuracy"]).startswith("1.00")
    assert str(rows["always stop"]["twin accuracy"]).startswith("0.00")
    assert rows["always stop"]["understanding"] == 0.0
