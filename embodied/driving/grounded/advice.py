"""Which actions a text advises, and which it advises against."""

from __future__ import annotations

import re
from dataclasses import dataclass

from embodied.driving.actions import SYNONYMS
from embodied.driving.grounded.lexicon import NOUNS
from embodied.driving.grounded.text import normalise, tokens


@dataclass(frozen=True)
class Advice:
    """The actions of a text."""

    actions: frozenset[str]
    """Advised without reserve."""
    refused: frozenset[str]
    """Advised against (`do not stop`), and not advised elsewhere."""


_PATTERNS = {
    name: re.compile(rf"\b(?:{'|'.join(english)})\b|{'|'.join(chinese)}")
    for name, (english, chinese) in SYNONYMS.items()
}
_CLAUSES = re.compile(
    r"[.!?;\n]|, (?=(?:and |but )?(?:if|when|once|while|so|as|since|because|which|but)\b)|,(?=[^\x00-\x7f])|"
    r"\bbut\b|但|\bbecause\b|\binstead\b|\brather than\b"
)
_ONLY_IF = re.compile(
    r"\b(?:if|when|once|unless|until|after|before|as soon as|while|in"
    r" case|prepared?|preparation|ready|able|whether|necessary|needed|required|"
    r"possibly|potentially|without having|cause|causing|requires? drivers|where"
    r" possible)\b|如果|若|必要时|一旦|当|准备|之前|以便|直到|可能需要|后再|确认"
)
_OF_OTHERS = re.compile(
    r"\b(?:may|might|could|can|would|is|are|was|were|which|who|that|they|it|he|she|has|vehicles? behind) (?:\w+ly |also"
    r" |be |been )*$"
)
_NEGATION = re.compile(
    r"\b(?:not|never|no|avoid|without|refrain from|rather than|instead of|do not need to|no need to|prohibited from)(?:"
    r" \w+){0,3} $|"
    r"(?:不要|不得|不可|避免|禁止|切勿|勿|无需|不必|不能|别)\w{0,4}$"
)
_ABRUPT = re.compile(r"\b(?:sudden(?:ly)?|hard|abrupt(?:ly)?|harsh|sharp|unnecessary|unnecessarily) $|[急骤猛]$")
"""`Avoid sudden braking` is not advice against braking."""
_COMMAND = re.compile(
    r"\b(?:(?:car|vehicle|you|driver) (?:can|may|will need to)|should|must|needs? to|has to|have to|ought to) (?:\w+"
    r" ){0,3}$"
)
_CONDITIONAL = frozenset({"stop", "proceed", "avoid", "change_lane_left", "change_lane_right"})
"""Actions that count only when advised without a condition: `be prepared to stop` is watchfulness, `stop` is not."""
_ALWAYS = re.compile(r"\b(?:when|while) driving\b,?|\bat the same time,?|驾驶时|行驶时")
"""Conditions that are none."""
_AS_LONG_AS = frozenset({"until", "before", "after", "when", "while", "直到", "当"})
_REACH = 120
"""Characters before and after an action that are looked at: a bound on hostile texts."""
_SIDES = frozenset({"change_lane_left", "change_lane_right"})


def advice(text: str) -> Advice:
    """Takes a text (raw or normalised) apart into actions."""
    said: set[str] = set()
    refused: set[str] = set()
    for clause in _clauses(normalise(text)):
        found, against = _of_clause(clause)
        said |= found
        refused |= against
    return Advice(frozenset(said), frozenset(refused - said))


def _clauses(text: str) -> list[str]:
    return [c.strip() for c in _CLAUSES.split(_ALWAYS.sub("", text)) if c.strip()]


def _of_clause(clause: str) -> tuple[set[str], set[str]]:
    """Actions one clause advises, and those it advises against."""
    said: set[str] = set()
    refused: set[str] = set()
    reserves = list(_ONLY_IF.finditer(clause))
    for name, pattern in _PATTERNS.items():
        for match in pattern.finditer(clause):
            before = clause[max(0, match.start() - _REACH) : match.start()]
            if _OF_OTHERS.search(before) and not _COMMAND.search(before):
                continue
            if _NEGATION.search(before):
                refused |= set() if _ABRUPT.search(before) else {name}
            elif name == "watch" and not _object_in(clause[match.end() : match.end() + _REACH]):
                continue
            elif name not in _CONDITIONAL or not _reserved(name, reserves, match):
                said.add(name)
    if said & _SIDES:
        said.discard("avoid")
    if (
        "slow_down" in said
        and "proceed" in said
        and re.search(r"\b(?:caution|cautiously|slowly|care|carefully|slow|low)\b|谨慎|缓慢|小心", clause)
    ):
        said.discard("proceed")
    if "change_lane_left" in refused and "change_lane_right" in said:
        refused.discard("avoid")
    return said, refused - said


def _reserved(name: str, reserves: list[re.Match[str]], match: re.Match[str]) -> bool:
    """Whether a condition governs the action: `stop until it is clear` is to stop, `until it is clear to proceed` is
    not to proceed.
    """
    if not reserves:
        return False
    return reserves[0].start() < match.start() or name != "stop" or reserves[-1].group() not in _AS_LONG_AS


def _object_in(rest: str) -> bool:
    """Whether something is named to watch for."""
    return any(noun.groups for _, _, noun in NOUNS.all(tokens(rest)))
