"""Answers that show what a score is worth: an oracle that states the facts, and answers that never saw the picture.

A table of scores without them proves nothing: on streets a good guess is often right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embodied.driving.categories import label
from embodied.driving.facts import ObjectFact, SceneFacts
from embodied.driving.grounded import (
    GeneralScore,
    RegionScore,
    SuggestionScore,
    score_general,
    score_region,
    score_suggestion,
)
from embodied.driving.records import Task
from embodied.seeding import generator

CONSTANT: dict[Task, str] = {
    "general_perception": (
        "The picture shows a scene on the road. Several objects may influence how the ego car drives, so the driver"
        " should be attentive."
    ),
    "region_perception": (
        "The object in the red rectangle may influence how the ego car drives, so the driver should be attentive."
    ),
    "driving_suggestion": "The ego car should drive with care and adapt to the situation on the road.",
}
"""Fluent, fits every picture, says nothing."""
BLIND: dict[Task, str] = {
    "general_perception": (
        "There is a car ahead in the same lane. There are parked cars on the right and an oncoming car on the left. "
        "A pedestrian is walking on the right. There is a traffic light ahead and a traffic sign on the right."
    ),
    "region_perception": "The object inside the red rectangle is a car.",
    "driving_suggestion": "The ego car should stay in its lane, keep a safe distance and watch the vehicles ahead.",
}
"""The best answer we know that needs no picture: the advice is right on every second road.
The kind of region asked about most often is a vehicle (414 of the 1,123 of CODA-LM's test split)."""
CONTROLS = ("oracle", "reference", "shuffled", "blind", "constant", "empty")
SHUFFLES = 5

_ADVICE = {
    "stop": "Stop and wait",
    "slow_down": "Slow down",
    "keep_distance": "Keep a safe distance",
    "yield": "Give way",
    "keep_lane": "Stay in the lane",
    "change_lane_left": "Change to the left lane",
    "change_lane_right": "Change to the right lane",
    "avoid": "Go around it",
    "proceed": "Continue driving at the present speed",
    "obey_light": "Obey the traffic light",
    "obey_sign": "Follow the traffic signs",
}
_WHERE = {"left": " on the left", "right": " on the right", "ahead": " ahead in the lane", "": ""}

GroundedScore = GeneralScore | RegionScore | SuggestionScore


@dataclass(frozen=True)
class Item:
    """A question with its ground."""

    task: Task
    facts: SceneFacts
    object: ObjectFact | None = None
    """The one asked about, in region perception."""
    reference: str = ""
    """The reference answer, a text; empty where there is none."""


def score(item: Item, answer: str) -> GroundedScore:
    """`grounded-v1` of an answer."""
    if item.task == "general_perception":
        return score_general(answer, item.facts)
    if item.task == "driving_suggestion":
        return score_suggestion(answer, item.facts)
    if item.object is None:
        raise ValueError(f"A region of {item.facts.image} is asked about, and no object is given.")
    return score_region(answer, item.object)


def oracle(item: Item) -> str:
    """States the facts, in plain English."""
    if item.task == "general_perception":
        return "\n".join(f"{_described(o)}." for o in item.facts.objects) or "There are no objects that matter."
    if item.object is not None:
        return f"This is {_described(item.object).lower()}."
    hazards = " and ".join(
        dict.fromkeys(f"the {label(o.category)}" for o in item.facts.objects if o.corner_case and o.category)
    )
    because = f" because of {hazards}" if hazards else ""
    said = [f"{_ADVICE[a]}{because}." for a in item.facts.required if a in _ADVICE]
    if "watch" in item.facts.required:
        said.append(f"Watch {hazards or 'the vehicles ahead'}.")
    return " ".join(said)


def _described(fact: ObjectFact) -> str:
    """`A white car on the left, parked`."""
    words = " ".join(w for w in (fact.colour, label(fact.category or fact.group)) if w)
    return f"{'An' if words[0] in 'aeiou' else 'A'} {words}{_WHERE[fact.side]}" + (
        f", {fact.state}" if fact.state else ""
    )


def answers(control: str, items: Sequence[Item], shuffle: int = 0) -> list[str]:
    """What a control answers to every item.

    Args:
        control: One of `CONTROLS`. `shuffled` gives every item what the oracle (without facts of its own: the
            reference) says of another one.
        items: All of one task.
        shuffle: Which of the shuffles.
    """
    if control == "oracle":
        return [oracle(i) for i in items]
    if control == "reference":
        return [i.reference for i in items]
    if control == "shuffled":
        right = [i.reference if _told(i) else oracle(i) for i in items]
        return [right[k] for k in elsewhere(len(items), shuffle)]
    texts = {"constant": CONSTANT, "blind": BLIND}
    return [texts[control][i.task] if control in texts else "" for i in items]


def elsewhere(n: int, shuffle: int = 0) -> list[int]:
    """A permutation of 0 to n - 1 in which no item keeps its place (n at least 2): one cycle, drawn for each
    `shuffle`.
    """
    order = generator(shuffle, "controls", "shuffled", n).permutation(n).tolist()
    moved = dict(zip(order, [*order[1:], *order[:1]], strict=True))
    return [moved[k] for k in range(n)]


def _told(item: Item) -> bool:
    """Whether the reference is all we know of an item: then an oracle would only repeat our own reading of it."""
    return bool(item.reference) and not any(o.metres is not None for o in item.facts.objects)


def scores(control: str, items: Sequence[Item]) -> list[GroundedScore]:
    """A control's scores: one an item, of `shuffled` `SHUFFLES` an item."""
    repeats = SHUFFLES if control == "shuffled" else 1
    return [
        score(item, text) for n in range(repeats) for item, text in zip(items, answers(control, items, n), strict=True)
    ]
