"""Corrections in a run: what is recorded, and that an interrupted run is, byte for byte, the run that was not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from embodied import agents, correctors
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig, ParseConfig
from embodied.correctors import CorrectorConfig
from embodied.errors import PromptTooLong
from embodied.rollout.channel import Channel
from embodied.rollout.control import Speak
from embodied.rollout.spend import used
from embodied.seeding import derive, generator
from embodied.store.events import calls_of, corrections
from embodied.types import Correction, Decision, Message, Mission, Observation, Review, TaskSpec, Text
from tests.rollout.playing import TASK, Hashing, content, make_run, play, stop_at
from tests.rollout.test_channel import Thinking, playing

ADVISED = TaskSpec(TASK.env, TASK.task, {**TASK.kwargs, "expert": True})
OFTEN = CorrectorConfig("oracle", silence=0.3, wrong=0.3, lasts=2)


class Chatting:
    """A corrector that asks a model of its own, and speaks, stays silent or has nothing to say, by step number. What it
    says never names an action, so that it counts for three steps."""

    def begin(self, mission, rng) -> None:
        self.recalled = []

    async def review(self, observation, decision):
        step = observation.step
        if step % 3 == 0:
            return Correction(text=f"Mind the wall, {step}.", how="critic", by="critic", lasts=3)
        return Review(by="critic") if step % 3 == 1 else None

    def recall(self, step) -> None:
        self.recalled.append(step.index)

    def end(self, outcome) -> None:
        pass


def corrected(run, specs, config, model=None, corrector=OFTEN, **keywords):
    """Plays with a corrector."""
    made = (lambda spec: correctors.build(corrector, spec)) if isinstance(corrector, CorrectorConfig) else corrector
    return play(run, specs, config, model, make_corrector=made, **keywords)


@pytest.mark.parametrize(
    ("config", "corrector"),
    [
        (AgentConfig(policy="naive", history=HistoryConfig(text=3)), OFTEN),
        (
            AgentConfig(
                policy="cot",
                parse=ParseConfig("reask"),
                history=HistoryConfig(policy="blocks", text=6, block=3, thought=2),
            ),
            replace(OFTEN, delay=2),
        ),
        (AgentConfig(policy="random"), OFTEN),
        (AgentConfig(policy="naive"), lambda spec: Chatting()),
        (AgentConfig(policy="naive", corrections="paragraph"), lambda spec: Chatting()),
    ],
    ids=["naive", "cot, late words", "random", "words that last", "words as a paragraph"],
)
def test_interrupted_and_resumed_is_as_if_never_interrupted(tmp_path, config, corrector):
    whole, broken = Hashing(), Hashing()
    run, specs = make_run(tmp_path / "whole", 2, ADVISED)
    corrected(run, specs, config, whole, corrector, concurrency=2)
    run, specs = make_run(tmp_path / "broken", 2, ADVISED)
    for step in (1, 3, 4):
        assert corrected(run, specs, config, broken, corrector, concurrency=2, at_step=stop_at(step)).interrupted
    assert not corrected(run, specs, config, broken, corrector, concurrency=2).interrupted
    assert content(tmp_path / "broken") == content(tmp_path / "whole")
    assert broken.asked == whole.asked, "no model call is made twice"
    for spec in specs:
        spoken = corrections(run.steps(spec.id))
        assert spoken and all(c.ended is not None and c.why and c.status in ("committed", "superseded") for c in spoken)
        assert all(c.applied == c.opened <= c.ended < c.opened + c.lasts for c in spoken)
        assert len({c.id for c in spoken}) == len(spoken)


def test_the_agent_decides_again_and_hears_it_in_its_prompt(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    corrected(run, specs, AgentConfig(policy="naive"), Hashing(), CorrectorConfig("oracle", wordings=1))
    steps = [s for s in run.steps(specs[0].id) if s.events]
    for step in steps:
        (event,) = step.events
        said = Message("user", (Text(f"\nA person who watches you says: {event.text}"),))
        first, second = event.superseded.calls[0].messages, step.decision.calls[0].messages
        assert second == (*first, said)
        assert event.resolved == event.text == step.observation.expert


def test_the_expert_speaks_to_the_corrector_alone(tmp_path):
    seen = []

    class Watching:
        def __init__(self, spec):
            self._agent = agents.build(AgentConfig(policy="random"), spec=spec)
            self.begin, self.hear, self.end = self._agent.begin, self._agent.hear, self._agent.end

        async def act(self, observation):
            seen.append(observation.expert)
            return await self._agent.act(observation)

        def recall(self, step):
            seen.append(step.observation.expert)
            self._agent.recall(step)

    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    corrected(run, specs, None, make_agent=Watching, at_step=stop_at(2))
    corrected(run, specs, None, make_agent=Watching)
    assert set(seen) == {""}
    assert all(step.observation.expert for step in run.steps(specs[0].id))


def test_a_run_without_a_corrector_says_nothing_of_events(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs)
    folder = run.folder(specs[0].id)
    for name in ("steps.jsonl", "episode.json"):
        assert all("events" not in json.loads(line) for line in (folder / name).read_text().splitlines())


def test_every_call_is_paid_for_that_of_a_superseded_decision_too(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    model = Hashing()
    corrected(run, specs, AgentConfig(policy="naive"), model)
    steps = list(run.steps(specs[0].id))
    episode = run.episode(specs[0].id)
    calls = [call for step in steps for call in calls_of(step)]
    assert len(calls) == model.asked > len(steps)
    assert episode.usage.input == sum(call.reply.usage.input for call in calls) == used(run).input
    assert episode.counts["replies"] == model.asked
    assert episode.counts["corrections"] == len(corrections(steps))
    (run.folder(specs[0].id) / "episode.json").unlink()
    assert used(run).input == episode.usage.input


class FailingSecond(Hashing):
    """A model that refuses every prompt with a correction in it."""

    async def generate(self, messages, settings):
        if "A person who watches" in messages[-1].parts[0].text:
            raise PromptTooLong("No room for words.")
        return await super().generate(messages, settings)


def test_a_correction_that_no_decision_could_hear_is_kept_and_paid_for(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    model = FailingSecond()
    corrected(run, specs, AgentConfig(policy="naive"), model, CorrectorConfig("oracle"))
    episode = run.episode(specs[0].id)
    assert episode.outcome == "refused"
    (event,) = episode.events
    assert (event.status, event.why, event.ended) == ("discarded", "episode end", episode.steps)
    assert episode.usage.input > 0 and len(event.superseded.calls) == 1


class Rude:
    """A corrector that fails."""

    def begin(self, mission, rng) -> None: ...

    async def review(self, observation, decision):
        return "left!"

    def recall(self, step) -> None: ...

    def end(self, outcome) -> None: ...


def test_a_corrector_that_answers_something_else_is_one_sentence(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, ADVISED)
    corrected(run, specs, None, corrector=lambda spec: Rude())
    assert run.episode(specs[0].id).error == (
        "The corrector's `review` must give a Correction, a Review or None, not 'left!'."
    )


def test_what_the_oracle_says_depends_on_the_step_alone():
    oracle = correctors.build(CorrectorConfig("oracle", silence=0.5, wrong=0.5))
    oracle.begin(_mission(), generator(derive(3, "corrector")))
    other = correctors.build(CorrectorConfig("oracle", silence=0.5, wrong=0.5))
    other.begin(_mission(), generator(derive(3, "corrector")))
    said = [oracle._advice(_seen(step), Decision("b")) for step in range(60)]
    assert said[::-1] == [other._advice(_seen(step), Decision("b")) for step in reversed(range(60))]
    assert 15 < said.count("") < 45 and {"a", "c"} < set(said)


def test_wrong_advice_is_neither_the_experts_nor_the_agents_own_action():
    oracle = correctors.build(CorrectorConfig("oracle", wrong=1.0))
    oracle.begin(_mission(), generator(derive(3, "corrector")))
    said = {oracle._advice(_seen(step), Decision("b")) for step in range(60)}
    assert _seen(0).expert not in said and said == set(_mission().actions) - {_seen(0).expert, "b"}
    two = correctors.build(CorrectorConfig("oracle", wrong=1.0))
    two.begin(Mission("", {_seen(0).expert: "", "b": ""}), generator(derive(3, "corrector")))
    assert {two._advice(_seen(step), Decision("b")) for step in range(20)} == {"b"}, "no other action is there"


def _mission():
    return Mission("goal", {"a": "", "b": "", "c": ""}, default_action="a")


def _seen(step):
    return Observation("", expert="a", step=step)


def test_a_person_and_a_corrector_speak_in_one_step(tmp_path):
    """Both are heard, the person first; neither ends the other's words; only a speaker's newer words do."""
    run, specs = make_run(tmp_path / "run", 1)
    channel = Channel()
    channel.submit(Speak("look around", lasts=9))
    steps = asyncio.run(playing(run, specs, channel, Thinking(), make_corrector=lambda spec: Chatting()))
    heard = [line for line in _prompt(steps[3].decision).splitlines() if line.startswith("A person who")]
    assert [line.rpartition(": ")[2] for line in heard] == ["look around", "Mind the wall, 3."]
    said = {c.text: c for c in corrections(steps)}
    assert (said["look around"].ended, said["look around"].why) == (8, "time-out")
    assert said["Mind the wall, 0."].why == "time-out" and len(said) == 5
    assert [c.id for c in said.values()][:2] == ["0-c1", "0-1"]


def _prompt(decision):
    return "".join(getattr(part, "text", "") for m in decision.calls[0].messages[-2:] for part in m.parts)
