"""Who opened a page: one address may control and change, the other only watches."""

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
