"""Records as JSON on disk: one line a record, keys in field order, so that equal records are equal bytes. As msgpack
between processes.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from embodied.errors import StoreError

T = TypeVar("T")
_encoder = msgspec.json.Encoder()
_packer = msgspec.msgpack.Encoder()


def encode(record: Any) -> bytes:
    """A record (or plain JSON value) as one line of JSON, without the newline. Lone surrogates are
    replaced by U+FFFD.
    """
    try:
        return _encoder.encode(record)
    except UnicodeEncodeError:
        return _encoder.encode(without_surrogates(msgspec.to_builtins(record)))


def decode(data: bytes, type_: type[T], where: str) -> T:
    """The record in `data`. Raises `StoreError` naming `where` when it is damaged."""
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        way = "Without it the run cannot be read" if where.endswith("run.json") else "Or delete it to play it again"
        raise StoreError(f"{where} is damaged: {error}. Restore it from a copy. {way}.") from error


def pack(record: Any) -> bytes:
    """A record as msgpack, for another process; holds bytes as they are. Lone surrogates are replaced by U+FFFD."""
    try:
        return _packer.encode(record)
    except UnicodeEncodeError:
        return _packer.encode(without_surrogates(msgspec.to_builtins(record, builtin_types=(bytes,))))


def without_surrogates(value: Any) -> Any:
    """`value`, of plain JSON, with every lone surrogate replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {without_surrogates(k): without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_surrogates(v) for v in value]
    return value
