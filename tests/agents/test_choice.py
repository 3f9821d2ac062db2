"""agent.format=choice: what is asked, what is taken, and what ends in a sentence before it begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodied import agents
from embodied.agents import AgentConfig, notes
from embodied.agents.config import HistoryConfig, ParseConfig
from embodied.errors import PromptTooLong, UnknownName, UsageError
from embodied.models.base import choices_of
from embodied.rollout.estimate import estimate
from embodied.rollout.identity import run_identity
from embodied.rollout.plan import plan
from embodied.types import Observation, Reply
from tests.agents.play import DUNGEON, ROOM, STORY, Replies, act, make, play, shown
from tests.rollout.playing import TASK, Hashing, content, make_run, stop_at
from tests.rollout.playing import play as play_run

WALL = Observation("a wall")
ACTIONS = tuple(ROOM.actions)
EVAL = ("eval", "--env", "babyai", "--task", "BabyAI-MixedTrainLocal-v0/goto", "--steps", "4", "--episodes", "2")


class Held(Replies):
    """Prepared replies of a model that can be held to a list."""

    chooses = True


def held(policy: str, model: Replies, mission=ROOM, **config):
    return make(policy, mission, model, format="choice", **config)


# --------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize("policy", ["naive", "robust_naive"])
def test_one_call_in_the_words_of_naive(policy):
    model, plain = Held("toggle", "turn left"), Replies("toggle", "turn left")
    decisions = play(held(policy, model), ROOM, [WALL, WALL])
    play(make("naive", ROOM, plain), ROOM, [WALL, WALL])
    assert [d.action for d in decisions] == ["toggle", "turn left"] and all(d.parsed for d in decisions)
    assert [messages for messages, _ in model.asked] == [messages for messages, _ in plain.asked]
    assert [choices_of(settings) for _, settings in model.asked] == [ACTIONS, ACTIONS]
    assert [settings.seed for _, settings in model.asked] == [settings.seed for _, settings in plain.asked]
    assert not any(choices_of(settings) for _, settings in plain.asked)


@pytest.mark.parametrize("policy", ["cot", "robust_cot"])
def test_a_thought_first_then_the_choice(policy):
    model = Held("There is a wall.", "turn left", Reply("Now the door.", "hm"), "toggle")
    one, two = play(held(policy, model), ROOM, [WALL, WALL])
    assert (one.action, one.thought) == ("turn left", "There is a wall.")
    assert (two.action, two.thought) == ("toggle", "hm\nNow the door.")
    assert [choices_of(s) for _, s in model.asked] == [(), ACTIONS, (), ACTIONS]
    assert len({s.seed for _, s in model.asked}) == 4
    first, second = (shown(model.asked[i][0]) for i in (0, 1))
    assert second.startswith(first)
    assert second[len(first) :] == (
        "## assistant\nThere is a wall.\n## user\nAnswer with one of the actions listed above, exactly as it is written"
        " there, and nothing else: no explanation, no other text.\n"
    )
    assert "Think step by step about what to do next. You will be asked for the action afterwards." in first
    assert "## assistant\nPrevious plan:\nThere is a wall.\nturn left\n" in shown(model.asked[2][0])
    assert [len(d.calls) for d in (one, two)] == [2, 2]


def test_an_empty_thought_leaves_no_empty_message():
    model = Held("", "toggle")
    assert act(held("cot", model), WALL).action == "toggle"
    assert "(empty answer)" in shown(model.asked[1][0])


@pytest.mark.parametrize("action", DUNGEON.actions)
def test_every_action_is_taken_as_it_is(action):
    """Blanks, signs, letters and digits, which a reader of free replies takes for less."""
    decision = act(held("naive", Held(action), DUNGEON), WALL)
    assert (decision.action, decision.parsed, decision.notes) == (action, True, ())


# --------------------------------------------------------------------------- a model that does not keep to it


@pytest.mark.parametrize(
    ("reply", "action", "parsed"), [("**Toggle**", "toggle", True), ("I do not know.", "I do not know.", False)]
)
def test_another_answer_is_read_and_noted(reply, action, parsed):
    decision = act(held("naive", Held(reply)), WALL)
    assert (decision.action, decision.parsed) == (action, parsed)
    assert [n.kind for n in decision.notes] == [notes.UNHELD]


def test_reask_asks_no_more():
    model = Held("no idea")
    assert not act(held("naive", model, parse=ParseConfig("reask")), WALL).parsed and len(model.asked) == 1


# --------------------------------------------------------------------------- long prompts, and resuming


class Narrow(Held):
    """Refuses prompts longer than so many characters."""

    limit = 10_000

    async def generate(self, messages, settings):
        if len(shown(messages)) > self.limit:
            raise PromptTooLong("too long", "too long")
        return await super().generate(messages, settings)


def test_a_thought_that_leaves_no_room():
    model = Narrow("so " * 4000, "short", "toggle")
    model.limit = 5000
    agent = held("cot", model)
    first = act(agent, WALL)
    assert not first.parsed and [n.kind for n in first.notes] == [notes.UNASKED] and len(first.calls) == 1
    assert act(agent, Observation("a wall", step=1, executed="go forward", valid=False)).action == "toggle"


def test_a_prompt_that_cannot_be_cut_further_is_said():
    model = Narrow("toggle")
    model.limit = 10
    with pytest.raises(PromptTooLong, match="Nothing is left to cut"):
        act(held("naive", model), WALL)


@pytest.mark.parametrize("policy", ["naive", "cot"])
def test_interrupted_and_resumed_is_as_if_never_interrupted(policy, tmp_path):
    class Choosing(Hashing):
        chooses = True

        async def generate(self, messages, settings):
            reply = await super().generate(messages, settings)
            choices = choices_of(settings)
            return Reply(choices[reply.usage.output % len(choices)], usage=reply.usage) if choices else reply

    config = AgentConfig(policy=policy, format="choice", history=HistoryConfig(text=3, thought=2))
    whole, broken = Choosing(), Choosing()
    run, specs = make_run(tmp_path / "whole", 2, TASK)
    play_run(run, specs, config, whole, concurrency=2)
    run, specs = make_run(tmp_path / "broken", 2, TASK)
    for step in (1, 7):
        assert play_run(run, specs, config, broken, concurrency=2, at_step=stop_at(step)).interrupted
    play_run(run, specs, config, broken, concurrency=2)
    assert content(tmp_path / "broken") == content(tmp_path / "whole") and broken.asked == whole.asked
    assert {run.episode(spec.id).invalid_actions for spec in specs} == {0}


# --------------------------------------------------------------------------- what ends before it begins


def test_free_text_has_nothing_to_choose_from():
    with pytest.raises(UsageError, match=r"agent\.format=choice needs a list of actions to choose from"):
        held("naive", Held(), STORY)


def test_a_model_that_cannot_be_held():
    with pytest.raises(
        UsageError, match=r"test/replies cannot be held to a list of actions\. The providers gguf, transf"
    ):
        held("naive", Replies())


def test_a_format_that_does_not_exist():
    with pytest.raises(UnknownName, match=r"There is no format named 'choise'\. agent\.format is choice, or null"):
        make("naive", ROOM, Held(), format="choise")


@pytest.mark.parametrize("policy", ["random", "expert", "human"])
def test_agents_without_a_model(policy):
    with pytest.raises(UsageError, match=f"agent.format is for agents that ask a model, not for '{policy}'"):
        agents.build(AgentConfig(policy=policy, format="choice"))


def test_the_estimate_knows_it():
    from embodied.models import ModelConfig

    specs, model = plan([(TASK, 1)], 0, ""), ModelConfig("openai", "gpt-4o")
    naive, cot = (
        estimate(AgentConfig(policy=p, format="choice"), model, specs, None)[-1].input for p in ("naive", "cot")
    )
    assert cot.low > 1.8 * naive.low > 0 and cot.high > 1.8 * naive.high, "cot asks twice"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--env", "textworld"), "and textworld treasure_hunter takes any text"),
        (("--env", "patheval", "--text"), "and patheval abstract takes any text"),
        (("--suite", "balrog"), "and textworld treasure_hunter takes any text"),
    ],
)
def test_the_command_line_says_so_and_leaves_nothing(call, words, says, tmp_path):
    code, _, err = call("eval", *words, "--agent", "smollm2", "agent.format=choice", "--episodes", "1")
    assert code == 2 and says in err and not (tmp_path / "runs").exists()


# --------------------------------------------------------------------------- the command of the README


def test_the_embedded_model_is_held(call, tmp_path):
    pytest.importorskip("xllamacpp")
    words = ("--agent", "smollm2", "model.threads=1")
    code, out, err = call(*EVAL, *words, "agent.format=choice", "--out", "held")
    assert code == 0 and "2/2" in out, err
    steps = [json.loads(line) for path in Path("held").glob("episodes/*/steps.jsonl") for line in path.open()]
    assert len(steps) == 8 and all(step["valid"] and step["decision"]["parsed"] for step in steps)
    assert all(step["decision"]["calls"][0]["reply"]["usage"]["output"] <= 11 for step in steps)
    code, out, err = call("replay", "held", "--workers", "1")
    assert code == 0 and "2 of 2 episodes agree" in out, err


def test_identity_without_it_is_as_before(call):
    """Keys that stand at their default change no identity, and no recorded byte of a step."""
    call(*EVAL, "--agent", "naive", "--model", "scripted/cycle", "model.script=[toggle]", "--out", "plain")
    recorded = json.loads(Path("plain/run.json").read_text())["config"]
    assert recorded["agent"]["format"] is None and recorded["model"]["constraint"] is None
    without = {**recorded, "agent": {**recorded["agent"]}, "model": {**recorded["model"]}}
    del without["agent"]["format"], without["model"]["constraint"]
    assert run_identity(without, {}) == run_identity(recorded, {})
    text = "".join(path.read_text() for path in Path("plain").glob("episodes/*/*.json*"))
    assert "choices" not in text and "weighed" not in text
