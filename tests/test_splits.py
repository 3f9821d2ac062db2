"""Splits: seeds apart, `test` as it was, and no item of it in train or dev."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from math import sqrt
from pathlib import Path

import msgspec
import pytest

from embodied import envs
from embodied.catalog import ENTRIES
from embodied.config import EvalConfig
from embodied.errors import UsageError
from embodied.eval.results import read
from embodied.rollout.identity import deciding, run_identity
from embodied.rollout.plan import plan
from embodied.rollout.worlds.environment import observation_hash
from embodied.seeding import derive
from embodied.splits import MOST, SPLITS, first_seed, item_of, options_of, split_of
from embodied.store.run import Run
from embodied.types import TaskSpec
from tests.driving.codalm.coda_folder import add, annotation

RECORDED = Path(__file__).parent / "fixtures/runs"
SEEDED = [e for e in ENTRIES.ours.values() if "train" in e.splits and e.name not in ("textworld", "patheval", "codalm")]
"""Environments whose train and dev items are generated quickly."""


def start(env, seed):
    """The item of an episode, and how it begins."""
    observation, info = env.reset(seed=seed)
    goal, digest = env.mission.goal, observation_hash(observation)
    return item_of(env_name(env), info, goal, digest), (goal, digest), info


def env_name(env):
    return next(e.name for e in ENTRIES.ours.values() if e.target.endswith(f":{type(env).__name__}"))


def starts(e, task, split, count, suite=0):
    env = envs.make(e.name, task, **({"image": True} if e.picture else {}), **options_of(split, e, {}, {}))
    first = first_seed(split, suite, e.name, task)
    found = [start(env, first + k) for k in range(count)]
    env.close()
    return found


# --------------------------------------------------------------------------- seeds


def test_no_seed_is_in_two_splits():
    rng = random.Random(0)
    every = [(rng.randrange(10**6), e.name, task) for _ in range(50) for e in ENTRIES.ours.values() for task in e.tasks]
    spans = {split: [(first, first + MOST) for first in (first_seed(split, *one) for one in every)] for split in SPLITS}
    assert max(end for _, end in spans["test"]) <= (1 << 30) + MOST
    assert min(first for first, _ in spans["train"]) >= (1 << 30) + MOST
    assert max(end for _, end in spans["train"]) < 1 << 31 <= min(first for first, _ in spans["dev"])
    assert max(end for _, end in spans["dev"]) < 1 << 32, "environments take 32 bits"


def test_the_test_split_is_what_was_played_before_there_were_splits():
    task = TaskSpec("babyai", "goto", {})
    specs = plan([(task, 3)], 5, "identity")
    assert [spec.seed for spec in specs] == [derive(5, "episode", "babyai", "goto", bits=30) + k for k in range(3)]
    assert plan([(task, 3)], 5, "identity", split="test") == specs
    assert not {s.seed for s in plan([(task, 3)], 5, "identity", split="dev")} & {s.seed for s in specs}
    with pytest.raises(UsageError, match="1,048,576 episodes a task, not 1,048,577"):
        plan([(task, MOST + 1)], 5, "identity", split="train")


def test_a_run_of_the_test_split_has_the_identity_it_had():
    config = msgspec.json.decode(msgspec.json.encode(deciding(EvalConfig())))
    assert config["run"].pop("split") == "test"
    before = run_identity(config, {})
    assert run_identity(deciding(EvalConfig()), {}) == before
    dev = EvalConfig()
    dev.run.split = "dev"
    assert run_identity(deciding(dev), {}) != before
    for folder in RECORDED.glob("*/run.json"):
        assert split_of(json.loads(folder.read_text())["config"]) == "test"


# --------------------------------------------------------------------------- items


def leaks(e, task, count):
    """Named items are disjoint. Unnamed starts look alike no oftener than by chance: than those of another suite seed,
    within four standard errors (benchmarks/splits.json has the rates).
    """
    test = starts(e, task, "test", count)
    items, begun = {item for item, *_ in test}, {how for _, how, _ in test}
    fresh = sum(how in begun for _, how, _ in starts(e, task, "test", count, suite=1))
    for split in ("train", "dev"):
        found = starts(e, task, split, count)
        if any(found[0][2].get(key) is not None for key in e.item_keys):
            assert not items & {item for item, *_ in found}, (task, split)
        alike = sum(how in begun for _, how, _ in found)
        assert alike <= fresh + 4 * sqrt(fresh + 1), (task, split, alike, fresh)


@pytest.mark.parametrize("e", SEEDED, ids=lambda e: e.name)
def test_no_test_item_is_in_train_or_dev(e):
    few = {"babyai": 60, "babaisai": 60, "minihack": 8, "nethack": 8, "crafter": 8}
    for task in e.tasks if e.name == "babyai" else e.tasks[:2]:
        leaks(e, task, few.get(e.name, 2))


@pytest.mark.slow
@pytest.mark.parametrize("e", SEEDED, ids=lambda e: e.name)
def test_no_test_item_of_any_task_is_in_train_or_dev(e):
    few = {"highway": 12, "grounding3d": 5, "patheval_loop": 8, "crafter": 20, "minihack": 30}
    for task in (task for task in e.tasks if task not in e.test_only):
        leaks(e, task, few.get(e.name, 60))


def test_patheval_sets_share_no_map():
    e = ENTRIES["patheval"]
    test, dev = (starts(replace(e, picture=False), "decide", split, 15) for split in ("test", "dev"))
    assert not {item for item, *_ in test} & {item for item, *_ in dev}
    assert {info["split"] for *_, info in dev} == {"dev"}


def test_codalm_has_the_splits_of_the_data(call, tmp_path):
    for folder, name in (("Train", "val_0001"), ("Val", "test_0001"), ("Test", "test_0002")):
        add(tmp_path / "coda", folder, name, annotation())
    items = {}
    for split, words in (("train", []), ("dev", []), ("test", ["env.split=test"])):
        args = ["--env", "codalm", "--agent", "random", "--episodes", 2, "--text", "--data", tmp_path / "coda"]
        code, _, err = call("eval", *args, "--split", split, "--out", split, *words)
        assert code == 0, err
        items[split] = {episode.info["scene"] for episode in read(Run(split)).ended.values()}
    assert items == {"train": {"val_0001"}, "dev": {"test_0001"}, "test": {"test_0002"}}


@pytest.mark.slow
def test_textworld_makes_other_games_than_it_ships():
    e = ENTRIES["textworld"]
    for task in ("coin_collector", "the_cooking_game"):
        shipped = {item for item, *_ in starts(e, task, "test", 10)}
        assert len(shipped) == 10
        assert not shipped & {item for split in ("train", "dev") for item, *_ in starts(e, task, split, 2)}


def test_every_seed_of_a_task_that_is_for_test_alone_begins_alike():
    for task in ("lane-keeping",):
        env = envs.make("highway", task)
        assert len({start(env, seed)[1] for seed in range(5)}) == 1


def test_options_of_a_split():
    assert options_of("train", ENTRIES["codalm"], {"split": "procedural"}, {"split": "procedural"}) == {
        "split": "train"
    }
    assert options_of("test", ENTRIES["codalm"], {"split": "mini"}, {"split": "procedural"}) == {}


# --------------------------------------------------------------------------- runs


def evaluated(call, out, *words):
    code, said, err = call("eval", "--agent", "random", "--episodes", 2, "--steps", 3, "--out", out, *words)
    assert code == 0, err
    return said


@pytest.mark.parametrize("name", sorted(e.name for e in ENTRIES.ours.values()))
def test_a_run_keeps_its_items(call, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    e = ENTRIES[name]
    steps = [] if e.seen else ["--steps", 2]
    task = e.tasks[0]
    code, _, err = call("eval", "--env", name, "--task", task, "--agent", "random", "--episodes", 2, "--text",
                        "--out", "run", "run.workers=1", *steps)  # fmt: skip
    assert code == 0, err
    run = Run("run")
    assert run.record.config["run"]["split"] == "test"
    made = envs.make(name, task, **{k: v for k, v in run.record.planned[0].task.kwargs.items() if k != "max_steps"})
    for episode in read(run).ended.values():
        assert episode.mission is not None and len(episode.first_hash) == 64
        recorded = item_of(name, episode.info, episode.mission.goal, episode.first_hash)
        assert recorded == start(made, episode.spec.seed)[0]
    made.close()


def test_commands_say_the_split_and_do_not_mix_it(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    babyai = ("--env", "babyai", "--task", "goto")
    evaluated(call, "runs/test", *babyai)
    evaluated(call, "runs/dev", *babyai, "--split", "dev")
    assert Run("runs/dev").record.config["run"]["split"] == "dev"
    assert "dev: not a test score" in call("score", "runs/dev")[1]
    assert json.loads(call("score", "runs/dev", "--json")[1])["split"] == "dev"
    assert "split" not in call("score", "runs/test")[1]
    assert "babyai (dev)" in call("list", "runs")[1]
    assert [r["split"] for r in json.loads(call("list", "runs", "--sort", "name", "--json")[1])["runs"]] == [
        "dev",
        "test",
    ]
    assert call("report", "runs/dev", "--out", "dev.html")[0] == 0
    assert "Episodes of the dev split" in Path("dev.html").read_text()
    assert call("leaderboard", "runs/test", "runs/dev") == (2, "", (
        "error: runs/dev is a run of the dev split, and a leaderboard takes runs of the test split: leave it out, or"
        " play it again without --split.\n"
    ))  # fmt: skip
    assert call("compare", "runs/test", "runs/dev") == (2, "", (
        "error: runs/test is of the test split and runs/dev of the dev split: they played other episodes and are not"
        " compared. `embodied score RUN` prints the score of each.\n"
    ))  # fmt: skip
    code, _, err = call("export", "runs/dev", "--format", "balrog", "--out", "balrog")
    assert code == 2 and "a run of the dev split, and BALROG's leaderboard takes episodes of the test split" in err
    code, _, err = call("eval", *babyai, "--agent", "random", "--episodes", 2, "--steps", 3, "--out", "runs/dev")
    assert (code, "run.split is 'dev' there and 'test' here" in err) == (4, True), err
    code, out, _ = call("resume", "runs/dev")
    assert code == 0 and "already scored" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--env", "corner_case_drive", "--split", "train"],
            "corner_case_drive has no train split: all that it can play is its test items. These have one: nethack,",
        ),
        (
            ["--env", "babyai", "--split", "trian"],
            "There is no split named 'trian'. --split is one of train, dev, test.",
        ),
        (
            ["--env", "highway", "--task", "lane-keeping", "--split", "dev"],
            "highway lane-keeping has no dev split, as every seed gives the same episode: name other tasks with",
        ),
        (
            ["--env", "textworld", "--split", "train", "--data", "."],
            "The published files of textworld are all of the test split: leave out --data, or --split train.",
        ),
        (
            ["--env", "patheval", "--split", "dev", "env.split=train"],
            "--split dev sets env.split=dev of patheval: leave out env.split=train.",
        ),
        (["--env", "patheval", "--text", "--split", "train"], "Make it with `embodied data patheval --out DIR`"),
        (["--env", "codalm", "--split", "train"], "you need your own copy: name its folder with --data"),
    ],
)
def test_what_cannot_be_is_said(call, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EMBODIED_CODA_ROOT", raising=False)
    code, _, err = call("eval", "--agent", "random", "--episodes", 1, *words)
    assert code == 2 and sentence in err, err
    assert not list(Path().glob("runs/*")), "nothing was begun"
