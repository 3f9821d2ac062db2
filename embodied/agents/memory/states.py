"""A state in words, as memories are found by it: the lines that matter, numbers joined to what they count."""

from __future__ import annotations

import re

from embodied.agents.memory.slots import open_slots
from embodied.types import Observation

_NUMBER = re.compile(r"(?P<before>[A-Za-z_]+ )?(?P<number>\d+(?:\.\d+)?)(?P<after> [A-Za-z_]+(?: [A-Za-z_]+)?)?")
_MOST = 4_000
"""Characters of an observation that are looked at."""


def seen(observation: Observation) -> str:
    """All the text that an agent sees in a step."""
    return "\n".join(filter(None, (observation.text, observation.status)))


def relevant(text: str) -> str:
    """The lines of an observation, its slots open, that say something of a slot or of the player; all, where none
    names a slot.
    """
    lines = [line.strip() for line in text[:_MOST].splitlines() if line.strip()]
    if not any(map(open_slots, lines)):
        return "\n".join(lines)
    return "\n".join(line for line in lines if open_slots(line) or re.match(r"(?:you|your)\b", line, re.IGNORECASE))


def state_text(text: str, last: str = "") -> str:
    """What the facet `state` embeds: the relevant lines, and the action before it.

    An embedder that counts words does not see which words a number stands beside. So each number is joined to them:
    "3 steps right" becomes "3_steps_right right".

    Args:
        text: The observation, its slots open.
        last: The action that led to it, its slots open; empty at the beginning.
    """
    joined = "\n".join(_NUMBER.sub(_joined, line) for line in relevant(text).splitlines())
    return f"{joined}\nafter_{'_'.join(last.split()) or 'nothing'}"


def _joined(match: re.Match[str]) -> str:
    number = _coarse(match["number"])
    before, after = (match["before"] or "").strip(), (match["after"] or "").split()
    words = [f"{before} {before}_{number}"] if before else []
    words += [f"{number}_{'_'.join(after)} {after[-1]}"] if after else []
    return " ".join(words) or number


def _coarse(number: str) -> str:
    """A number to one figure from 10 on, and to a whole one below."""
    value = float(number)
    if value < 10:
        return str(round(value))
    digits = len(str(int(value))) - 1
    return str(round(value / 10**digits) * 10**digits)
