"""critic: asks a model of its own about each decision before it is executed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embodied.agents.notes import REVIEW_UNREAD
from embodied.agents.parse import printable
from embodied.agents.prompt import message, provided, repeated, told
from embodied.agents.vocabulary import accepted, present
from embodied.blobs import pictures_of
from embodied.errors import PromptTooLong
from embodied.models.config import blind
from embodied.models.services.answers import estimated_tokens
from embodied.models.thoughts import split
from embodied.seeding import derive
from embodied.types import (
    Call,
    Correction,
    Decision,
    Image,
    Message,
    Mission,
    Note,
    Observation,
    Outcome,
    Reply,
    Review,
    Step,
    Usage,
)

if TYPE_CHECKING:
    import numpy as np

    from embodied.correctors import Kit

LONGEST = 300
"""Characters of a correction; more is not a sentence."""
LONGEST_THOUGHT = 2_000
"""Characters of the agent's thought, from its end, that the critic reads."""

_OPENING = """An agent acts in a world. You watch it, and correct it where it is wrong. This is what it was told; here \
"you" is the agent:

<<<
{told}
>>>

In each step you see what the agent sees, and what it decided, before that is carried out. Compare the decision with \
the goal and with what there is to see. Answer with one line and nothing else:
- OK, if the decision is good.
- Else one short sentence that tells the agent what to do instead. {example}"""
_NAMES = 'Name the action, word for word: "Do this instead: ...".'
_PROSE = "Say what is wrong with its answer, or what is missing."
_ASK = "Answer OK, or one sentence."
_OK = re.compile(r"(?:ok|okay|o\.k\.)[.!]?", re.IGNORECASE)
_OK_FIRST = re.compile(r"(?:ok|okay)[.!]\s", re.IGNORECASE)
_BEGINS_OK = re.compile(r"(?:ok|okay)\b", re.IGNORECASE)
_LABEL = re.compile(r"(?:answer|correction|verdict)\s*:[\s*_]*", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "“": "”", "`": "`"}


@dataclass(frozen=True)
class _Past:
    """A step that was played."""

    step: int
    text: str
    executed: str
    said: str
    """What the critic had said to it; empty where it was silent."""


class Critic:
    """Shows a model the mission, the last steps, the present observation and the agent's decision. The model answers OK
    or one sentence, which is the correction. An answer that is neither counts as silence, and a note says so.

    What a prompt holds depends only on the record, so a resumed episode asks the same.
    """

    needs_model = True

    def __init__(self, kit: Kit):
        assert kit.model is not None  # `build` saw to it
        self._model, self._settings, self._config = kit.model, kit.settings, kit.config
        self._sees = kit.config.image and not blind(kit.config.model)

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._mission = mission
        self._seed = int(rng.integers(2**63))
        self._past: deque[_Past] = deque(maxlen=self._config.history)
        self._now: Observation | None = None
        self._said, self._asked = "", 0
        self._sent: tuple[Message, ...] = ()
        self._in_flight: tuple[Message, ...] = ()

    async def review(self, observation: Observation, decision: Decision) -> Correction | Review:
        self._see(observation)
        call = await self._call(observation, decision)
        words = read(call.reply)
        if words:
            self._said = words
            return Correction(text=words, how="critic", by="critic", lasts=self._config.lasts, calls=(call,))
        unread = Note(REVIEW_UNREAD, "The answer of the critic's model was neither OK nor one sentence.")
        return Review(by="critic", calls=(call,), notes=(unread,) if words is None else ())

    def recall(self, step: Step) -> None:
        self._see(step.observation)
        for event in step.events:
            if isinstance(event, Correction | Review) and event.by == "critic" and event.calls:
                self._sent = event.calls[-1].messages
                self._said = event.text if isinstance(event, Correction) else self._said

    def end(self, outcome: Outcome) -> None:
        """Nothing to do: the model is shared, and its maker closes it."""

    def unfinished(self) -> tuple[Call, ...]:
        """The call of a review that was broken off, with an estimated number of tokens."""
        if not self._in_flight:
            return ()
        tokens = estimated_tokens(self._in_flight)
        return (Call(self._in_flight, Reply("", stop="interrupted", usage=Usage(input=tokens, estimated=tokens))),)

    def _see(self, observation: Observation) -> None:
        """Takes in the present observation. The one before it, if there is one, was acted on meanwhile."""
        before = self._now
        if before is not None and before.step != observation.step:
            self._past.append(_Past(before.step, before.text, observation.executed or "", self._said))
            self._said, self._asked = "", 0
        self._now = observation

    async def _call(self, observation: Observation, decision: Decision) -> Call:
        """Asks the model, without the last steps where they make the prompt too long for it."""
        settings = self._settings
        if settings.seed is None:
            settings = replace(settings, seed=derive(self._seed, observation.step, self._asked, bits=31))
        self._asked += 1
        prompt = self._prompt(observation, decision, list(self._past))
        self._in_flight = prompt
        try:
            reply = await self._model.generate(prompt, settings)
        except PromptTooLong:
            if not self._past:
                raise
            prompt = self._in_flight = self._prompt(observation, decision, [])
            reply = await self._model.generate(prompt, settings)
        self._in_flight = ()
        share, self._sent = repeated(self._sent, prompt), prompt
        return Call(prompt, replace(reply, usage=replace(reply.usage, repeated=round(share * reply.usage.input))))

    def _prompt(self, observation: Observation, decision: Decision, past: Sequence[_Past]) -> tuple[Message, ...]:
        pictures = pictures_of(observation) if self._sees else ()
        opening = _OPENING.format_map(
            {"told": told(self._mission), "example": _PROSE if self._mission.prose else _NAMES}
        )
        shown = [*map(_played, past), self._seen(observation, pictures), self._decided(decision), _ASK]
        return message("user", opening), message("user", "\n\n".join(shown), pictures)

    def _seen(self, observation: Observation, pictures: Sequence[Image]) -> str:
        now = present(self._mission, observation)
        offered = [f"It can choose now: {accepted(now).listing()}."] if now is not self._mission else []
        lines = [f"Now, step {observation.step}:", observation.status, observation.text, *offered, *provided(pictures)]
        return "\n".join(filter(None, lines))

    def _decided(self, decision: Decision) -> str:
        if not decision.parsed:
            return (
                f"The agent's reply names no action, so {self._mission.default_action!r} will be carried out. It"
                f" replied: {printable(decision.action)}"
            )
        thought = printable(decision.thought.strip()[-LONGEST_THOUGHT:])
        return f"The agent thought: {thought}\n" * bool(thought) + f"The agent decided: {printable(decision.action)}"


def read(reply: Reply) -> str | None:
    """What a critic's reply says: a correction; nothing where it agrees; None where it is neither OK nor one sentence.

    Thoughts, wrapping and labels do not count. OK may be the whole reply, its first sentence or line, or its last line.
    """
    if reply.stop in ("length", "content_filter"):
        return None
    said = printable(split(reply.text)[1])
    lines = [line for line in (_undressed(line) for line in said.splitlines()) if line]
    if not lines:
        return None
    if any(_OK.fullmatch(line) for line in (lines[0], lines[-1])) or _OK_FIRST.match(lines[0]):
        return ""
    if len(lines) > 1 or len(lines[0]) > LONGEST or _BEGINS_OK.match(lines[0]):
        return None
    return lines[0]


def _undressed(line: str) -> str:
    """A line without marks of lists and of emphasis, a label, and quotes around it."""
    line = line.strip(" \t*_").lstrip("#>- \t*_")
    if label := _LABEL.match(line):
        line = line[label.end() :]
    quoted = len(line) > 1 and _QUOTES.get(line[0]) == line[-1]
    return line[1:-1].strip() if quoted else line


def _played(past: _Past) -> str:
    said = f"\nYou said: {past.said}" * bool(past.said)
    return f"Step {past.step}:\n{past.text}{said}\nThe agent did: {past.executed}"
