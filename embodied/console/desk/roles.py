"""Who may do what at the desk: two secret addresses."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

WATCHER, CONTROLLER = "watch", "control"


@dataclass(frozen=True)
class Tokens:
    """The secrets of the two addresses."""

    watch: str
    control: str

    @classmethod
    def fresh(cls) -> Tokens:
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
