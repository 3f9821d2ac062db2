"""Floors: what is shipped, what has none, and how parts make a whole."""

from __future__ import annotations

import pytest

from embodied.catalog import ENTRIES
from embodied.eval import floors
from embodied.eval.floors import Floor
from embodied.eval.leaderboard.board import boards
from embodied.eval.results import read
from embodied.request import Request, planned
from embodied.types import TaskSpec
from tests.eval.runs import make_run

GOTO = "BabyAI-MixedTrainLocal-v0/goto"


def test_shipped_floors_are_of_tasks_that_exist_and_of_the_known_size():
    tasks = [TaskSpec("babyai", task) for task in ENTRIES["babyai"].tasks]
    random, constant = floors.of_tasks(tasks)["babyai"]
    assert random.progress == pytest.approx(0.107, abs=3 * random.error) and random.episodes == 500
    assert (constant.agent, constant.progress) == ("constant", 0.0)
    baba = floors.of_tasks(TaskSpec("babaisai", t, {"rules": "balrog"}) for t in ENTRIES["babaisai"].tasks)["babaisai"]
    assert baba[0].progress == pytest.approx(0.205, abs=3 * baba[0].error)


@pytest.mark.parametrize(
    ("env", "task", "options"),
    [
        ("gym:X-v0", "", {}),
        ("babyai", "other", {}),
        ("babyai", GOTO, {"max_steps": 20}),
        ("babyai", GOTO, {"rules": "own"}),
    ],
)
def test_what_was_played_otherwise_has_no_floor(env, task, options):
    assert floors.known(env, task, options) == ()
    assert floors.known("babyai", GOTO, {"image": True, "expert": True})


@pytest.mark.parametrize("env", [name for name in ENTRIES if name != "highway"])
def test_what_eval_plays_by_default_has_the_floors_of_the_environment(env):
    """`embodied eval` records every option of the environment, defaults too."""
    _, tasks = planned(Request(env=(env,), agent="random", image=False), print)
    played = floors.of_tasks(task for task, _ in tasks)[env]
    assert played == floors.of_tasks(TaskSpec(env, task) for task in ENTRIES[env].tasks)[env]
    assert played or floors.known(env, ENTRIES[env].tasks[0])


def test_a_whole_has_a_floor_where_every_part_has():
    a, b = Floor("constant", 0.2, 0.03, 10, "up", 5), Floor("constant", 0.4, 0.04, 10, "down", 5)
    whole = floors.mean([a, b])
    assert (whole.progress, whole.error, whole.episodes, whole.phrase) == (
        pytest.approx(0.3),
        pytest.approx(0.025),
        20,
        "",
    )
    assert floors.mean([a, None]) is None and floors.mean([]) is None
    assert floors.sentence([a]) == "always `up` earns 20.0 % (± 3.0, n = 10)"


def test_floors_stand_on_a_board_and_are_not_ranked(tmp_path):
    usual = {"distractors": 0, "rules": "embodied"}  # as `embodied eval` records them
    runs = [
        make_run(tmp_path / "a", {("babyai", GOTO): [1, 0]}),
        make_run(tmp_path / "b", {("babyai", GOTO): [1, 0]}, kwargs=usual),
    ]
    (board,) = boards([read(run) for run in runs])
    assert [r.name for r in board.floors] == ["random", "always `turn left`"] and len(board.entries) == 2
