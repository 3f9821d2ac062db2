"""Recorded steps as an agent was asked for them, or as another agent would have been: prompt and answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from embodied import agents
from embodied.agents.config import AgentConfig, HistoryConfig
from embodied.agents.formats import Format, Marked, Plain, Tagged
from embodied.blobs import Blobs
from embodied.seeding import generator
from embodied.store.events import spoken
from embodied.store.index import CORRECTION
from embodied.store.run import Run
from embodied.types import Episode, Message, Mission, Reply, Settings, Step, Takeover, Text

UNREAD = "without a readable, valid answer"
TAKEN_OVER = "in which somebody took over"
NOT_ASKED = "in which no model was asked, as with agent.follow=true"
UNRECORDED = "without a record of what was asked"


class ChatTurn(NamedTuple):
    """A step as a training example."""

    step: Step
    prompt: tuple[Message, ...]
    reply: Reply
    counted: tuple[str, ...] = ()
    """The texts of the corrections that counted in the step, in the order in which they were spoken."""

    @property
    def tells_words(self) -> bool:
        """Whether the prompt has the words of a correction."""
        return any(CORRECTION in part.text for m in self.prompt for part in m.parts if isinstance(part, Text))


class _Recorded:
    """A model that gives one prepared answer: it lets an agent write the prompt that it would have sent."""

    name = "recorded"
    chooses = True

    def __init__(self) -> None:
        self.answer = ""

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        return Reply(self.answer)

    async def aclose(self) -> None:
        pass


def turns(run: Run, episode: Episode, damaged: list[str], left_out: Counter[str] | None = None) -> Iterator[ChatTurn]:
    """The steps of an episode that can serve as examples.

    Args:
        run: The run.
        episode: One of it that has ended.
        damaged: Takes a sentence for each line that cannot be read.
        left_out: Counts the other steps, by the reason why they cannot.
    """
    left_out = Counter() if left_out is None else left_out
    steps = list(run.steps(episode.spec.id, damaged))
    counted = counted_in(steps)
    asked = any(s.decision.calls for s in steps)
    told: Sequence[ChatTurn | None] = [None] * len(steps)
    if asked:
        told = [_as_asked(step) for step in steps]
    elif episode.mission is not None:
        told = as_naive(episode, episode.mission, steps)
    for step, turn in zip(steps, told, strict=True):
        if turn is None:
            taken = any(isinstance(e, Takeover) for e in step.events)
            left_out[UNRECORDED if not asked else TAKEN_OVER if taken else NOT_ASKED] += 1
        elif not (step.valid and (step.decision.parsed or not asked)):
            left_out[UNREAD] += 1
        else:
            yield turn._replace(counted=counted.get(step.index, ()))
    if (missing := episode.steps - len(steps)) > 0:
        left_out[UNRECORDED] += missing


def _as_asked(step: Step) -> ChatTurn | None:
    """A step with the prompt that was sent; None where none was."""
    calls = step.decision.calls
    return ChatTurn(step, calls[0].messages, calls[-1].reply) if calls else None


def counted_in(steps: Sequence[Step]) -> dict[int, tuple[str, ...]]:
    """The texts of the corrections that counted in each step of an episode; steps without any are left out."""
    spans = [
        (c.applied, c.applied + c.lasts - 1 if c.ended is None else c.ended, c.text)
        for c in spoken(event for step in steps for event in step.events)
        if c.applied is not None
    ]
    found = {s.index: tuple(text for first, last, text in spans if first <= s.index <= last) for s in steps}
    return {index: texts for index, texts in found.items() if texts}


def as_naive(episode: Episode, mission: Mission, steps: Iterable[Step]) -> list[ChatTurn]:
    """Every step of an episode with the prompt that the agent `naive` would have sent, and what was executed as its
    answer.
    """
    config = AgentConfig(policy="naive", history=HistoryConfig(image=int(shows_pictures(episode))))
    return as_agent(config, episode, mission, steps)


def as_agent(
    config: AgentConfig, episode: Episode, mission: Mission, steps: Iterable[Step], blobs: Blobs | None = None
) -> list[ChatTurn]:
    """Every step of an episode with the prompt that another agent would have sent in it, and what was executed as that
    agent's answer, in the form that it is asked for, without a thought.

    Args:
        config: The other agent's. It is never corrected here.
        episode: Who played it does not matter.
        mission: The episode's.
        steps: The episode's, from the first.
        blobs: The run's, for an agent with a perception.
    """
    return asyncio.run(_as_agent(replace(config, follow=False), episode, mission, steps, blobs))


def form_of(policy: str, format: str | None) -> Format:
    """The form in which an agent is asked for its action (`AgentConfig.policy`, `AgentConfig.format`)."""
    if format == "choice":
        return Plain()
    forms: dict[str, Format] = {
        "robust_naive": Tagged(thinks=False),
        "cot": Marked(),
        "robust_cot": Tagged(thinks=True),
    }
    return forms.get(policy, Plain())


def asked_last(format: str | None) -> int:
    """Which call of a decision asked for the action: the first, or with `agent.format=choice` the last, because an
    agent that thinks asks for its thought first.
    """
    return -1 if format == "choice" else 0


async def _as_agent(
    config: AgentConfig, episode: Episode, mission: Mission, steps: Iterable[Step], blobs: Blobs | None
) -> list[ChatTurn]:
    model, form = _Recorded(), form_of(config.policy, config.format)
    agent = agents.build(config, model, blobs=blobs)
    agent.begin(mission, generator(episode.spec.agent_seed))
    told = []
    for step in steps:
        model.answer = form.wrap(step.executed)
        call = (await agent.act(step.observation)).calls[asked_last(config.format)]
        told.append(ChatTurn(step, call.messages, call.reply))
    agent.end(episode.outcome)
    return told


def shows_pictures(episode: Episode) -> bool:
    return episode.last is not None and episode.last.image is not None
