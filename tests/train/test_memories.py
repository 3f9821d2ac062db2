"""The learner `memory`: from recorded episodes to an agent that plays by them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import embodied
from embodied.agents.memory.store import open_memories
from embodied.agents.memory.usage import retrieved
from embodied.agents.versions import AgentRecord, AgentVersion, write
from embodied.errors import NothingLearned, UsageError
from embodied.store.run import Run
from embodied.train.abstraction.model import Refused, abstracted, parsed, recorded
from embodied.train.abstraction.rules import shortened, step_memories
from embodied.train.abstraction.trajectory import Trajectory, read
from embodied.train.memories import learn
from embodied.train.rehearsing import Example, rehearsed
from embodied.types import Observation

from .playground import Playground

TASK = "BabyAI-MixedTrainLocal-v0/goto"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Random play on training episodes, corrected by the oracle."""
    out = tmp_path_factory.mktemp("collect") / "run"
    return embodied.evaluate("babyai", "random", task=TASK, split="train", episodes=6, corrector="oracle", out=out).run


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> AgentVersion:
    return write(
        tmp_path_factory.mktemp("parent") / "v", AgentRecord("random", {"agent.policy": "random", "image": False}), {}
    )


@pytest.fixture
def trajectory(collected: Run) -> Trajectory:
    found = [read(collected, episode) for episode in collected.episodes()]
    return next(one for one in found if one is not None and one.succeeded and one.feedbacks)


def test_what_is_learnt_helps_and_is_the_same_again(collected: Run, parent: AgentVersion, tmp_path: Path) -> None:
    child = learn(Playground(tmp_path / "a", TASK, [collected]), parent, tmp_path / "child")
    twin = learn(Playground(tmp_path / "b", TASK, [collected]), parent, tmp_path / "twin")
    assert child.hash == twin.hash
    assert child.record.settings["agent.policy"] == "template"
    scores = [
        embodied.evaluate("babyai", v.folder, task=TASK, split="dev", episodes=10, out=tmp_path / name)
        for v, name in ((parent, "before"), (child, "after"))
    ]
    assert (scores[1].progress or 0) > (scores[0].progress or 0)
    first = next(iter(scores[1].run.steps(scores[1].episodes[0].spec.id)))
    memories = open_memories(child.part("memory"))
    assert set(retrieved(first)) <= {memory.id for memory in memories.records}
    assert all(memory.provenance.split == "train" for memory in memories.records)


def test_nothing_to_keep_is_said(parent: AgentVersion, tmp_path: Path) -> None:
    run = embodied.evaluate(
        "babyai",
        "constant",
        task=TASK,
        split="train",
        episodes=1,
        steps=2,
        out=tmp_path / "run",
        options={"agent.script": ["turn left"]},
    ).run
    with pytest.raises(NothingLearned, match="--corrector"):
        learn(Playground(tmp_path / "a", TASK, [run]), parent, tmp_path / "child")


def test_a_setting_that_makes_no_sense(parent: AgentVersion, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"learner\.unit"):
        learn(Playground(tmp_path / "a", TASK, settings={"unit": "day"}), parent, tmp_path / "child")


def test_the_wrong_action_stays_beside_the_right_one(trajectory: Trajectory) -> None:
    made = step_memories(trajectory, trajectory.steps, "random")
    corrected = [memory for memory in made if memory.feedbacks]
    assert corrected
    assert any(memory.raw != memory.actions for memory in corrected)
    assert all(memory.actions == memory.raw for memory in made if not memory.feedbacks)


def test_loops_and_steps_without_effect_are_left_out(trajectory: Trajectory) -> None:
    def seen(index: int, text: str) -> object:
        step = trajectory.steps[0]
        return replace(step, index=index, observation=Observation(text, step=index), executed=f"do {index}", events=())

    walked = replace(trajectory, steps=tuple(seen(i, text) for i, text in enumerate("aabcbd")))
    assert [step.executed for step in shortened(walked)] == ["do 1", "do 4", "do 5"]


def test_examples_that_fail_are_corrected_until_they_succeed_alone(parent: AgentVersion, tmp_path: Path) -> None:
    practice = Playground(tmp_path / "a", TASK)
    run = practice.play(parent, 2, name="examples-0/first")
    keys = [f"babyai {TASK} {episode.spec.seed}" for episode in run.episodes()]
    examples = {key: Example(("turn left",)) for key in keys}
    rehearsed(practice, parent, None, examples, 2, "examples-0", "oracle", 5)
    assert all(one.verified is not None and not one.verified.feedbacks for one in examples.values())
    assert any(one.feedbacks for one in examples.values())


def test_the_corrector_of_the_loop_corrects_examples_where_no_other_is_named(
    parent: AgentVersion, tmp_path: Path
) -> None:
    practice = Playground(tmp_path / "a", TASK, settings={"episodes": 2, "batches": 1})
    practice.corrector = "oracle"
    child = learn(practice, parent, tmp_path / "child")
    assert sum(child.record.lineage.used["feedbacks"]) > 0


def test_examples_that_never_succeed_are_dropped(tmp_path: Path) -> None:
    settings = {"episodes": 1, "batches": 1, "feedbacks": 0}
    turning = AgentRecord("turning", {"agent.policy": "constant", "agent.script": ["turn left"], "image": False})
    parent = write(tmp_path / "parent", turning, {})
    with pytest.raises(NothingLearned, match="1 were dropped"):
        learn(Playground(tmp_path / "a", TASK, settings=settings), parent, tmp_path / "child")


# --------------------------------------------------------------------------- a model


def answer(**fields: object) -> str:
    return json.dumps({"actions": ["turn left"], **fields})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I would turn left.", "not JSON"),
        ("[" * 100_000, "schema"),
        (json.dumps({"actions": "turn left"}), "schema"),
        (json.dumps({"actions": []}), "schema"),
        (answer(lessons=["one"] * 6), "schema"),
        (answer(actions=["__import__('os')"]), "unknown action"),
        (answer(objects=["chainsaw"]), "unknown object"),
    ],
)
def test_what_contradicts_the_record_is_refused(trajectory: Trajectory, text: str, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        parsed(text, trajectory)
    assert refused.value.kind == kind


def test_a_refused_answer_is_asked_for_once_more(trajectory: Trajectory, tmp_path: Path) -> None:
    good = "```json\n" + answer(lessons=["Face the thing first."], objects=["wall"]) + "\n```"
    practice = Playground(tmp_path / "a", TASK, replies=["no", good])
    found = abstracted(practice, [trajectory], "random", "collected")
    [memory] = found.memories.values()
    assert memory.lessons == ("Face the thing first.",)
    assert memory.status == "candidate"
    assert found.refused == {"not JSON": 1}
    assert "not the JSON object" in practice.asked[1][-1].parts[0].text  # type: ignore[union-attr]  # a Text
    assert "ITEM_A" in recorded(trajectory)


def test_two_refused_answers_leave_the_rules(collected: Run, parent: AgentVersion, tmp_path: Path) -> None:
    practice = Playground(tmp_path / "a", TASK, [collected], {"abstraction": "model"}, ["no"] * 40)
    child = learn(practice, parent, tmp_path / "child")
    assert child.record.lineage.used["refused"]["not JSON"] >= 2
    assert open_memories(child.part("memory")).records
