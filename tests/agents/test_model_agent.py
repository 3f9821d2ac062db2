"""ModelAgent: feedback, re-asking, seeds, corrections, thoughts, and replies that are no answer."""

from __future__ import annotations

import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.config import DemonstrationConfig, HistoryConfig, ParseConfig
from embodied.agents.prompt import message as said
from embodied.agents.vocabulary import Vocabulary
from embodied.errors import ModelRefused, PromptTooLong, UnknownName, UsageError
from embodied.types import Observation, Reply, Settings, Text
from tests.agents.play import DUNGEON, ROOM, STORY, Replies, act, make, play, shown

POLICIES = ("naive", "robust_naive", "cot", "robust_cot")
WALL = Observation("a wall")


def last(model: Replies) -> str:
    """The last message of the last prompt."""
    return model.asked[-1][0][-1].parts[0].text


# --------------------------------------------------------------------------- feedback


def test_what_was_executed_instead_is_said_first():
    model = Replies("fly", "toggle")
    play(make("naive", ROOM, model), ROOM, [WALL, WALL])
    assert last(model).startswith(
        'Your last answer was not a valid action, so "go forward" was executed instead.\n\nCurrent Observation:\na'
        " wall\n\n"
    )


def test_feedback_can_be_switched_off():
    model = Replies("fly", "toggle")
    play(make("naive", ROOM, model, feedback=False), ROOM, [WALL, WALL])
    assert last(model).startswith("Current Observation:\na wall\n\n")


def test_an_invalid_reply_is_recorded_as_such():
    (decision,) = play(make("naive", ROOM, Replies("fly " * 100)), ROOM, [WALL])
    assert not decision.parsed
    assert decision.action == ("fly " * 50)[:199] + "…"
    assert decision.calls[0].reply.text == "fly " * 100


@pytest.mark.parametrize("reply", ["", "\n", "\x00\x01\x02", "\ud800\udfff", "x" * 1_000_000, "🙂" * 1000, "[]{}()"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mission", [ROOM, DUNGEON], ids=["room", "dungeon"])
def test_replies_that_are_no_answer(policy, mission, reply):
    model = Replies(reply, reply, reply, reply)
    decisions = play(make(policy, mission, model, parse=ParseConfig("reask")), mission, [WALL, WALL])
    for decision in decisions:
        assert not decision.parsed and len(decision.action) <= 200 and len(decision.calls) == 2
    for message in model.asked[-1][0]:
        for part in message.parts:
            assert part.text.strip()  # providers refuse empty messages
            assert len(part.text) < 20_000
            part.text.encode()  # and lone surrogates


# --------------------------------------------------------------------------- asking again


def test_asks_again_once_and_keeps_both_calls():
    model = Replies("left", "turn left")
    (decision,) = play(make("naive", ROOM, model, parse=ParseConfig("reask")), ROOM, [WALL])
    assert decision.action == "turn left" and decision.parsed
    assert [c.reply.text for c in decision.calls] == ["left", "turn left"]
    first, second = (c.messages for c in decision.calls)
    assert second[: len(first)] == first
    assert (
        shown(second[len(first) :])
        == "## assistant\nleft\n## user\nYour answer names none of the actions. The actions are: turn left, turn right,"
        " go forward, toggle.\n\nAnswer with one of the actions listed above, exactly as it is written there, and"
        " nothing else: no explanation, no other text.\n"
    )


def test_asks_no_third_time():
    model = Replies("left", "right", "turn left")
    (decision,) = play(make("naive", ROOM, model, parse=ParseConfig("reask")), ROOM, [WALL])
    assert not decision.parsed and decision.action == "right" and len(decision.calls) == 2


@pytest.mark.parametrize("policy", ["strict", "lenient"])
def test_other_policies_ask_once(policy):
    (decision,) = play(make("naive", ROOM, Replies("left"), parse=ParseConfig(policy)), ROOM, [WALL])
    assert not decision.parsed and len(decision.calls) == 1


def test_what_was_asked_again_stays_out_of_the_history():
    model = Replies("left", "turn left", "toggle")
    play(make("naive", ROOM, model, parse=ParseConfig("reask")), ROOM, [WALL, WALL])
    assert [m.parts[0].text for m in model.asked[-1][0] if m.role == "assistant"] == ["turn left"]


def test_all_actions_of_a_large_vocabulary_are_listed_again():
    model = Replies("?", "a")
    play(make("naive", DUNGEON, model, parse=ParseConfig("reask")), DUNGEON, [WALL])
    assert Vocabulary(DUNGEON.actions).listing() in last(model)
    assert (
        "any single small letter from a to z, any single capital letter from A to Z, any single digit from 0 to 9."
        in last(model)
    )


def test_free_text_is_asked_again_with_its_patterns():
    model = Replies("Hm.\nI wonder.", "ACTION: look")
    (decision,) = play(make("cot", STORY, model, parse=ParseConfig("reask")), STORY, [WALL])
    assert decision.action == "look"
    assert "The kinds of commands are: go <dir>, take ..., look." in last(model)


# --------------------------------------------------------------------------- thoughts


def test_reasoning_counts_as_thought():
    (decision,) = play(make("naive", ROOM, Replies(Reply("toggle", reasoning="A door.\n"))), ROOM, [WALL])
    assert (decision.action, decision.thought) == ("toggle", "A door.")


def test_reasoning_and_written_thought_are_both_kept():
    (decision,) = play(
        make("cot", ROOM, Replies(Reply("It is red.\nACTION: toggle", reasoning="A door."))), ROOM, [WALL]
    )
    assert decision.thought == "A door.\nIt is red."


def test_naive_agents_repeat_no_thought():
    model = Replies(Reply("toggle", reasoning="A door."), "toggle")
    play(make("naive", ROOM, model, history=HistoryConfig(thought=5)), ROOM, [WALL, WALL])
    assert "A door." not in shown(model.asked[-1][0])


def test_the_thought_survives_asking_again():
    model = Replies("A long thought without an end", "ACTION: toggle")
    (decision,) = play(make("cot", ROOM, model, parse=ParseConfig("reask")), ROOM, [WALL])
    assert (decision.action, decision.thought) == ("toggle", "A long thought without an end")


def test_a_thought_that_ran_away_does_not_fill_the_next_prompt():
    model = Replies("because " * 100_000 + "\nACTION: toggle", "ACTION: toggle")
    first, _ = play(make("cot", ROOM, model), ROOM, [WALL, WALL])
    assert len(first.thought) > 700_000
    assert len(shown(model.asked[-1][0])) < 12_000
    assert shown(model.asked[-1][0]).count("because because\nACTION: toggle") == 1


def test_a_thought_that_is_not_text_is_repeated_as_text():
    model = Replies("Hm\x00\ud800.\r\nACTION: toggle", "ACTION: toggle")
    play(make("cot", ROOM, model), ROOM, [WALL, WALL])
    assert "Previous plan:\nHm\ufffd\ufffd.\nACTION: toggle\n" in shown(model.asked[-1][0])


# --------------------------------------------------------------------------- seeds


def seeds(settings: Settings | None = None, agent_seed: int = 0, **config) -> list[int | None]:
    model = Replies("no", "toggle", "no", "toggle")
    play(make("naive", ROOM, model, agent_seed, settings, parse=ParseConfig("reask"), **config), ROOM, [WALL, WALL])
    return [s.seed for _, s in model.asked]


def test_each_call_has_a_seed_of_its_own_from_the_episode():
    assert len(set(seeds())) == 4
    assert seeds() == seeds()
    assert seeds(agent_seed=1) != seeds()
    assert all(0 <= s < 2**31 for s in seeds())


def test_the_seed_depends_on_the_step_alone():
    def seed_of_step_5(*before: int) -> int | None:
        model = Replies(*["toggle"] * (len(before) + 1))
        agent = make("naive", ROOM, model)
        for step in (*before, 5):
            act(agent, Observation("a wall", step=step))
        return model.asked[-1][1].seed

    assert seed_of_step_5() == seed_of_step_5(3, 4)


def test_a_configured_seed_is_left_alone():
    assert seeds(Settings(seed=3)) == [3, 3, 3, 3]


def test_seeds_can_be_switched_off():
    assert seeds(seed_calls=False) == [None] * 4


def test_other_settings_pass_through():
    model = Replies("toggle")
    play(make("naive", ROOM, model, settings=Settings(temperature=0.5, max_tokens=7, stop=("\n",))), ROOM, [WALL])
    assert model.asked[0][1] == Settings(temperature=0.5, max_tokens=7, stop=("\n",), seed=model.asked[0][1].seed)


# --------------------------------------------------------------------------- corrections


@pytest.mark.parametrize("policy", POLICIES)
def test_a_correction_is_a_message_behind_the_observation_as_long_as_it_counts(policy):
    model = Replies(*["<|ACTION|>toggle<|END|>", "ACTION: toggle"] * 2)
    agent = make(policy, ROOM, model)
    play(agent, ROOM, [WALL])
    act(agent, Observation("a door", step=1))
    agent.hear("Türn left!")
    act(agent, Observation("a door", step=1))
    before, after = model.asked[-2][0], model.asked[-1][0]
    assert after == (*before, said("user", "\nA person who watches you says: Türn left!"))
    act(agent, Observation("a key", step=2))
    assert "A person" not in shown(model.asked[-1][0])


def test_no_cut_takes_a_correction():
    """A model whose context holds little: the history goes, and the words stay."""

    class Small(Replies):
        async def generate(self, messages, settings):
            if sum(len(m.parts[0].text) for m in messages) > 1_000:
                raise PromptTooLong("Too long.")
            return await super().generate(messages, settings)

    model = Small(*["toggle"] * 40)
    agent = make("naive", ROOM, model)
    for step in range(20):
        if step >= 18:
            agent.hear("Turn left!")
        act(agent, Observation(f"wall {step}", step=step))
    sent = model.asked[-1][0]
    assert sum(m.role == "assistant" for m in sent) < 16
    assert sent[-2].parts[0].text.startswith("Current Observation:\nwall 19")
    assert sent[-1] == said("user", "\nA person who watches you says: Turn left!")


@pytest.mark.parametrize("policy", POLICIES)
def test_a_correction_as_a_paragraph_is_in_the_next_prompt_and_stays_in_the_history(policy):
    model = Replies(*["<|ACTION|>toggle<|END|>", "ACTION: toggle"] * 2)
    agent = make(policy, ROOM, model, corrections="paragraph")
    play(agent, ROOM, [WALL])
    agent.hear("Türn left!")
    act(agent, Observation("a door", step=1))
    assert last(model).startswith("A person who watches you says: Türn left!\n\nCurrent Observation:\na door")
    act(agent, Observation("a key", step=2))
    assert "A person" not in last(model)
    assert "A person who watches you says: Türn left!\n\nObservation:\na door\n" in shown(model.asked[-1][0])


# --------------------------------------------------------------------------- prompts of long episodes


def test_a_long_episode_keeps_its_prompt_bounded():
    model = Replies(*["toggle"] * 300)
    play(make("naive", ROOM, model), ROOM, [WALL] * 300)
    sizes = [len(messages) for messages, _ in model.asked]
    assert sizes[:3] == [2, 4, 6] and sizes[-1] == max(sizes) == 1 + 2 * 16


def test_every_prompt_begins_with_the_same_instruction():
    model = Replies(*["toggle"] * 20)
    play(make("naive", ROOM, model), ROOM, [WALL] * 20)
    assert len({messages[0] for messages, _ in model.asked}) == 1


# --------------------------------------------------------------------------- building


def test_a_failing_model_fails_the_decision():
    class Refusing(Replies):
        async def generate(self, messages, settings):
            raise ModelRefused("No such model.")

    with pytest.raises(ModelRefused, match="No such model"):
        play(make("naive", ROOM, Refusing()), ROOM, [WALL])


@pytest.mark.parametrize("policy", [*POLICIES, "few_shot"])
def test_a_model_is_needed(policy):
    assert agents.needs_model(policy)
    with pytest.raises(UsageError, match=r"--model provider/name|recorded episodes"):
        agents.build(AgentConfig(policy=policy))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            AgentConfig(policy="nave"),
            "There is no agent named 'nave'. Did you mean 'naive'\\? `embodied list agents` lists them all.",
        ),
        (AgentConfig(parse=ParseConfig("lenent")), "parsing policy named 'lenent'"),
        (AgentConfig(history=HistoryConfig(text=0)), "would see nothing"),
        (AgentConfig(history=HistoryConfig(text=-1)), "cannot be negative"),
        (AgentConfig(script=["north"]), "agent.script is for the agents `scripted` and `constant`"),
        (
            AgentConfig(demonstrations=DemonstrationConfig(runs=["x"])),
            "agent.demonstrations is for the agent `few_shot`",
        ),
        (AgentConfig(demonstrations=DemonstrationConfig(episodes=0)), "episodes and max_steps of at least 1"),
        (AgentConfig(demonstrations=DemonstrationConfig(min_progress=1.5)), "min_progress between 0 and 1"),
    ],
)
def test_bad_configurations(config, message):
    with pytest.raises(UsageError, match=message):
        agents.build(config, Replies())


def test_unknown_names_are_told_apart():
    with pytest.raises(UnknownName):
        agents.build(AgentConfig(policy="nave"), Replies())


def test_text_parts_only_where_there_is_no_picture():
    model = Replies("toggle")
    play(make("naive", ROOM, model), ROOM, [WALL])
    assert all(isinstance(p, Text) for m in model.asked[0][0] for p in m.parts)
