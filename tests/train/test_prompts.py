"""The learner `prompt`: a real server whose model obeys one instruction, and the control without a model."""

from __future__ import annotations

import re

import pytest

import embodied
from embodied.errors import UsageError
from embodied.models import ModelConfig
from embodied.train.prompting.edits import edited
from embodied.train.prompting.proposals import Pool, fault, tagged
from embodied.train.prompts import learn
from embodied.versions import settings as settings_of
from tests.hostile_text import MEGABYTES
from tests.train.practising import Answering, Killed, Practising, asker

GOOD = "Turn towards the object of the goal."
SETTINGS = {"proposer": "model", "candidates": 6, "iterations": 1, "episodes": 2, "halvings": 1, "excerpts": 2}


def walks(prompt: str) -> str:
    """The agent's model: it turns to the goal only where it is told to, and else goes ahead."""
    if GOOD not in prompt and "stand right before it" not in _own(prompt):
        return "go forward"
    goal = re.findall(r"Your goal: Go to (?:a|the) ([a-z ]+)\.", prompt)[0]
    seen = re.findall(rf"a {goal} ([^\n]*)", prompt.rpartition("Current Observation:")[2])
    if not seen:
        return "turn right"
    if "forward" in seen[0]:
        return "go forward"
    return "turn left" if "left" in seen[0] else "turn right"


def _own(prompt: str) -> str:
    """The paragraph of `agent.instructions`."""
    return prompt.partition("will not work the next time either.")[2].partition("The episode ends after")[0]


def proposes(prompt: str) -> str:
    """The learner's model."""
    number = re.findall(r"This is proposal (\d+) of", prompt)[0]
    return {
        "1": "<instructions>Always go ahead.</instructions>",
        "2": f"Sure!\n<instructions>\n{GOOD}\n</instructions>",
        "3": "No tags here.",
        "4": "<instructions>" + "word " * 10_000 + "</instructions>",
        "5": "<instructions>See http://example.com and ${HOME}.</instructions>",
    }.get(number, "<instructions>  </instructions>")


def both(prompt: str) -> str:
    return proposes(prompt) if prompt.startswith("You improve the instructions") else walks(prompt)


@pytest.fixture(scope="module")
def server():
    stub = Answering(both)
    stub.start()
    yield stub
    stub.stop()


@pytest.fixture(scope="module")
def collected(server, tmp_path_factory):
    """Training episodes of the agent as it is."""
    out = tmp_path_factory.mktemp("prompts")
    agent = asker(out / "asker")
    options = of_server(server)
    practice = Practising(out, {}, options=options)
    return agent, practice.play(agent, 3, name="collect"), out


def of_server(server) -> dict[str, str]:
    return {"model.base_url": f"{server.url}/v1"}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("COMPATIBLE_API_KEY", "k")


def practice_of(server, collected, folder, settings=SETTINGS, **more) -> Practising:
    _, run, _ = collected
    model = ModelConfig(provider="compatible", name="m", base_url=f"{server.url}/v1")
    return Practising(folder, settings, [run], model, of_server(server), **more)


def test_the_instruction_that_helps_wins_and_what_no_version_may_hold_is_counted(server, collected, tmp_path):
    parent = collected[0]
    practice = practice_of(server, collected, tmp_path)
    child = learn(practice, parent, tmp_path / "child")
    assert settings_of(child)["agent.instructions"] == GOOD
    used = child.record.lineage.used
    assert used["dropped"] == {"empty": 1, "link or variable": 1, "too long": 1, "unreadable": 1}
    assert used["proposed"] == 2 and used["episodes"] == 14 and used["tokens"] > 1000
    assert used["raced"]["best"] > used["raced"]["parent"]
    assert practice.test(child, 6, "child-dev") > practice.test(parent, 6, "parent-dev")


def test_a_killed_learner_plays_and_asks_nothing_twice(server, collected, tmp_path):
    parent, few = collected[0], SETTINGS | {"candidates": 2, "halvings": 0}
    whole = practice_of(server, collected, tmp_path / "whole", few)
    expected = learn(whole, parent, tmp_path / "whole-child")
    done = []
    for _ in range(20):
        practice = practice_of(server, collected, tmp_path / "torn", few, calls=1)
        try:
            child = learn(practice, parent, tmp_path / "torn-child")
            break
        except Killed:
            pass
        finally:
            done += practice.done
    assert sorted(done) == sorted(whole.done)
    assert child.hash == expected.hash


def test_edits_need_no_model_and_may_find_the_tip_that_helps(server, collected, tmp_path):
    settings = {"proposer": "edits", "candidates": 4, "iterations": 1, "episodes": 3, "halvings": 0}
    practice = practice_of(server, collected, tmp_path, settings, seed=1)
    before = server.requests
    child = learn(practice, collected[0], tmp_path / "child")
    assert all(name.startswith("heat-") for name in practice.done) and server.requests > before
    assert "To go to an object, stand right before it" in child.record.settings["agent.instructions"]
    assert child.record.lineage.used["proposer"] == "edits" and "template" not in child.record.lineage.used


def test_where_nothing_is_better_the_child_has_the_parents_settings(server, collected, tmp_path):
    agent = asker(tmp_path / "good", **{"agent.instructions": GOOD})
    practice = practice_of(server, collected, tmp_path, SETTINGS | {"candidates": 1})
    child = learn(practice, agent, tmp_path / "child")
    assert child.record.settings == agent.record.settings and child.record.parts == agent.record.parts


def test_answers_copied_from_training_episodes_gain_nothing_on_others(collected, tmp_path):
    """A proposer that copies what an expert did in the recorded episodes, for a model that obeys to the letter. The
    race plays other training episodes, and dev plays others again."""
    parent, _, _ = collected
    expert = embodied.evaluate(
        "babyai", "expert", task="goto", episodes=3, split="train", out=tmp_path / "expert", run__workers=1
    ).run
    copied = {}
    for episode in expert.episodes():
        for step in expert.steps(episode.spec.id):
            copied[f"[{episode.mission.goal} {step.observation.text}]".replace("\n", "; ")] = step.decision.action
    answers = "\n".join(f"{seen} -> {action}" for seen, action in copied.items())[:4000]

    def obeys(prompt: str) -> str:
        if prompt.startswith("You improve the instructions"):
            return f"<instructions>{answers}</instructions>"
        goal = re.findall(r"Your goal: ([^\n]*)", prompt)[0]
        seen = prompt.rpartition("Current Observation:\n")[2].partition("\n\n")[0].strip().replace("\n", "; ")
        found = re.findall(re.escape(f"[{goal} {seen}] -> ") + r"([a-z ]+)", prompt)
        return found[0] if found else "toggle"

    stub = Answering(obeys)
    stub.start()
    try:
        model = ModelConfig(provider="compatible", name="m", base_url=f"{stub.url}/v1")
        practice = Practising(
            tmp_path, SETTINGS | {"candidates": 1}, [expert], model, {"model.base_url": f"{stub.url}/v1"}, steps=16
        )
        child = learn(practice, parent, tmp_path / "child")
        cheat = asker(tmp_path / "cheat", **{"agent.instructions": answers})
        assert child.record.lineage.used["raced"]["best"] == 0.0 == practice.test(cheat, 6, "dev")
        assert child.record.settings == parent.record.settings
        again = embodied.evaluate(
            "babyai", cheat.folder, task="goto", episodes=3, split="train", steps=16, out=tmp_path / "again",
            options={"run.workers": 1, "model.base_url": f"{stub.url}/v1"},
        )  # fmt: skip
        assert again.progress > 0.5  # the cheat is a real one: on the episodes that it copied, it works
    finally:
        stub.stop()


@pytest.mark.parametrize(
    "text",
    [*MEGABYTES.values(), "<instructions>" * 70_000, "a\x1b[31m", "a\ud800", "a\0b", "\u202eb", "{told}", "<<<>>>"],
)
def test_hostile_proposals_never_crash(text):
    pool = Pool([""])
    for one in pool.take([tagged(f"<instructions>{text}</instructions>"), tagged(text), text]):
        assert not fault(one)


def test_edits_are_distinct_repeatable_and_bounded():
    tips = ("Face the door.", "Walk.")
    made = edited("", tips, 8, 3)
    assert made == edited("", tips, 8, 3) != edited("", tips, 8, 4)
    assert len(set(made)) == 8 and not any(map(fault, made))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"proposer": "magic"}, "one of model, edits"),
        ({"candidates": 0}, "learner.candidates"),
        ({"halvings": -1}, "learner.halvings"),
    ],
)
def test_settings_that_make_no_sense(settings, said, collected, tmp_path):
    with pytest.raises(UsageError, match=said):
        learn(Practising(tmp_path, settings, [collected[1]]), collected[0], tmp_path / "child")


def test_an_agent_without_a_model_and_no_episodes_are_refused(collected, tmp_path):
    agent = asker(tmp_path / "random", **{"agent.policy": "random"})
    with pytest.raises(UsageError, match=r"agents that ask a model"):
        learn(Practising(tmp_path / "a", SETTINGS, [collected[1]]), agent, tmp_path / "child")
    with pytest.raises(UsageError, match=r"there are none"):
        learn(Practising(tmp_path / "b", SETTINGS, []), collected[0], tmp_path / "child")
