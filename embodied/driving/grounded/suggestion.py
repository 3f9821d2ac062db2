"""Suggestions: does the answer advise what the scene asks for, for the right reason, and nothing that is wrong here?"""

from __future__ import annotations

from dataclasses import dataclass

from embodied.driving.actions import CONTRADICTIONS
from embodied.driving.facts import SceneFacts
from embodied.driving.grounded.advice import advice
from embodied.driving.grounded.mentions import mentions
from embodied.driving.grounded.region import Status
from embodied.driving.grounded.text import language, normalise

NEUTRAL = frozenset({"watch", "keep_distance"})
"""Advice that is never wrong: it counts where it is required, and costs nothing where it is not."""


@dataclass(frozen=True)
class SuggestionScore:
    """How good one piece of advice is."""

    value: float
    """In [0, 1]: F1 of the actions; half of it is lost with the hazards unnamed (times (1 + hazard recall) / 2); 0 with
    a contradiction.
    """
    f1: float
    precision: float
    recall: float
    primary: bool
    """The first required action is advised."""
    hazard_recall: float | None
    """Share of the categories of corner-case objects that are named; None in a scene without one."""
    contradiction: bool
    """It advises a forbidden action, advises against a required one, or would proceed on red."""
    actions: tuple[str, ...]
    """Advised, in alphabetical order."""
    status: Status

    def metrics(self) -> dict[str, float]:
        """Flat numbers for `info["metrics"]`."""
        flat = {
            "grounded": self.value,
            "action_f1": self.f1,
            "action_precision": self.precision,
            "action_recall": self.recall,
            "primary_action": float(self.primary),
            "contradiction": float(self.contradiction),
            "unrecognised": float(self.status == "unrecognised"),
            "unreadable": float(self.status == "unreadable"),
            "empty": float(self.status == "empty"),
        }
        return flat if self.hazard_recall is None else flat | {"hazard_recall": self.hazard_recall}


def forbidden_by(required: frozenset[str], light: str = "") -> frozenset[str]:
    """Actions that required ones rule out; the ground for scenes whose facts list none (real references)."""
    ruled_out = {a for r in required for a in CONTRADICTIONS.get(r, ())} - required
    return frozenset(ruled_out | ({"proceed"} if light == "red" else set()))


def score_suggestion(answer: str, facts: SceneFacts | str) -> SuggestionScore:
    """Scores one piece of advice.

    Args:
        answer: Any text, English or Chinese.
        facts: The scene with its required and forbidden actions, or a reference text that they are parsed from (then
            without hazards).
    """
    if isinstance(facts, str):
        required = advice(facts).actions
        facts = SceneFacts("", 0, 0, (), tuple(sorted(required)), tuple(sorted(forbidden_by(required))))
    text = normalise(answer)
    spoken = language(text)
    hazards = {o.category for o in facts.objects if o.corner_case}
    if spoken in ("", "other"):
        status: Status = "unreadable" if spoken else "empty"
        return SuggestionScore(0.0, 0.0, 0.0, 0.0, False, 0.0 if hazards else None, False, (), status)
    heard = advice(text)
    required = frozenset(facts.required)
    counted = heard.actions - (NEUTRAL - required)
    right = len(counted & required)
    precision, recall = right / len(counted) if counted else 0.0, right / len(required) if required else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    named = {c for m in mentions(text) if not m.negated for c in m.noun.categories}
    hazard_recall = len(hazards & named) / len(hazards) if hazards else None
    wrong = set(facts.forbidden) | ({"proceed"} if facts.light == "red" else set())
    contradiction = bool(heard.actions & wrong) or bool(heard.refused & required)
    reason = 1.0 if hazard_recall is None else (1 + hazard_recall) / 2
    return SuggestionScore(
        value=0.0 if contradiction else f1 * reason,
        f1=f1,
        precision=precision,
        recall=recall,
        primary=bool(facts.required) and facts.required[0] in heard.actions,
        hazard_recall=hazard_recall,
        contradiction=contradiction,
        actions=tuple(sorted(heard.actions)),
        status="scored" if heard.actions or heard.refused else "unrecognised",
    )
