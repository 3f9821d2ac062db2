"""Parsing policies: how a reply becomes an action. They never guess: a reply that could mean two actions means none.

    policy    accepts                                                                            model calls
    strict    the exact phrase, in exactly the form asked for                                    1
    lenient   the phrase in another wrapping, behind the mark asked for or without it, if the
              reply states it as its choice (see `embodied.agents.reading`)                      1
    reask     as lenient; a reply that names no action is answered by what is wrong with it      up to 2
    balrog    what BALROG's own agents send: letters, blanks and colons alone, behind the last
              "ACTION:" or between its tags                                                      1

None but `balrog` takes what stands within a thought, or behind an observation that the model made up itself.

In free-text environments the action is one command of at most 200 characters: of several in a row the first, and the
decision says what was dropped. Digits, hyphens and apostrophes are kept. Where answers are prose it is all of the
reply, or all that follows the mark asked for.

`lenient` and `reask` have a reader with a version (`agent.parse.reader`): `v2` is the one above; `v1` is the one of
runs that record none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from embodied.agents.formats import Format
from embodied.agents.reading.reader import imagined, read, several
from embodied.agents.vocabulary import CONTROL, Commands, Vocabulary
from embodied.models.thoughts import split
from embodied.types import Note


@dataclass(frozen=True)
class Parsed:
    """What was read out of a reply."""

    action: str | None
    """None when there is no telling."""
    thought: str = ""
    problem: str = ""
    """What is wrong with the reply, in words for its author; empty when it is good."""
    notes: tuple[Note, ...] = ()
    """What a reader of the record must know: text that was dropped, markers that are not known."""


class Parser(Protocol):
    """A parsing policy."""

    calls: int
    """Model calls a decision may take."""

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        """Reads an action out of a reply. Any string is a reply; time is bounded by a multiple of its length, and
        memory too.
        """
        ...


class Strict:
    """The exact phrase in exactly the form asked for; thoughts before it, blanks and newlines
    around it do not count.
    """

    calls = 1

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        before, said, _ = split(text)
        split_ = format.exact(imagined(text if not before else said, format, accepted))
        if split_ is None:
            return Parsed(None, text.strip() if format.thinks else "", _problem(text, "is not in the form asked for"))
        thought = "\n".join(filter(None, (before, split_.thought)))
        action = accepted.exact(split_.answer)
        if action and isinstance(accepted, Commands) and not accepted.prose and several(action, accepted):
            return Parsed(None, thought, "Your answer holds more than one command, and only one can be taken.")
        wrong = (
            "is not one of the actions"
            if accepted.finite
            else "is too long"
            if accepted.prose
            else "is not one command on one line"
        )
        return Parsed(action, thought, "" if action else _problem(split_.answer, wrong))


class Lenient:
    """Ignores wrapping, and finds the one action that a reply states as its choice."""

    calls = 1

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        reading = read(text, format, accepted)
        return _parsed(text, reading.found, reading.thought, accepted, reading.problem, reading.notes)


class Reask(Lenient):
    """As lenient, and the agent may ask once more."""

    calls = 2


class First:
    """The reader of runs that record no version: the last label anywhere, or the only phrase mentioned. Kept so that
    such runs can continue.
    """

    calls = 1

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        split_ = (format.exact(text) if accepted.prose else None) or format.loose(text, accepted.prose)
        found = accepted.find(split_.answer) if split_.sure or accepted.finite else ()
        return _parsed(text, found, split_.thought, accepted)


class FirstReask(First):
    """As first, and the agent may ask once more."""

    calls = 2


class Balrog:
    """What BALROG's agents make of a reply (`_extract_final_answer` of its naive, chain-of-thought and robust agents).

    Everything but letters, blanks and colons is deleted, then the text behind the last "ACTION:" is the action; with
    tags it is what stands between the first pair of them. A phrase is compared exactly. BALROG executes the default
    action for anything else, and so do we.
    """

    calls = 1

    def parse(self, text: str, format: Format, accepted: Vocabulary | Commands) -> Parsed:
        opening, _, closing = format.wrap("\0").partition("\0")
        if closing.strip():
            begin = text.find(opening)
            end = text.find(closing, begin)
            said = text[begin + len(opening) : end].strip() if 0 <= begin < end else "" if format.thinks else text
        else:
            letters = _OTHER.sub("", text)
            said = letters.rpartition(opening.strip())[2].strip() if opening.strip() else letters
        if isinstance(accepted, Vocabulary):
            action = said if said in accepted.actions else None
        else:
            action = accepted.exact(said)
        wrong = "is not one of the actions" if accepted.finite else "is not one command on one line"
        return Parsed(action, text.strip() if format.thinks else "", "" if action else _problem(text, wrong))


_OTHER = re.compile(r"[^a-zA-Z\s:]")

PARSERS: dict[str, Callable[[], Parser]] = {"strict": Strict, "lenient": Lenient, "reask": Reask, "balrog": Balrog}
FIRST: dict[str, Callable[[], Parser]] = {"lenient": First, "reask": FirstReask}


def parser(policy: str, reader: str) -> Parser:
    """The parser of a policy with a reader of a version."""
    return (FIRST.get(policy, PARSERS[policy]) if reader == "v1" else PARSERS[policy])()


def shorten(text: str, limit: int = 200) -> str:
    """The beginning of `text`, at most `limit` characters long, printable."""
    return printable(text if len(text) <= limit else text[: limit - 1] + "…")


def printable(text: str) -> str:
    """`text` with U+FFFD in place of everything that is not text: providers, terminals and files may refuse it."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _parsed(
    text: str,
    found: tuple[str, ...],
    thought: str,
    accepted: Vocabulary | Commands,
    problem: str = "",
    said: tuple[Note, ...] = (),
) -> Parsed:
    if len(found) == 1:
        return Parsed(found[0], thought, notes=said)
    if found:
        return Parsed(
            None,
            thought,
            f"Your answer could mean several actions ({', '.join(found[:5])}), and only one can be taken.",
            said,
        )
    wrong = (
        "names none of the actions"
        if accepted.finite
        else f"has no {'answer' if accepted.prose else 'command'} that can be told from the rest"
    )
    return Parsed(None, thought, _problem(text, problem or wrong), said)


def _problem(text: str, otherwise: str) -> str:
    return f"Your answer {otherwise}." if text.strip() else "Your answer was empty."
