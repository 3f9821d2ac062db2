"""The stages put together: `read` takes a reply and says which action it states, or what is wrong with it."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

from embodied.agents import notes
from embodied.agents.formats import Format
from embodied.agents.reading import choice, markers, marks
from embodied.agents.reading.commands import Command, Speech
from embodied.agents.reading.letters import plain
from embodied.agents.reading.marks import WINDOW, Said, first_line
from embodied.agents.reading.prose import answer as prose_answer
from embodied.agents.reading.turns import observations, turn
from embodied.agents.vocabulary import Commands, Vocabulary
from embodied.models.thoughts import opens, split
from embodied.types import Note

LONGEST_REPLY = 65_536
"""Characters of a reply, thoughts aside and from its end, in which an answer and what stands before it are looked for.
"""

_REVISED = re.compile(
    r"\b(?:no|nope|wait|actually|instead|correction|corrected|rather|scratch|sorry|oops|hmm+|but|however|better"
    r"|revis\w+|chang\w+|final|mistake\w*|wrong|reconsider\w*|second thought|would"
    r"|doch|nein|pero|mais|不对|等等)\b",
    re.IGNORECASE,
)
"""Words between two answers which say that the second replaces the first."""
_STRONG = re.compile(
    r"act|command|cmd|answer|move|decision|choice|befehl|aktion|antwort|acci|respuesta|comando|r.ponse|commande"
    r"|azione|risposta|resposta|动|行|答|命|指|操|选|ア|コ|행|명|답|결",
    re.IGNORECASE,
)
_NESTED = ("{", "[", "<", "\\", "$", "```", "~~~")


@dataclass(frozen=True)
class Reading:
    """What a reply came to."""

    found: tuple[str, ...] = ()
    """The action; several where the reply may mean any of them; none."""
    thought: str = ""
    problem: str = ""
    """What is wrong, if there is more to say than that no action was found; the end of `Your answer ...`."""
    notes: tuple[Note, ...] = ()


_NOWHERE = -1


@dataclass(frozen=True)
class _Found:
    """What a stage found in a text: phrases or a command, and where the mark before it begins (`_NOWHERE` without
    one).
    """

    actions: tuple[str, ...]
    place: int = 0
    dropped: str = ""
    clear: bool = False
    """Whether it is stated by itself: a line that is a phrase, a command behind a mark."""


_NOTHING = _Found(())


def read(reply: str, format: Format, accepted: Vocabulary | Commands) -> Reading:
    """Reads the action out of a reply. Any string is a reply; time is linear in its length.

    Args:
        reply: What the model wrote, with its thoughts or without.
        format: The form that was asked for.
        accepted: What the environment accepts.
    """
    if isinstance(accepted, Vocabulary) and reply in accepted.actions:
        return Reading((reply,))
    thought, text, cut = split(reply)
    text = turn(text)
    if not text.strip():
        return Reading(
            (), thought, "ended within its thoughts" if cut else "is nothing but thoughts" if thought else ""
        )
    if len(text) > LONGEST_REPLY and not accepted.prose:
        thought, text = "\n".join(filter(None, (thought, text[:-LONGEST_REPLY]))), text[-LONGEST_REPLY:]
    if opens(text[:WINDOW]) or opens(text[-WINDOW:]):
        return Reading((), thought or text.strip(), "holds a mark of a thought that does not end")
    text = text if accepted.prose else plain(text)
    if marker := markers.unknown(text, format, accepted):
        return _behind_marker(text, marker, thought, format, accepted)
    return _said(text, thought, format, accepted)


def imagined(text: str, format: Format, accepted: Vocabulary | Commands) -> str:
    """`text` up to the first observation behind a stated action: for readings that look at the exact form alone."""
    text = turn(text)
    if accepted.prose:
        return text
    for place, _ in observations(text):
        if read(text[:place], format, accepted).found:  # in any dress
            return text[:place]
    return text


def several(command: str, accepted: Commands) -> str:
    """What follows the first command in `command`; empty when it is one."""
    return _speech(accepted).of_line(command).dropped


def _behind_marker(
    text: str, marker: re.Match[str], thought: str, format: Format, accepted: Vocabulary | Commands
) -> Reading:
    """A reply that begins with an unknown marker is read only behind the marker's end, and only where the answer is
    marked.
    """
    rest = markers.without(text, marker)
    name = marker["all"][:60]
    found = Reading()
    if (
        rest is not None
        and not accepted.prose
        and (marks.own(rest[-WINDOW:], format) or marks.containers(rest[-WINDOW:]) or marks.labelled(rest[-WINDOW:]))
    ):
        found = _said(rest, thought, format, accepted)
    note = Note(notes.UNKNOWN_MARKER, f"The reply begins with {name}, a marker that the reader does not know.")
    return Reading(
        found.found,
        found.thought or thought,
        found.problem or f"begins with {name}, which is not part of the form asked for",
        (note, *found.notes),
    )


def _said(text: str, thought: str, format: Format, accepted: Vocabulary | Commands) -> Reading:
    """The stages after thoughts."""
    if isinstance(accepted, Vocabulary):
        stage: _Reader = _Choices(format, accepted)
    elif accepted.prose:
        answer, before = prose_answer(text, format, accepted)
        return Reading(accepted.find(answer) if answer is not None else (), "\n".join(filter(None, (thought, before))))
    else:
        stage = _Orders(format, accepted)
    mine = stage.own_turn(text)
    found = stage.look(mine) if mine is not None else _NOTHING
    marked = mine is not None and found.place >= 0
    before = text if format.thinks else ""
    if mine is not None and marked:
        before = mine[: found.place].rstrip(' \t\n\r*_`"{')
    dropped = (
        (
            Note(
                notes.DROPPED,
                f'Only "{found.actions[0]}" was taken; what followed was dropped: "{found.dropped[:120]}".',
            ),
        )
        if found.dropped and found.actions
        else ()
    )
    return Reading(found.actions, "\n".join(filter(None, (thought, before.strip()))), "", dropped)


class _Reader(ABC):
    """What finite vocabularies and commands have in common: marks, and the end of the turn."""

    def __init__(self, format: Format):
        self.format = format

    def own_turn(self, text: str) -> str | None:
        """`text` up to the first observation behind a stated action; None when it is unclear what was stated."""
        for place, hard in observations(text):
            before = text[:place]
            if not before.strip(" \t\n*_#>`-|\"'[(<"):
                continue  # what was seen is said again
            found = self.look(before)
            if found.clear or hard:
                return before
            if found.actions:
                return None if self.format.thinks and marks.own(text[place:], self.format) else before
        return text

    def look(self, text: str) -> _Found:
        """What `text` states, marks first."""
        start = max(0, len(text) - WINDOW)
        window = text[start:]
        for kind in (self._own, marks.containers, marks.labelled):
            if (said := kind(window)) and (found := self._resolved(said, window)) is not None:
                place = found.place if found.actions else said[-1].start
                return _Found(found.actions, place + start, found.dropped, found.clear)
        found = self.unmarked(text)
        return _Found(found.actions, _NOWHERE, found.dropped, found.clear)

    def _own(self, window: str) -> list[Said]:
        return marks.own(window, self.format)

    def _resolved(self, said: list[Said], window: str) -> _Found | None:
        """One answer out of several places; None where none of them is an answer after all."""
        said = self._telling(said)
        if not said:
            return None
        results = [self.of(one, window) for one in said]
        last = results[-1]
        if len(last.actions) != 1:
            return last
        for one, result in zip(said, results, strict=True):
            if result.clear and len(result.actions) == 1 and result.actions != last.actions:
                between = window[_end_of_answer(one) : said[-1].end - len(said[-1].text)]
                if not _REVISED.search(between):
                    return self.conflict(results, said, window)
        return last

    def _telling(self, said: list[Said]) -> list[Said]:
        """Those of `said` that are answers: labels such as "Result:" may speak of something else, and an input goes
        before its tool.
        """
        inputs = [one for one in said if "input" in one.label.lower() and self.of(one, "").actions]
        return inputs or [
            one
            for one in said
            if "input" not in one.label.lower() and (one.closed or _STRONG.search(one.label) or self.of(one, "").clear)
        ]

    @abstractmethod
    def of(self, said: Said, window: str) -> _Found:
        """What one place states."""

    @abstractmethod
    def conflict(self, results: list[_Found], said: list[Said], window: str) -> _Found:
        """What several places that disagree come to."""

    @abstractmethod
    def unmarked(self, text: str) -> _Found:
        """What a text without marks states."""

    def _nested(self, said: Said) -> list[Said]:
        """Answers in containers within `said`."""
        line = said.text.strip()
        if line.startswith(_NESTED) or "{" in first_line(said):
            return [one for one in marks.containers(said.text) if len(one.text) < len(said.text)]
        return []


class _Choices(_Reader):
    """Finite vocabularies."""

    def __init__(self, format: Format, vocabulary: Vocabulary):
        super().__init__(format)
        self.vocabulary = vocabulary

    def of(self, said: Said, window: str) -> _Found:
        if not (line := first_line(said)):  # a sign such as `-` may be all there is
            return _Found(choice.whole(self.vocabulary, said.text.strip()), said.start, clear=True)
        if phrases := choice.whole(self.vocabulary, line) or choice.whole(self.vocabulary, said.text.strip()):
            return _Found(self._with_next_lines(said, line, phrases), said.start, clear=True)
        if nested := self._nested(said):
            inner = self._resolved(nested, said.text)
            return _Found(inner.actions, said.start, clear=inner.clear) if inner else _NOTHING
        if said.closed and "\n" in said.text.strip() and (phrases := choice.lines(self.vocabulary, said.text)):
            return _Found(phrases, said.start, clear=True)
        return _Found(choice.chosen(self.vocabulary, line, marked=True), said.start)

    def _with_next_lines(self, said: Said, line: str, phrases: tuple[str, ...]) -> tuple[str, ...]:
        """`phrases`, and those of the lines right below that are phrases too: a plan of several steps is not a choice
        of one.
        """
        below = said.text.partition(line)[2].splitlines()[1:12]
        for following in filter(str.strip, below):
            more = choice.whole(self.vocabulary, following.strip())
            if not more:
                break
            phrases = tuple(dict.fromkeys((*phrases, *more)))
        return phrases

    def conflict(self, results: list[_Found], said: list[Said], window: str) -> _Found:
        return _Found(tuple(dict.fromkeys(phrase for result in results for phrase in result.actions)), clear=True)

    def unmarked(self, text: str) -> _Found:
        if phrase := self.vocabulary.exact(text):
            return _Found((phrase,), clear=True)
        text = text[-WINDOW:]
        if phrases := choice.lines(self.vocabulary, text):
            return _Found(phrases, clear=True)
        return _Found(choice.chosen(self.vocabulary, text))


class _Orders(_Reader):
    """Commands."""

    def __init__(self, format: Format, accepted: Commands):
        super().__init__(format)
        self.speech = _speech(accepted)

    def of(self, said: Said, window: str) -> _Found:
        if nested := self._nested(said):
            inner = self._resolved(nested, said.text)
            return _Found(inner.actions, said.start, inner.dropped, inner.clear) if inner else _NOTHING
        if not (line := first_line(said)):
            return _NOTHING
        return _found(self.speech.of_line(line, said.text.partition(line)[2]), said.start)

    def _telling(self, said: list[Said]) -> list[Said]:
        """Behind a label such as "Result:" stands a command only where it begins as one; any text could be one."""
        return [
            one
            for one in super()._telling(said)
            if one.closed or _STRONG.search(one.label) or self.speech.knows(first_line(one))
        ]

    def conflict(self, results: list[_Found], said: list[Said], window: str) -> _Found:
        """Commands one behind the other are a plan: its first step is taken. With other text between them it is
        unclear.
        """
        for one, following in itertools.pairwise(said):
            if window[_end_of_answer(one) : following.start].strip(" \t\n*_`-,;[{}]\"'"):
                return _NOTHING
        rest = "; ".join(action for result in results[1:] for action in result.actions)
        return _Found(results[0].actions, results[0].place, rest, True)

    def unmarked(self, text: str) -> _Found:
        if self.format.thinks:
            return _NOTHING
        return _found(self.speech.of_text(text[:WINDOW]), 0)


def _found(command: Command, place: int) -> _Found:
    return _NOTHING if command.text is None else _Found((command.text,), place, command.dropped, True)


def _end_of_answer(said: Said) -> int:
    """Where the answer that `said` states ends: of one without a closing mark, its first line."""
    if said.closed:
        return said.end
    line = first_line(said)
    return said.end - len(said.text) + said.text.find(line) + len(line)


@lru_cache(maxsize=16)
def _speech_of(patterns: tuple[str, ...]) -> Speech:
    return Speech(Commands(dict.fromkeys(patterns, "")))


def _speech(accepted: Commands) -> Speech:
    return _speech_of(tuple(accepted.patterns))
