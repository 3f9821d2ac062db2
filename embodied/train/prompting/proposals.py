"""Proposals: what a proposer writes is read, and dropped where no version may hold it."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field

from embodied.agents.config import LONGEST_INSTRUCTIONS
from embodied.terminal import plain

UNREADABLE, EMPTY, LONG = "unreadable", "empty", "too long"
CONTROL, REFERENCE, REPEATED = "control characters", "link or variable", "repeated"
_REFERENCES = ("${", "://")
"""What no agent's folder may hold (`embodied.versions`)."""


def digest(text: str) -> str:
    """A name for instructions: 12 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def tagged(reply: str) -> str | None:
    """The instructions of a model's reply; None where they do not stand between the tags. The last pair counts: a model
    may repeat the form that it was shown.
    """
    folded = re.sub(r"</?instructions>", lambda found: found[0].lower(), reply, flags=re.IGNORECASE)
    before, closed, _ = folded.rpartition("</instructions>")
    _, opened, inside = before.rpartition("<instructions>")
    return inside.replace("\r\n", "\n").strip() if opened and closed else None


def fault(text: str | None) -> str:
    """Why `text` cannot be instructions, in a word or two; empty where it can."""
    if text is None:
        return UNREADABLE
    if not text.strip(" \t\n."):
        return EMPTY
    if len(text) > LONGEST_INSTRUCTIONS:
        return LONG
    if plain(text) != text or any("\ud800" <= character <= "\udfff" for character in text):
        return CONTROL
    return REFERENCE if any(sign in text for sign in _REFERENCES) else ""


@dataclass
class Pool:
    """All instructions so far, each once, in the order in which they came. The parent's are the first."""

    texts: list[str]
    dropped: Counter[str] = field(default_factory=Counter)
    """Why proposals were dropped -> how many."""

    def take(self, proposed: list[str | None]) -> list[str]:
        """Takes proposals in, and returns the new ones that can be played."""
        new = []
        for text in proposed:
            why = fault(text) or (REPEATED if text in self.texts else "")
            if why or text is None:
                self.dropped[why] += 1
                continue
            self.texts.append(text)
            new.append(text)
        return new
