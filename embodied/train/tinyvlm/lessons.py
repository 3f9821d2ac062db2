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

from embodied.envs.truth import Sight
from embodied.store.disk import write_whole
from embodied.train.tinyvlm.architecture import Built
from embodied.train.tinyvlm.words import BEGIN, PAD, SPECIAL

Ints = npt.NDArray[np.int64]


class Patches:
    """Every different patch that was ever seen, by number.

    Args:
        side: Pixels along a side of a patch.
        picture: Pixels along a side of the picture that the model reads; others are scaled as its processor does.
    """

    def __init__(self, side: int, picture: int):
        self.side, self.picture = side, picture
        self._numbers: dict[bytes, int] = {}
        self.pixels: list[npt.NDArray[np.uint8]] = []

    def numbers(self, picture: npt.NDArray[np.uint8]) -> list[int]:
        """The patches of a picture, (H, W, 3) uint8, row by row."""
        side, count = self.side, self.picture // self.side
        if picture.shape[:2] != (self.picture, self.picture):
            scaled = Image.fromarray(picture).resize((self.picture, self.picture), Image.Resampling.NEAREST)
            picture = np.asarray(scaled)
        cells = picture.reshape(count, side, count, side, 3).swapaxes(1, 2).reshape(count**2, side, side, 3)
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
        return cls(built, Patches(built.shape.patch, built.shape.picture), Sayings(built))

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
