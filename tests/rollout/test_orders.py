"""Whatever happens in whatever order: no word is lost or doubled, each has its end, and a resumed agent is asked what
the uninterrupted one was.

A person, a corrector, an environment with frames and a model do things at random moments of real episodes, which fail,
are stopped and continue.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.blobs import MemoryBlobs
from embodied.errors import EnvironmentFailure, ModelUnavailable
from embodied.rollout import control
from embodied.rollout.assisting import Assisted
from embodied.rollout.channel import Channel
from embodied.rollout.episode import run_episode
from embodied.rollout.worlds.environment import Answer, LocalEnvironment, Start
from embodied.seeding import derive
from embodied.store.run import SCORED, Run
from embodied.types import (
    Correction,
    Decision,
    EpisodeSpec,
    Event,
    Label,
    Message,
    Observation,
    Reply,
    Review,
    Settings,
    Step,
    TaskSpec,
    Usage,
)
from tests.rollout.playing import make_run

ORDERS, BLOCKS = 1_000, 5
KETTLE = TaskSpec("gym:tests.envs.timed:Kettle-v0", "")
CONFIG = AgentConfig(policy="naive", history=HistoryConfig(text=4))
FINAL = ("committed", "discarded", "superseded")


class Chance:
    """Draws what happens next in one episode, and keeps what must be found in its record."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.channel = Channel()
        self.receipts: list[control.Receipt] = []
        self.said = 0
        self.tokens = 0
        self.by_corrector: list[str] = []
        self.stopping = asyncio.Event()
        self.calm = False
        """Nothing else goes wrong, so that the episode comes to its end."""

    def word(self) -> str:
        self.said += 1
        return f"{self.rng.choice(('heat', 'no, rest', 'mind'))} {self.said}!"

    def command(self) -> control.Command:
        rng = self.rng
        makers = (
            lambda: control.Speak(self.word(), lasts=rng.randint(1, 4)),
            lambda: control.Speak(rng.choice(("heat", "rest")), lasts=rng.randint(1, 4)),
            lambda: control.Speak(" "),
            control.EndCorrection,
            control.Pause,
            control.GoOn,
            control.SingleStep,
            control.TakeOver,
            lambda: control.Act(rng.choice(("heat", "Rest", "fly"))),
            control.GiveBack,
            lambda: control.Label(self.word(), rng.choice((None, 0, 1))),
            lambda: control.Branch(rng.randint(0, 3)),
            control.Lost,
        )
        return rng.choice((*makers, *makers[:2] * 3, *makers[7:10]))()

    def maybe(self, share: float = 0.12) -> None:
        """A person may do something now."""
        while self.rng.random() < share:
            ends = self.rng.random() < 0.02 and not self.calm
            self.receipts.append(self.channel.submit(control.End() if ends else self.command()))

    def waits(self, thinking: bool) -> None:
        if not thinking:
            asyncio.get_running_loop().call_soon(self.go_on)

    def go_on(self) -> None:
        if self.channel.control.next() is control.Next.WAIT:
            commands = (control.GiveBack(), control.GoOn()) if self.rng.random() < 0.5 else (control.Act("heat"),)
            for command in (*commands, control.SingleStep()):
                self.receipts.append(self.channel.submit(command))
            asyncio.get_running_loop().call_soon(self.go_on)


class Model:
    """Thinks for a moment, and may fail."""

    name = "model"

    def __init__(self, chance: Chance):
        self.chance = chance

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        chance = self.chance
        for _ in range(chance.rng.randrange(3)):
            await asyncio.sleep(0)
            chance.maybe()
        if chance.rng.random() < 0.03 and not chance.calm:
            raise ModelUnavailable("The model is away.")
        chance.tokens += 10
        return Reply(
            chance.rng.choice(("heat", "heat", "heat", "heat", "heat", "rest", "well")), usage=Usage(input=10, output=1)
        )

    async def aclose(self) -> None:
        pass


class Corrector:
    """Speaks at random moments."""

    def __init__(self, chance: Chance):
        self.chance = chance

    def begin(self, mission, rng) -> None: ...

    async def review(self, observation: Observation, decision: Decision) -> Correction | Review | None:
        chance = self.chance
        if chance.rng.random() < 0.2:
            await asyncio.sleep(0)
            chance.maybe()
        if chance.rng.random() < 0.3:
            chance.by_corrector.append(chance.word())
            return Correction(text=chance.by_corrector[-1], how="critic", by="critic", lasts=chance.rng.randint(1, 3))
        return Review(by="critic") if chance.rng.random() < 0.2 else None

    def recall(self, step: Step) -> None: ...

    def end(self, outcome) -> None: ...


class Here:
    """An environment in this process, whose steps take a moment."""

    def __init__(self, chance: Chance):
        self.chance, self.env, self.cut = chance, LocalEnvironment(KETTLE, MemoryBlobs()), False

    async def reset(self, seed: int) -> Start:
        return self.env.reset(seed)

    async def step(self, action: str, interrupt_at: int | None = None) -> Answer:
        chance, self.cut = self.chance, False
        if interrupt_at is None:
            await asyncio.sleep(0)
            chance.maybe()
            if chance.rng.random() < 0.004 and not chance.calm:
                raise EnvironmentFailure("The kettle broke.")
        return self.env.step(action, interrupt_at=interrupt_at, broken_off=lambda: self.cut)

    def interrupt(self) -> None:
        self.cut = True


async def session(run: Run, spec: EpisodeSpec, chance: Chance, corrected: bool) -> bool:
    """Plays until the episode ends in whatever way. Whether it began anew."""
    before = run.result(spec.id)
    again = before is not None and before.outcome == "infra_failure"
    writer = run.claim(spec, again)
    chance.channel, chance.stopping = Channel(thinking=chance.waits), asyncio.Event()
    chance.maybe(0.05)
    agent = agents.build(CONFIG, Model(chance), spec=spec)

    def on_step(spec: EpisodeSpec, step: Step) -> None:
        chance.maybe()
        if chance.rng.random() < 0.03 and not chance.calm:
            chance.stopping.set()

    corrector = Corrector(chance) if corrected else None
    await run_episode(spec, Here(chance), agent, writer, on_step, chance.stopping, corrector, chance.channel)
    return again


def records(run: Run, spec: EpisodeSpec) -> list[Event]:
    """Every event of the episode and of earlier attempts, and nothing twice."""
    steps = [event for step in run.steps(spec.id) for event in step.events]
    return [*steps, *run.result(spec.id).events]


def check_words(chance: Chance, found: list[Event]) -> None:
    accepted = [r for r in chance.receipts if isinstance(r.command, control.Speak) and r.status != "refused"]
    corrections = [event for event in found if isinstance(event, Correction)]
    lives: dict[str, list[Correction]] = {}
    for event in corrections:
        lives.setdefault(event.id, []).append(event)
    assert Counter(life[0].text for life in lives.values()) == Counter(
        [r.command.text for r in accepted] + chance.by_corrector
    )
    for first, *rest in lives.values():
        assert len(rest) <= 1 and {event.text for event in (first, *rest)} == {first.text}
        last = rest[0] if rest else first
        assert last.status in FINAL and last.why and last.ended is not None, last
        if rest:
            assert first.status == "applied" and first.ended is None and last.superseded is None
        assert last.why != "done" or last.resolved
        assert last.status != "discarded" or last.applied is None
    assert Counter(event.text for event in found if isinstance(event, Label)) == Counter(
        r.command.label for r in chance.receipts if isinstance(r.command, control.Label) and r.status != "refused"
    )
    assert all(r.final for r in chance.receipts)


class Asked(Exception):
    """The prompt that a resumed agent would send."""

    def __init__(self, messages: Sequence[Message]):
        self.messages = tuple(messages)


class Catching(Model):
    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        raise asyncio.CancelledError from Asked(messages)


async def check_prompt(run: Run, spec: EpisodeSpec, chance: Chance, corrected: bool) -> bool:
    """A resumed agent asks what the uninterrupted one asked; at a step in which nothing else happened."""
    steps = list(run.steps(spec.id))
    quiet = [s.index for s in steps if s.index and not s.events and s.decision.calls]
    if not quiet:
        return False
    at = chance.rng.choice(quiet)
    agent = agents.build(CONFIG, Catching(chance), spec=spec)
    assisted = Assisted(agent, Corrector(chance) if corrected else None)
    mission = run.result(spec.id).mission
    assisted.begin(mission, spec)
    for step in steps[:at]:
        assisted.recall(step)
    observation = steps[at].observation
    try:
        if chance.rng.random() < 0.5:  # with a channel, and without one
            channel = Channel()
            channel.begin(mission, observation, at, assisted)
            await channel.turn(observation, assisted, asyncio.Event())
        else:
            await assisted.decide(observation)
    except asyncio.CancelledError as caught:
        assert isinstance(caught.__cause__, Asked)
        assert caught.__cause__.messages == steps[at].decision.calls[0].messages
    return True


async def order(run: Run, spec: EpisodeSpec, seed: int) -> bool:
    chance = Chance(derive(seed, "orders"))
    corrected, earlier = chance.rng.random() < 0.7, []
    for number in range(9):
        chance.calm = number == 8
        if number and (before := run.result(spec.id)).outcome in SCORED:
            break
        if number and before.outcome == "infra_failure":  # it begins anew: what was said stays in that attempt
            check_words(chance, records(run, spec))
            chance.receipts, chance.by_corrector, chance.tokens = [], [], 0
        await session(run, spec, chance, corrected)
    result = run.result(spec.id)
    assert result.outcome in SCORED, earlier
    check_words(chance, records(run, spec))
    assert result.usage.input - result.usage.estimated == chance.tokens  # every call that was answered, once
    return await check_prompt(run, spec, chance, corrected)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_under_any_order_no_word_is_lost_or_doubled(tmp_path: Path, block: int) -> None:
    run, specs = make_run(tmp_path / "run", ORDERS // BLOCKS, KETTLE)

    async def play() -> list[bool]:
        return [await order(run, spec, block * ORDERS + n) for n, spec in enumerate(specs)]

    assert sum(asyncio.run(play())) > ORDERS // BLOCKS // 3
