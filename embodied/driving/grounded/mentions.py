"""Which objects a text says are there: mentions with side, colour and state, aware of negation and of what is only
supposed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from embodied.driving.grounded.attributes import colours_of, side_of, states_of
from embodied.driving.grounded.lexicon import NOUNS, Noun
from embodied.driving.grounded.text import Phrases, han, keys, normalise, sentences, tokens, word_set


@dataclass(frozen=True)
class Mention:
    """One object, or several of a kind, that a text speaks of."""

    noun: Noun
    words: str
    """The noun as it was written (normalised)."""
    negated: bool = False
    """`no pedestrian`, `not a car`."""
    supposed: bool = False
    """Only possible, or one of "other vehicles": it does not say what is there."""
    definite: bool = False
    """`the car`, `this car`: may speak of one that was named before."""
    another: bool = False
    """`another car`: not one that was named before."""
    side: str = ""
    """left, right, both, ahead; empty when not said."""
    colours: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    start: int = 0
    """Index of its first token within the sentence."""
    end: int = 0


_CUES: Phrases[str] = Phrases(
    {
        phrase: kind
        for kind, lines in {
            "no": (
                (
                    "no, without, neither, nor, none of, free of, absence of, lack of, can not see, do not see, not"
                    " any, not see, not visible"
                ),
                "没有, 没看到, 看不到, 未见, 未发现, 不存在, 无",
            ),
            "not": ("not, rather than, instead of", "不是, 并非, 而非"),
            "nothing": (
                (
                    "not only, not just, no longer, no doubt, no entry, no parking, no passing, no left turn, no right"
                    " turn"
                ),
                "no u turn, no stopping, no overtaking, no turn",
                "may be, might be, could be, can be seen, can see, could see, would be, can be",
                "不仅, 无论, 无法, 不仅是, 无需, 可能是, 可以看到",
            ),
            "end": ("but, however, there is, there are, instead, except, only", "但, 而是, 只有, 但是, 有"),
            "suppose": (
                (
                    "may, might, could, can, would, if, potential, potentially, possible, possibly, in case, such as,"
                    " for example, for instance"
                ),
                (
                    "any, avoid, other, unexpected, expect, typically, 可能, 如果, 若, 例如, 比如, 其他, 其它, 任何,"
                    " 避免, 潜在, 以防"
                ),
            ),
        }.items()
        for phrase in keys(*lines)
    }
)
"""What begins and ends a negation or a supposition; the longest phrase counts, so `can be seen` is not a supposition
and `no entry` is not a negation.
"""
_ABSENT: Phrases[bool] = Phrases(
    dict.fromkeys(
        keys(
            "is absent, are absent, not present, not visible, not seen, not detected, not observed, not identified,"
            " none visible, none detected",
            "none present, none are visible, 不存在, 未出现, 没有出现, 不可见",
        ),
        True,
    )
)
"""What denies the nouns before it."""
_BETWEEN = word_set(", and or is are was were also any other clearly 和 或 与 都 也")
_DEFINITE = word_set("the this that these those its their said 该 这 那 此 其")
_ARTICLES = word_set(
    "a an the this that these those one two three four five six several some many another there it which who he she 一"
    " 两 三 几 有 多"
)
_COMING = re.compile(r"(?:may|might|could|can) (?:\w+ )?(?:appear|emerge|exist|come)\b|(?:可能|会)(?:突然)?出现")
_OWN = word_set("ego our my your autonomous driving own")
_NONE = word_set("none no not nothing absent 无 没 未")
_LOOK = word_set(
    "appearance position location place direction colour color state status movement motion description distance type"
    " details",
    "外观 位置 方向 颜色 状态 描述",
)
_EFFECT = word_set(
    "impact effect effects influence reason explanation why importance significance relevance affects behavior"
    " implication implications",
    "影响 原因 解释 建议",
)
_HEADING = 8
"""Tokens within which a colon makes a heading of what stands before it."""
_NOT_REACH = 6
"""Tokens that a `not` reaches: `not a small red car`."""


def mentions(text: str) -> list[Mention]:
    """All mentions of a text (raw or normalised), in order. Nouns of things outside the seven groups are left out.

    Lists as models write them are understood: a heading (`1. **Truck**:`) with lines on its looks and place below is
    one mention, and a line on its effect on the driver (`Impact: ...`) names nothing that is there.
    """
    found: list[Mention] = []
    heading: Mention | None = None
    for sentence in sentences(tokens(normalise(text))):
        label = _label(sentence)
        if label == "effect":
            continue
        here = [m for m in in_sentence(sentence) if m.noun.groups]
        if heading is not None and (label == "look" or not here):
            found[-1] = heading = _looks(heading, sentence)
            continue
        if heading is not None and (
            found[-1].negated or any(set(m.noun.groups) & set(heading.noun.groups) for m in here)
        ):
            found.pop()  # `Barriers:` and then `A white fence ...`
        heading = None
        found.extend(here)
        if len(here) == 1 and sentence[-1] == ":":
            heading = here[0]
    return found


def _label(words: Sequence[str]) -> str:
    """What a line of a list is about, by the word before its colon: `look`, `effect`, or nothing of the kind."""
    colon = words.index(":") if ":" in words[:_HEADING] else 0
    before = set(words[:colon])
    return "effect" if before & _EFFECT else "look" if before & _LOOK else ""


def _looks(heading: Mention, words: Sequence[str]) -> Mention:
    """Adds what a line below a heading says of it."""
    colours, states = (() if heading.colours else colours_of(words)), states_of(words)
    denied = heading.negated or bool(set(words[:4]) & _NONE)
    return replace(
        heading,
        negated=denied,
        side=heading.side or side_of(words),
        colours=heading.colours or colours,
        states=heading.states + states,
    )


def in_sentence(words: Sequence[str]) -> list[Mention]:
    """Mentions of one sentence, those outside the seven groups included."""
    found = _heads(words)
    negated, supposed = _scopes(words)
    denied = _denied_after(words, found)
    marked = (
        Mention(
            noun,
            " ".join(words[start:end]),
            negated=negated[start] or start in denied,
            supposed=supposed[start] or (start > 0 and words[start - 1] in _OWN) or _may_come(words, end),
            definite=_definite(words, start),
            another=bool({"another", "second", "third", "另"} & set(words[max(0, start - 4) : start])),
            start=start,
            end=end,
        )
        for start, end, noun in found
    )
    things: list[Mention] = []
    outside: list[Mention] = []
    for mention in marked:
        (things if mention.noun.groups else outside).append(mention)
    return sorted([*_headings(words, _described(words, things)), *outside], key=lambda m: m.start)


def _heads(words: Sequence[str]) -> list[tuple[int, int, Noun]]:
    """Noun phrases found. Of two English nouns side by side the last is the head (`police dog`); three or more are a
    list without commas.
    """
    found = list(NOUNS.all(words))
    kept: list[tuple[int, int, Noun]] = []
    index = 0
    while index < len(found):
        run = index + 1
        while run < len(found) and found[run][0] == found[run - 1][1] and not han(words[found[run][0]]):
            run += 1
        kept.extend(found[index:run] if run - index != 2 else found[run - 1 : run])
        index = run
    return kept


def _denied_after(words: Sequence[str], found: Sequence[tuple[int, int, Noun]]) -> set[int]:
    """Starts of nouns that a later verb denies: `traffic lights and cones are not visible`."""
    cue = next((i for i, _, _ in _ABSENT.all(words)), None)
    denied: set[int] = set()
    last = cue
    for start, end, _ in reversed(found):
        if last is None or end > last:
            continue
        if last - end > 3 or any(w not in _BETWEEN for w in words[end:last]):
            break
        denied.add(start)
        last = start
    return denied


def _may_come(words: Sequence[str], end: int) -> bool:
    """Whether the text only says that a thing may appear: `pedestrians may suddenly appear`, 行人可能出现."""
    after = "".join(words[end : end + 4]) if end < len(words) and han(words[end]) else " ".join(words[end : end + 3])
    return _COMING.match(after) is not None


def _definite(words: Sequence[str], start: int) -> bool:
    for word in reversed(words[max(0, start - 4) : start]):
        if word in _DEFINITE:
            return True
        if word in _ARTICLES or word in (",", "and", "or"):
            return False
    return False


def _scopes(words: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """For every token, whether a negation reaches it, and whether a supposition does."""
    negated, supposed = [False] * len(words), [False] * len(words)
    cues = {start: (end, kind) for start, end, kind in _CUES.all(words)}
    reach, supposing, index = 0, False, 0
    while index < len(words):
        if index in cues:
            end, kind = cues[index]
            if kind == "no":
                reach = len(words)
            elif kind == "not":
                reach = max(reach, end + _NOT_REACH) if not han(words[index]) else len(words)
            elif kind == "end":
                reach = 0
            elif kind == "suppose":
                supposing = True
            index = end
            continue
        word = words[index]
        if word == "," or word == ":":
            supposing = supposing and _list_goes_on(words, index + 1)
            reach = reach if _list_goes_on(words, index + 1) else 0
        elif word in ("and", "和") and index + 1 < len(words) and words[index + 1] in _ARTICLES:
            reach = 0
        negated[index], supposed[index] = index < reach, supposing
        index += 1
    return negated, supposed


def _list_goes_on(words: Sequence[str], index: int) -> bool:
    """Whether a bare noun follows within three tokens: `no cars, no trucks, or other vehicles` continues,
    `no cars, but a truck` does not.
    """
    for at in range(index, min(index + 3, len(words))):
        if words[at] in _ARTICLES or words[at] in (",", "but", "however"):
            return False
        if NOUNS.at(words, at):
            return True
    return False


def _headings(words: Sequence[str], found: list[Mention]) -> list[Mention]:
    """`Traffic lights: none` denies them; `Animals: a brown dog` speaks of the dog; `Traffic cone: orange, on the left`
    of the cone.
    """
    colon = words.index(":") if ":" in words[:_HEADING] else 0
    denied = bool(set(words[colon + 1 : colon + 2]) & _NONE)
    named = {g for m in found if m.start > colon and not m.negated for g in m.noun.groups}
    return [
        (
            replace(m, negated=m.negated or denied, supposed=m.supposed or bool(named & set(m.noun.groups)))
            if m.end <= colon
            else m
        )
        for m in found
    ]


# --------------------------------------------------------------------------- attributes

_RUN_STOPS = word_set(
    ", and or of in on at to with by near behind beside from for is are a an the this that there it : 的 和 在 有 是"
    " 一 与 及"
)
_TELLING = word_set("is are in being showing that which with turned :")
"""What may stand between a noun and its colour: `the light is green`."""
_LINKS = frozenset({"and", "or", ",", "a", "an", "the", "和", "与", "及", "一", "some", "several", "two", "three"})


def _described(words: Sequence[str], found: Sequence[Mention]) -> list[Mention]:
    """Adds sides, colours and states: from the words right before a noun, and from those between it and the next."""
    described: list[Mention] = []
    leading = ""
    for i, mention in enumerate(found):
        before = found[i - 1].end if i else 0
        after = _run_start(words, found[i + 1].start, mention.end) if i + 1 < len(found) else len(words)
        own = words[_run_start(words, mention.start, before) : mention.start]
        trail = list(words[mention.end : after])
        if i == 0 or _opens(words[before : mention.start]):
            leading = side_of(words[before : mention.start]) or ("" if i == 0 else leading)
        side = leading or side_of(own) or side_of(trail)
        inside = words[mention.start : mention.end]
        said = [*own, *(trail[:4] if trail[:1] and trail[0] in _TELLING else [])]
        if mention.noun.categories[:1] == ("traffic_light",):
            said = [*own, *inside, *trail]
        states = states_of([*own, *trail] if not leading else [*words[before : mention.start], *trail])
        described.append(replace(mention, side=side, colours=colours_of(said), states=states))
    return _shared(words, described)


def _run_start(words: Sequence[str], noun: int, least: int) -> int:
    """Where the adjectives right before a noun begin, not before token `least`."""
    start = noun
    while start > least and start > noun - 8 and words[start - 1] not in _RUN_STOPS:
        start -= 1
    if (
        start > least and start < noun + 1 and words[start - 1] == "的"
    ):  # Chinese puts whole clauses before 的: 停在路边的白色轿车
        start -= 1
        while start > least and words[start - 1] not in (",", "有"):
            start -= 1
    return start


def _opens(lead: Sequence[str]) -> bool:
    """Whether the words between two nouns open a new place: `..., on the right, a ...`."""
    return (
        len(lead) > 2
        and lead[0] in (",", ":", "and")
        and (han(lead[1]) or any(w in ("on", "to", "at", "in", "ahead") for w in lead[1:3]))
        and bool(side_of(lead))
    )


def _shared(words: Sequence[str], found: list[Mention]) -> list[Mention]:
    """In `a car and a bus on the left` both are on the left."""
    for i in range(len(found) - 2, -1, -1):
        between = words[found[i].end : found[i + 1].start]
        if (
            not found[i].side
            and found[i + 1].side
            and len(between) <= 4
            and any(w in ("and", "和", "与") for w in between)
            and all(w in _LINKS or not side_of([w]) for w in between)
        ):
            found[i] = replace(found[i], side=found[i + 1].side)
    return found
