"""Counterfactual twins: the same scene with and without its hazard. An agent that answers from habit gives both the
same answer.

The four outcomes are BEAF's (Ye-Bin et al. 2024, "BEAF: Observing BEfore-AFter Changes to Evaluate Hallucination in
Vision-language Models", section 3): true understanding (right before and after), ignorance (wrong both times),
stubbornness (the same answer both times), and indecision (the answer about something that did not change changes).
Their questions are yes/no; here a description says yes to a category by naming it, and advice by advising what only the
hazard calls for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embodied.driving.facts import SceneFacts
from embodied.driving.grounded import score_general, score_suggestion
from embodied.driving.grounded.suggestion import NEUTRAL


@dataclass(frozen=True)
class Twins:
    """A scene with its hazard, and the same without."""

    present: SceneFacts
    absent: SceneFacts


@dataclass(frozen=True)
class Outcomes:
    """Counts over questions, one a thing that is there in one scene and not in the other."""

    understood: int = 0
    """Yes with it, no without."""
    ignorant: int = 0
    """No with it, yes without."""
    always_yes: int = 0
    always_no: int = 0
    wavered: int = 0
    """Of things that are the same in both scenes: those about which the answer changed."""
    unchanged: int = 0
    """How many such things."""
    pairs: int = 0
    right: int = 0
    """Pairs with both answers right."""

    @property
    def questions(self) -> int:
        return self.understood + self.ignorant + self.always_yes + self.always_no

    @property
    def f1(self) -> float | None:
        """BEAF's F1: harmonic mean of true understanding and 1 - indecision; None without a question or without
        anything unchanged.
        """
        if not self.questions or not self.unchanged:
            return None
        known, steady = self.understood / self.questions, 1 - self.wavered / self.unchanged
        return 2 * known * steady / (known + steady) if known + steady else 0.0


def described(pairs: Iterable[Twins], answers: Mapping[str, str]) -> Outcomes:
    """Outcomes of descriptions. A pair is right when everything removed is named with it and not without it.

    Args:
        pairs: Twins; those without an answer to both are left out.
        answers: Name of a picture (`SceneFacts.image`) -> description.
    """
    counts = _Counts()
    for pair in pairs:
        if pair.present.image not in answers or pair.absent.image not in answers:
            continue
        removed = _categories(pair.present) - _categories(pair.absent)
        if not removed:
            continue
        before = set(score_general(answers[pair.present.image], pair.present).named)
        after = set(score_general(answers[pair.absent.image], pair.absent).named)
        said = [(c in before, c in after) for c in sorted(removed)]
        counts.said += said
        counts.right.append(all(s == (True, False) for s in said))
        counts.kept.extend(
            (c in before) == (c in after) for c in sorted(_categories(pair.present) & _categories(pair.absent))
        )
    return counts.outcomes()


def advised(pairs: Iterable[Twins], answers: Mapping[str, str]) -> Outcomes:
    """Outcomes of advice: one question a pair, whether it advises something that only the scene with the hazard
    requires; none for a harmless hazard.

    A pair is right when both answers advise their scene's first required action and nothing it forbids, and stop only
    where that is required: an agent that always says stop is right in no pair.
    """
    counts = _Counts()
    for pair in pairs:
        if pair.present.image not in answers or pair.absent.image not in answers:
            continue
        called_for = set(pair.present.required) - set(pair.absent.required) - NEUTRAL
        before = score_suggestion(answers[pair.present.image], pair.present)
        after = score_suggestion(answers[pair.absent.image], pair.absent)
        needless = [
            "stop" in s.actions and "stop" not in f.required for s, f in ((before, pair.present), (after, pair.absent))
        ]
        counts.right.append(
            before.primary and after.primary and not (before.contradiction or after.contradiction or any(needless))
        )
        if called_for:
            counts.said.append((bool(called_for & set(before.actions)), bool(called_for & set(after.actions))))
    return counts.outcomes()


class _Counts:
    def __init__(self) -> None:
        self.said: list[tuple[bool, bool]] = []
        self.right: list[bool] = []
        self.kept: list[bool] = []

    def outcomes(self) -> Outcomes:
        return Outcomes(
            understood=self.said.count((True, False)),
            ignorant=self.said.count((False, True)),
            always_yes=self.said.count((True, True)),
            always_no=self.said.count((False, False)),
            wavered=self.kept.count(False),
            unchanged=len(self.kept),
            pairs=len(self.right),
            right=sum(self.right),
        )


def _categories(facts: SceneFacts) -> set[str]:
    return {o.category for o in facts.objects if o.category}
