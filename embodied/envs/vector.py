"""Our spaces in Gymnasium's vector environments: `gymnasium.make_vec(id, num_envs=2, vectorization_mode="async")`.

`AsyncVectorEnv` passes observations through memory that all its processes share. Gymnasium asks for functions, one a
kind of space, that make this memory, write to it and read it. Importing this module registers them.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, TypeVar, overload

from gymnasium import spaces
from gymnasium.vector.utils import (
    batch_differing_spaces,
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

from embodied.envs.spaces import Choice, FreeText, Phrases

MOST_BYTES = 1_048_576
"""Bytes of UTF-8 that one text may take in shared memory; a longer one needs `shared_memory=False`."""
PHRASES = FreeText(MOST_BYTES // 4)
"""The text that phrases are written as: a list in JSON."""
_LENGTH = 8
"""Bytes before each text that hold its length."""


V = TypeVar("V", str, tuple[str, ...])


class _Live(Sequence[V]):
    """The values of all environments as they stand in shared memory now; a deep copy is a tuple of values.

    Gymnasium reads the memory once, at the start, and copies what it read at each step. An array shows the present
    values by itself; a string does not.
    """

    def __init__(self, memory: Any, n: int):
        self._memory = memory
        self._n = n

    @abstractmethod
    def _read(self, index: int) -> V:
        """The value of one environment."""

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[V, ...]: ...
    def __getitem__(self, index: int | slice) -> V | tuple[V, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        return self._read(range(self._n)[index])

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[V]:
        return (self._read(index) for index in range(self._n))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[V, ...]:
        return tuple(self)

    def __repr__(self) -> str:
        return repr(tuple(self))


class _LiveTexts(_Live[str]):
    """Of a FreeText: each a length and UTF-8."""

    def __init__(self, memory: Any, n: int, room: int):
        super().__init__(memory, n)
        self._room = room

    def _read(self, index: int) -> str:
        data, start = memoryview(self._memory.get_obj()).cast("B"), index * self._room
        length = int.from_bytes(data[start : start + _LENGTH], "little")
        return bytes(data[start + _LENGTH : start + _LENGTH + length]).decode("utf-8", "surrogatepass")


class _LivePhrases(_Live[str]):
    """Of a Choice: each the number of a phrase."""

    def __init__(self, memory: Any, n: int, phrases: tuple[str, ...]):
        super().__init__(memory, n)
        self._phrases = phrases

    def _read(self, index: int) -> str:
        return self._phrases[int(self._memory.get_obj()[index])]


class _LiveLists(_Live[tuple[str, ...]]):
    """Of a Phrases: each a list in JSON."""

    def __init__(self, texts: _LiveTexts):
        self._texts = texts
        super().__init__(None, len(texts))

    def _read(self, index: int) -> tuple[str, ...]:
        return tuple(json.loads(self._texts[index] or "[]"))


def _room(space: FreeText) -> int:
    """Bytes of shared memory for one text: a character takes at most four."""
    return _LENGTH + min(4 * space.max_length, MOST_BYTES)


def _phrases(space: Choice) -> tuple[str, ...]:
    return space.phrases if space.tacit is None else (*space.phrases, space.tacit)


@create_shared_memory.register(FreeText)
def _create_texts(space: FreeText, n: int = 1, ctx: Any = multiprocessing) -> Any:
    return ctx.Array(ctypes.c_uint8, n * _room(space))


@create_shared_memory.register(Choice)
def _create_phrases(space: Choice, n: int = 1, ctx: Any = multiprocessing) -> Any:
    return ctx.Array(ctypes.c_int64, n)


@create_shared_memory.register(Phrases)
def _create_lists(space: Phrases, n: int = 1, ctx: Any = multiprocessing) -> Any:
    return _create_texts(PHRASES, n, ctx)


@write_to_shared_memory.register(FreeText)
def _write_text(space: FreeText, index: int, value: str, shared_memory: Any) -> None:
    data, room = value.encode("utf-8", "surrogatepass"), _room(space)
    if len(data) > room - _LENGTH:
        raise ValueError(
            f"An observation of {len(data)} bytes does not fit the {room - _LENGTH} bytes of shared memory that a text"
            " has. Make the vector environment with shared_memory=False."
        )
    start = index * room
    memory = memoryview(shared_memory.get_obj()).cast("B")
    memory[start : start + _LENGTH + len(data)] = len(data).to_bytes(_LENGTH, "little") + data


@write_to_shared_memory.register(Choice)
def _write_phrase(space: Choice, index: int, value: str, shared_memory: Any) -> None:
    shared_memory.get_obj()[index] = _phrases(space).index(value)


@write_to_shared_memory.register(Phrases)
def _write_list(space: Phrases, index: int, value: tuple[str, ...], shared_memory: Any) -> None:
    _write_text(PHRASES, index, json.dumps(value), shared_memory)


@read_from_shared_memory.register(FreeText)
def _read_texts(space: FreeText, shared_memory: Any, n: int = 1) -> Sequence[str]:
    return _LiveTexts(shared_memory, n, _room(space))


@read_from_shared_memory.register(Choice)
def _read_phrases(space: Choice, shared_memory: Any, n: int = 1) -> Sequence[str]:
    return _LivePhrases(shared_memory, n, _phrases(space))


@read_from_shared_memory.register(Phrases)
def _read_lists(space: Phrases, shared_memory: Any, n: int = 1) -> Sequence[tuple[str, ...]]:
    return _LiveLists(_LiveTexts(shared_memory, n, _room(PHRASES)))


@create_empty_array.register(FreeText)
def _empty_texts(space: FreeText, n: int = 1, fn: Any = None) -> tuple[str, ...]:
    return ("",) * n


@create_empty_array.register(Choice)
def _empty_phrases(space: Choice, n: int = 1, fn: Any = None) -> tuple[str, ...]:
    return (space.phrases[0],) * n


@create_empty_array.register(Phrases)
def _empty_lists(space: Phrases, n: int = 1, fn: Any = None) -> tuple[tuple[str, ...], ...]:
    return ((),) * n


@batch_differing_spaces.register(FreeText)
@batch_differing_spaces.register(Choice)
@batch_differing_spaces.register(Phrases)
def _differing(  # type: ignore[misc]  # Gymnasium looks the function up by the class of one space, and gives it several
    several: Sequence[FreeText | Choice | Phrases],
) -> spaces.Tuple:
    return spaces.Tuple([deepcopy(space) for space in several])
