"""Which action the words of a correction name: by the exact phrase, else by an alias, else by a small grammar, else,
where the run says so, by the nearest phrase in meaning. Words may name no action, or several: then it does not guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from embodied.agents.vocabulary import Commands, Vocabulary, fold

_NOT = (
    r"instead of|rather than|anything but|refrain from|no longer|no more|no need to|no reason to|"
    r"(?:do|does|did|is|are|was|must|should|could|would|wo|ca)(?:n['’]?t|\s+not)|cannot|not|never|avoid|without|"
    r"stop(?=\s+\w+ing\b)"
)
_NOT_THIS = re.compile(
    rf"\b(?:{_NOT})\s+(?:(?:do|doing|say|saying)\s+)?(?:\"(?P<a>[^\"]*)\"|(?P<b>(?:(?!\s{{1,3}}but\s)[^.,;:!?\"])*))",
    re.IGNORECASE,
)
"""The part of a correction that says what must not be done: up to a "but", or the next mark."""
_NEGATED = re.compile(
    rf"\b(?:{_NOT}|no|none|nor|neither|nothing|nobody|unless|cease|quit|wrong|mistake|alone)\b", re.IGNORECASE
)
"""Something is denied or forbidden somewhere in the words: then their meaning is not guessed."""
_STATED = re.compile(
    r"\b(?:is|are|was|were|am|has|had|does|did|there|I|will|would)\b|['’](?:s|re|m|ve|ll)\b", re.IGNORECASE
)
"""The words may tell how things are: "the door is open" asks nobody to open it."""
_UNDECIDED = re.compile(r"\b(?:or|either|whichever|whatever|then|afterwards|after)\b|;", re.IGNORECASE)
"""Words for several actions, in turn or to choose from."""
_DO_THIS = re.compile(
    r"(?:^|[.!?:;,]\s+)(?:no|nope|wait|please|now|better|next|then|instead|you should|you must|try to|try|do this"
    r"(?: instead| now)?|do|say|type)\b[\s:,]*",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"(?:[,;.!?…–—-]\s{0,3}(?:no|wait|sorry|correction)|\b(?:no,? wait|I mean|I meant|scratch that))\b[\s:,.!-]*"
    r"(?P<then>.*)",
    re.IGNORECASE | re.DOTALL,
)
""" "turn left, no, turn right": what follows counts. "turn left? no": nothing does."""
_AT_ONCE = r"(?!\s+(?:now|away|here|there|after|before|behind|then)\b)"
""" "right now" says when, and not where."""
_CLOSING = re.compile(r"[\s,]+(?:now|please|instead)$", re.IGNORECASE)
_BLANK = re.compile(r"(<[^<>]+>|\{[^{}]+\}|\.\.\.)")
"""A place in a command pattern that words go into."""
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|`([^`]+)`")
_WORD = re.compile(r"\w+")
_CLAUSE = re.compile(r"[.,;:!?…\n]+")
_LIGHT = frozenset(
    _WORD.findall(
        "a again an and better could direction do facing go going hand hey it just key let lets make move must need"
        " next now of off ok okay on one please quickly should side so square step take the then there this to toward"
        " towards try turn us walk want way yes you your"
    )
)
"""Words that may stand beside a single word of a phrase without changing what is asked: "to the left, please". Beside
others it may mean something else: "the truck on the left is parked".
"""
_LONGEST_WISH, _LONGEST_SENTENCE = 2_000, 200
"""Characters of words that are searched for a phrase of a list, and of those whose meaning is looked up. A longer text
is more than one wish.
"""
_SURE = {"phrase": 1.0, "alias": 0.9, "grammar": 0.8}
"""How surely each way finds what was meant: an order, not a measurement."""


@dataclass(frozen=True)
class Resolution:
    """What a correction names."""

    action: str = ""
    """Empty where it names no action, or several."""
    method: str = ""
    """phrase, alias, grammar, sentence, hashing or asked; empty where nothing was found."""
    score: float | None = None
    """In [0, 1]: an order for the first three methods, a cosine for `sentence` and `hashing`."""
    several: tuple[str, ...] = ()
    """The actions between which the words do not decide, the likeliest first."""


class ByMeaning(Protocol):
    """Finds the nearest phrase in meaning (`embodied.agents.nearest`)."""

    def __call__(self, words: str, actions: Mapping[str, str]) -> Resolution:
        """The action that is near enough to `words`, or those between which they do not decide.

        Args:
            words: A wish in few words, without negation.
            actions: Phrase -> gloss.
        """
        ...


def resolve(words: str, accepted: Vocabulary | Commands, meaning: ByMeaning | None = None) -> Resolution:
    """The action that `words` name in the vocabulary `accepted`.

    Args:
        words: What was said, as it was said.
        accepted: What the environment accepts.
        meaning: Asked last, and only where there is a list of actions. Never for words that deny something, ask
            something or leave a choice: those it would take for what they deny.
    """
    text = words.strip()
    if not text:
        return Resolution()
    if isinstance(accepted, Commands):
        return _command(text, accepted)
    found = _phrase(text, accepted)
    if found.action or meaning is None or _contradicts(text, accepted) or not guessable(text):
        return found
    guess = meaning(_led(text) or text, accepted.actions)
    return guess if guess.action or not found.several else found


def guessable(text: str) -> bool:
    """Whether the words may be a wish for one action: short, in Latin letters, and neither a question nor
    a statement, a denial or a choice.
    """
    without_no = re.sub(r"^\W*(?:no|nope)\s*[,.!:;-]", "", text, flags=re.IGNORECASE)
    return (
        len(text) <= _LONGEST_SENTENCE
        and not text.rstrip(" \"'”).").endswith("?")
        and all(c < "\u0250" or not c.isalpha() for c in text)
        and not _NEGATED.search(without_no)
        and not _UNDECIDED.search(without_no)
        and not _STATED.search(without_no)
    )


def _contradicts(text: str, vocabulary: Vocabulary) -> bool:
    mentioned = vocabulary.mentioned(text)
    return len(mentioned) > 1 or bool(mentioned and _run_on(mentioned[0], text, vocabulary))


def _found(method: str, actions: tuple[str, ...]) -> Resolution:
    if len(actions) != 1:
        return Resolution(several=actions)
    return Resolution(actions[0], method, _SURE[method])


def _phrase(text: str, vocabulary: Vocabulary) -> Resolution:
    if exact := vocabulary.exact(text):
        return _found("phrase", (exact,))
    if whole := vocabulary.whole(text):
        return _found("alias", whole)
    if len(text) > _LONGEST_WISH:
        return Resolution()
    wanted = _NOT_THIS.sub(" ", text)
    if (taken_back := _TAKEN_BACK.search(wanted, 1)) and (before := _any(wanted[: taken_back.start()], vocabulary)):
        then = _phrase(taken_back["then"], vocabulary) if taken_back["then"].strip() else Resolution()
        if then.action:
            return _found("grammar", (then.action,))
        return Resolution(several=tuple(dict.fromkeys((*before, *then.several))))
    quoted = [q for groups in _QUOTED.findall(wanted) for q in groups if q]
    if len(quoted) == 1 and (action := vocabulary.exact(quoted[0]) or next(iter(vocabulary.folded(quoted[0])), "")):
        return _found("grammar", (action,))
    led = _led(text)
    if led != text and (action := vocabulary.exact(led) or next(iter(vocabulary.whole(led)), "")):
        return _found("grammar", (action,))
    mentioned = vocabulary.mentioned(wanted)
    if len(mentioned) == 1 and not _stands_out(mentioned[0], wanted):
        return Resolution()
    if len(mentioned) == 1 and (others := _run_on(mentioned[0], wanted, vocabulary)):
        return Resolution(several=(mentioned[0], *others))
    return _found("grammar", mentioned) if mentioned else _by_word(wanted, vocabulary)


def _run_on(phrase: str, text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The phrases that the words go on to behind a mentioned one, by the one word in which they differ from it: "turn
    left right", "turn left or right".
    """
    own = _WORD.findall(phrase.casefold())
    said = r"\W+".join(map(re.escape, own))
    found = []
    for other in vocabulary.actions if len(own) > 1 else ():
        words = _WORD.findall(other.casefold())
        differ = [b for a, b in zip(own, words, strict=False) if a != b]
        if len(words) == len(own) and len(differ) == 1:
            behind = rf"\W+(?:(?:or|and)\W+)?{re.escape(differ[0])}\b{_AT_ONCE}"
            if re.search(said + behind, text.casefold()):
                found.append(other)
    return tuple(found)


def _led(text: str) -> str:
    """What follows the last words that ask for something, without closing punctuation."""
    wanted = _NOT_THIS.sub(" ", text).strip(" ,;:.")
    while (match := _DO_THIS.match(wanted)) is not None and match.end():
        wanted = wanted[match.end() :]
    return wanted.strip().strip('"“”`').rstrip(".!").strip()


def _words(text: str) -> set[str]:
    return {fold(word) for word in _WORD.findall(text)}


def _stands_out(phrase: str, text: str) -> bool:
    """Whether a mentioned phrase is a wish: it has several words, or only light words beside it, from mark to mark."""
    own = _words(phrase)
    if len(own) > 1:
        return True
    return any(own <= words and words <= own | _LIGHT for words in map(_words, _CLAUSE.split(text)))


def _any(text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The phrases that are mentioned, or that the words are a part of."""
    found = _by_word(text, vocabulary)
    return vocabulary.mentioned(text) or ((found.action,) if found.action else found.several)


def _by_word(text: str, vocabulary: Vocabulary) -> Resolution:
    """The only phrase that has the words, light ones aside: "left!" for "turn left"."""
    if text.rstrip().endswith("?"):
        return Resolution()
    words = _words(text)
    having = {phrase: words & _words(phrase) for phrase in vocabulary.actions if len(phrase.strip()) > 1}
    most = max((len(shared - _LIGHT) for shared in having.values()), default=0)
    if not most:
        return Resolution()
    best = tuple(phrase for phrase, shared in having.items() if len(shared - _LIGHT) == most)
    if len(best) == 1 and not words <= _words(best[0]) | _LIGHT:
        return Resolution()
    return _found("alias", best)


def _command(text: str, commands: Commands) -> Resolution:
    """Any line is a command: a correction names one in the form of a pattern, in quotes, or behind words that ask for
    it.
    """
    for line in (text, _led(text)):
        line = line if commands.prose else _CLOSING.sub("", line)
        if _single(line, commands) and (exact := commands.exact(line)):
            return _found("phrase" if line == text else "grammar", (exact,))
    wanted = text if commands.prose else _NOT_THIS.sub(" ", text)
    quoted = [q for groups in _QUOTED.findall(wanted) for q in groups if q]
    if len(quoted) == 1 and not commands.prose and (exact := commands.exact(quoted[0])):
        return _found("grammar", (exact,))
    head, colon, behind = text.partition(": ")
    if colon and _led(f"{head}: ") != head and (exact := commands.exact(behind)):
        return _found("grammar", (exact,))
    return Resolution()


def _single(line: str, commands: Commands) -> bool:
    """Whether a line has the form of a pattern, and is one command: not "go ahead" or "go north or go south"."""
    if not any(_form(pattern).fullmatch(line) for pattern in commands.patterns):
        return False
    return commands.prose or not _UNDECIDED.search(line)


@lru_cache(maxsize=1024)
def _form(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression: `go <north|south>` takes one of the two, `take <thing>` and `take ...` any words."""
    parts = (part.strip() for part in _BLANK.split(pattern))
    return re.compile(r"\s+".join(map(_blank, filter(None, parts))), re.IGNORECASE)


def _blank(part: str) -> str:
    choices = part[1:-1].split("|") if part[0] in "<{" else []
    if len(choices) > 1:
        return f"(?:{'|'.join(map(re.escape, choices))})"
    return ".+" if choices or part == "..." else r"\s+".join(map(re.escape, part.split()))
