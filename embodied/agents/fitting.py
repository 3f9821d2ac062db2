"""Fitting: prompts that are too long for the model are cut until they fit. Refused prompts teach how much must be cut.

What is cut goes in this order: the oldest turns that are without pictures, then all pictures but those of the current
observation, then the other turns. The instruction, demonstrations and the current observation always stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from embodied.agents.notes import SHORTENED
from embodied.agents.prompt import size
from embodied.types import Message, Note

SHARE = 0.75
"""The next prompts may have this share of the shortest refused one. So few attempts find a length that fits, and later
steps do not search again.
"""


@dataclass(frozen=True)
class Cut:
    """A part of a history."""

    keep: int
    """Turns, counting back from the current one, which is the first."""
    pictures: bool = True
    """False: only those of the current observation."""

    def note(self, whole: int) -> Note:
        """What a reader of the step must know, where the history was `whole` turns long."""
        without = "" if self.pictures else ", and no pictures but the current"
        return Note(
            SHORTENED, f"The prompt was too long for the model: it holds {self.keep} of {whole} turns{without}."
        )


@dataclass(frozen=True)
class Prompt:
    """A prompt that could be sent."""

    messages: tuple[Message, ...]
    cut: Cut | None = None
    """None where it is whole."""


def cuts(pictured: Sequence[bool]) -> Iterator[Cut]:
    """The cuts of a history, mildest first.

    Args:
        pictured: Whether pictures are shown, of each of its turns, the current one first.
    """
    turns = len(pictured)
    furthest = max((age for age in range(1, turns) if pictured[age]), default=0)
    for keep in range(turns - 1, max(furthest, 0), -1):
        yield Cut(keep)
    if furthest:
        for keep in range(furthest + 1, 0, -1):
            yield Cut(keep, pictures=False)


class Fitting:
    """What the prompts of one episode may measure, in characters. It depends only on what was tried and refused."""

    def __init__(self) -> None:
        self._refused = math.inf

    @property
    def tight(self) -> bool:
        """Whether any prompt of the episode was too long."""
        return self._refused < math.inf

    def choose(self, prompts: Iterable[Prompt]) -> Prompt | None:
        """The first of `prompts`, mildest cut first, that may fit; None when even the shortest has been refused."""
        last, measure = None, math.inf
        for prompt in prompts:
            if not self.tight:
                return prompt
            last, measure = prompt, _size(prompt)
            if measure <= SHARE * self._refused:
                return prompt
        return last if measure < self._refused else None

    def refuse(self, prompt: Prompt) -> None:
        """Takes in that a prompt was too long."""
        self._refused = min(self._refused, _size(prompt))

    def repeat(self, prompts: Sequence[Prompt], sent: tuple[Message, ...]) -> None:
        """Takes in a call of the record, `sent` in the end, as if it had just been made: longer prompts that came
        before it were refused.
        """
        if not any(prompt.messages == sent for prompt in prompts):
            return
        while (prompt := self.choose(prompts)) is not None and prompt.messages != sent:
            self.refuse(prompt)


def _size(prompt: Prompt) -> float:
    return sum(size(part) for message in prompt.messages for part in message.parts)
