"""What a correction teaches: the prompt as it was before a person spoke, the answer that the person wanted, and the
answer that was not executed. A step in which a person acted teaches the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from embodied.agents.formats import Plain
from embodied.agents.prompt import SAYS
from embodied.rollout.turns import as_naive, asked_last, form_of
from embodied.rollout.understanding import wanted
from embodied.store.amendments import Amended, Changes, amended
from embodied.store.run import Run
from embodied.types import Correction, Decision, Episode, Interrupt, Message, Reply, Text

EXCLUDED = "excluded"
UNHEARD = "that no decision heard"
NAMELESS = "whose words name no action"
UNASKED = "without a record of what was asked"


@dataclass(frozen=True)
class Lesson:
    """A correction, or a step of a takeover, as an example."""

    of: Amended
    action: str
    """What the person wanted; empty where the words name no action."""
    followed: bool
    """Whether that was executed in the step in which the person was first heard."""
    prompt: tuple[Message, ...]
    """As it was before the words; empty where nothing tells."""
    asked: Literal["recorded", "naive"]
    """recorded: the prompt was sent so. naive: the agent `naive` would have sent it."""
    answer: Reply
    """With the wanted action: the agent's own where it followed, else the action in the form that was asked for."""
    rejected: Reply | None
    """The answer that was not executed; None where there was none."""
    left_out: str
    """Why it gives no example; empty where it gives one."""

    @property
    def superseded(self) -> Decision | None:
        return self.of.event.superseded


def lessons(run: Run, episode: Episode, changes: Changes, damaged: list[str]) -> Iterator[Lesson]:
    """The lessons of an episode, in the order in which they happened, those that give no example among them.

    Args:
        run: The run.
        episode: One of it that has ended.
        changes: Those made to the run's corrections.
        damaged: Takes a sentence for each line that cannot be read.
    """
    found = list(amended(run, episode.spec.id, changes, damaged))
    naive: dict[int, tuple[Message, ...]] = {}
    if episode.mission is not None and any(_prompt(a, run) == () for a in found):
        told = as_naive(episode, episode.mission, run.steps(episode.spec.id, []))
        naive = {turn.step.index: turn.prompt for turn in told}
    for of in found:
        yield _lesson(run, episode, of, naive.get(of.place, ()))


def _lesson(run: Run, episode: Episode, of: Amended, naive: tuple[Message, ...]) -> Lesson:
    action = wanted(of, episode)
    recorded = _prompt(of, run)
    prompt = recorded or (naive if of.step is not None else ())
    step = of.step
    followed = bool(action) and step is not None and step.valid and step.executed == action
    policy, format = _agent(run)
    answer = Reply((form_of(policy, format) if recorded else Plain()).wrap(action))
    if followed and recorded and isinstance(of.event, Correction) and step is not None and step.decision.calls:
        answer = step.decision.calls[-1].reply
    superseded = of.event.superseded
    rejected = None if superseded is None else Reply(superseded.action)
    if superseded is not None and superseded.calls:
        rejected = superseded.calls[-1].reply
    why = (
        EXCLUDED
        if of.excluded
        else UNHEARD
        if step is None
        else NAMELESS
        if not action
        else UNASKED
        if not prompt
        else ""
    )
    return Lesson(of, action, followed, prompt, "recorded" if recorded else "naive", answer, rejected, why)


def _prompt(of: Amended, run: Run) -> tuple[Message, ...]:
    """What was asked before the person spoke, as it was recorded: for the decision that was not executed, or for one
    that was broken off. Where nothing was asked before, it is what was asked then, without the person's words.
    """
    asked = asked_last(_agent(run)[1])
    if (superseded := of.event.superseded) is not None and superseded.calls:
        return superseded.calls[asked].messages
    if of.step is None:
        return ()
    for event in of.step.events:
        if isinstance(event, Interrupt) and event.calls:
            return event.calls[asked].messages
    if isinstance(of.event, Correction) and of.step.decision.calls:
        return unsaid(of.step.decision.calls[asked].messages, of.event.text)
    return ()


def unsaid(messages: tuple[Message, ...], words: str) -> tuple[Message, ...]:
    """The prompt without the words of a correction: without the newest message that they are, or that has them at its
    head (`agent.corrections`).
    """
    own = (Text(f"\n{SAYS}{words}"),)
    for number in range(len(messages) - 1, -1, -1):
        if messages[number].role == "user" and messages[number].parts == own:
            return (*messages[:number], *messages[number + 1 :])
        for place, part in enumerate(messages[number].parts):
            if isinstance(part, Text) and f"{SAYS}{words}\n" in part.text:
                text = part.text.replace(f"{SAYS}{words}\n", "", 1)
                text = re.sub(r"\A\n", "", text)  # the line between notes and observation, where there is no other note
                parts = (*messages[number].parts[:place], Text(text), *messages[number].parts[place + 1 :])
                return (*messages[:number], replace(messages[number], parts=parts), *messages[number + 1 :])
    return messages


def _agent(run: Run) -> tuple[str, str | None]:
    """The policy and the format of a run's agent."""
    found = run.record.config.get("agent")
    config = found if isinstance(found, dict) else {}
    return str(config.get("policy")), config.get("format")
