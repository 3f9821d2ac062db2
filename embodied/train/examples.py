"""From recorded runs to examples: a prompt as the agent itself is asked, the answer to learn, the answer to unlearn.

What an expert would have done stands in some records, for those who measure. No example is made of it: a learner knows
what a person said, and what was executed. Whether they were right it does not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from embodied.agents.config import AgentConfig
from embodied.blobs import Blobs
from embodied.rollout.lessons import Lesson, lessons, unsaid
from embodied.rollout.turns import ChatTurn, as_agent, asked_last, counted_in, form_of
from embodied.seeding import derive
from embodied.store.amendments import changes_of
from embodied.store.codec import encode
from embodied.store.run import Run
from embodied.types import Correction, Episode, Interrupt, Message, Step, Takeover

Kind = Literal["demonstration", "approved", "correction"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Example:
    """What to answer to a prompt."""

    kind: Kind
    prompt: tuple[Message, ...]
    """Without the words of any correction: nobody will say them."""
    answer: str
    rejected: str
    """What was not executed because of a correction; empty where nothing was."""
    episode: str
    run: int
    """Number of the run that it is from."""
    blobs: Blobs
    """Where its pictures are."""

    @property
    def key(self) -> tuple[tuple[Message, ...], str, str]:
        """Examples with one key teach the same."""
        return self.prompt, self.answer, self.rejected


def of_corrected(run: Run, number: int, before: int, damaged: list[str]) -> list[Example]:
    """The corrections of a run that somebody watched, and the decisions to which nobody objected.

    Args:
        run: The run.
        number: Its number.
        before: Steps before each correction that are taught what the correction says, too.
        damaged: Takes a sentence for each line that cannot be read.
    """
    found: list[Example] = []
    changes = changes_of(run, damaged)
    for episode in _ended(run):
        steps = [_blind(step) for step in run.steps(episode.spec.id, damaged)]
        turns = {t.step.index: t for t in _asked(run, steps)}
        taught: list[Example] = []
        for lesson in lessons(run, episode, changes, damaged):
            if not lesson.left_out:
                taught += _window(run, number, episode, lesson, turns, before)
        found += taught
        if _watched(run):
            found += _approved(run, number, episode, steps, turns)
    return found


def of_expert(run: Run, number: int, config: AgentConfig, damaged: list[str]) -> list[Example]:
    """The episodes of an expert that reached their goal, told as an agent would have been asked.

    Args:
        run: The expert's run.
        number: Its number.
        config: The agent's.
        damaged: As for `of_corrected`.
    """
    found: list[Example] = []
    for episode in _ended(run):
        if episode.mission is None or episode.success is False:
            continue
        steps = [_blind(step) for step in run.steps(episode.spec.id, damaged)]
        for turn in as_agent(config, episode, episode.mission, steps, run.blobs):
            if turn.step.valid:
                prompt, answer = turn.prompt, turn.reply.text
                found.append(Example("demonstration", prompt, answer, "", episode.spec.id, number, run.blobs))
    return found


def distinct(examples: Iterable[Example]) -> list[Example]:
    """Each example once. A stuck agent is corrected in the same place again and again; that makes it no more important.
    Of equal ones the last stays: it is of the newest run.
    """
    return list({(e.kind, e.key): e for e in examples}.values())


def held_out(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Examples to learn from, and others to check what was learned: whole episodes, the same in every round.

    Args:
        examples: All.
        share: Of the episodes of each kind, in [0, 1).
        seed: Decides which.
    """
    kept: list[Example] = []
    out: list[Example] = []
    for kind in KINDS:
        mine = [e for e in examples if e.kind == kind]
        episodes = sorted({e.episode for e in mine}, key=lambda id_: derive(seed, "held out", id_))
        chosen = set(episodes[: int(len(episodes) * share)])
        kept += [e for e in mine if e.episode not in chosen]
        out += [e for e in mine if e.episode in chosen]
    return kept, out


def fingerprint(examples: Iterable[Example]) -> str:
    """SHA-256 of all that examples teach, in their order."""
    digest = hashlib.sha256()
    for e in examples:
        digest.update(encode([e.kind, e.prompt, e.answer, e.rejected, e.run]))
    return digest.hexdigest()


def _ended(run: Run) -> Iterator[Episode]:
    for spec in run.record.specs:
        if (episode := run.episode(spec.id)) is not None:
            yield episode


def _blind(step: Step) -> Step:
    """A step without the expert's advice."""
    return replace(step, observation=replace(step.observation, expert=""))


def _watched(run: Run) -> bool:
    corrector = run.record.config.get("corrector")
    return isinstance(corrector, dict) and bool(corrector.get("name"))


def _agent(run: Run) -> tuple[str, str | None]:
    agent = run.record.config.get("agent")
    config = agent if isinstance(agent, dict) else {}
    return str(config.get("policy")), config.get("format")


def _asked(run: Run, steps: Sequence[Step]) -> Iterator[ChatTurn]:
    """The steps in which the agent's model was asked, without the words of corrections in their prompts."""
    first = asked_last(_agent(run)[1])
    said: list[str] = []
    for step in steps:
        said += [e.text for e in step.events if isinstance(e, Correction) and e.text not in said]
        if calls := step.decision.calls:
            yield ChatTurn(step, _silent(calls[first].messages, said), calls[-1].reply)


def _silent(messages: tuple[Message, ...], said: Iterable[str]) -> tuple[Message, ...]:
    for words in said:
        while (less := unsaid(messages, words)) != messages:
            messages = less
    return messages


def _window(
    run: Run, number: int, episode: Episode, lesson: Lesson, turns: dict[int, ChatTurn], before: int
) -> Iterator[Example]:
    """The examples of a correction: in its own step, in those before, and in those in which it still counted."""
    place, event = lesson.of.place, lesson.of.event
    said = [event.text] if isinstance(event, Correction) else []
    said += [e.text for t in turns.values() if t.step.index < place for e in t.step.events if isinstance(e, Correction)]
    rejected = "" if lesson.rejected is None or lesson.rejected.text == lesson.answer.text else lesson.rejected.text
    if lesson.superseded is not None and lesson.superseded.action == lesson.action:
        rejected = ""

    def example(prompt: tuple[Message, ...], answer: str, rejected: str) -> Example:
        return Example("correction", prompt, answer, rejected, episode.spec.id, number, run.blobs)

    yield example(_silent(lesson.prompt, dict.fromkeys(said)), lesson.answer.text, rejected)
    last = event.ended if isinstance(event, Correction) and event.ended is not None else place
    for index in (*range(place - before, place), *range(place + 1, last + 1)):
        if index in turns:
            yield example(turns[index].prompt, form_of(*_agent(run)).wrap(lesson.action), "")


def _approved(
    run: Run, number: int, episode: Episode, steps: Sequence[Step], turns: dict[int, ChatTurn]
) -> Iterator[Example]:
    """Decisions of the agent's own that were executed while somebody watched, and to which nobody objected."""
    counted = counted_in(steps)
    for index, turn in turns.items():
        step = turn.step
        disturbed = any(isinstance(e, Correction | Takeover | Interrupt) for e in step.events)
        if step.valid and step.decision.parsed and not disturbed and index not in counted:
            yield Example("approved", turn.prompt, turn.reply.text, "", episode.spec.id, number, run.blobs)
