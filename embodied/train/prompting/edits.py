"""The control: instructions that are edited at random, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embodied.seeding import generator
from embodied.train.prompting.texts import lines

if TYPE_CHECKING:
    import numpy as np

OPERATIONS = ("add", "drop", "swap", "repeat")
_TRIES = 20
"""Draws for each edit before fewer are given."""


def edited(text: str, tips: Sequence[str], number: int, seed: int) -> list[str | None]:
    """Instructions that differ from `text` by one to three edits each: a sentence is added, dropped, repeated, or
    changes places with another. What is added is a tip of the mission or a sentence of a fixed list.

    Args:
        text: Instructions, one sentence a line.
        tips: Of the mission.
        number: How many are wanted.
        seed: All chance comes from it.
    """
    pool = [*dict.fromkeys([*tips, *lines("sentences-1.txt")])]
    found: dict[str, None] = {}
    for n in range(number * _TRIES):
        rng = generator(seed, "edit", n)
        sentences = [line for line in text.splitlines() if line.strip()]
        for _ in range(int(rng.integers(1, 4))):
            _edit(sentences, pool, rng)
        made = "\n".join(sentences)
        if sentences and made != text:
            found[made] = None
        if len(found) == number:
            break
    return list(found)


def _edit(sentences: list[str], pool: Sequence[str], rng: np.random.Generator) -> None:
    """One edit, in place. Where there is nothing to drop, to swap or to repeat, a sentence is added."""
    operation = OPERATIONS[int(rng.integers(len(OPERATIONS)))]
    if operation == "drop" and len(sentences) > 1:
        del sentences[int(rng.integers(len(sentences)))]
    elif operation == "swap" and len(sentences) > 1:
        a, b = (int(i) for i in rng.choice(len(sentences), 2, replace=False))
        sentences[a], sentences[b] = sentences[b], sentences[a]
    elif operation == "repeat" and sentences:
        sentences.insert(int(rng.integers(len(sentences) + 1)), sentences[int(rng.integers(len(sentences)))])
    else:
        sentences.insert(int(rng.integers(len(sentences) + 1)), pool[int(rng.integers(len(pool)))])
