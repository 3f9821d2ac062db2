"""The improve loop, with real agents in a real world: what it keeps, what it refuses, and what a kill loses."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import msgspec
import pytest

import embodied
from embodied.agents.versions import load
from embodied.cli import main
from embodied.errors import LearnerFailed, StoreError, UnknownName, UsageError
from embodied.store.codec import encode
from embodied.store.run import Run
from embodied.store.sealed import seal
from embodied.train import LEARNERS
from embodied.train.leaks import leaks
from embodied.train.rounds import CURVE, PLAN, ROUND, Curve, Plan, Round, read
from embodied.types import Mission
from tests.eval.runs import make_run
from tests.train import learners

SMALL = {
    "task": "goto",
    "rounds": 1,
    "episodes": 3,
    "dev": 10,
    "test": 4,
    "say": lambda text: None,
    "steps": 12,
    "run__workers": 1,
}


@pytest.fixture(autouse=True)
def of_tests(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(LEARNERS, "_targets", dict(LEARNERS._targets))
    for name, value in vars(learners).items():
        if callable(value) and value.__module__ == learners.__name__ and name != "made":
            LEARNERS.add(name, f"{learners.__name__}:{name}")


def improve(agent, learner, out, **more):
    return embodied.improve("babyai", agent, learner, out=out, **{**SMALL, **more})


def told(curve):
    """A curve without the seconds."""
    body = msgspec.to_builtins(curve)

    def without(value):
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k != "seconds"}
        return [without(v) for v in value] if isinstance(value, list | tuple) else value

    return without(body)


def test_a_better_version_is_promoted_and_tested(tmp_path):
    curve = improve("random", "sees", tmp_path / "i", corrector="oracle", rounds=2, ceiling=True)
    first, second = curve.rounds
    assert first.decided == "promoted" and second.parent == first.child and second.decided == "kept"
    assert first.verdict.pairs == 10 and first.verdict.child > first.verdict.parent
    points = {(p.decided, p.round): p for p in curve.points}
    assert points["promoted", 1].gain > 0.3 and points["ceiling", 0].score >= points["first", 0].score
    assert points["corrected", 0].corrections > 1
    assert curve.false_promotion == pytest.approx(0.1) and curve.opened == 1 and not curve.refused
    spent = points["promoted", 1].spent
    assert spent.episodes == 3 + 2 + 2 + 2 + 10 + 10 and spent.corrections > 5 and spent.tokens > 0
    assert read(tmp_path / "i" / CURVE, Curve) == msgspec.convert(msgspec.to_builtins(curve), Curve)
    assert load(tmp_path / "i" / "round-1" / "child").record.lineage.parent == load(tmp_path / "i/start").hash
    seeds = {Run(path.parent).record.planned[0].seed for path in (tmp_path / "i").rglob("run.json")}
    assert len(seeds) == 2 + 4 + 2 + 1 + 0, "collect and practice of each round, its gate, and one test"


def test_the_same_call_plays_nothing_again(tmp_path):
    once = improve("random", "null", tmp_path / "i")
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "i").rglob("*") if p.is_file() and p.name != CURVE}
    assert told(improve("random", "null", tmp_path / "i")) == told(once)
    assert files == {p: p.stat().st_mtime_ns for p in files}
    assert improve("random", "null", tmp_path / "i", rounds=2).rounds[0] == once.rounds[0]


def test_a_worse_version_is_kept_out(tmp_path):
    curve = improve("tinyvlm-base", "forgets", tmp_path / "i", dev=20)
    (done,) = curve.rounds
    assert done.decided == "kept" and "worse" in done.why and done.after == done.parent == curve.plan.agent
    assert curve.points[1].gain < 0, "the refused version is tested, too"


def test_the_control_that_changes_nothing_gains_nothing(tmp_path):
    (_, child) = improve("tinyvlm-base", "null", tmp_path / "i").points
    assert child.gain == 0 and child.gain_interval[0] < 0 < child.gain_interval[1] and child.decided == "kept"


# --------------------------------------------------------------------------- the item check


def test_runs_of_the_test_are_refused(tmp_path):
    embodied.evaluate("babyai", "random", task="goto", episodes=2, out=tmp_path / "test")
    with pytest.raises(UsageError, match="test split, and agents learn from train"):
        improve("random", "memorise", tmp_path / "i", runs=[tmp_path / "test"])
    body = json.loads((tmp_path / "test/run.json").read_text())
    body["config"]["run"]["split"] = "train"
    (tmp_path / "test/run.json").write_text(json.dumps(body))
    with pytest.raises(UsageError, match="holds an episode of the test"):
        improve("random", "memorise", tmp_path / "i", runs=[tmp_path / "test"], trust=True)
    assert not (tmp_path / "i").exists() or not (tmp_path / "i" / PLAN).exists()


def test_what_was_memorised_earns_nothing_elsewhere(tmp_path):
    curve = improve("tinyvlm-base", "memorise", tmp_path / "i", dev=20)
    assert curve.rounds[0].decided == "kept" and curve.points[1].score < 0.5 and not curve.leaks


def test_a_planted_item_is_found(tmp_path):
    """The items of the test, under the seeds and the split of training: seeds do not tell, items do."""
    embodied.evaluate("babyai", "expert", task="goto", episodes=4, steps=12, out=tmp_path / "planted")
    run = Run(tmp_path / "planted")
    train = embodied.evaluate("babyai", "random", task="goto", episodes=4, steps=12, split="train", out=tmp_path / "t")
    disguise = {s.id: o.seed for s, o in zip(run.record.planned, Run(train.folder).record.planned, strict=True)}
    body = json.loads((run.root / "run.json").read_text())
    body["config"]["run"]["split"] = "train"
    for spec in body["planned"]:
        spec["seed"] = disguise[spec["id"]]
    for episode in run.episodes():
        spec = replace(episode.spec, seed=disguise[episode.spec.id])
        (run.folder(spec.id) / "episode.json").write_bytes(seal(replace(episode, spec=spec)))
    (run.root / "run.json").write_bytes(encode(body))
    curve = improve("random", "memorise", tmp_path / "i", runs=[run.root], trust=True)
    assert curve.refused and "4 of 4 test episodes" in curve.leaks[0]
    assert all(point.score is None for point in curve.points), "no score of items that were known"


def test_a_strangers_version_is_not_continued(tmp_path, monkeypatch):
    """A folder that another user or machine made may say that anything was promoted."""
    improve("random", "sees", tmp_path / "i")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    with pytest.raises(StoreError, match="was not made by you on this machine"):
        improve("random", "sees", tmp_path / "i")
    assert improve("random", "sees", tmp_path / "i", trust=True).rounds[0].decided == "promoted"


def test_how_often_the_test_was_opened(tmp_path):
    """By task and seed: another folder, another learner or a shorter name of the task open the same episodes."""
    small = {"dev": 2, "test": 2, "episodes": 1}
    assert improve("random", "null", tmp_path / "a", **small).opened == 1
    assert improve("random", "null", tmp_path / "b", **small).opened == 2
    assert improve("random", "null", tmp_path / "a", **small).opened == 2
    assert improve("random", "memorise", tmp_path / "c", **{**small, "task": "MixedTrainLocal-v0/goto"}).opened == 3
    assert improve("random", "null", tmp_path / "d", **small, seed=1).opened == 1


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        words = ["improve", "--env", "babyai", "--task", "goto", "--agent", "tinyvlm-base", "--learner", "null"]
        main([*words, "--dry-run", "--ceiling", "--out", str(tmp_path / "i")])
    assert ended.value.code == 0 and not (tmp_path / "i").exists()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:5]] == [
        *("collect", "gate", "test", "expert"),
    ]


@pytest.mark.parametrize(("known", "refused"), [(7, False), (8, True)])
def test_more_than_chance(tmp_path, known, refused):
    """2 of 40 dev episodes are about items that were learned from. Of 20 test episodes 7 can be by chance, 9 cannot."""
    learned = told_items(tmp_path / "learned", range(12))
    dev = told_items(tmp_path / "dev", [0, 1, *range(100, 138)])
    test = told_items(tmp_path / "test", [*range(known + refused), *range(200, 220 - known - refused)])
    found = leaks([learned], [test], [dev])
    assert len(found.known) == known + refused and found.refused is refused


def told_items(root, goals):
    """A run whose episodes are about these goals."""
    goals = list(goals)
    run = make_run(root, {("a", "x"): [1] * len(goals)}, first_seed=1000 * len(str(root)))
    for spec, goal in zip(run.record.planned, goals, strict=True):
        mission = Mission(f"goal {goal}", {"wait": ""}, default_action="wait")
        ended = replace(run.episode(spec.id), mission=mission, first_hash=f"{goal}")
        (run.folder(spec.id) / "episode.json").write_bytes(seal(ended))
    return run


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("learner", ["finds_nothing", "diverges"])
def test_a_round_without_a_version_keeps_the_parent(tmp_path, learner):
    curve = improve("random", learner, tmp_path / "i", rounds=2)
    assert [r.decided for r in curve.rounds] == ["no version"] * 2 and len(curve.points) == 1
    assert "the parent stays" in curve.rounds[0].why


def test_a_learner_that_crashes_loses_nothing(tmp_path):
    with pytest.raises(LearnerFailed, match=r"crashes failed \(KeyError: 'half-way'\).*stays in place"):
        improve("random", "crashes", tmp_path / "i")
    assert not (tmp_path / "i/round-1" / ROUND).exists() and Run(tmp_path / "i/round-1/collect").episodes()
    with pytest.raises(LearnerFailed):
        improve("random", "crashes", tmp_path / "i")


def test_a_learner_names_its_parent(tmp_path):
    with pytest.raises(UsageError, match="lineage does not name its parent"):
        improve("random", "orphan", tmp_path / "i")

    with pytest.raises(UsageError, match="lineage does not name its parent"):
        improve("random", "orphan", tmp_path / "i")


@pytest.mark.parametrize(
    ("learner", "said"),
    [
        ("peeks", "may set options of the agent"),
        ("aside", "made no version in"),
        ("says_nothing", "made no version in"),
        ("cheats", "policy 'expert'"),
        ("buys", "no budget was named"),
    ],
)
def test_a_learner_that_cheats(tmp_path, learner, said):
    """It is told so each time, and no version of it is played."""
    for _ in range(2):
        with pytest.raises((LearnerFailed, UsageError), match=said):
            improve("random", learner, tmp_path / "i", episodes=1, steps=2)
    assert not (tmp_path / "i/round-1/gate").exists()


@pytest.mark.parametrize("key", ["corrector.name", "corrector"])
def test_nobody_corrects_at_the_gate_or_in_the_test(tmp_path, key):
    with pytest.raises(UsageError, match="with --corrector"):
        improve("random", "null", tmp_path / "i", options={key: "oracle"})


def test_fewer_rounds_drop_none(tmp_path):
    """Who could drop rounds would choose by the test."""
    small = {"episodes": 1, "dev": 2, "test": 2, "steps": 2}
    twice = improve("random", "null", tmp_path / "i", rounds=2, **small)
    assert told(improve("random", "null", tmp_path / "i", rounds=1, **small)) == told(twice)


def test_another_first_version_in_the_folder(tmp_path):
    small = {"episodes": 1, "dev": 2, "test": 2, "steps": 2}
    improve("random", "null", tmp_path / "i", **small)
    with pytest.raises(StoreError, match=r"another first version .settings differs"):
        improve("random", "null", tmp_path / "i", **small, options={"agent.history.text": 3})


def test_a_changed_byte_is_found(tmp_path):
    improve("random", "sees", tmp_path / "i")
    part = next((tmp_path / "i/round-1/child/parts").rglob("*.safetensors"))
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    with pytest.raises(StoreError, match="was changed since"):
        improve("random", "sees", tmp_path / "i")


def test_another_improvement_in_the_folder(tmp_path):
    improve("random", "null", tmp_path / "i")
    with pytest.raises(StoreError, match=r"holds another improvement .learner differs"):
        improve("random", "memorise", tmp_path / "i")
    (tmp_path / "i/round-1" / ROUND).write_text("{}")
    with pytest.raises(StoreError, match="is damaged"):
        improve("random", "null", tmp_path / "i")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        improve("random", "null", tmp_path / "full")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"agent": "expert"}, "cannot learn"),
        ({"learner": "nul"}, "Did you mean 'null'"),
        ({"corrector": "desk"}, "eval --console"),
        ({"rounds": 0}, "at least 1"),
        ({"settings": {"shar": 1}, "learner": "settled"}, "Did you mean 'share'"),
        ({"settings": {"count": 1.5}, "learner": "settled"}, "a whole number"),
        ({"agent": "naive", "model": "openai/gpt-4o"}, "costs money"),
        ({"options": {"run.budget.tokens": -5}}, "a number above 0"),
        ({"options": {"run.budget.dollars": float("nan")}}, "a number above 0"),
    ],
)
def test_what_makes_no_sense(tmp_path, monkeypatch, more, said):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    wanted = {"agent": "random", "learner": "null", **more}
    with pytest.raises((UsageError, UnknownName), match=said):
        improve(out=tmp_path / "i", **wanted)


def test_worlds_without_splits(tmp_path):
    with pytest.raises(UsageError, match="no train and dev split"):
        embodied.improve("gym:CartPole-v1", "random", "null", out=tmp_path / "i", **{**SMALL, "task": None})


def test_settings_reach_the_learner(tmp_path):
    said = []
    improve("random", "settled", tmp_path / "i", settings={"share": 1, "fast": True}, say=said.append)
    assert any("'share': 1.0, 'count': 3, 'preset': 'paper', 'fast': True" in text for text in said)


def test_the_budget_is_of_all_and_the_test_comes_first(tmp_path):
    """A budget for the test and one round, not two: the second does not begin, and the test is played."""
    small = {"dev": 6, "test": 3, "episodes": 3}
    free = improve("tinyvlm-base", "null", tmp_path / "free", rounds=1, **small)
    one = free.rounds[0]
    budget = round(2.2 * (one.collect.tokens + one.gate.tokens) + 2 * free.test.tokens)
    curve = improve("tinyvlm-base", "null", tmp_path / "i", rounds=9, **small, options={"run.budget.tokens": budget})
    assert 1 <= len(curve.rounds) < 9 and "no room for round" in curve.stopped
    used = sum(r.collect.tokens + r.gate.tokens for r in curve.rounds) + curve.test.tokens
    assert used <= budget and all(p.score is not None for p in curve.points)


# --------------------------------------------------------------------------- kills


def command(out, state):
    words = ["improve", "--env", "babyai", "--task", "goto", "--agent", "random", "--learner", "sees", "--rounds", "2"]
    sizes = ["--corrector", "oracle", "--episodes", "3", "--dev", "12", "--test", "4", "--steps", "12"]
    settings = LOADED.format(words=[*words, *sizes, "--out", str(out), "--json"])
    return subprocess.Popen(
        [sys.executable, "-c", settings],
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


LOADED = """
if __name__ == "__main__":
    from embodied.train import LEARNERS
    LEARNERS.add("sees", "tests.train.learners:sees")
    from embodied.cli import main
    main({words})
"""


def killed(tmp_path, moments):
    """The curve of an improvement that was killed at random moments, and of one that was not."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    begun = time.monotonic()
    process = command(whole, tmp_path / "state-1")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    took = time.monotonic() - begun
    rng = random.Random(moments)
    for _ in range(moments):
        process = command(broken, tmp_path / "state-2")
        time.sleep(rng.uniform(0.1, 0.9) * took)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process = command(broken, tmp_path / "state-2")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return [told(read(folder / CURVE, Curve)) for folder in (whole, broken)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_kills(tmp_path):
    whole, broken = killed(tmp_path, 20)
    assert whole == broken


@pytest.mark.slow
def test_the_folder_can_be_moved(tmp_path):
    """Versions are found by what they are, not by where they lay."""
    improve("random", "sees", tmp_path / "i")
    shutil.move(tmp_path / "i", tmp_path / "moved")
    assert read(tmp_path / "moved" / PLAN, Plan) is not None
    curve = improve("random", "sees", tmp_path / "moved", rounds=2)
    assert [r.decided for r in curve.rounds] == ["promoted", "kept"]
    assert read(tmp_path / "moved/round-1" / ROUND, Round).child == curve.rounds[1].parent
