"""Lessons: what an expert would have done at every step of training episodes, as arrays.

A picture is stored as the numbers of its patches: the worlds that are made of tiles have few different ones.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from embodied.arrays import Pixels
from embodied.envs.truth import Sight
from embodied.store.disk import write_whole
from embodied.train.tinyvlm.architecture import Built, Shape
from embodied.train.tinyvlm.words import BEGIN, PAD, SPECIAL

Ints = npt.NDArray[np.int64]


class Patches:
    """Patches of pictures by number.

    Args:
        shape: How large pictures and patches are.
        tiles: Whether a world's pictures are made of a few different tiles: each is then stored once.
    """

    def __init__(self, shape: Shape, tiles: bool = True):
        self.shape = shape
        self._numbers: dict[bytes, int] | None = {} if tiles else None
        self._stored = np.empty((64, shape.patch, shape.patch, 3), np.uint8)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def numbers(self, picture: Pixels) -> list[int]:
        """The patches of a picture, (H, W, 3) uint8, row by row."""
        side, count = self.shape.patch, self.shape.picture // self.shape.patch
        scaled = fit(picture, self.shape.picture)
        cells = scaled.reshape(count, side, count, side, 3).swapaxes(1, 2).reshape(count**2, side, side, 3)
        return self.take(cells)

    def take(self, cells: Pixels) -> list[int]:
        """Stores patches, (n, side, side, 3) uint8, and returns their numbers."""
        numbers = self._numbers
        if numbers is None:
            self._append(cells)
            return list(range(self._count - len(cells), self._count))
        found = []
        for cell in cells:
            key = cell.tobytes()
            if key not in numbers:
                numbers[key] = self._count
                self._append(cell[None])
            found.append(numbers[key])
        return found

    def _append(self, cells: Pixels) -> None:
        until = self._count + len(cells)
        if until > len(self._stored):
            more = np.empty((max(until, 2 * len(self._stored)), *self._stored.shape[1:]), np.uint8)
            more[: self._count] = self.array()
            self._stored = more
        self._stored[self._count : until] = cells
        self._count = until

    def array(self) -> Pixels:
        """(patches, side, side, 3) uint8, a view."""
        return self._stored[: self._count]


def fit(picture: Pixels, side: int) -> Pixels:
    """A picture, (H, W, 3) uint8, as (side, side, 3): scaled as the processor of the model scales it."""
    if picture.shape[:2] == (side, side):
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST))


class Sayings:
    """The names of objects, by number; 0 stands for none."""

    def __init__(self, built: Built):
        self._built = built
        self.numbers: dict[tuple[str, ...], int] = {}

    def number(self, words: tuple[str, ...]) -> int:
        return self.numbers.setdefault(words, len(self.numbers) + 1)

    def slots(self) -> list[list[int]]:
        """For each place in a name, the tokens that stand there in some name."""
        known = list(self.numbers)
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
    def of(cls, built: Built, tiles: bool = True) -> Notebook:
        return cls(built, Patches(built.shape, tiles), Sayings(built))

    def goal(self, text: str) -> list[int]:
        """The tokens of a goal, as the chat template and the tokenizer make them."""
        if not self.built.shape.reads_goals:
            return []
        if text not in self._goals:
            found: Sequence[int] = self.built.tokenizer(text, add_special_tokens=False)["input_ids"]
            self._goals[text] = list(found)
        return self._goals[text]

    def prefix(self, goal: str, actions: Sequence[str]) -> list[int]:
        """The tokens before the picture: the goal, and the actions so far."""
        number = self.built.number
        return [*self.goal(goal), number(BEGIN), *(number(a) for a in actions[-self.built.shape.past :])]

    def objects(self, truth: Sequence[Sight], size: tuple[int, int]) -> tuple[list[int], list[bool]]:
        """For each patch the object in its middle, and whether it is named.

        Args:
            truth: What is in the picture.
            size: (height, width) of the picture in pixels, before it is scaled.
        """
        count = self.built.shape.picture // self.built.shape.patch
        names, named = [0] * count**2, [False] * count**2
        for sight in truth:
            left, top, right, bottom = sight.box
            row, column = (top + bottom) * count // (2 * size[0]), (left + right) * count // (2 * size[1])
            cell = row * count + column
            names[cell], named[cell] = self.sayings.number(sight.words), sight.named
        return names, named


@dataclass(frozen=True)
class Arrays:
    """Lessons as arrays: one row a step."""

    grids: Ints
    prefixes: Ints
    """Padded at the left to the longest."""
    lengths: Ints
    labels: Ints
    names: Ints
    named: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, lessons: Lessons) -> Arrays:
        lengths = np.array([len(p) for p in lessons.prefixes], np.int64)
        longest = int(lengths.max(initial=0))
        prefixes = np.full((len(lessons), longest), SPECIAL.index(PAD), np.int64)
        for row, prefix in zip(prefixes, lessons.prefixes, strict=True):
            row[longest - len(prefix) :] = prefix
        return cls(
            np.array(lessons.grids, np.int64),
            prefixes,
            lengths,
            np.array(lessons.labels, np.int64),
            np.array(lessons.names, np.int64),
            np.array(lessons.named, np.bool_),
        )

    def __add__(self, other: Arrays) -> Arrays:
        longest = max(self.prefixes.shape[1], other.prefixes.shape[1])
        a, b = self._padded(longest), other._padded(longest)
        return Arrays(*(np.concatenate([getattr(a, f.name), getattr(b, f.name)]) for f in fields(self)))

    def _padded(self, length: int) -> Arrays:
        more = np.full((len(self.labels), length - self.prefixes.shape[1]), SPECIAL.index(PAD), np.int64)
        return replace(self, prefixes=np.concatenate([more, self.prefixes], 1))

    def save(self, path: Path) -> None:
        """Writes `path`, a NumPy archive without pickles, whole or not at all."""
        data = io.BytesIO()
        np.savez_compressed(data, allow_pickle=False, **{f.name: getattr(self, f.name) for f in fields(self)})
        write_whole(path, data.getvalue())

    @classmethod
    def load(cls, path: Path) -> Arrays:
        with np.load(path, allow_pickle=False) as found:
            return cls(*(found[f.name] for f in fields(cls)))
