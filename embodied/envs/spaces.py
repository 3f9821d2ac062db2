"""Spaces of language: `Choice`, a finite set of phrases; `FreeText`, any string; `Phrases`, a tuple of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium import Space


class Choice(Space[str]):
    """A finite, ordered set of phrases.

    Args:
        phrases: The phrases, distinct and non-empty. Their order is part of the space (sampling and equality).
        seed: Seed of the space's own random stream.
        tacit: A further phrase that is accepted, but not listed or sampled. It stands for "no answer" where every
            listed phrase is an answer.
    """

    def __init__(
        self, phrases: Iterable[str], seed: int | np.random.Generator | None = None, *, tacit: str | None = None
    ):
        self.phrases = tuple(phrases)
        self.tacit = tacit
        self._members = frozenset(self.phrases)
        if not self.phrases or len(self._members) != len(self.phrases) or tacit in self._members:
            raise ValueError(f"Choice needs at least one phrase and no phrase twice, got {self.phrases!r}.")
        super().__init__(None, None, seed)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A phrase, uniformly. `mask` (n,) int8 restricts to ones; `probability` (n,) float64 weights the phrases."""
        if mask is not None:
            candidates = np.flatnonzero(np.asarray(mask))
            return self.phrases[int(self.np_random.choice(candidates))]
        if probability is not None:
            return self.phrases[int(self.np_random.choice(len(self.phrases), p=probability))]
        return self.phrases[int(self.np_random.integers(len(self.phrases)))]

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and (x in self._members or x == self.tacit)

    def __iter__(self) -> Iterator[str]:
        return iter(self.phrases)

    def __len__(self) -> int:
        return len(self.phrases)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Choice) and (self.phrases, self.tacit) == (other.phrases, other.tacit)

    def __hash__(self) -> int:
        return hash(self.phrases)

    def __repr__(self) -> str:
        return f"Choice({list(self.phrases)!r})" if len(self) <= 12 else f"Choice({len(self)} phrases)"


class FreeText(Space[str]):
    """Any string of at most `max_length` characters (Unicode). Samples are short ASCII words, to exercise an
    environment.
    """

    _LETTERS = "abcdefghijklmnopqrstuvwxyz"

    def __init__(self, max_length: int = 1_000_000, seed: int | np.random.Generator | None = None):
        self.max_length = max_length
        super().__init__(None, None, seed)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        length = int(self.np_random.integers(1, 9))
        return "".join(self._LETTERS[i] for i in self.np_random.integers(len(self._LETTERS), size=length))

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and len(x) <= self.max_length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreeText) and self.max_length == other.max_length

    def __hash__(self) -> int:
        return hash(self.max_length)

    def __repr__(self) -> str:
        return f"FreeText(max_length={self.max_length})"


class Phrases(Space[tuple[str, ...]]):
    """A tuple of distinct phrases of an action space: those that can be chosen in one step.

    Args:
        of: The action space. Of a `FreeText` they may be any strings (command patterns).
        seed: Seed of the space's own random stream.
    """

    _MOST = 4
    """Phrases in a sample of any strings."""

    def __init__(self, of: Choice | FreeText, seed: int | np.random.Generator | None = None):
        self.of = deepcopy(of)  # seeding this space must not move the action space's stream
        super().__init__(None, None, seed)

    @property
    def is_np_flattenable(self) -> bool:
        return False

    def seed(self, seed: int | None = None) -> int | list[int] | dict[str, int]:
        self.of.seed(seed)
        return super().seed(seed)

    def sample(self, mask: Any = None, probability: Any = None) -> tuple[str, ...]:
        """Some phrases, in the order of the action space; at least one."""
        if isinstance(self.of, FreeText):
            number = int(self.np_random.integers(1, self._MOST + 1))
            return tuple(dict.fromkeys(self.of.sample() for _ in range(number)))
        number = int(self.np_random.integers(1, len(self.of) + 1))
        chosen = sorted(self.np_random.choice(len(self.of), size=number, replace=False))
        return tuple(self.of.phrases[int(k)] for k in chosen)

    def contains(self, x: Any) -> bool:
        return isinstance(x, tuple) and all(map(self.of.contains, x)) and len(set(x)) == len(x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phrases) and self.of == other.of

    def __hash__(self) -> int:
        return hash(("phrases", self.of))

    def __repr__(self) -> str:
        return f"Phrases({self.of!r})"
