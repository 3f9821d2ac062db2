"""Text as `grounded-v1` reads it: normalised, cut into tokens and sentences, its language named.
English and Chinese.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, Literal, TypeVar

T = TypeVar("T")
Language = Literal["en", "zh", "other", ""]

MAX_CHARS = 20_000
"""Only so much of an answer is read: five times the longest of published runs, and a bound on the work a hostile text
can cause.
"""

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"[a-z]+|\d+(?:\.\d+)?|[{_HAN}]|[.!?;:,\n]")
_PUNCTUATION = str.maketrans(
    {"。": ".", "、": ",", "’": "'", "‘": "'", "“": " ", "”": " ", "–": "-", "—": ",", "／": "/", "\r": "\n"}
)
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"\be\.g\.", "for example"),
        (r"\bi\.e\.", "that is"),
        (r"\b(ca|wo)n't\b", "can not"),
        (r"n't\b", " not"),
        (r"\bcannot\b", "can not"),
        (r"'s\b", ""),
        (r"(?m)^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+", "\n"),  # bullets and numbers of lists
        (r"(?m)^[ \t]*#+", "\n"),
        (r"[*`~_|>#]", " "),
        (r"(?<=[a-z])-(?=[a-z])", " "),
        (r"(?<=\w)/(?=\w)", " or "),
        (r"\n\s*\n*", "\n"),
    )
)
SENTENCE_ENDS = frozenset(".!?;\n")


def word_set(*lines: str) -> frozenset[str]:
    """The words of lines."""
    return frozenset(word for line in lines for word in line.split())


_ENGLISH = word_set(
    "the is are of and this that with should it be to there has have which for by from its would will not or you your"
    " we they ahead please stop slow"
)
_FOREIGN = word_set(
    "der das und ist ein eine einen einem auf dem den nicht mit für von zu es wird le les des une est dans et un du il"
    " la el los las una en y es por con del",
    "che di sono nel per não uma um os na no está het een van niet op voor je",
) - word_set("no per on die van")
"""Function words of German, French, Spanish, Italian, Portuguese and Dutch that are not English words of the street."""


def normalise(text: str) -> str:
    """Lower case, one form of every character, no markdown, no invisible characters; newlines stay. At most `MAX_CHARS`
    of it.
    """
    # one character may become eighteen
    text = unicodedata.normalize("NFKC", text[:MAX_CHARS])[:MAX_CHARS].translate(_PUNCTUATION)
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cf", "Cc", "Mn")).lower()
    for pattern, by in _REWRITES:
        text = pattern.sub(by, text)
    return text.strip()


def tokens(text: str) -> list[str]:
    """Words, numbers, single Chinese characters and punctuation of normalised text."""
    return _TOKEN.findall(text)


def sentences(words: Sequence[str]) -> list[list[str]]:
    """Tokens cut at full stops, question and exclamation marks, semicolons and line ends, which are left out; no empty
    ones.
    """
    found: list[list[str]] = [[]]
    for word in words:
        if word in SENTENCE_ENDS:
            found.append([])
        else:
            found[-1].append(word)
    return [s for s in found if s]


def han(word: str) -> bool:
    """Whether a token is a Chinese character."""
    return "\u3400" <= word[0] <= "\u9fff"


def language(text: str) -> Language:
    """The language of normalised text: English, Chinese, another one, or empty when there is no letter.

    By script first (kana and hangul are not Chinese), then Latin text by its function words: more foreign ones than
    English ones is another language. A text of nouns alone passes as English.
    """
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return ""
    chinese = sum("\u3400" <= c <= "\u9fff" for c in letters)
    latin = sum(c.isascii() for c in letters)
    rest = len(letters) - chinese - latin
    accented = sum("\u00c0" <= c <= "\u024f" for c in letters)
    if rest - accented > 0.2 * len(letters) or (chinese and rest - accented > 0.1 * len(letters)):
        return "other"
    if 3 * chinese >= latin:  # a Chinese character carries about as much as three letters
        return "zh"
    words = re.findall(r"[^\W\d_]+", text)
    foreign = sum(w in _FOREIGN or not w.isascii() for w in words)
    return "other" if foreign > sum(w in _ENGLISH for w in words) else "en"


class Phrases(Generic[T]):
    """Finds phrases in tokens, the longest first."""

    def __init__(self, phrases: Mapping[tuple[str, ...], T]):
        self._by_first: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        for phrase, value in sorted(phrases.items(), key=lambda p: (-len(p[0]), p[0])):
            self._by_first.setdefault(phrase[0], []).append((phrase, value))

    def at(self, words: Sequence[str], index: int) -> tuple[int, T] | None:
        """The phrase that begins at `index`: its number of tokens and its value; None without one."""
        for phrase, value in self._by_first.get(words[index], ()):
            if tuple(words[index : index + len(phrase)]) == phrase:
                return len(phrase), value
        return None

    def all(self, words: Sequence[str]) -> Iterator[tuple[int, int, T]]:
        """Start, end and value of all phrases, from left to right, none overlapping another."""
        index = 0
        while index < len(words):
            found = self.at(words, index)
            if found is None:
                index += 1
            else:
                yield index, index + found[0], found[1]
                index += found[0]


def key(phrase: str) -> tuple[str, ...]:
    """A phrase as it is written in a table -> its tokens."""
    return tuple(tokens(normalise(phrase)))


def keys(*lines: str) -> list[tuple[str, ...]]:
    """The phrases of lines, which commas part, as their tokens."""
    return [key(phrase) for line in lines for phrase in line.split(", ")]
