"""The desk: all live episodes of a run, a numbered log of what happens in them, and who may control which.

It knows no HTTP. A page is a connection with a key; the server (`embodied.console.desk.server`) carries messages.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from embodied.agents.vocabulary import Commands, Vocabulary
from embodied.console.desk import messages
from embodied.console.desk.live import Lease, Live, told
from embodied.console.desk.messages import Message
from embodied.errors import EmbodiedError, UsageError
from embodied.models.prices import Price
from embodied.rollout import control
from embodied.rollout.channel import Channel
from embodied.rollout.worlds.watching import REAL_TIME, Shown, Watcher
from embodied.types import Correction, Decision, Episode, EpisodeSpec, Label, Recording, Step

KEPT = 10_000
"""Events that a page which comes back can still be told one by one. An older page gets the whole state."""
RESERVED = 30.0
"""Seconds for which a lost connection keeps its control."""

Json = dict[str, Any]


class Desk:
    """What people see of a run that is being played, and what they tell it. Use it in the run's event loop.

    It is a `Listener` of the run, and the source of its channels.

    Args:
        wait: Episodes begin paused, and play on only when a person says so.
        price: Of the agent's model, where it is known.
        reserved: Seconds for which a lost connection keeps its control.
        recorded: The steps of an episode that are recorded.
        relabel: Keeps a label of an episode that has ended.
        unheard: What was said to an attempt before, and no decision had heard.
    """

    def __init__(
        self,
        wait: bool = False,
        price: Price | None = None,
        reserved: float = RESERVED,
        recorded: Callable[[EpisodeSpec], Iterable[Step]] = lambda spec: (),
        relabel: Callable[[EpisodeSpec, Label], object] = lambda spec, label: None,
        unheard: Callable[[EpisodeSpec], Iterable[Correction]] = lambda spec: (),
    ):
        self._relabel, self._unheard = relabel, unheard
        self._weighing: set[asyncio.Task[None]] = set()
        self.wait, self.price, self.reserved, self._recorded = wait, price, reserved, recorded
        self.live: dict[str, Live] = {}
        self.number = -1
        """Of the newest event."""
        self._log: deque[tuple[int, Json]] = deque(maxlen=KEPT)
        self.hears: list[Callable[[Json], None]] = []
        """Each connected page: hears every event."""
        self._sees: dict[str, dict[str, Callable[[Shown], None]]] = {}
        """Episode -> key of a page -> what shows it a frame."""
        self._freeing: dict[str, asyncio.TimerHandle] = {}
        self.recordings: Callable[[str, str], AbstractContextManager[Recording | None]] = lambda key, digest: (
            nullcontext()
        )
        """Keeps the recording of a page while its words are sent (`embodied.console.desk.speech`)."""

    # ----------------------------------------------------------------- the run's side

    def channel(self, spec: EpisodeSpec) -> Channel:
        """The channel of an episode that begins."""
        episode = spec.id
        live = Live(
            spec,
            lambda kind, told: self._tell(episode, kind, told),
            self.price,
            partial(self._recorded, spec),
            partial(self._relabel, spec),
            tuple(self._unheard(spec)),
        )
        before = self.live.pop(episode, None)
        parent = self.live.get(spec.parent) if isinstance(spec.parent, str) else None
        if before is not None:
            live.lease = before.lease
        elif parent is not None and not parent.lease.lost:  # who branches goes on with both
            live.lease = replace(parent.lease)
        self.live[episode] = live
        self._look(live)
        if self.wait:
            live.channel.submit(control.Pause())
        self._tell(episode, "opened", {"snapshot": self._seen(live)})
        return live.channel

    def started(self, spec: EpisodeSpec) -> None:
        """Nothing: `channel` opens an episode."""

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        if (live := self.live.get(spec.id)) is not None:
            live.stepped(step)

    def ended(self, episode: Episode) -> None:
        if (live := self.live.get(episode.spec.id)) is not None:
            live.finished(episode)

    # ----------------------------------------------------------------- the pages' side

    def state(self) -> list[Json]:
        """Every episode as it is now."""
        return [self._seen(live) for live in self.live.values()]

    def since(self, number: int) -> list[Json] | None:
        """The events behind one; None where they are not kept any more, or never were."""
        if not (self._log[0][0] - 1 if self._log else self.number) <= number <= self.number:
            return None
        return [event for n, event in self._log if n > number]

    def answer(self, message: Message, key: str, by: str, may_control: bool) -> Json:
        """What becomes of a message.

        Args:
            message: What came.
            key: The page that sent it.
            by: Label of the person, for the record.
            may_control: Whether the page's token is that of a controller.

        Raises:
            UsageError: It cannot be done; one sentence.
        """
        live = self._live(message.episode)
        if isinstance(message, messages.Resolve):
            found = live.resolve(message.text)
            return {"resolved": found.action, "method": found.method, "score": found.score, "several": found.several}
        if not may_control:
            raise UsageError("This address only watches. Open the one that controls.")
        if isinstance(message, messages.Take):
            return self._take(live, key, by)
        if live.lease.holder != key:
            raise UsageError("You do not control this episode. Take control first.")
        if isinstance(message, messages.Leave):
            self._left(live)
            return {}
        if isinstance(message, messages.Pace):
            live.real_time = message.real_time
            self._look(live)
            self._tell(live.spec.id, "pace", {"real_time": live.real_time})
            return {}
        if isinstance(message, messages.Advice):
            return {"advice": live.observation.expert if live.observation is not None else ""}
        if isinstance(message, messages.Weigh):
            return self._weigh(live, message.on)
        if isinstance(message, messages.Unheard):
            return self._say_again(live, message, by)
        command = messages.command(message, by)
        if command is None:
            raise UsageError("A page says hello once, when it begins.")
        if live.ended is not None and isinstance(command, control.Label | control.Branch):
            return {"receipt": told(live.afterwards(command)), "mode": live.mode}
        if isinstance(command, control.Speak) and isinstance(message, messages.Speak) and message.recording:
            with self.recordings(key, message.recording) as recording:
                return self._submit(live, replace(command, recording=recording))
        return self._submit(live, command)

    def _submit(self, live: Live, command: control.Command) -> Json:
        receipt = live.channel.submit(command)
        if receipt.status == "refused":
            raise UsageError(receipt.why)
        return {"receipt": told(receipt), "mode": live.mode}

    def spoken_to(self, episode: str, key: str) -> Vocabulary | Commands | None:
        """What the episode accepts at present, for words that a page recorded.

        Raises:
            UsageError: There is no such episode, or the page does not control it.
        """
        live = self._live(episode)
        if not key or live.lease.holder != key:
            raise UsageError("You do not control this episode. Take control first.")
        return live.commands

    def watch(self, episode: str, key: str, see: Callable[[Shown], None]) -> None:
        """A page wants the frames of one episode, and of no other: they are drawn only for those who look."""
        self.unwatch(key)
        self._sees.setdefault(episode, {})[key] = see
        if (live := self.live.get(episode)) is not None:
            self._look(live)

    def unwatch(self, key: str) -> None:
        """A page wants no frames any more."""
        for episode, seen in self._sees.items():
            if seen.pop(key, None) is not None and (live := self.live.get(episode)) is not None:
                self._look(live)

    def connected(self, key: str) -> None:
        """A page is there, perhaps again."""
        for live in self._of(key):
            self._cancel(live)
            live.lease.lost = False
            self._lease(live)

    def lost(self, key: str) -> None:
        """A page has gone. What it controlled is held for it, and then free."""
        for live in self._of(key):
            live.lease.lost = True
            live.channel.submit(control.Lost())
            self._lease(live)
            loop = asyncio.get_running_loop()
            self._freeing[live.spec.id] = loop.call_later(self.reserved, self._left, live)

    # ----------------------------------------------------------------- inside

    def _live(self, episode: str) -> Live:
        live = self.live.get(episode)
        if live is None:
            raise UsageError(f"There is no episode {episode!r} at the desk.")
        return live

    def _of(self, key: str) -> Iterable[Live]:
        return [live for live in self.live.values() if key and live.lease.holder == key]

    def _say_again(self, live: Live, message: messages.Unheard, by: str) -> Json:
        """Says words again that nobody had heard, or drops them."""
        words = next((one for one in live.unheard if one.id == message.words), None)
        if words is None:
            raise UsageError("These words were said again or dropped already.")
        if message.again:
            said = control.Speak(words.text, words.how, by, words.lasts, recording=words.recording)
            receipt = live.channel.submit(said)
            if receipt.status == "refused":
                raise UsageError(receipt.why)
        live.let_go(words.id)
        return {"mode": live.mode}

    def _weigh(self, live: Live, on: bool) -> Json:
        """Begins or ends asking the model how likely each action is."""
        if on and live.channel.weighs is None:
            raise UsageError("This agent has no model that says how likely each action is.")
        live.wants_weights(on)
        return {}

    def _weigh_now(self, live: Live) -> None:
        """Asks about the present decision, if a person wants to know and looks."""
        ask = live.channel.weighs
        if live.weighing and live.decision is not None and ask is not None and self._sees.get(live.spec.id):
            asking = asyncio.ensure_future(self._weighed(live, ask))
            self._weighing.add(asking)
            asking.add_done_callback(self._weighing.discard)

    async def _weighed(self, live: Live, ask: Callable[[Decision], Awaitable[dict[str, float] | None]]) -> None:
        try:
            await live.weigh(ask)
        except EmbodiedError as error:  # the agent's own call says so where it matters
            live.weighing = False
            self._tell(live.spec.id, "weighing", {"weighing": False, "error": str(error)})

    def _take(self, live: Live, key: str, by: str) -> Json:
        if live.lease.holder not in ("", key):
            raise UsageError(f"{live.lease.by} controls this episode. Wait until they give it back.")
        self._cancel(live)
        live.lease = Lease(key, by)
        self._lease(live)
        return {"lease": self._told(live.lease)}

    def _left(self, live: Live) -> None:
        """Nobody controls an episode any more. It plays on, unless episodes wait for people."""
        self._free(live)
        if live.channel.control.mode is control.Mode.TAKEOVER:
            live.channel.submit(control.Lost())
        if not self.wait and live.channel.control.mode is control.Mode.PAUSED:
            live.channel.submit(control.GoOn())

    def _free(self, live: Live) -> None:
        self._cancel(live)
        live.lease = Lease()
        self._lease(live)

    def _cancel(self, live: Live) -> None:
        if (timer := self._freeing.pop(live.spec.id, None)) is not None:
            timer.cancel()

    def _lease(self, live: Live) -> None:
        self._tell(live.spec.id, "lease", {"lease": self._told(live.lease), "mode": live.mode})

    def _seen(self, live: Live) -> Json:
        return live.snapshot() | {"lease": self._told(live.lease)}

    @staticmethod
    def _told(lease: Lease) -> Json:
        """A lease without its key, which would let another page take it over."""
        return {"taken": bool(lease.holder), "by": lease.by, "lost": lease.lost}

    def _tell(self, episode: str, kind: str, told: Json) -> None:
        if kind == "decision" and not told.get("decision", {}).get("weighed"):
            self._weigh_now(self.live[episode])
        self.number += 1
        event = {"seq": self.number, "episode": episode, "kind": kind, **told}
        self._log.append((self.number, event))
        for hear in list(self.hears):
            hear(event)

    def _look(self, live: Live) -> None:
        """Has frames drawn while anyone looks."""
        looking = self._sees.get(live.spec.id)
        live.watcher = _Screen(looking, REAL_TIME if live.real_time else 0.0) if looking else None


class _Screen(Watcher):
    """Shows each frame to all who look."""

    def __init__(self, pages: dict[str, Callable[[Shown], None]], pace: float):
        super().__init__()
        self._pages, self.pace = pages, pace

    def show(self, shown: Shown) -> None:
        for see in list(self._pages.values()):
            see(shown)
