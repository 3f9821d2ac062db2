"""A record with a checksum in the same file: a bit that flips anywhere in it is found.

The checksum is the first key of the JSON object: the SHA-256 of the file's bytes without that key. Files older than
checksums have none and are read as they are.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import msgspec

from embodied.errors import StoreError
from embodied.store.codec import decode, encode

T = TypeVar("T")
KEY = "checksum"
_HEAD = b'{"%s":"' % KEY.encode()
_DIGITS = 64


def seal(record: Any) -> bytes:
    """`record` as a line of JSON that begins with its checksum."""
    data = encode(record) + b"\n"
    return _HEAD + _digest(data) + b'",' + data[1:]


def unseal(data: bytes, type_: type[T], where: str) -> T:
    """The record in `data`, which `seal` made, or an earlier version that knew no checksum.

    Raises:
        StoreError: It is damaged; names `where`.
    """
    if data.startswith(_HEAD):
        end = len(_HEAD) + _DIGITS
        if data[end : end + 2] != b'",' or _digest(b"{" + data[end + 2 :]) != data[len(_HEAD) : end]:
            raise _damaged(where, "its checksum does not match what it holds")
    elif any(_is_nearly(key) for key in decode(data, dict[str, msgspec.Raw], where)):
        raise _damaged(where, "the name of its checksum is broken")
    return decode(data, type_, where)


def _is_nearly(key: str) -> bool:
    """Whether `key` is the checksum's, or was before a bit of it flipped. As the exact key it may stand elsewhere than
    first, after an edit by hand.
    """
    return len(key) == len(KEY) and sum(a != b for a, b in zip(key, KEY, strict=True)) <= 1


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _damaged(where: str, what: str) -> StoreError:
    return StoreError(f"{where} is damaged: {what}. Restore it from a copy, or delete it to run the episode again.")
