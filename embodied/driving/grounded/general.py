"""Scenes: which objects does the answer name, where and how, and which ones does it invent?

An answer is split into mentions, and the truth into objects. Mentions or objects with the same category, side, colour
and state are merged. Within each group mentions are matched to objects. A match is worth 4 for the category (2 when
only the group is named), 2 for the side, 1 each for colour and state, over what the facts know of the object: a name
alone is half of a full description.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from embodied.driving.categories import GROUPS
from embodied.driving.facts import ObjectFact, SceneFacts
from embodied.driving.grounded.attributes import colours_of, states_of
from embodied.driving.grounded.mentions import Mention, mentions
from embodied.driving.grounded.region import Status
from embodied.driving.grounded.text import language, normalise, tokens

CATEGORY, GROUP_ONLY, SIDE, COLOUR, STATE = 4, 2, 2, 1, 1
"""Worth of the parts of a match (ours)."""
_MOST = 200
"""Mentions of one answer that are matched, the first ones: a bound on hostile texts."""
_NOTHING = (
    *(
        "no objects",
        "no object",
        "no relevant",
        "nothing",
        "no hazards",
        "no hazard",
        "empty road",
        "road is clear",
        "road is empty",
    ),
    *("没有物体", "没有任何", "道路畅通", "没有障碍"),
)
"""What an answer must say about a scene without objects. An empty answer does not count."""


@dataclass(frozen=True)
class GroupScore:
    """Precision, recall and F1 of one group of one scene, in [0, 1]. None where the denominator is empty."""

    precision: float | None
    recall: float | None
    f1: float


@dataclass(frozen=True)
class GeneralScore:
    """How well one answer describes one scene."""

    value: float
    """In [0, 1]: mean F1 over the groups that are there or are named (macro-F1)."""
    groups: dict[str, GroupScore]
    """Of the groups that are there or are named."""
    mentions: int
    """Distinct things the answer says are there."""
    invented: int
    """Those of them whose category (for a noun of a whole group: the group) is not in the scene."""
    corner_cases: int
    found: int
    """Corner-case objects, and those of them whose category is named."""
    named: tuple[str, ...]
    """Categories named, without repeats."""
    status: Status

    def metrics(self) -> dict[str, float]:
        """Flat numbers for `info["metrics"]`; per-group F1 as `f1_<group>`, only of groups that
        are there or are named.
        """
        flat = {
            "grounded": self.value,
            "mentions": float(self.mentions),
            "invented": float(self.invented),
            "corner_cases": float(self.corner_cases),
            "corner_cases_found": float(self.found),
            "unrecognised": float(self.status == "unrecognised"),
            "unreadable": float(self.status == "unreadable"),
            "empty": float(self.status == "empty"),
        }
        return flat | {f"f1_{group}": score.f1 for group, score in self.groups.items()}


def score_general(answer: str, facts: SceneFacts) -> GeneralScore:
    """Scores one description of a scene.

    Args:
        answer: Any text, English or Chinese.
        facts: The scene. Objects whose category is empty (real references with an unknown noun) count by their group.
    """
    text = normalise(answer)
    spoken = language(text)
    corner = sum(o.corner_case for o in facts.objects)
    if spoken in ("", "other"):
        missed = {g: GroupScore(None, 0.0, 0.0) for g in GROUPS if any(o.group == g for o in facts.objects)}
        return GeneralScore(0.0, missed, 0, 0, corner, 0, (), "unreadable" if spoken else "empty")
    every = mentions(text)[:_MOST]
    said = distinct(every)
    objects = _distinct_objects(facts.objects)
    groups = {}
    for group in GROUPS:
        here, there = [m for m in said if _group(m, facts) == group], [o for o in objects if o.group == group]
        if here or there:
            groups[group] = _match(here, there)
    categories, present = {o.category for o in facts.objects}, {o.group for o in facts.objects}
    named = tuple(dict.fromkeys(c for m in said for c in m.noun.categories[:1]))
    hits = {c for m in said for c in m.noun.categories}
    value = sum(g.f1 for g in groups.values()) / len(groups) if groups else float(any(n in text for n in _NOTHING))
    return GeneralScore(
        value=value,
        groups=groups,
        mentions=len(said),
        invented=sum(not _present(m, categories, present) for m in said),
        corner_cases=corner,
        found=sum(o.corner_case and o.category in hits for o in facts.objects),
        named=named,
        status="scored" if every or not groups else "unrecognised",
    )


def _present(mention: Mention, categories: set[str], groups: set[str]) -> bool:
    return any(c in categories for c in mention.noun.categories) or (
        any(g in groups for g in mention.noun.groups) and (not mention.noun.categories or "" in categories)
    )


def _group(mention: Mention, facts: SceneFacts) -> str:
    """The group a mention counts in: of those its noun fits, the one with an object it may mean, else its usual one."""
    for fact in facts.objects:
        if fact.category in mention.noun.categories:
            return fact.group
    return next((o.group for o in facts.objects if o.group in mention.noun.groups), mention.noun.groups[0])


# --------------------------------------------------------------------------- merging


def distinct(found: Sequence[Mention]) -> list[Mention]:
    """The things that the answer says are there, each once.

    `The bus` after `a bus on the left` adds to that bus, and so does `a red bus on the left` after `a bus`; a mention
    that tells nothing new is dropped; negated and supposed ones are out.
    Nouns of a whole group (`vehicles`) are dropped where the answer names a category of that group.
    """
    there = [m for m in found if not (m.negated or m.supposed)]
    kinds = {g for m in there if m.noun.categories for g in m.noun.groups}
    kept: list[Mention] = []
    for mention in there:
        if not mention.noun.categories and mention.noun.groups[0] in kinds:
            continue
        for i, earlier in enumerate(kept):
            told = (
                _tells_less(mention, earlier)
                or _tells_less(earlier, mention)
                or (mention.definite and _agrees(earlier, mention))
            )
            if told and _same_noun(earlier, mention) and not mention.another:
                kept[i] = _merged(earlier, mention)
                break
        else:
            kept.append(mention)
    return kept


def _same_noun(a: Mention, b: Mention) -> bool:
    """Whether two mentions may be of one thing: of the same usual category, or (`the truck`, after a mixer truck) of
    one that both fit.
    """
    shared = bool(set(a.noun.categories) & set(b.noun.categories))
    return (a.noun.categories[:1] == b.noun.categories[:1] and a.noun.groups == b.noun.groups) or (
        shared and b.definite
    )


def _agrees(a: Mention, b: Mention) -> bool:
    return (not a.side or not b.side or a.side == b.side) and (not a.colours or not b.colours or a.colours == b.colours)


def _tells_less(a: Mention, b: Mention) -> bool:
    """Whether `a` says nothing that `b` does not."""
    return (not a.side or a.side == b.side) and set(a.colours) <= set(b.colours) and set(a.states) <= set(b.states)


def _merged(a: Mention, b: Mention) -> Mention:
    plural = a.noun if a.noun.plural or not b.noun.plural else b.noun
    return replace(
        a,
        noun=plural,
        side=a.side or b.side,
        colours=tuple(dict.fromkeys(a.colours + b.colours)),
        states=tuple(dict.fromkeys(a.states + b.states)),
    )


def _distinct_objects(objects: Sequence[ObjectFact]) -> list[ObjectFact]:
    """Objects that a description could tell apart: one of each (group, category, side, colour, state)."""
    return list({(o.group, o.category, o.side, o.colour, o.state): o for o in reversed(objects)}.values())[::-1]


# --------------------------------------------------------------------------- matching


@lru_cache(maxsize=4096)
def _read(colour: str, state: str) -> tuple[frozenset[str], frozenset[str]]:
    """Colours and states of a fact in the vocabulary that mentions use; a state that it lacks stays as it is."""
    words = tokens(normalise(state))
    colours = frozenset(colours_of(tokens(normalise(colour))))
    lights = frozenset(colours_of(words))
    return colours, frozenset(states_of(words)) or lights or frozenset(words)


def credit(mention: Mention, fact: ObjectFact) -> float:
    """Worth of a match in [0, 1], 0 when the nouns differ."""
    if fact.category in mention.noun.categories or (not fact.category and fact.group in mention.noun.groups):
        got = CATEGORY
    elif not mention.noun.categories and fact.group in mention.noun.groups:
        got = GROUP_ONLY
    else:
        return 0.0
    best = CATEGORY
    colours, states = _read(fact.colour, fact.state)
    if fact.side:
        best += SIDE
        got += SIDE * (mention.side == fact.side or (mention.side == "both" and fact.side != "ahead"))
    if colours:
        best += COLOUR
        got += COLOUR * bool(colours & set(mention.colours))
    if states:
        best += STATE
        got += STATE * bool(states & {*mention.states, *mention.colours, *mention.words.split()})
    return got / best


def _match(said: Sequence[Mention], objects: Sequence[ObjectFact]) -> GroupScore:
    """Matches greedily, the best pair first (ties: the earlier mention, the earlier object). A plural noun may stand
    for several objects.
    """
    pairs = sorted(((credit(m, o), -i, -j) for i, m in enumerate(said) for j, o in enumerate(objects)), reverse=True)
    by_mention: dict[int, float] = {}
    by_object: dict[int, float] = {}
    for worth, i, j in pairs:
        if (
            worth > 0
            and -j not in by_object
            and (-i not in by_mention or said[-i].noun.plural or said[-i].side == "both")
        ):
            by_object[-j] = worth
            by_mention.setdefault(-i, worth)
    precision = sum(by_mention.values()) / len(said) if said else None
    recall = sum(by_object.values()) / len(objects) if objects else None
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else 0.0
    return GroupScore(precision, recall, f1)
