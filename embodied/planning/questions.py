"""What is asked about an item, and how an answer is graded: one class a task."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from embodied.arrays import Floats
from embodied.numerals import spelled
from embodied.planning.descriptors import DESCRIPTORS, Descriptor
from embodied.planning.items import Item

NO_ANSWER = "no answer"
"""What stands for an answer that names both paths or neither."""


@dataclass(frozen=True)
class Shown:
    """An item as the agent sees it: the order and the names of its paths, and what is shown beside them."""

    item: Item
    names: tuple[str, str]
    """Of the path that comes first, and of the other."""
    swapped: bool
    """Whether the item's second path comes first."""
    which: str
    """Descriptor set, `paper` or `dense`."""
    picture: str = ""
    """What the pictures show, in words; empty without any."""
    numbers: bool = True
    """Whether the descriptors are given."""
    descriptor: Descriptor | None = None
    """What `perceive` asks about."""

    @property
    def asked(self) -> Descriptor:
        """What `perceive` asks about. Raises `ValueError` in another task."""
        if self.descriptor is None:
            raise ValueError("This question asks about no descriptor.")
        return self.descriptor

    @property
    def descriptors(self) -> Floats:
        """(2, 7) in the order shown."""
        values = self.item.pair.descriptors(self.which)
        return values[::-1] if self.swapped else values

    @property
    def answer(self) -> int:
        """Which path suits the scenario, 1 or 2 in the order shown."""
        return 3 - self.item.label if self.swapped else self.item.label

    def values(self, descriptor: Descriptor) -> tuple[float, float]:
        """A descriptor of both paths, in the order shown."""
        first, second = self.descriptors[:, DESCRIPTORS.index(descriptor)]
        return float(first), float(second)

    def table(self) -> str:
        """The descriptors of both paths, a line each."""
        lines = []
        for d in DESCRIPTORS:
            first, second = (number(d, value) for value in self.values(d))
            lines.append(f"- {d.key} ({d.gloss}; {d.unit}): {self.names[0]} {first}, {self.names[1]} {second}")
        return "\n".join(["Descriptors of the paths (the map is 80 by 80 map units):", *lines])


def number(descriptor: Descriptor, value: float) -> str:
    """A value as it is shown."""
    return f"{value:.0f}" if descriptor.unit == "turns" else f"{value:.2f}"


@dataclass(frozen=True)
class Grade:
    """What an answer is worth."""

    progress: float
    """In [0, 1]."""
    success: bool
    said: str
    """One sentence: what the right answer was."""
    metrics: dict[str, float] = field(default_factory=dict)
    parsed: bool = True


class Question(Protocol):
    """A task, put about an item."""

    goal: ClassVar[str]
    finite: ClassVar[bool]
    """Whether the answer is the name of a path. Else it is written in words."""
    tips: ClassVar[tuple[str, ...]]

    def __init__(self, shown: Shown): ...

    def text(self) -> str:
        """What an agent is shown besides pictures."""
        ...

    def right(self) -> str:
        """The right answer, in words that `grade` understands."""
        ...

    def grade(self, answer: str) -> Grade:
        """Grades an answer; of a finite question it is one of the names, or `NO_ANSWER`."""
        ...


class _Choice:
    """A question whose answer is a path."""

    finite: ClassVar[bool] = True
    tips: ClassVar[tuple[str, ...]] = ()

    def __init__(self, shown: Shown):
        self.shown = shown
        self.answer = self._answer()

    def _answer(self) -> int:
        return self.shown.answer

    def right(self) -> str:
        return self.shown.names[self.answer - 1]

    def grade(self, answer: str) -> Grade:
        chosen = self.shown.names.index(answer) + 1 if answer in self.shown.names else 0
        metrics = {
            "correct": float(chosen == self.answer),
            "unparsed": float(not chosen),
            "chosen": float(chosen),
            "answer": float(self.answer),
        }
        return Grade(
            float(chosen == self.answer),
            chosen == self.answer,
            f"The right answer: {self.right()}.",
            metrics,
            bool(chosen),
        )


class Decide(_Choice):
    """Which path suits the scenario?"""

    goal: ClassVar[str] = "Say which of the two paths suits the scenario better."

    def text(self) -> str:
        shown = self.shown
        parts = [f"Scenario: {shown.item.scenario.text}", shown.picture, shown.table() if shown.numbers else ""]
        return "\n\n".join([*filter(None, parts), "Which path suits the scenario better?"])


class Integrate(_Choice):
    """Given the descriptors and which of them matter, which path is better?"""

    goal: ClassVar[str] = "Say which of the two paths is better, by the descriptors that matter."

    def text(self) -> str:
        wanted = "\n".join(
            f"- {key}: {'more' if way == 'higher' else 'less'} is better"
            for key, way in self.shown.item.scenario.wanted.items()
        )
        rule = f"What matters, and nothing else does:\n{wanted}\nSmall differences do not count."
        return "\n\n".join([*filter(None, [self.shown.picture, self.shown.table(), rule]), "Which path is better?"])


class Perceive(_Choice):
    """Which path has less of a descriptor?"""

    goal: ClassVar[str] = "Say which of the two paths has the lower value of the descriptor asked about."

    def _answer(self) -> int:
        first, second = self.shown.values(self.shown.asked)
        return 1 if first < second else 2

    def text(self) -> str:
        shown, d = self.shown, self.shown.asked
        question = f"Which path has the lower {d.key} ({d.gloss}; {d.unit})?"
        return "\n\n".join([*filter(None, [shown.picture, shown.table() if shown.numbers else ""]), question])


class Estimate:
    """What is a descriptor's value, for both paths?"""

    goal: ClassVar[str] = "Estimate the value of the descriptor asked about, of both paths."
    finite: ClassVar[bool] = False
    tips: ClassVar[tuple[str, ...]] = ("Answer with one number for each path, such as `<path>: 12.5; <path>: 40`.",)

    def __init__(self, shown: Shown):
        self.shown = shown
        self.truth = shown.values(shown.asked)

    def text(self) -> str:
        shown, d = self.shown, self.shown.asked
        scale = "" if shown.numbers else " The map is 80 by 80 map units."
        question = f"What is the {d.key} ({d.gloss}; {d.unit}) of {shown.names[0]}, and of {shown.names[1]}?{scale}"
        return "\n\n".join([*filter(None, [shown.picture, shown.table() if shown.numbers else ""]), question])

    def right(self) -> str:
        return "; ".join(
            f"{name}: {number(self.shown.asked, value)}"
            for name, value in zip(self.shown.names, self.truth, strict=True)
        )

    def grade(self, answer: str) -> Grade:
        said = f"The right answer: {self.right()}."
        found = numbers(answer, self.shown.names)
        if found is None:
            return Grade(0.0, False, said, {"unparsed": 1.0}, parsed=False)
        errors = [abs(value - truth) for value, truth in zip(found, self.truth, strict=True)]
        room = self.shown.asked.threshold
        close = [error < room for error in errors]
        metrics = {
            "unparsed": 0.0,
            "absolute_error": sum(errors) / 2,
            "error_in_thresholds": sum(errors) / 2 / room,
            "within_threshold": sum(close) / 2,
        }
        return Grade(sum(max(0.0, 1 - error / room) for error in errors) / 2, all(close), said, metrics)


class Abstract:
    """Which descriptors matter in the scenario, and in which direction?"""

    goal: ClassVar[str] = "Name the descriptors that matter in the scenario, each with the direction that is better."
    finite: ClassVar[bool] = False
    tips: ClassVar[tuple[str, ...]] = (
        (
            "Answer with the name of each descriptor that matters and `higher` or `lower`, such as `path length:"
            " higher; sharp turns: lower`."
        ),
        "Leave out the descriptors that do not matter.",
    )

    def __init__(self, shown: Shown):
        self.shown = shown

    def text(self) -> str:
        lines = [f"- {d.key}: {d.gloss} ({d.unit})" for d in DESCRIPTORS]
        parts = [
            f"Scenario: {self.shown.item.scenario.text}",
            self.shown.picture,
            "\n".join(["Descriptors of a path:", *lines]),
        ]
        return "\n\n".join(
            [
                *filter(None, parts),
                "Which of these descriptors of a path matter in the scenario, and is higher or lower better?",
            ]
        )

    def right(self) -> str:
        return "; ".join(f"{key}: {way}" for key, way in self.shown.item.scenario.wanted.items())

    def grade(self, answer: str) -> Grade:
        said = f"The right answer: {self.right()}."
        found, wanted = directions(answer), self.shown.item.scenario.wanted
        if not found:
            return Grade(0.0, False, said, {"unparsed": 1.0, "f1": 0.0, "f1_without_direction": 0.0}, parsed=False)
        named = {key for key, way in found.items() if way != "none"}
        right = sum(found.get(key) == way for key, way in wanted.items())
        f1 = 2 * right / (len(named) + len(wanted))
        metrics = {
            "unparsed": 0.0,
            "f1": f1,
            "f1_without_direction": 2 * len(named & set(wanted)) / (len(named) + len(wanted)),
        }
        return Grade(f1, f1 == 1.0, said, metrics)


QUESTIONS: dict[str, type[Question]] = {
    "decide": Decide,
    "perceive": Perceive,
    "estimate": Estimate,
    "abstract": Abstract,
    "integrate": Integrate,
}

# --------------------------------------------------------------------------- answers in words

_NUMBER = r"[-+]?(?:\d++(?:,\d{3})*+(?:\.\d++)?+|\.\d++)(?:[eE][-+]?\d++)?(?![\d.,]*\d)"
"""As written in English. Of `12,5`, which may be a decimal or a list, nothing is read. What is longer than this could
be is not read in parts.
"""
_PAIR = re.compile(rf"({_NUMBER})\W+(?:and\W+)?({_NUMBER})", re.IGNORECASE)
_BOXED = re.compile(
    r"\s{0,20}\$?\\boxed\s?\{([^{}]{1,200})\}\$?\.?\s{0,20}|\s{0,20}<answer>([^<>]{1,200})</answer>\s{0,20}"
)
_AROUND = " \t\n*()[]{}`$\"'"
"""What may stand around two bare numbers."""
_LONGEST_NUMBER = 60
"""Characters."""


def numbers(answer: str, names: tuple[str, str]) -> tuple[float, float] | None:
    """One number for each of two names; two numbers and nothing else, if the names do not come with them; else None.

    Time is linear in the length of the answer. A number that is too large for a float is none.
    """
    answer = _spelled(answer)
    if boxed := _BOXED.fullmatch(answer):
        answer = boxed[1] or boxed[2]
    if plain := _PAIR.fullmatch(answer.lstrip(_AROUND).rstrip(_AROUND + ".")):
        return _finite(plain[1], plain[2])
    for mark, name in zip("\x01\x02", names, strict=True):
        words = [*map(re.escape, name.split())]
        if not words[-1].isdigit():  # `P7PX` is enough, `1` is not
            words[:-1] = [rf"(?:{word}[\s_-]?)?" for word in words[:-1]]
        answer = re.sub(
            r"\b" + ("" if not words[-1].isdigit() else r"[\s_-]?").join(words) + r"\b",
            mark,
            answer,
            flags=re.IGNORECASE,
        )
    found = [re.findall(rf"{mark}[^\d.\x01\x02]{{0,60}}?({_NUMBER})", answer) for mark in "\x01\x02"]
    if not all(found):  # both names, then both numbers
        together = re.findall(rf"\x01\D{{0,30}}\x02\D{{0,30}}?{_PAIR.pattern}", answer)
        found = [[one for one, _ in together], [other for _, other in together]]
    if any(len(set(values)) != 1 for values in found):
        return None
    return _finite(found[0][0], found[1][0])


def _finite(first: str, second: str) -> tuple[float, float] | None:
    if max(len(first), len(second)) > _LONGEST_NUMBER:
        return None
    values = float(first.replace(",", "")), float(second.replace(",", ""))
    return values if all(map(math.isfinite, values)) else None


def _spelled(answer: str) -> str:
    """`answer` with plain digits, hyphens and signs, and without the backslashes that LaTeX and Markdown put before
    underscores.
    """
    return spelled(answer).replace("\\_", "_").replace("\x01", " ").replace("\x02", " ")


_NAMES = {
    "minimum clearance": r"min(?:imum|\.)?[\s_-]clearance",
    "maximum clearance": r"max(?:imum|\.)?[\s_-]clearance",
    "average clearance": r"(?:average|avg\.?|mean)[\s_-]clearance",
    "path length": r"(?:path[\s_-])?length",
    "total turning": r"(?:total[\s_-])?turning",
    "sharp turns": r"sharp[\s_-]turns?",
    "maximum angle": r"max(?:imum|\.)?[\s_-](?:turn(?:ing)?[\s_-])?angle",
}
_STATED = r"(?<!\bnot )(?<!\bnever )(?<!\bnot be )(?<!n't be )"
"""`not higher` tells no direction."""
_WAYS = {
    "none": r"irrelevant|neutral|ignored?|(?:does|do)(?: not|n't) matter|not (?:relevant|important|needed|used)",
    "higher": rf"{_STATED}(?:higher|high|more|greater|larger|longer|wider|increased?|maximal|maximi[sz]ed?)",
    "lower": rf"{_STATED}(?:lower|low|less|fewer|smaller|shorter|decreased?|reduced?|minimal|minimi[sz]ed?)",
}
_TOKEN = re.compile(
    "|".join(
        f"(?P<{kind}{index}>{p})"
        for kind, group in (("n", _NAMES), ("w", _WAYS))
        for index, p in enumerate(rf"\b(?:{e})\b" for e in group.values())
    ),
    re.IGNORECASE,
)


def directions(answer: str) -> dict[str, str]:
    """The descriptors that an answer names: `higher`, `lower`, `none` (said not to matter), or "" where no direction is
    told, or two.

    A direction goes with the descriptors of its line or part between semicolons. Where there are several, it goes with
    the descriptor before it, or behind it if the part begins with a direction.
    """
    found: dict[str, set[str]] = {}
    for part in re.split(r"[;\n]", _spelled(answer)):
        tokens = [(kind[0], int(kind[1:])) for m in _TOKEN.finditer(part) if (kind := m.lastgroup)]
        ways = {list(_WAYS)[index] for kind, index in tokens if kind == "w"}
        for at, (kind, index) in enumerate(tokens):
            if kind == "n":
                own = _nearest(tokens, at) if len(ways) > 1 else ways
                found.setdefault(list(_NAMES)[index], set()).update(own)
    return {key: ways.pop() if len(ways) == 1 else "" for key, ways in found.items()}


def _nearest(tokens: list[tuple[str, int]], at: int) -> set[str]:
    """The direction next to the name at `at`: the first one behind it, or the last one before it where the part begins
    with a direction.
    """
    side = tokens[:at][::-1] if tokens[0][0] == "w" else tokens[at:]
    return {list(_WAYS)[index] for index in [index for kind, index in side if kind == "w"][:1]}
