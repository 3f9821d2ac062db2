"""Channel: the inbound side of one running episode. A person pauses, speaks, takes over; the loop listens.

The rules are in `embodied.rollout.control`. This module adds the event loop: it waits while the episode is held, and
stops a decision in flight. It knows no HTTP. An episode without a channel does nothing of this.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from embodied.agents.base import Follower
from embodied.agents.resolving import Resolution
from embodied.rollout.assisting import Assisted
from embodied.rollout.control import CUTTING, INTERRUPTING, Command, Control, EndCorrection, Mode, Next, Receipt
from embodied.rollout.offered import Offered
from embodied.rollout.spoken import Spoken, draft, resumed
from embodied.rollout.understanding import Understanding, say
from embodied.rollout.worlds.environment import Answer
from embodied.rollout.worlds.workers import Environment
from embodied.types import Call, Decision, Event, Mission, Observation, Step


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

    An episode may have a corrector, too. In each step the agent hears a person's words before it decides, and the
    corrector reviews the decision that heard them. Each speaker's words end by themselves: only newer words of the
    same speaker, or a takeover of a person's words, end them earlier.

    Args:
        changed: Hears each receipt that is new or has changed. Must return quickly and submit nothing.
        thinking: Hears False when the episode begins to wait for a person, and True when it goes on, so that models
            that answer in batches do not wait for its calls.
        intends: If given, a paused agent is asked ahead, and this hears what it would do. The decision is executed when
            a person lets it; words, a takeover or the end of the correction that it heard supersede it.
    """

    def __init__(
        self,
        changed: Callable[[Receipt], None] = lambda receipt: None,
        thinking: Callable[[bool], None] = lambda thinking: None,
        intends: Callable[[Decision], None] | None = None,
    ):
        self.control = Control(changed=changed)
        self.thinking = thinking
        self._intends = intends
        self._held: Made | None = None
        """A decision that waits for a person."""
        self.opening: tuple[int, Command] | None = None
        """A command that comes by itself when the episode begins at this step."""
        self._spoken = Spoken()
        self._observation = Observation("")
        self._changed: asyncio.Event | None = None
        self._task: asyncio.Task[object] | None = None
        self._stopped_by: Receipt | None = None
        self._environment: Environment | None = None
        self._cut_by: Receipt | None = None
        self._note: Callable[[Event], None] = lambda event: None

    # ----------------------------------------------------------------- the person's side

    def submit(self, command: Command) -> Receipt:
        """Takes a command in, at any time. The receipt says what becomes of it.

        Raises:
            StoreError: Words cannot be written down. They count all the same.
        """
        receipt = self.control.submit(command)
        if receipt.status != "refused":
            if isinstance(command, INTERRUPTING) and self._task is not None and self._stopped_by is None:
                self._stopped_by = receipt
                self._task.cancel()
            if isinstance(command, (*INTERRUPTING, EndCorrection)) and self._held is not None:
                held, self._held = self._held, None
                self._spoken.superseded(receipt, *held)
            if isinstance(command, CUTTING) and self._environment is not None and self._cut_by is None:
                self._cut_by = receipt
                self._environment.interrupt()
            if self._changed is not None:
                self._changed.set()
            if (said := draft(receipt)) is not None:
                self._note(said)  # last: a full disk must not keep the command from its effect
        return receipt

    # ----------------------------------------------------------------- the loop's side

    def begin(
        self,
        mission: Mission,
        observation: Observation,
        played: int,
        assisted: Assisted,
        note: Callable[[Event], None] = lambda event: None,
    ) -> None:
        """The episode begins, or continues after so many recorded steps, with the corrections that are in force.

        Args:
            mission: What the environment accepts.
            observation: What must be decided on next.
            played: Steps that are recorded.
            assisted: Has told the agent what is recorded.
            note: Keeps what a person said until a step holds it.
        """
        offered, self._observation = Offered(mission), observation
        self.control.accepts = lambda text: offered.phrase(text, self._observation)
        self.control.choices = lambda: offered.choices(self._observation)
        self.control.resolve = lambda words: assisted.understanding.of(words, self._observation)
        if isinstance(assisted.agent, Follower):  # others read the words themselves
            self.control.question = self._question(assisted.understanding)
        counting = [resumed(correction, played) for correction in reversed(assisted.hand_over())]
        self._spoken.begin(counting)
        early = list(self.control.receipts)
        self.control.begin(played, assisted.commands, counting)
        if self.opening is not None and self.opening[0] == played:
            self.submit(self.opening[1])  # not noted: the run has it, and says it again after a kill
        self._note = note
        for receipt in early:
            if receipt.status != "refused" and (said := draft(receipt)) is not None:
                note(said)

    def _question(self, understanding: Understanding) -> Callable[[str, Resolution], str]:
        """What a person is asked whose words name no action, or several, in the present step. Nobody waits for the
        answer: it is a new correction.
        """

        def question(words: str, found: Resolution) -> str:
            asked, options = understanding.question(words, found, self._observation)
            choices = f"choose one of: {', '.join(options)}" if found.several else self.control.choices()
            return f"{asked} The agent follows actions only: {choices}."

        return question

    async def turn(self, observation: Observation, assisted: Assisted, stopping: asyncio.Event) -> Turn | None:
        """Waits until somebody may decide, and for the decision. After an interruption the agent is asked again, on the
        same observation.

        Args:
            observation: What must be decided on.
            assisted: The agent, and who corrects it.
            stopping: Once it is set, a wait ends.

        Returns:
            The decision to execute; None where the episode must end.
        """
        self._observation = observation
        control = self.control
        if not control.receipts:  # nobody has said anything, which is the common case
            made = await self._made(observation, assisted)
            if made is not None:
                return Turn(*made)
        control.look()
        while (todo := control.next()) is not Next.STOP:
            if todo is Next.WAIT:
                if self._intends is not None and self._held is None and control.mode is Mode.PAUSED:
                    await self._ahead(observation, assisted)
                    continue
                await self._wait(stopping)
                if stopping.is_set():
                    self._drop()
                    return None
            elif todo is Next.ACT:
                return Turn(Decision(control.act()), person=True)
            elif self._held is not None or (made := await self._asked(observation, assisted)) is None:
                held, self._held = self._held, None
                if held is not None:
                    return Turn(*held)
            elif self._intends is not None and control.next() is Next.WAIT:
                self._hold(made)  # paused while it decided
            else:
                return Turn(*made)
        return None

    async def _ahead(self, observation: Observation, assisted: Assisted) -> None:
        """Asks a paused agent what it would do."""
        made = await self._asked(observation, assisted)
        if made is not None:
            self._hold(made)

    def _hold(self, made: Made) -> None:
        self._held = made
        if self._intends is not None:
            self._intends(made[0])

    def _drop(self) -> None:
        """The episode ends before a person let a decision be executed. It is paid for all the same."""
        held, self._held = self._held, None
        if held is not None:
            self._spoken.unexecuted(*held)

    async def _asked(self, observation: Observation, assisted: Assisted) -> Made | None:
        """The agent's decision, once it has heard what counts; None where a command made it needless."""
        control = self.control
        if control.words is not None:
            assisted.tell(observation.step)
            if (words := control.hear()) is not None:
                meant = control.words.meant
                say(assisted.agent, words, "" if meant is None else meant.action)
        return await self._made(observation, assisted)

    async def step(self, env: Environment, action: str) -> Answer:
        """Executes an action. A command that does not wait cuts the step short behind its next frame."""
        self._environment = env
        try:
            answer = await env.step(action)
        finally:
            self._environment, by, self._cut_by = None, self._cut_by, None
        if by is not None and answer.cut is not None:
            self._spoken.interrupted(by, (), answer.cut)
        return answer

    def events(self, index: int, turn: Turn | None = None, answer: Answer | None = None) -> tuple[Event, ...]:
        """What must stand in the record of a step; without a turn, in that of the episode, which is over."""
        if not self.control.receipts:
            return ()
        person = turn is not None and turn.person
        takeover = self.control.driver if person else None
        action = turn.decision.action if turn is not None else ""
        over = answer is None or answer.terminated or answer.truncated
        executed = None if answer is None else answer.executed
        return self._spoken.events(self.control, index, over, takeover, action, executed)

    def played(self, turn: Turn, assisted: Assisted, step: Step, answer: Answer) -> None:
        """A step was executed and recorded. An agent that did not decide it is told."""
        self._observation = answer.observation
        if not self.control.receipts:
            self.control.played += 1
            return
        self.control.step(step.executed, step.terminated or step.truncated)
        if turn.person:
            assisted.acted(step)

    def close(self) -> None:
        """The episode is over. Every open command gets its status."""
        self.control.close()

    async def _made(self, observation: Observation, assisted: Assisted) -> Made | None:
        """The decision; None where a command made it needless. As `asyncio.timeout` does it, the present task is
        cancelled and goes on: no task is made for a decision.
        """
        task = self._task = asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        before = task.cancelling()
        made: Made | None = None
        met = False
        try:
            made = await assisted.decide(observation)
        except asyncio.CancelledError:
            if self._stopped_by is None:
                raise
            met = True
        except Exception:
            if self._stopped_by is None:
                raise  # else it is the failure of a decision that nobody needs
        finally:
            self._task = None
        receipt = self._stopped_by
        if receipt is None:
            return made
        self._stopped_by = None
        if not met:
            with contextlib.suppress(asyncio.CancelledError):  # the agent ended before it met its cancellation
                await asyncio.sleep(0)
        self._spoken.heard(self.control.receipts, self.control.played)
        if made is not None:
            self._spoken.superseded(receipt, *made)
        else:
            self._spoken.keep(receipt, assisted.unfinished)
            assisted.unfinished = []
            calls = (*_unfinished(assisted.agent), *_unfinished(assisted.corrector))
            self._spoken.interrupted(receipt, calls)
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


def _unfinished(one: object) -> tuple[Call, ...]:
    """The calls of a decision or a review that was stopped, where the agent or the corrector keeps them."""
    calls: Callable[[], tuple[Call, ...]] = getattr(one, "unfinished", tuple)
    return calls()
