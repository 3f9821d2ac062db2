"""What an environment accepts: a finite `Vocabulary`, any of its `Commands`, or `Prose`; how it is shown, and how it is
found in a text without guessing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import ClassVar

import msgspec

from embodied.types import Mission, Observation

LONGEST_COMMAND = 200
"""Characters. The longest command of BALROG's text games has about 80; interpreters cut lines a little above 200."""

LONGEST_ANSWER = 8_000
"""Characters of an answer in prose: ten times as many as a full description of a street scene has."""

LIMIT = 16_384
"""Characters of a text, from its end, in which phrases are looked for: keeps a huge reply from costing more than a long
one.
"""

_PAIRS = {
    '"': '"',
    "'": "'",
    "`": "`",
    "*": "*",
    "_": "_",
    "“": "”",
    "‘": "’",
    "«": "»",
    "「": "」",
    "(": ")",
    "[": "]",
    "<": ">",
    "{": "}",
}
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that are not text: control characters besides tab and line ends, and lone surrogates."""
_FENCED = re.compile(r"```[^\n`]*\n((?:(?!```).)*)```", re.DOTALL)
_BULLET = re.compile(r"(?:[-*•>]|\d{1,2}[.)])\s+")
_GAP = re.compile(r"(?<=\w)[\s_-]{1,2}(?=\w)")
_WRAPPING = 64
"""Characters that may surround a phrase on a line that counts as being that phrase."""
_KINDS = {"single small letter": str.islower, "single capital letter": str.isupper, "single digit": str.isdigit}


def fold(text: str) -> str:
    """`text` without case and without narrow gaps between words: "Turn-Left", "turn left" and "turnleft" fold alike."""
    return _GAP.sub("", text.strip()).casefold()


def unwrapped(line: str) -> Iterator[str]:
    """`line`, then what is left as bullets, quotes, brackets, emphasis and closing punctuation are taken off one by
    one.
    """
    yield line
    while True:
        shorter = _BULLET.sub("", line.strip(), count=1) if _BULLET.match(line.strip()) else line.strip()
        if len(shorter) >= 2 and _PAIRS.get(shorter[0]) == shorter[-1]:
            shorter = shorter[1:-1]
        elif shorter == line:
            shorter = line.rstrip(".,;:!?…。！}]")
        if shorter == line:
            return
        line = shorter
        yield line


class Vocabulary:
    """A finite set of phrases.

    Args:
        actions: Phrase -> gloss, in order.
    """

    finite = True
    prose = False

    def __init__(self, actions: Mapping[str, str]):
        self.actions = dict(actions)
        self._longest = max(map(len, self.actions), default=0)
        self._folded: dict[str, list[str]] = {}
        for phrase, gloss in self.actions.items():
            for form in (phrase, f"{phrase}: {gloss}"):  # a model that copies a line of the list means its phrase
                self._folded.setdefault(fold(form), []).append(phrase)
        for phrase, rest in zip(self.actions, _distinct(self.actions), strict=True):
            self._folded.setdefault(fold(rest), [phrase])
        self._folded.pop("", None)  # a blank is found by its exact form alone
        self._longest_line = self._longest + max(map(len, self.actions.values()), default=0)

    def exact(self, text: str) -> str | None:
        """The phrase that `text` is, blanks around it aside; None when it is none."""
        return next((form for form in (text, text.strip()) if form in self.actions), None)

    def whole(self, line: str) -> tuple[str, ...]:
        """The phrases that `line`, one line, can be, wrapping aside: one when it is clear, several when only case could
        tell them apart, else none.
        """
        if len(line) > self._longest_line + _WRAPPING:
            return ()
        forms = list(unwrapped(line))
        for form in forms:
            if form in self.actions:
                return (form,)
        for form in forms:
            if phrases := self._folded.get(fold(form)):
                return tuple(dict.fromkeys(phrases))
        return ()

    def folded(self, form: str) -> tuple[str, ...]:
        """The phrases that differ from `form` only in case and narrow gaps."""
        return tuple(dict.fromkeys(self._folded.get(fold(form), ())))

    @property
    def longest_line(self) -> int:
        """Characters of the longest line that is a phrase: `phrase: gloss` of the list."""
        return self._longest_line

    def mentioned(self, text: str) -> tuple[str, ...]:
        """The phrases that occur in `text` as whole words, each once, in order; of overlapping ones the longest.

        Phrases of one character, and numbers, are not looked for: within a sentence, "a" and "I" are words.
        """
        if self._pattern is None:
            return ()
        found: dict[str, None] = {}
        end = 0
        for match in self._pattern.finditer(text):
            if match.end(1) > end:  # else it lies within a longer one
                end = match.end(1)
                # the expression's idea of case is wider than Unicode's folding
                phrases = self._folded.get(fold(match[1]), [])
                found.update(dict.fromkeys([match[1]] if match[1] in phrases else phrases))
        return tuple(found)

    def find(self, text: str) -> tuple[str, ...]:
        """The phrases `text` may mean: exactly one when it is clear.

        In this order: the whole text is a phrase; lines that are a phrase; phrases mentioned in passing.
        """
        if text in self.actions:
            return (text,)
        text = text[-LIMIT:]
        lines = dict.fromkeys(p for line in text.splitlines() for p in self.whole(line.strip()))
        return tuple(lines) or self.mentioned(text)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        phrases = sorted(
            (p.strip() for p in self.actions if len(p.strip()) > 1 and not p.strip().isdigit()), key=len, reverse=True
        )
        if not phrases:
            return None
        alternatives = "|".join(map(expression, phrases))
        # A look-ahead, so that a phrase which begins within another one is seen too. Behind an apostrophe no word
        # begins ("that's it").
        return re.compile(rf"(?<!\w)(?<!\w['’])(?=({alternatives})(?!\w))", re.IGNORECASE)

    # ----------------------------------------------------------------- showing

    def lines(self) -> list[tuple[str, str]]:
        """The list to show: (phrase, gloss), with runs of single letters or digits, or of numbers, as one entry in
        words.
        """
        runs = [[phrase for _, phrase in run] for _, run in groupby(_runs(self.actions), key=lambda item: item[0])]
        return [line for run in runs for line in _shown(run, [self.actions[p] for p in run])]

    def listing(self) -> str:
        """All phrases in one line, for a question that is asked again."""
        return ", ".join(name for name, _ in self.lines())


def _distinct(phrases: Iterable[str]) -> list[str]:
    """What tells the phrases apart, where all begin with the same words: "1" and "2" of "Path 1" and "Path 2". Else the
    phrases.
    """
    words = [phrase.split(" ") for phrase in phrases]
    shared = next((i for i, column in enumerate(zip(*words, strict=False)) if len(set(column)) > 1), 0)
    return [" ".join(w[shared:]) for w in words]


def _kind(phrase: str) -> str | None:
    """What a phrase is when it stands in a row of its like: a letter, a digit, a number of so many digits."""
    if not phrase.isascii():
        return None
    if len(phrase) > 1:
        return f"{len(phrase)}-digit number" if phrase.isdigit() else None
    return next((kind for kind, test in _KINDS.items() if test(phrase)), None)


def _runs(phrases: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Numbers the phrases so that neighbours of one kind, each the successor of the one before, share a number."""
    number, previous = 0, None
    for phrase in phrases:
        if (
            previous is None
            or _kind(phrase) is None
            or _kind(phrase) != _kind(previous)
            or _successor(previous) != phrase
        ):
            number += 1
        previous = phrase
        yield number, phrase


def _successor(phrase: str) -> str:
    return f"{int(phrase) + 1:0{len(phrase)}}" if phrase.isdigit() else chr(ord(phrase) + 1)


def _shown(phrases: list[str], glosses: list[str]) -> list[tuple[str, str]]:
    """One entry for a run of at least four whose glosses are the same except for the phrase itself; else one each."""
    pairs = list(zip(phrases, glosses, strict=True))
    if len(pairs) < 4 or len(common := {_general(*pair) for pair in pairs}) > 1:
        return pairs
    return [(f"any {_kind(phrases[0])} from {phrases[0]} to {phrases[-1]}", common.pop())]


def _general(phrase: str, gloss: str) -> str:
    """A gloss that holds for the neighbours too: "the key a: a choice" says "the key itself: a choice"."""
    return "" if gloss == phrase else re.sub(rf"\b{phrase}\b", "itself", gloss, count=1)


def expression(phrase: str) -> str:
    """A regular expression for `phrase` within a sentence, with other gaps between its words or none."""
    return r"[\s_-]{0,2}".join(map(_spaced, _GAP.split(phrase)))


def _spaced(word: str) -> str:
    """An expression for a word that may be written as two: "pick up" and "north-east" do not mean "up" and "east"."""
    return "".join((r"[ \t_-]?" if 2 <= i <= len(word) - 2 else "") + re.escape(c) for i, c in enumerate(word))


class Commands:
    """Any text of one line is an action.

    Args:
        patterns: Command pattern -> gloss, in order; they are shown and not enforced.
    """

    finite = False
    prose = False
    _QUOTES: ClassVar = {'"': '"', "'": "'", "`": "`", "*": "*", "“": "”", "‘": "’", "«": "»", "<": ">"}

    def __init__(self, patterns: Mapping[str, str]):
        self.patterns = dict(patterns)

    def exact(self, text: str) -> str | None:
        """`text` as a command: one line of printable text, at most `LONGEST_COMMAND` characters;
        None when it is not.
        """
        line = text.strip()
        return (
            line
            if 0 < len(line) <= LONGEST_COMMAND and len(line.splitlines()) == 1 and not CONTROL.search(line)
            else None
        )

    def find(self, text: str) -> tuple[str, ...]:
        """The first line that is not empty, less code fences and quotes around it, if it is short enough to be a
        command.
        """
        for line in text[:LIMIT].splitlines():
            line = CONTROL.sub("", line).strip()
            if not line or (line.startswith("```") and (line == "```" or not line.endswith("```"))):
                continue
            line = self._unquoted(line.removeprefix("> "))
            return (line,) if 0 < len(line) <= LONGEST_COMMAND else ()
        return ()

    def lines(self) -> list[tuple[str, str]]:
        """The list to show: (pattern, gloss)."""
        return list(self.patterns.items())

    def listing(self) -> str:
        """All patterns in one line."""
        return ", ".join(self.patterns)

    def _unquoted(self, line: str) -> str:
        """`line` without quotes that enclose all of it; an apostrophe or a quoted word within it stays."""
        while (
            len(line) >= 2
            and self._QUOTES.get(line[0]) == line[-1]
            and (line[0] in "*`" or not {line[0], line[-1]} & set(line[1:-1]))
        ):
            line = line[1:-1].strip()
        return line


class Prose(Commands):
    """Any text is an action: an answer in sentences, of as many lines as it takes. The patterns are of commands that
    may be given instead.
    """

    prose = True

    def exact(self, text: str) -> str | None:
        """`text` without blanks around it, printable; None when nothing is left or it is longer than `LONGEST_ANSWER`
        characters.
        """
        answer = CONTROL.sub("", text).strip()
        return answer if 0 < len(answer) <= LONGEST_ANSWER else None

    def find(self, text: str) -> tuple[str, ...]:
        """All of `text`, less one code fence or pair of quotes around it."""
        answer = self.exact(text)
        if answer is None:
            return ()
        fenced = _FENCED.fullmatch(answer)
        answer = self._unquoted(fenced[1].strip() if fenced else answer)
        return (answer,) if answer else ()


def present(mission: Mission, observation: Observation) -> Mission:
    """`mission` with the actions that can be chosen at `observation`: its own, or those of this step
    (`Observation.actions`), each with the mission's gloss where it has one.
    """
    if observation.actions is msgspec.UNSET:
        return mission
    return replace(mission, actions={phrase: mission.actions.get(phrase, "") for phrase in observation.actions})


def accepted(mission: Mission) -> Vocabulary | Commands:
    """What the environment of `mission` accepts."""
    if not mission.free_text:
        return Vocabulary(mission.actions)
    return Prose(mission.actions) if mission.prose else Commands(mission.actions)
