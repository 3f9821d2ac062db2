"""Reply formats: the form in which an agent asks for its action, and where in a reply the thought ends and the action
begins.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

from embodied.agents.vocabulary import LIMIT
from embodied.types import Mission

_LABEL = re.compile(r"""\b(?:action|command|answer)\b["'`*_ \t]{0,4}[:=][ \t]*[*_]{0,2}""", re.IGNORECASE)


class Split(NamedTuple):
    """A reply, taken apart."""

    thought: str
    answer: str
    sure: bool
    """False when nothing told thought and answer apart; `answer` is then all of the reply."""


class Format(Protocol):
    """The form of a reply."""

    thinks: bool
    """Whether the agent is asked to think in words first."""

    def ask(self, mission: Mission) -> str:
        """What is asked at the end of every prompt."""
        ...

    def wrap(self, action: str) -> str:
        """`action` in the form asked for."""
        ...

    def exact(self, text: str) -> Split | None:
        """Splits a reply that has exactly the form asked for; None when it does not."""
        ...

    def loose(self, text: str, prose: bool = False) -> Split:
        """Splits any reply as well as possible. An answer in `prose` continues to the end of the reply."""
        ...


def _labelled(text: str, thinks: bool, prose: bool) -> Split:
    """Takes the first line (in prose, all) behind the last "Action:" (or JSON's `"action":`, "Command:", "Answer:") in
    the last `LIMIT` characters.
    """
    labels = list(_LABEL.finditer(text, max(0, len(text) - LIMIT)))
    behind = text[labels[-1].end() :] if labels else ""
    lines = [behind] if prose else behind.splitlines()
    if line := next((line for line in lines if line.strip("` \t")), ""):
        return Split(text[: labels[-1].start()].rstrip(' \t\n\r*_`"{').lstrip(), line, True)
    return Split(text.strip() if thinks else "", text, not thinks)


def _noun(mission: Mission) -> str:
    return "answer" if mission.prose else "command" if mission.free_text else "action"


class Plain:
    """The action and nothing else."""

    thinks = False

    def ask(self, mission: Mission) -> str:
        if mission.prose:
            return "Write your answer and nothing else: all that you write is taken as your answer."
        which = (
            "one command" if mission.free_text else "one of the actions listed above, exactly as it is written there,"
        )
        return f"Answer with {which} and nothing else: no explanation, no other text."

    def wrap(self, action: str) -> str:
        return action

    def exact(self, text: str) -> Split:
        return Split("", text, True)

    def loose(self, text: str, prose: bool = False) -> Split:
        return _labelled(text, self.thinks, prose)


class Held(Plain):
    """The action and nothing else, from a model that can answer only with an action of the list: `agent.format=choice`.

    A step is one call. Its words are `Plain`'s, so a run with this format and one with the agent `naive` differ in
    nothing but the constraint. For an agent that thinks a step is two calls: the first asks for the thought, in free
    text, and the second, which repeats it, for the action.
    """

    def __init__(self, thinks: bool):
        self.thinks = thinks

    def ask(self, mission: Mission) -> str:
        if not self.thinks:
            return self.choose(mission)
        return "Think step by step about what to do next. You will be asked for the action afterwards."

    def choose(self, mission: Mission) -> str:
        """The question of the call that allows only the actions."""
        return super().ask(mission)


class Marked:
    """A thought, then `ACTION: x`."""

    thinks = True
    MARK = "ACTION:"

    def ask(self, mission: Mission) -> str:
        noun = _noun(mission)
        end = "your final answer" if mission.prose else f"a line that names exactly one {noun}"
        return (
            f"Think step by step about what to do next. Then end your answer with {end}, in this form:\n{self.MARK}"
            f" <your {noun}>"
        )

    def wrap(self, action: str) -> str:
        return f"{self.MARK} {action}"

    def exact(self, text: str) -> Split | None:
        thought, mark, answer = text.rpartition(self.MARK)
        return Split(thought.strip(), answer, True) if mark else None

    def loose(self, text: str, prose: bool = False) -> Split:
        return _labelled(text, self.thinks, prose)


class Tagged:
    """`<|ACTION|>x<|END|>`, with a thought before it or without one."""

    OPEN, CLOSE = "<|ACTION|>", "<|END|>"

    def __init__(self, thinks: bool):
        self.thinks = thinks

    def ask(self, mission: Mission) -> str:
        noun = _noun(mission)
        which = f"exactly one {noun}" if mission.free_text else f"exactly one of the listed {noun}s"
        first = f"Think about what to do next. Then choose {which}" if self.thinks else f"Choose {which}"
        last = "" if self.thinks else " Write nothing before or after it."
        return (
            f"{first} and write it in precisely this form:\n\n{self.wrap(f'your {noun}')}\n\nPut your {noun} in place"
            f" of the words between the tags.{last}"
        )

    def wrap(self, action: str) -> str:
        return f"{self.OPEN}{action}{self.CLOSE}"

    def exact(self, text: str) -> Split | None:
        thought, opened, rest = text.rpartition(self.OPEN)
        answer, closed, _ = rest.partition(self.CLOSE)
        return Split(thought.strip(), answer, True) if opened and closed else None

    def loose(self, text: str, prose: bool = False) -> Split:
        thought, opened, rest = text.rpartition(self.OPEN)
        if opened and rest.strip():
            return Split(thought.strip(), rest.partition("<|")[0], True)
        return _labelled(text, self.thinks, prose)
