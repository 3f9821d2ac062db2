"""Regions: does the answer name the object in the box? By the head noun of its first clause, against the category and
its group.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embodied.driving.categories import canonical, group_of
from embodied.driving.facts import ObjectFact
from embodied.driving.grounded.lexicon import NOUNS
from embodied.driving.grounded.mentions import Mention, in_sentence
from embodied.driving.grounded.text import han, language, normalise, sentences, tokens, word_set

Status = Literal["scored", "unrecognised", "empty", "unreadable"]
"""scored: something known is named. unrecognised: a readable answer without a known noun. unreadable: in a language
that is not English or Chinese.
"""


@dataclass(frozen=True)
class RegionScore:
    """How well one answer names one object."""

    value: float
    """In [0, 1]: the mean of `group` and `category`; 0 unless `status` is scored."""
    group: float
    """1 when the group is named; 1/k when it is one of k groups listed; 0 otherwise."""
    category: float
    """The same of the fine category."""
    named: tuple[str, ...]
    """The nouns taken as the answer, as written."""
    status: Status

    def metrics(self) -> dict[str, float]:
        """Flat numbers for `info["metrics"]`."""
        return {
            "grounded": self.value,
            "group_hit": self.group,
            "category_hit": self.category,
            "unrecognised": float(self.status == "unrecognised"),
            "unreadable": float(self.status == "unreadable"),
            "empty": float(self.status == "empty"),
        }


_SUBJECT = (
    r"\b(?:object|item|region|area|rectangle|box|image|picture|thing|content|subject|entity"
    r"|it|this|that|there|here|these|those|what)\b"
)
_FRAME = re.compile(
    rf"^(?:.{{0,160}}?{_SUBJECT}[^.]{{0,80}}?)?"
    r"\b(?:(?:is )?point(?:s|ing) to|is likely|is probably|is clearly|is actually|appears? to be|appears? to"
    r" show|seems? to be|looks? like|could be|may be|"
    r"might"
    r" be|is|are|represents?|shows?|contains?|highlights?|depicts?|encloses?|surrounds?|marks?|captures?|features?|"
    r"outlines|indicates|displays|i see|we see|can see) (?=.)"
)
"""What stands before an answer: `the object inside the red rectangle is`."""
_SUBJECTS = re.compile(rf"{_SUBJECT}|\b(?:i|we|you)\b")
_FRAME_ZH = re.compile(r"^.{0,60}?(?:似乎是|看起来是|看起来像|可能是|应该是|显示的是|显示了|标注的是|是|为|有)")
_LABEL = re.compile(
    r"^(?:[a-z]+ ){0,3}(?:object|answer|description|type|category|identification|response|overview|appearance)s?(?:"
    r" [a-z]+){0,5} ?: ?"
)
"""`object description:`"""
_TRANSPARENT = word_set(
    "pile group row stack set type kind pair couple piece part back rear side front line series number bunch heap"
    " portion section image form example",
    "column cluster model variety sort bit view end edge top picture reflection photo",
)
"""Nouns that hand on to what follows their `of`."""
_STOPS = word_set(
    "which that who where while because as in on at with near by behind beside beneath under above inside within from"
    " for to into along across between among",
    "next off located positioned situated placed parked standing lying sitting walking riding driving moving crossing"
    " carrying used designed",
    "indicating is are was has have typically often it its they affects affect can may might could will would should"
    " meaning such covered surrounded",
    "attached holding wearing made commonly usually not but",
)
"""Words that end the phrase which answers."""
_BEFORE_NOUNS = word_set("parked standing lying sitting walking moving crossing covered off")
"""Those of them that may stand right before its noun."""
_LISTING = word_set("或 者 和 以 及 一 个 辆 名 只 种 位 是")
"""What stands between the nouns of a Chinese list."""
_GREETINGS = word_set("here sure certainly yes ok okay below i let")
_SENTENCES = 3
"""Opening sentences looked at: some answers begin with "Sure!" or a heading."""


def score_region(answer: str, reference: ObjectFact | str) -> RegionScore:
    """Scores one answer.

    Args:
        answer: Any text, English or Chinese; only its first clause that names something counts.
        reference: The object, or its category in either spelling.

    Raises:
        UnknownName: The reference's category is not one of the 43.
    """
    name = reference if isinstance(reference, str) else reference.category
    group, category = group_of(name), canonical(name)
    text = normalise(answer)
    spoken = language(text)
    if not spoken:
        return RegionScore(0.0, 0.0, 0.0, (), "empty")
    if spoken == "other":
        return RegionScore(0.0, 0.0, 0.0, (), "unreadable")
    named = head_nouns(text)
    if not named:
        return RegionScore(0.0, 0.0, 0.0, (), "unrecognised")
    specific = {g for m in named if m.noun.categories for g in m.noun.groups}
    # `a vehicle, likely a truck` says truck
    alternatives = {m.noun for m in named if m.noun.categories or not specific & set(m.noun.groups)}
    groups = {a.groups[:1] for a in alternatives}
    kinds = {(a.groups[:1], a.categories[:1]) for a in alternatives}
    group_hit = float(any(group in a.groups for a in alternatives)) / len(groups)
    category_hit = float(any(category in a.categories for a in alternatives)) / len(kinds)
    return RegionScore((group_hit + category_hit) / 2, group_hit, category_hit, tuple(m.words for m in named), "scored")


def head_nouns(text: str) -> list[Mention]:
    """The nouns that normalised text gives as its answer: one, or those of a list (`a bicycle or a motorcycle`);
    negated ones are left out.
    """
    for words in sentences(tokens(text))[:_SENTENCES]:
        start = _answer_start(words)
        found = _head_phrase(words, start) or _first_named(words)
        if found or (start and words[0] not in _GREETINGS):
            return found  # "the object is a thing nobody knows" is an answer, too; the next sentence is not part of it
    return []


def _head_phrase(words: Sequence[str], start: int) -> list[Mention]:
    """Nouns of the phrase that answers, which begins at `start`; up to a preposition, a verb or a relative clause."""
    found = in_sentence(words)
    index = start
    listed: list[Mention] = []
    heads = {m.start: m for m in found}
    while index < len(words):
        word = words[index]
        hit = heads.get(index)
        if hit is None and (phrase := NOUNS.at(words, index)) and index + phrase[0] in heads:
            index += phrase[0]  # the first of two nouns side by side
            continue
        if hit is not None:
            if not hit.negated:
                listed.append(hit)
            index = hit.end
        elif (
            word == "of"
            and index > start
            and (words[index - 1] in _TRANSPARENT or words[index - 1].rstrip("s") in _TRANSPARENT)
        ):
            index += 1
        elif word == "specifically":
            listed.clear()  # `a truck, specifically a crane`: the second is meant
            index += 1
        elif word == ",":
            if listed and not _goes_on(words, index + 1):
                break
            index += 1
        elif word in _STOPS or word == "of" or word == ":":
            if not listed and word in _BEFORE_NOUNS and any(at in heads for at in range(index + 1, index + 4)):
                index += 1  # `several parked motorcycles`
                continue
            if listed or not _only_negated(words, start, index, found):
                break
            index += 1
        else:
            index += 1
    return _chinese_head(words, listed)


def _only_negated(words: Sequence[str], start: int, end: int, found: Sequence[Mention]) -> bool:
    """Whether so far only things were named that it is not (`not a car but a truck`)."""
    return any(m.negated and start <= m.start < end for m in found) or "not" in words[start : end + 1]


def _answer_start(words: Sequence[str]) -> int:
    """Token at which the answer begins, behind a frame such as `the object inside the red rectangle is`."""
    line = " ".join(words)
    label = _LABEL.match(line)
    skipped = label.end() if label else 0
    for _ in range(2):  # `the red box shows what appears to be a truck` has two
        rest = line[skipped:]
        frame = _FRAME.match(rest)
        if not frame or not _SUBJECTS.search(frame.group()) or _names_before(frame.group()):
            break
        skipped += frame.end()
    if not skipped and (frame_zh := _FRAME_ZH.match(line.replace(" ", ""))):
        return len(tokens(frame_zh.group()))
    return _tokens_of(words, skipped)


def _tokens_of(words: Sequence[str], characters: int) -> int:
    """How many tokens the first `characters` characters of the tokens joined by blanks hold."""
    count = used = 0
    while count < len(words) and used + len(words[count]) < characters:
        used += len(words[count]) + 1
        count += 1
    return count


def _names_before(frame: str) -> bool:
    """Whether a frame's subject is itself an object: `the traffic cone in the image is ...`."""
    named = [m for m in in_sentence(frame.split()) if m.noun.groups]
    return bool(named) and not re.match(
        r"^(?:the|this|that) (?:object|item|thing|region|area|red (?:bounding )?(?:rectangle|box))\b", frame
    )


def _goes_on(words: Sequence[str], index: int) -> bool:
    """Whether a list continues behind a comma: within four tokens a noun, after articles and adjectives only."""
    for at in range(index, min(index + 5, len(words))):
        if words[at] in _STOPS or (han(words[at]) and words[at] not in _LISTING and not NOUNS.at(words, at)):
            return False
        if NOUNS.at(words, at):
            return True
    return False


def _chinese_head(words: Sequence[str], listed: list[Mention]) -> list[Mention]:
    """Chinese puts what describes a noun before it with 的: of the nouns named only those behind the last 的 are the
    head.
    """
    marks = [i for i, w in enumerate(words) if w == "的" and listed and listed[0].start < i < listed[-1].start]
    return [m for m in listed if m.start > marks[-1]] if marks else listed


_LOCATIVE = word_set(
    "near behind beside beneath under above inside within by on at in to of from with between along across front next"
    " around"
)


def _first_named(words: Sequence[str]) -> list[Mention]:
    """The first thing that the text says is there, except things that the object only stands beside."""
    for mention in in_sentence(words):
        before = words[max(0, mention.start - 4) : mention.start]
        if (
            mention.noun.groups
            and not mention.negated
            and not mention.supposed
            and not any(w in _LOCATIVE for w in before)
        ):
            return [mention]
    return []
