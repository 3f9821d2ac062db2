"""What a Gymnasium observation of ours holds: its pictures, and its hash."""

from __future__ import annotations

import hashlib
import json
from itertools import takewhile
from typing import Any

import numpy as np

from embodied.envs.base import picture_keys


def observation_hash(raw: dict[str, Any]) -> str:
    """SHA-256 over a Gymnasium observation: its text, status, pixels, and its actions where it has them. Independent of
    the PNG encoder and of `expert`.
    """
    digest = hashlib.sha256()
    for key in ("text", "status"):
        digest.update(raw.get(key, "").encode("utf-8", "surrogatepass") + b"\0")
    for frame in frames(raw):
        digest.update(repr(frame.shape).encode() + np.ascontiguousarray(frame).tobytes())
    if "actions" in raw:
        digest.update(b"actions\0" + json.dumps(raw["actions"]).encode())
    return digest.hexdigest()


def pictured(raw: dict[str, Any]) -> list[str]:
    """The keys of an observation's pictures, in order."""
    return list(takewhile(raw.__contains__, picture_keys()))


def frames(raw: dict[str, Any]) -> list[np.ndarray]:
    """The pictures of a Gymnasium observation, in order."""
    return [raw[key] for key in pictured(raw)]
