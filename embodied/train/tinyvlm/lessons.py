"""Lessons: what an expert would have done at every step of training episodes, as arrays.

A picture is stored as the numbers of its patches: the worlds that are made of tiles have few different ones.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embodied.envs.truth import Sight
from embodied.store.disk import write_whole
from embodied.train.tinyvlm.architecture import Built
from embodied.train.tinyvlm.words import BEGIN, PAD, PAST_ACTIONS

Ints = npt.NDArray[np.int64]
LONGEST_GOAL = 40
"""Words of a goal; the words after them are cut."""
PREFIX = LONGEST_GOAL + 1 + PAST_ACTIONS


class Patches:
    """Every different patch that was ever seen, by number."""

    def __init__(self, side: int):
        self.side = side
        self._numbers: dict[bytes, int] = {}
        self.pixels: list[npt.NDArray[np.uint8]] = []

    def numbers(self, picture: npt.NDArray[np.uint8]) -> list[int]:
        """The patches of a picture, (H, W, 3) uint8, row by row."""
        side = self.side
        rows, columns = picture.shape[0] // side, picture.shape[1] // side
        cells = picture.reshape(rows, side, columns, side, 3).swapaxes(1, 2).reshape(rows * columns, side, side, 3)
        return [self._number(cell) for cell in cells]

    def _number(self, cell: npt.NDArray[np.uint8]) -> int:
        key = cell.tobytes()
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.pixels)
            self.pixels.append(cell.copy())
        return found

    def array(self) -> npt.NDArray[np.uint8]:
        """(patches, side, side, 3)."""
        return np.array(self.pixels, np.uint8)

    def take(self, pixels: npt.NDArray[np.uint8]) -> None:
        """Takes in patches in the order of their numbers, as `array` gave them."""
        for cell in pixels:
            self._number(cell)


class Sayings:
    """The names of objects, by number; 0 stands for none."""

    def __init__(self, built: Built):
        self._built = built
        self.numbers: dict[tuple[str, ...], int] = {}

    def number(self, words: tuple[str, ...]) -> int:
        return self.numbers.setdefault(words, len(self.numbers) + 1)

    def slots(self) -> list[list[int]]:
        """For each place in a name, the tokens that stand there in some name."""
        known = [[w for w in name] for name in self.numbers]
        return [sorted({self._built.number(name[i]) for name in known}) for i in range(len(known[0]))] if known else []

    def table(self) -> Ints:
        """(names + 1, places) the token at each place of a name; -1 for no object."""
        places = len(next(iter(self.numbers), ()))
        rows = [[-1] * places, *([self._built.number(w) for w in name] for name in self.numbers)]
        return np.array(rows, np.int64)


@dataclass
class Lessons:
    """Steps, as lists that grow."""

    grids: list[list[int]] = field(default_factory=list)
    """Patches of the picture."""
    prefixes: list[list[int]] = field(default_factory=list)
    """Tokens before the picture."""
    labels: list[int] = field(default_factory=list)
    """Token of the action that the expert advised."""
    names: list[list[int]] = field(default_factory=list)
    """What stands in each patch, by `Sayings`."""
    named: list[list[bool]] = field(default_factory=list)
    """Whether the goal speaks of it."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass
class Notebook:
    """What turns an episode's steps into lessons for one model."""

    built: Built
    patches: Patches
    sayings: Sayings
    _goals: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, built: Built) -> Notebook:
        return cls(built, Patches(built.shape.patch), Sayings(built))

    def goal(self, text: str) -> list[int]:
        """The tokens of a goal, as the chat template and the tokenizer make them."""
        if text not in self._goals:
            found: Sequence[int] = self.built.tokenizer(text, add_special_tokens=False)["input_ids"]
            self._goals[text] = list(found)[:LONGEST_GOAL]
        return self._goals[text]

    def prefix(self, goal: str, actions: Sequence[str]) -> list[int]:
        """The tokens before the picture: the goal, and the actions so far."""
        number = self.built.number
        return [*self.goal(goal), number(BEGIN), *(number(a) for a in actions[-PAST_ACTIONS:])]

    def objects(self, truth: Sequence[Sight]) -> tuple[list[int], list[bool]]:
        """For each patch the object in its middle, and whether it is named."""
        side = self.built.shape.patch
        count = self.built.shape.picture // side
        names, named = [0] * count**2, [False] * count**2
        for sight in truth:
            left, top, right, bottom = sight.box
            cell = ((top + bottom) // 2 // side) * count + (left + right) // 2 // side
            names[cell], named[cell] = self.sayings.number(sight.words), sight.named
        return names, named


@dataclass(frozen=True)
class Arrays:
    """Lessons as arrays: one row a step."""

    grids: Ints
    prefixes: Ints
    """Padded at the left to `PREFIX`."""
    lengths: Ints
    labels: Ints
    names: Ints
    named: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, lessons: Lessons, built: Built) -> Arrays:
        pad = built.number(PAD)
        prefixes = np.full((len(lessons), PREFIX), pad, np.int64)
        lengths = np.array([len(p) for p in lessons.prefixes], np.int64)
        for row, prefix in zip(prefixes, lessons.prefixes, strict=True):
            row[PREFIX - len(prefix) :] = prefix
        return cls(
            np.array(lessons.grids, np.int64),
            prefixes,
            lengths,
            np.array(lessons.labels, np.int64),
            np.array(lessons.names, np.int64),
            np.array(lessons.named, np.bool_),
        )

    def __add__(self, other: Arrays) -> Arrays:
        return Arrays(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def save(self, path: Path) -> None:
        """Writes `path`, a NumPy archive without pickles, whole or not at all."""
        data = io.BytesIO()
        np.savez_compressed(data, allow_pickle=False, **{f.name: getattr(self, f.name) for f in fields(self)})
        write_whole(path, data.getvalue())

    @classmethod
    def load(cls, path: Path) -> Arrays:
        with np.load(path, allow_pickle=False) as found:
            return cls(*(found[f.name] for f in fields(cls)))
