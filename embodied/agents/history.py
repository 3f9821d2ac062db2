"""History: which part of the episode so far a prompt holds, as messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from embodied.agents.config import HistoryConfig, turns
from embodied.agents.fitting import Cut
from embodied.agents.prompt import message, provided, with_ask
from embodied.blobs import pictures_of
from embodied.types import Image, Message, Observation


class History(Protocol):
    """What an agent remembers of its episode word by word. `see` and `did` alternate, beginning with `see`."""

    def see(self, observation: Observation, notes: Sequence[str] = ()) -> None:
        """Takes in an observation. `notes` come before it: what the last action led to, a person's correction."""
        ...

    def hear(self, notes: Sequence[str]) -> None:
        """Takes in notes about the newest observation, before the agent decides on it again."""
        ...

    def did(self, action: str, plan: str = "") -> None:
        """Takes in what the agent answered: the action, and the thought that led to it, action included, if it must be
        remembered.
        """
        ...

    def messages(self, ask: str = "", cut: Cut | None = None) -> list[Message]:
        """The history as messages. The last one shows what matters only in this step and ends with `ask`. With `cut`
        only a part of it.
        """
        ...

    def pictured(self) -> list[bool]:
        """Whether pictures are shown, of each turn that `messages` shows, the current one first."""
        ...


@dataclass(frozen=True)
class Turn:
    """An observation and the answer that led to it."""

    answer: str | None
    """None at the first observation."""
    plan: str
    text: str
    images: tuple[Image, ...]
    notes: tuple[str, ...]


class Window:
    """The last turns, shown as BALROG's prompt builder shows them (balrog/prompt_builder/history.py at af7d1f1).

    The window is as long as the larger of the caps for text and images. Within it the newest `text` observations have
    their text, the newest `image` pictures are shown, and the newest `thought` plans stand in place of the bare action;
    an observation that is beyond its caps stays as an empty "Observation:". The current one is headed "Current
    Observation:" and begins with its status. A turn that leaves the window takes its observation along, but the answer
    given to it stays as the first message.

    Notes are ours: they come first in their message, and go when its text goes.

    Memory and time of a call are bounded by the window, however long the episode is.

    Args:
        config: The caps: `text` and `image`, one of them at least 1, and `thought`.
    """

    def __init__(self, config: HistoryConfig):
        self.config = config
        self._turns: deque[Turn] = deque(maxlen=turns(config))
        self._answer: tuple[str | None, str] = (None, "")
        self._status = ""

    def see(self, observation: Observation, notes: Sequence[str] = ()) -> None:
        answer, plan = self._answer
        self._turns.append(Turn(answer, plan, observation.text, pictures_of(observation), tuple(notes)))
        self._status = observation.status

    def hear(self, notes: Sequence[str]) -> None:
        self._turns[-1] = replace(self._turns[-1], notes=(*self._turns[-1].notes, *notes))

    def did(self, action: str, plan: str = "") -> None:
        self._answer = (action, plan)

    def pictured(self) -> list[bool]:
        return _pictured(list(self._turns)[::-1], self.config.image)

    def messages(self, ask: str = "", cut: Cut | None = None) -> list[Message]:
        newest_first: list[Message] = []
        images, thoughts = self.config.image, self.config.thought
        for age, turn in enumerate(list(self._turns)[::-1][: cut.keep if cut else None]):
            shown = turn.images if images > 0 and _keeps(cut, age) else ()
            images -= bool(shown)
            newest_first.append(self._observed(turn, shown, current=age == 0, text=age < self.config.text))
            if turn.answer is not None:
                plan = turn.plan if thoughts > 0 else ""
                thoughts -= bool(plan)
                newest_first.append(message("assistant", _said(turn.answer, plan)))
        *before, current = newest_first[::-1]
        return [*before, with_ask(current, ask) if ask else current]

    def _observed(self, turn: Turn, images: tuple[Image, ...], *, current: bool, text: bool) -> Message:
        lines = [*turn.notes, ""] if turn.notes and (current or text) else []
        lines.append("Current Observation:" if current else "Observation:")
        if current and self._status:
            lines.append(self._status)
        if text:
            lines.append(turn.text)
        return message("user", "\n".join(lines + provided(images)), images)


class Blocks:
    """A history that grows and is cut in blocks, so that most prompts begin with all of the prompt before but its last
    message.

    Once there is more than a cap allows, the oldest `block` texts (pictures, plans) go together; a cap below `block`
    empties, except for the newest. So a prompt holds between `cap - block + 1` and `cap` of each, and only one prompt
    in `block` is new to a cache.

    What has been sent stays as it was sent: an observation is a message of its own, notes included, without a heading
    that says it is the current one. What matters only in this step, the status and the question, is the last message
    and is never shown again. A turn goes with the answer that led to it, so the history begins with an observation.

    With `thought` below `block` the plans go so often that the prompts after a plan went repeat less; make it as large
    as `block`.

    Args:
        config: The caps: `text` and `image`, one of them at least 1, and `thought`; and `block`.
    """

    def __init__(self, config: HistoryConfig):
        self.config = config
        self._turns: deque[Turn] = deque(maxlen=turns(config))
        self._seen = self._pictures = self._plans = 0  # in the whole episode
        self._answer: tuple[str | None, str] = (None, "")
        self._status = ""

    def see(self, observation: Observation, notes: Sequence[str] = ()) -> None:
        answer, plan = self._answer
        self._turns.append(Turn(answer, plan, observation.text, pictures_of(observation), tuple(notes)))
        self._status = observation.status
        self._seen += 1
        self._pictures += observation.image is not None
        self._plans += bool(plan)

    def hear(self, notes: Sequence[str]) -> None:
        self._turns[-1] = replace(self._turns[-1], notes=(*self._turns[-1].notes, *notes))

    def did(self, action: str, plan: str = "") -> None:
        self._answer = (action, plan)

    def pictured(self) -> list[bool]:
        shown = list(self._turns)[::-1][: self._kept(self._seen, turns(self.config))]
        return _pictured(shown, self._kept(self._pictures, self.config.image))

    def messages(self, ask: str = "", cut: Cut | None = None) -> list[Message]:
        config = self.config
        texts, pictures = self._kept(self._seen, config.text), self._kept(self._pictures, config.image)
        plans = self._kept(self._plans, config.thought)
        newest_first: list[Message] = []
        kept = self._kept(self._seen, turns(config))
        for age in range(min(kept, cut.keep) if cut else kept):
            turn = self._turns[-1 - age]
            shown = turn.images if pictures > 0 and _keeps(cut, age) else ()
            pictures -= bool(shown)
            newest_first.append(_observed(turn, shown, text=age < texts))
            if turn.answer is not None:
                plan = turn.plan if plans > 0 else ""
                plans -= bool(plan)
                newest_first.append(message("assistant", _said(turn.answer, plan)))
        if newest_first[-1].role == "assistant":  # the answer to an observation that has gone
            newest_first.pop()
        now = self._now(self._turns[-1], ask)
        return [*newest_first[::-1], message("user", now)] if now else newest_first[::-1]

    def _kept(self, seen: int, cap: int) -> int:
        """How many of the `seen` are still shown. It depends only on their number."""
        block = min(self.config.block, cap)
        return seen - block * -(-(seen - cap) // block) if seen > cap > 0 else min(seen, cap)

    def _now(self, turn: Turn, ask: str) -> str:
        """The last message. It begins with a line end, because providers join it to the observation before it."""
        notes = "\n".join(turn.notes) if not self.config.text else ""
        paragraphs = [p for p in (notes, f"Now:\n{self._status}" if self._status else "", ask) if p]
        return "\n" + "\n\n".join(paragraphs) if paragraphs else ""


HISTORIES: dict[str, Callable[[HistoryConfig], History]] = {"window": Window, "blocks": Blocks}


def _pictured(turns: Sequence[Turn], most: int) -> list[bool]:
    """Of turns, newest first, whether their pictures are among the newest `most`."""
    found = []
    for turn in turns:
        found.append(bool(turn.images) and most > 0)
        most -= bool(turn.images)
    return found


def _keeps(cut: Cut | None, age: int) -> bool:
    """Whether a turn's pictures are left by a cut."""
    return cut is None or cut.pictures or age == 0


def _said(answer: str, plan: str) -> str:
    return f"Previous plan:\n{plan}" if plan else answer


def _observed(turn: Turn, images: tuple[Image, ...], *, text: bool) -> Message:
    """A turn's observation as it stays."""
    lines = [*turn.notes, ""] if turn.notes and text else []
    lines += ["Observation:", turn.text] if text else ["Observation:"]
    return message("user", "\n".join(lines + provided(images)), images)
