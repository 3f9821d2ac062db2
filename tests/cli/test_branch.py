"""`embodied branch`: a recorded episode is tried again from a step on, and no score changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import embodied
from embodied.store.run import Run
from embodied.types import Correction


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("branch") / "run"
    embodied.evaluate("babyai", "random", task="goto", episodes=5, out=folder)
    return folder


@pytest.fixture
def run(recorded, tmp_path) -> Run:
    """Its last episode fails: in step 35 the grey ball is 2 steps ahead."""
    return Run(shutil.copytree(recorded, tmp_path / "run"))


def test_a_word_at_the_right_step_is_played_and_counts_nowhere(run, call):
    _, before, _ = call("score", run.root, "--json")
    code, out, err = call("branch", run.root, "4", "35", "--say", "go forward", "run.workers=1")
    assert code == 0, err
    parent = run.record.planned[4].id
    assert out.splitlines()[:2] == [
        f"From step 35 of {parent}  limit  64 steps  progress 0.000",
        f"[branch] {parent}-b35.1  finished  36 steps  progress 1.000",
    ]
    steps = list(Run(run.root).steps(f"{parent}-b35.1"))
    assert [step.executed for step in steps[35:]] == ["go forward"]
    told = [event for step in steps for event in step.events if isinstance(event, Correction)]
    assert {(c.text, c.opened, c.by) for c in told} == {("go forward", 35, "person")}
    assert json.loads(call("score", run.root, "--json")[1]) == json.loads(before)
    code, out, _ = call("score", run.root, "--episodes")
    assert out.splitlines()[-1] == f"[branch] {parent}-b35.1  finished  36 steps  progress 1.000"
    code, out, _ = call("replay", run.root, "--workers", "1")
    assert code == 0 and "6 of 6 episodes agree." in out
    code, out, _ = call("resume", run.root, "run.workers=1")
    assert code == 0 and "5 episodes were already scored" in out and "branch" not in out


@pytest.mark.parametrize(
    ("episode", "step", "said"),
    [
        ("4", "500", "There is no step 500 to go back to"),
        ("4", "64", "ended with step 63, so nothing can go on after it: branch from step 63, or from an earlier one"),
        ("7", "1", "no episode named '7'"),
    ],
)
def test_a_step_that_does_not_exist_is_one_sentence_and_changes_nothing(run, call, episode, step, said):
    before = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()}
    code, out, err = call("branch", run.root, episode, step)
    assert (code, out) == (4, "") and said in err and err.count("\n") == 1
    assert {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()} == before


def test_what_cannot_be_played_leaves_no_branch(run, call):
    code, _, err = call("branch", run.root, "4", "3", "run.concurrency=0")
    assert code == 2 and "run.concurrency" in err
    assert not Run(run.root).record.branched and not list((run.root / "episodes").glob("*-b*.*"))


def test_a_branch_that_was_begun_elsewhere_is_played_by_resume(run, call):
    Run(run.root).branch(run.record.planned[4].id, 35, say="go forward")
    _, listed, _ = call("list", "runs", run.root.parent, "--json")
    assert '"stopped"' in listed
    code, out, _ = call("resume", run.root, "run.workers=1", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    (ended,) = (line for line in told if line["event"] == "ended")
    assert (ended["parent"], ended["from_step"], ended["progress"]) == (run.record.planned[4].id, 35, 1.0)
    assert code == 0
