"""History: which part of the episode so far a prompt holds, as messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from embodied.agents.config import HistoryConfig
from embodied.agents.prompt import message
from embodied.types import Image, Message, Observation


class History(Protocol):
    """What an agent remembers of its episode word by word. `see` and `did` alternate, beginning with `see`."""

    def see(self, observation: Observation, notes: Sequence[str] = ()) -> None:
        """Takes in an observation. `notes` are said before it: what became of the last action, a person's correction."""
        ...

    def did(self, action: str, plan: str = "") -> None:
        """Takes in what the agent answered: the action, and the thought that led to it, action included, where it is to be remembered."""
        ...

    def messages(self) -> list[Message]:
        """The history as messages; the last one is the current observation."""
        ...


@dataclass(frozen=True)
class Turn:
    """An observation and the answer that led to it."""

    answer: str | None
    """None at the first observation."""
    plan: str
    text: str
    image: Image | None
    notes: tuple[str, ...]


class Window:
    """The last turns, shown as BALROG's prompt builder shows them (balrog/prompt_builder/history.py at af7d1f1).

    The window is as long as the larger of the caps for text and images. Within it the newest `text` observations have their text,
    the newest `image` pictures are shown, and the newest `thought` plans stand in place of the bare action; an observation that is
    beyond its caps stays as an empty "Observation:". The current one is headed "Current Observation:" and begins with its status.
    A turn that leaves the window takes its observation along, but the answer given to it stays as the first message.

    Notes are ours: they come first in their message, and go when its text goes.

    Memory and time of a call are bounded by the window, however long the episode is.

    Args:
        config: The caps: `text` and `image`, one of them at least 1, and `thought`.
    """

    def __init__(self, config: HistoryConfig):
        self.config = config
        self._turns: deque[Turn] = deque(maxlen=max(config.text, config.image))
        self._answer: tuple[str | None, str] = (None, "")
        self._status = ""

    def see(self, observation: Observation, notes: Sequence[str] = ()) -> None:
        answer, plan = self._answer
        self._turns.append(Turn(answer, plan, observation.text, observation.image, tuple(notes)))
        self._status = observation.status

    def did(self, action: str, plan: str = "") -> None:
        self._answer = (action, plan)

    def messages(self) -> list[Message]:
        newest_first: list[Message] = []
        images, thoughts = self.config.image, self.config.thought
        for age, turn in enumerate(reversed(self._turns)):
            image = turn.image if images > 0 else None
            images -= image is not None
            newest_first.append(self._observed(turn, image, current=age == 0, text=age < self.config.text))
            if turn.answer is not None:
                plan = turn.plan if thoughts > 0 else ""
                thoughts -= bool(plan)
                newest_first.append(message("assistant", f"Previous plan:\n{plan}" if plan else turn.answer))
        return newest_first[::-1]

    def _observed(self, turn: Turn, image: Image | None, *, current: bool, text: bool) -> Message:
        lines = [*turn.notes, ""] if turn.notes and (current or text) else []
        lines.append("Current Observation:" if current else "Observation:")
        if current and self._status:
            lines.append(self._status)
        if text:
            lines.append(turn.text)
        if image is not None:
            lines.append("Image observation provided.")
        return message("user", "\n".join(lines), image)
