"""Slots: the parts of a goal that another episode fills with other words, so that what was learnt of a blue ball is of
use for a red key.

    slots = Slots.found("Go to the blue ball.", ["a blue ball 3 steps forward"])
    slots.opened("a blue ball 3 steps forward")     # "a ITEM_A 3 steps forward"
    slots.closed("take ITEM_A")                     # "take blue ball"

A goal with its slots open is a form ("Go to the ITEM_A."). `bound` reads a new goal by a form that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

NAMES = tuple(f"ITEM_{letter}" for letter in "ABCDEFGH")
"""One word each, so that an embedder sees a word of its own."""
_LONGEST = 4
"""Words of what fills a slot."""
_DETERMINER = re.compile(r"\b(?:the|a|an|some|your|my)\s+", re.IGNORECASE)
_QUOTED = re.compile(r"\"([^\"\n]{1,60})\"|“([^”\n]{1,60})”")
_WORD = re.compile(r"[\w'-]+")
_STOP = frozenset(
    (
        *(
            "a",
            "an",
            "the",
            "to",
            "of",
            "and",
            "then",
            "in",
            "on",
            "with",
            "at",
            "it",
            "is",
            "are",
            "you",
            "your",
            "my",
        ),
        *("by", "for", "or", "as", "this", "that", "which", "up", "next", "from", "after", "before"),
    )
)
_FILLING = r"([\w'-]+(?: [\w'-]+){0,3}?)"
_NAME = re.compile(r"ITEM_[A-H]")
_NOTE = re.compile(r"(ITEM_[A-H]): (.{1,200})")


@dataclass(frozen=True)
class Slots:
    """What fills each slot of a goal: `phrases[0]` stands for ITEM_A."""

    phrases: tuple[str, ...] = ()

    @classmethod
    def found(cls, goal: str, texts: Sequence[str]) -> Slots:
        """The slots of a goal: what stands in quotes, and the longest words behind an article that occur in one of
        `texts`, the episode's observations.
        """
        seen = [_plain(text) for text in texts]
        found = dict.fromkeys(phrase for _, phrase in sorted([*_quoted(goal), *_named(goal, seen)]))
        return cls(tuple(found)[: len(NAMES)])

    @classmethod
    def read(cls, notes: Iterable[str]) -> Slots:
        """What filled the slots of an example, from its notes (`ITEM_A: blue ball`)."""
        given = {match[1]: match[2] for note in notes if (match := _NOTE.fullmatch(note))}
        return cls(tuple(given[name] for name in NAMES if name in given)) if NAMES[0] in given else cls()

    def notes(self) -> tuple[str, ...]:
        """What `read` reads."""
        return tuple(f"{name}: {phrase}" for name, phrase in zip(NAMES, self.phrases, strict=False))

    @classmethod
    def bound(cls, goal: str, forms: Iterable[str]) -> tuple[str, Slots] | None:
        """A new goal read by a form that is known.

        Returns:
            The form that says most of the goal in its own words, and what fills its slots; None where none fits.
        """
        best: tuple[int, str, Slots] | None = None
        for form in sorted(set(forms)):
            match = _pattern(form).fullmatch(" ".join(goal.split()))
            literal = len(_NAME.sub("", form))
            if match is not None and (best is None or literal > best[0]):
                names = match.groupdict()
                best = literal, form, cls(tuple(names[name] for name in sorted(names)))
        return None if best is None else best[1:]

    def opened(self, text: str) -> str:
        """`text` with the name of a slot in place of each phrase that fills one; the longest phrases first."""
        for name, phrase in sorted(zip(NAMES, self.phrases, strict=False), key=lambda pair: -len(pair[1])):
            text = _whole(phrase).sub(name, text)
        return text

    def closed(self, text: str) -> str:
        """`text` with each slot filled. A slot that nothing fills stays as it is."""
        filled = dict(zip(NAMES, self.phrases, strict=False))
        return _NAME.sub(lambda name: filled.get(name[0], name[0]), text)


def open_slots(text: str) -> bool:
    """Whether a slot in `text` is not filled."""
    return _NAME.search(text) is not None


def _quoted(goal: str) -> Iterable[tuple[int, str]]:
    for match in _QUOTED.finditer(goal):
        yield match.start(), (match[1] or match[2]).strip()


def _named(goal: str, seen: Sequence[str]) -> Iterable[tuple[int, str]]:
    quoted = [match.span() for match in _QUOTED.finditer(goal)]
    for match in _DETERMINER.finditer(goal):
        if any(start < match.end() <= end for start, end in quoted):
            continue
        words = _run(goal[match.end() :])
        for count in range(len(words), 0, -1):
            phrase = " ".join(words[:count])
            if words[count - 1].lower() not in _STOP and any(f" {phrase.lower()} " in text for text in seen):
                yield match.start(), phrase
                break


def _run(text: str) -> list[str]:
    """The words at the beginning of `text`, up to the first sign or stop word."""
    words: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        if text[end : match.start()].strip() or match[0].lower() in _STOP or len(words) == _LONGEST:
            break
        words.append(match[0])
        end = match.end()
    return words


def _plain(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "


@lru_cache(maxsize=4096)
def _whole(phrase: str) -> re.Pattern[str]:
    body = r"\s+".join(map(re.escape, phrase.split())) or r"(?!)"
    return re.compile(rf"(?<!\w){body}(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _pattern(form: str) -> re.Pattern[str]:
    """An expression for the goals of a form; a slot that occurs twice is filled alike."""
    pieces: list[str] = []
    known: set[str] = set()
    for piece in re.split(rf"({_NAME.pattern})", " ".join(form.split())):
        if _NAME.fullmatch(piece):
            pieces.append(f"(?P={piece})" if piece in known else f"(?P<{piece}>{_FILLING[1:]}")
            known.add(piece)
        else:
            pieces.append(re.escape(piece))
    return re.compile("".join(pieces), re.IGNORECASE)
