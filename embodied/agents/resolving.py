"""Which action the words of a correction name: by the exact phrase, else by an alias, else by a small grammar. It never
guesses: words may name no action, or several.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from embodied.agents.vocabulary import Commands, Vocabulary, fold

_NOT_THIS = re.compile(
    r"\b(?:instead of|rather than|do not|don['’]t|not|never|stop)\s+(?:(?:do|doing|say|saying)\s+)?"
    r"(?:\"(?P<a>[^\"]*)\"|(?P<b>[^.,;:!?\"]*))",
    re.IGNORECASE,
)
"""The part of a correction that says what must not be done."""
_DO_THIS = re.compile(
    r"(?:^|[.!?:;,]\s+)(?:no|nope|wait|please|now|better|next|then|instead|you should|you must|try to|try|do this"
    r"(?: instead| now)?|do|say|type)\b[\s:,]*",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|`([^`]+)`")
_WORD = re.compile(r"\w+")
_SURE = {"phrase": 1.0, "alias": 0.9, "grammar": 0.8}
"""How surely each way finds what was meant: an order, not a measurement."""


@dataclass(frozen=True)
class Resolution:
    """What a correction names."""

    action: str = ""
    """Empty where it names no action, or several."""
    method: str = ""
    """phrase, alias or grammar; empty where nothing was found."""
    score: float | None = None
    """In [0, 1]."""
    several: tuple[str, ...] = ()
    """The actions between which the words do not decide."""


def resolve(words: str, accepted: Vocabulary | Commands) -> Resolution:
    """The action that `words` name in the vocabulary `accepted`."""
    text = words.strip()
    if not text:
        return Resolution()
    return _command(text, accepted) if isinstance(accepted, Commands) else _phrase(text, accepted)


def _found(method: str, actions: tuple[str, ...]) -> Resolution:
    if len(actions) != 1:
        return Resolution(several=actions)
    return Resolution(actions[0], method, _SURE[method])


def _phrase(text: str, vocabulary: Vocabulary) -> Resolution:
    if exact := vocabulary.exact(text):
        return _found("phrase", (exact,))
    if whole := vocabulary.whole(text):
        return _found("alias", whole)
    wanted = _NOT_THIS.sub(" ", text)
    quoted = [q for groups in _QUOTED.findall(wanted) for q in groups if q]
    if len(quoted) == 1 and (action := vocabulary.exact(quoted[0]) or next(iter(vocabulary.folded(quoted[0])), "")):
        return _found("grammar", (action,))
    led = _led(text)
    if led != text and (action := vocabulary.exact(led) or next(iter(vocabulary.whole(led)), "")):
        return _found("grammar", (action,))
    if mentioned := vocabulary.mentioned(wanted):
        return _found("grammar", mentioned)
    return _by_word(wanted, vocabulary)


def _led(text: str) -> str:
    """What follows the last words that ask for something, without closing punctuation."""
    wanted = _NOT_THIS.sub(" ", text).strip(" ,;:.")
    while (match := _DO_THIS.match(wanted)) is not None and match.end():
        wanted = wanted[match.end() :]
    return wanted.strip().strip('"“”`').rstrip(".!").strip()


def _by_word(text: str, vocabulary: Vocabulary) -> Resolution:
    """The only phrase that has one of the words: "left!" for "turn left"."""
    words = {fold(word) for word in _WORD.findall(text)}
    having = {phrase: words & {fold(word) for word in _WORD.findall(phrase)} for phrase in vocabulary.actions}
    if not any(having.values()):
        return Resolution()
    most = max(map(len, having.values()))
    return _found("alias", tuple(phrase for phrase, shared in having.items() if len(shared) == most))


def _command(text: str, commands: Commands) -> Resolution:
    """Any line is a command: a correction names one in quotes, or behind words that ask for it."""
    for line in (text, _led(text)):
        begins = any(_begins(line, pattern) for pattern in commands.patterns)
        if begins and (exact := commands.exact(line)):
            return _found("phrase" if line == text else "grammar", (exact,))
    wanted = text if commands.prose else _NOT_THIS.sub(" ", text)
    quoted = [q for groups in _QUOTED.findall(wanted) for q in groups if q]
    if len(quoted) == 1 and not commands.prose and (exact := commands.exact(quoted[0])):
        return _found("grammar", (exact,))
    head, colon, behind = text.partition(": ")
    if colon and _led(f"{head}: ") != head and (exact := commands.exact(behind)):
        return _found("grammar", (exact,))
    return Resolution()


def _begins(line: str, pattern: str) -> bool:
    first, wanted = _WORD.match(line), _WORD.match(pattern)
    return bool(first and wanted and fold(first[0]) == fold(wanted[0]))
