"""Channel: the inbound side of one running episode. A person pauses, speaks, takes over; the loop listens.

The rules are in `embodied.rollout.control`. This module adds the event loop: it waits while the episode is held, and
stops a decision in flight. It knows no HTTP. An episode without a channel does nothing of this.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from embodied.agents.base import Agent
from embodied.agents.vocabulary import accepted
from embodied.rollout.assisting import Assisted
from embodied.rollout.control import INTERRUPTING, Command, Control, Next, Receipt
from embodied.rollout.spoken import Spoken
from embodied.types import Call, Decision, Event, Mission, Step


@dataclass(frozen=True)
class Turn:
    """Who decided what at a step."""

    decision: Decision
    events: tuple[Event, ...] = ()
    """What a corrector said of it."""
    person: bool = False
    """A person decided, not the agent."""


Made = tuple[Decision, tuple[Event, ...]]


class Channel:
    """What a person tells one episode.

    Use it in the event loop of the episode; from another thread, call `loop.call_soon_threadsafe(channel.submit, ...)`.
    Nothing here has a deadline: a person may think for as long as they like.

    Args:
        changed: Hears each receipt that is new or has changed. Must return quickly and submit nothing.
        thinking: Hears False when the episode begins to wait for a person, and True when it goes on, so that models
            that answer in batches do not wait for its calls.
    """

    def __init__(
        self,
        changed: Callable[[Receipt], None] = lambda receipt: None,
        thinking: Callable[[bool], None] = lambda thinking: None,
    ):
        self.control = Control(changed=changed)
        self.thinking = thinking
        self.opening: tuple[int, Command] | None = None
        """A command that comes by itself when the episode begins at this step."""
        self._spoken = Spoken()
        self._changed: asyncio.Event | None = None
        self._task: asyncio.Task[object] | None = None
        self._stopped_by: Receipt | None = None

    # ----------------------------------------------------------------- the person's side

    def submit(self, command: Command) -> Receipt:
        """Takes a command in, at any time. The receipt says what becomes of it."""
        receipt = self.control.submit(command)
        if receipt.status != "refused":
            if isinstance(command, INTERRUPTING) and self._task is not None and self._stopped_by is None:
                self._stopped_by = receipt
                self._task.cancel()
            if self._changed is not None:
                self._changed.set()
        return receipt

    # ----------------------------------------------------------------- the loop's side

    def begin(self, mission: Mission, played: int) -> None:
        """The episode begins, or continues after so many recorded steps."""
        self.control.accepts, self.control.played = accepted(mission).exact, played
        if self.opening is not None and self.opening[0] == played:
            self.submit(self.opening[1])

    async def turn(
        self, decide: Callable[[], Awaitable[Made]], assisted: Assisted, stopping: asyncio.Event
    ) -> Turn | None:
        """Waits until somebody may decide, and for the decision.

        Args:
            decide: Asks the agent and its corrector. Asks again, on the same observation, after an interruption.
            assisted: Whose agent hears corrections before it is asked.
            stopping: Once it is set, a wait ends.

        Returns:
            The decision to execute; None where the episode must end.
        """
        while (todo := self.control.next()) is not Next.STOP:
            if todo is Next.WAIT:
                await self._wait(stopping)
                if stopping.is_set():
                    return None
            elif todo is Next.ACT:
                return Turn(Decision(self.control.act()), person=True)
            else:
                words = self.control.hear()
                if words is not None:
                    assisted.agent.hear(words)
                made = await self._made(decide, assisted)
                if made is not None:
                    return Turn(*made)
        return None

    def events(self, index: int, turn: Turn | None = None, over: bool = True) -> tuple[Event, ...]:
        """What must stand in the record of a step; without a turn, in that of the episode, which is over."""
        if not self.control.receipts:
            return ()
        person = turn is not None and turn.person
        takeover = self.control.driver if person else None
        action = turn.decision.action if turn is not None else ""
        return self._spoken.events(self.control.receipts, index, over, takeover, action)

    def played(self, turn: Turn, assisted: Assisted, step: Step) -> None:
        """A step was executed and recorded. An agent that did not decide it is told."""
        self.control.step()
        if turn.person:
            assisted.acted(step)

    def close(self) -> None:
        """The episode is over. Every open command gets its status."""
        self.control.close()

    async def _made(self, decide: Callable[[], Awaitable[Made]], assisted: Assisted) -> Made | None:
        """The decision; None where a command made it needless. As `asyncio.timeout` does it, the present task is
        cancelled and goes on: no task is made for a decision.
        """
        task = self._task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        before = task.cancelling()
        made: Made | None = None
        met = False
        try:
            made = await decide()
        except asyncio.CancelledError:
            if self._stopped_by is None:
                raise
            met = True
        except Exception:
            if self._stopped_by is None:
                raise  # else it is the failure of a decision that nobody needs
        finally:
            self._task = None
        receipt, self._stopped_by = self._stopped_by, None
        if receipt is None:
            return made
        if not met:
            with contextlib.suppress(asyncio.CancelledError):  # the agent ended before it met its cancellation
                await asyncio.sleep(0)
        if made is not None:
            self._spoken.superseded(receipt, *made)
        else:
            self._spoken.keep(assisted.unfinished)
            assisted.unfinished = []
            self._spoken.interrupted(receipt, _unfinished(assisted.agent))
        if task.uncancel() > before:  # somebody else cancelled it, too
            raise asyncio.CancelledError
        return None

    async def _wait(self, stopping: asyncio.Event) -> None:
        """Until a command comes, or `stopping` is set."""
        self._changed = asyncio.Event()
        waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, stopping)]
        self.thinking(False)
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.thinking(True)
            self._changed = None
            for wait in waits:
                wait.cancel()


def _unfinished(agent: Agent) -> tuple[Call, ...]:
    """The calls of a decision that was stopped, where the agent keeps them."""
    calls: Callable[[], tuple[Call, ...]] = getattr(agent, "unfinished", tuple)
    return calls()
