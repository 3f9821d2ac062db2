"""One episode at the desk: what is known of it now, who controls it, and its channel."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import astuple, dataclass, field, replace
from itertools import islice
from typing import Any

import msgspec

from embodied.agents.resolving import Resolution, resolve
from embodied.agents.vocabulary import Commands, Vocabulary, accepted, present
from embodied.models.prices import Price
from embodied.rollout import control
from embodied.rollout.assisting import Assisted
from embodied.rollout.branching import first_own
from embodied.rollout.channel import Channel, Turn
from embodied.rollout.control import Receipt
from embodied.rollout.worlds.environment import Answer
from embodied.rollout.worlds.watching import Watcher
from embodied.rollout.worlds.workers import Environment
from embodied.store.events import calls_of, corrections
from embodied.types import (
    Correction,
    Decision,
    Episode,
    EpisodeSpec,
    Event,
    Label,
    Mission,
    Observation,
    Step,
    Takeover,
    Usage,
)

Tell = Callable[[str, dict[str, Any]], None]
"""Takes the kind of an event, and what it says."""


@dataclass
class Lease:
    """Who controls an episode: one connection at a time."""

    holder: str = ""
    """Key of the page that has it; empty where it is free."""
    by: str = ""
    """Label of the person, for the record."""
    lost: bool = False
    """The connection was cut. The page that comes back with the key goes on."""


@dataclass
class Live:
    """What the desk knows of one episode, from its beginning until the run ends.

    Args:
        tell: Hears each event, in order.
    """

    spec: EpisodeSpec
    tell: Tell
    price: Price | None = None
    recorded: Callable[[], Iterable[Step]] = tuple
    """The steps that are recorded when the episode begins: of a branch, or of an attempt before."""
    relabel: Callable[[Label], object] = lambda label: None
    """Keeps a label that is given after the end. Raises `EmbodiedError` where it cannot."""
    unheard: tuple[Correction, ...] = ()
    """Words of an attempt before that no executed decision had heard. A person says them again, or drops them."""
    watcher: Watcher | None = None
    """Sees the frames of the steps that follow; None while nobody looks."""
    real_time: bool = True
    """While somebody watches the frames, a second of the environment's time takes a second."""
    lease: Lease = field(default_factory=Lease)
    mission: Mission | None = None
    observation: Observation | None = None
    decision: Decision | None = None
    """The one that is about to be executed."""
    held: bool = False
    """It waits for a person."""
    superseded: Decision | None = None
    """The one that words took the place of in this step, with its prompt."""
    weighing: bool = False
    """A person asked how likely each action is: one more call of the model for each decision."""
    weighed: dict[str, float] | None = None
    """What that call said of the present decision."""
    deciding: bool = False
    waiting: bool = False
    """The episode waits for a person."""
    ended: Episode | None = None
    usage: Usage = field(default_factory=Usage)
    return_: float = 0.0
    progress: float | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)
    """One short line for each step, for the timeline."""

    def __post_init__(self) -> None:
        self.channel = _Watched(self)

    # ----------------------------------------------------------------- what the loop says

    def begun(self, mission: Mission, played: int) -> None:
        self.mission = mission
        if not self.steps:
            for step in islice(self.recorded(), played):
                self._add(step)
        steps = list(self.steps)  # the event is kept, and may be told again later
        told = {"mission": mission, "steps": steps, "cost": self.cost(), "progress": self.progress}
        self.tell("begun", told | {"weighs": self.channel.weighs is not None})

    def observed(self, observation: Observation) -> None:
        self.observation, self.decision, self.deciding = observation, None, True
        self.held, self.superseded, self.weighed = False, None, None
        self.tell("observation", {"observation": hidden(observation)})

    def decided(self, decision: Decision) -> None:
        self._decided(decision, held=False)

    def intended(self, decision: Decision) -> None:
        """What a paused agent would do."""
        self._decided(decision, held=True)

    def _decided(self, decision: Decision, held: bool) -> None:
        before = self.decision
        if before is not None and before is not decision:
            self.weighed = None
            if before.calls:
                self.superseded = before
        self.decision, self.held, self.deciding = decision, held, False
        self.tell("decision", self._decision() | {"step": self.step})

    def _decision(self) -> dict[str, Any]:
        """The present decision, and the one before it, as the page shows them."""
        now, before = (None if one is None else short(one) for one in (self.decision, self.superseded))
        if now is not None and self.weighed is not None and self.weighing:
            now["weighed"] = self.weighed
        return {"decision": now, "superseded": before, "held": self.held}

    def wants_weights(self, on: bool) -> None:
        """A person wants to know how likely each action is, or does not any more."""
        self.weighing = on
        self.tell("weighing", {"weighing": on})
        if self.decision is not None:
            self.tell("decision", self._decision() | {"step": self.step})

    async def weigh(self, ask: Callable[[Decision], Awaitable[dict[str, float] | None]]) -> None:
        """Asks how likely each action was, and tells it if the decision is still the present one."""
        decision = self.decision
        if decision is None or self.weighed is not None or short(decision)["weighed"]:
            return
        weighed = await ask(decision)
        if weighed and decision is self.decision:
            self.weighed = weighed
            self.tell("decision", self._decision() | {"step": self.step})

    def thinking(self, thinking: bool) -> None:
        self.waiting = not thinking
        self.tell("waiting", {"waiting": self.waiting, "mode": self.mode})

    def received(self, receipt: Receipt) -> None:
        self.tell("receipt", {"receipt": told(receipt), "mode": self.mode})

    def stepped(self, step: Step) -> None:
        """A step was executed and recorded."""
        self.deciding = False
        line = self._add(step)
        events = [_event(e) for e in step.events]
        self.tell("step", {"line": line, "events": events, "cost": self.cost(), "mode": self.mode})

    def _add(self, step: Step) -> dict[str, Any]:
        """A step's line in the timeline. What a branch repeats was paid for by its parent."""
        for call in calls_of(step) if step.index >= first_own(self.spec) else ():
            self.usage = Usage(*(a + b for a, b in zip(astuple(self.usage), astuple(call.reply.usage), strict=True)))
        self.return_ += step.reward
        self.progress = step.progress
        line = {
            "index": step.index,
            "executed": step.executed,
            "valid": step.valid,
            "reward": step.reward,
            "progress": step.progress,
            "words": [c.text for c in corrections([step]) if c.opened == step.index],
            "person": any(isinstance(e, Takeover) for e in step.events),
        }
        self.steps.append(line)
        return line

    def finished(self, episode: Episode) -> None:
        """The episode has ended."""
        self.ended, self.deciding, self.waiting = episode, False, False
        self.tell("ended", {"outcome": episode.outcome, "success": episode.success, "progress": episode.progress,
                            "error": episode.error, "steps": episode.steps, "mode": self.mode})  # fmt: skip

    # ----------------------------------------------------------------- what the page asks

    def afterwards(self, command: control.Label | control.Branch) -> Receipt:
        """What a person does with an episode that has ended: it is labelled beside its record, or a branch goes on.

        Raises:
            EmbodiedError: It cannot be done.
        """
        known = self.channel.control.receipts
        played = len(self.steps)
        receipt = Receipt(max((r.id for r in known), default=0) + 1, command, played, "done", "", played, ended=played)
        if isinstance(command, control.Label):
            self.relabel(Label(text=command.label, by=command.by, step=command.step))
        else:
            receipt.episode = self.channel.control.branch(command)
        known.append(receipt)
        self.received(receipt)
        return receipt

    def let_go(self, id_: str) -> Correction | None:
        """Takes words from those that nobody heard; None where there are none of that id."""
        found = next((words for words in self.unheard if words.id == id_), None)
        if found is not None:
            self.unheard = tuple(words for words in self.unheard if words is not found)
            self.tell("unheard", {"unheard": self._unheard()})
        return found

    def _unheard(self) -> list[dict[str, Any]]:
        return [{"id": w.id, "text": w.text, "by": w.by, "step": w.opened, "lasts": w.lasts} for w in self.unheard]

    @property
    def step(self) -> int:
        return self.observation.step if self.observation is not None else 0

    @property
    def mode(self) -> str:
        return self.channel.control.mode.value

    @property
    def commands(self) -> Vocabulary | Commands | None:
        """What is accepted at present; None before the episode has begun."""
        if self.mission is None:
            return None
        now = self.mission if self.observation is None else present(self.mission, self.observation)
        return accepted(now)

    def resolve(self, words: str) -> Resolution:
        """The action that words name at present."""
        now = self.commands
        return Resolution() if now is None else resolve(words, now)

    def cost(self) -> dict[str, Any]:
        """Tokens and dollars so far."""
        dollars = None if self.price is None else self.price.cost(self.usage)
        return {"input": self.usage.input, "output": self.usage.output, "dollars": dollars}

    def snapshot(self) -> dict[str, Any]:
        """All that a page needs to begin."""
        return {
            "id": self.spec.id,
            "env": self.spec.task.env,
            "task": self.spec.task.task,
            "seed": self.spec.seed,
            "index": self.spec.index,
            "parent": getattr(self.spec, "parent", None) or None,
            "mission": self.mission,
            "observation": None if self.observation is None else hidden(self.observation),
            **self._decision(),
            "unheard": self._unheard(),
            "weighs": self.channel.weighs is not None,
            "weighing": self.weighing,
            "deciding": self.deciding,
            "waiting": self.waiting,
            "real_time": self.real_time,
            "mode": self.mode,
            "steps": list(self.steps),
            "cost": self.cost(),
            "return": self.return_,
            "progress": self.progress,
            "outcome": self.ended.outcome if self.ended is not None else None,
            "receipts": [told(r) for r in self.channel.control.receipts[-50:]],
        }


class _Watched(Channel):
    """A channel whose desk sees what the loop does."""

    def __init__(self, live: Live):
        super().__init__(live.received, live.thinking, live.intended)
        self._live = live
        self._agent: object = None

    @property
    def weighs(self) -> Callable[[Decision], Awaitable[dict[str, float] | None]] | None:
        """How the agent says how likely each action was; None where it cannot."""
        return getattr(self._agent, "weigh", None) if getattr(self._agent, "weighs", False) else None

    def begin(
        self,
        mission: Mission,
        observation: Observation,
        played: int,
        assisted: Assisted,
        note: Callable[[Event], None] = lambda event: None,
    ) -> None:
        super().begin(mission, observation, played, assisted, note)
        self._agent = assisted.agent
        self._live.begun(mission, played)

    async def turn(self, observation: Observation, assisted: Assisted, stopping: asyncio.Event) -> Turn | None:
        self._live.observed(observation)
        turn = await super().turn(observation, assisted, stopping)
        if turn is not None:
            self._live.decided(turn.decision)
        return turn

    async def step(self, env: Environment, action: str) -> Answer:
        env.watcher = self._live.watcher
        return await super().step(env, action)


def hidden(observation: Observation) -> Observation:
    """An observation without the expert's advice."""
    return replace(observation, expert="")


def short(decision: Decision) -> dict[str, Any]:
    """A decision as the page shows it, with the last prompt as the model got it."""
    call = decision.calls[-1] if decision.calls else None
    weighed = call.reply.weighed if call is not None else msgspec.UNSET
    return {
        "action": decision.action,
        "parsed": decision.parsed,
        "thought": decision.thought,
        "weighed": None if isinstance(weighed, msgspec.UnsetType) else weighed,
        "chance": _chance(decision),
        "reply": call.reply.text if call is not None else None,
        "reasoning": call.reply.reasoning if call is not None else "",
        "seconds": call.reply.seconds if call is not None else None,
        "prompt": call.messages if call is not None else (),
        "notes": [note.text for note in decision.notes],
    }


def _chance(decision: Decision) -> float | None:
    """The probability of the reply as it was written, where it carries those of its tokens."""
    logs = decision.calls[-1].reply.logprobs if decision.calls else None
    return math.exp(sum(logs)) if logs and decision.parsed else None


def told(receipt: Receipt) -> dict[str, Any]:
    """A receipt as the page shows it."""
    command = receipt.command
    words = getattr(command, "text", None) or getattr(command, "phrase", None) or getattr(command, "label", None)
    return {
        "id": receipt.id,
        "command": type(command).__name__,
        "words": words,
        "by": getattr(command, "by", ""),
        "status": receipt.status,
        "why": receipt.why,
        "question": receipt.question,
        "opened": receipt.opened,
        "applied": receipt.applied,
        "ended": receipt.ended,
        "ended_by": receipt.ended_by,
    }


def _event(event: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": type(event).__name__, "by": event.by}
    if isinstance(event, Correction):
        told |= {"text": event.text, "resolved": event.resolved, "status": event.status, "why": event.why}
    return told | {name: getattr(event, name) for name in ("action", "frame") if getattr(event, name, None) is not None}
