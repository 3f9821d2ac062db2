"""Parsing policies: how a reply becomes an action. They never guess: a reply that could mean two actions means none.

    policy    accepts                                                                            model calls
    strict    the exact phrase, in exactly the form asked for                                    1
    lenient   the phrase in another case, in quotes, in a code fence, behind "Action:", on a
              line of its own, or as the only phrase of the vocabulary that the reply mentions   1
    reask     as lenient; a reply that names no action is answered by what is wrong with it      up to 2

In free-text environments the action is the first line that is not empty, less quotes and fences, and at most 200 characters
long. Digits, hyphens and apostrophes are kept. Where answers are prose it is all of the reply, or all that follows the mark asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from embodied.agents.formats import Format
from embodied.agents.vocabulary import CONTROL, Commands, Vocabulary


@dataclass(frozen=True)
class Parsed:
    """What was read out of a reply."""

    action: str | None
    """None when there is no telling."""
    thought: str = ""
    problem: str = ""
    """What is wrong with the reply, said to its author; empty when nothing is."""


class Parser(Protocol):
    """A parsing policy."""

    calls: int
    """Model calls a decision may take."""

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        """Reads an action out of a reply. Any string is a reply; time is bounded by a multiple of its length, and memory too."""
        ...


class Strict:
    """The exact phrase in exactly the form asked for; blanks and newlines around it do not count."""

    calls = 1

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        split = format.exact(text)
        if split is None:
            return Parsed(None, text.strip() if format.thinks else "", _problem(text, "is not in the form asked for"))
        action = accepted.exact(split.answer)
        wrong = "is not one of the actions" if accepted.finite else "is too long" if accepted.prose else "is not one command on one line"
        return Parsed(action, split.thought, "" if action else _problem(split.answer, wrong))


class Lenient:
    """Looks past wrapping to the one action a reply can mean."""

    calls = 1

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        split = (format.exact(text) if accepted.prose else None) or format.loose(text, accepted.prose)
        found = accepted.find(split.answer) if split.sure or accepted.finite else ()
        if len(found) == 1:
            return Parsed(found[0], split.thought)
        if found:
            return Parsed(None, split.thought, f"Your answer could mean several actions ({', '.join(found[:5])}), and only one can be taken.")
        wrong = "names none of the actions" if accepted.finite else f"has no {'answer' if accepted.prose else 'command'} that can be told from the rest"
        return Parsed(None, split.thought, _problem(text, wrong))


class Reask(Lenient):
    """As lenient, and the agent may ask once more."""

    calls = 2


PARSERS: dict[str, Callable[[], Parser]] = {"strict": Strict, "lenient": Lenient, "reask": Reask}


def shorten(text: str, limit: int = 200) -> str:
    """The beginning of `text`, at most `limit` characters long, printable."""
    return printable(text if len(text) <= limit else text[: limit - 1] + "…")


def printable(text: str) -> str:
    """`text` with U+FFFD in place of what is not text: providers, terminals and files may refuse the rest."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _problem(text: str, otherwise: str) -> str:
    return f"Your answer {otherwise}." if text.strip() else "Your answer was empty."
