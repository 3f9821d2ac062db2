"""Votes on disk: one JSON object a line, appended and synced, never changed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from embodied.errors import StoreError
from embodied.store.disk import named
from embodied.store.journal import append_to_journal, read_journal

Preferred = Literal["left", "right", "tie"]


class Vote(msgspec.Struct, frozen=True):
    """One person's judgement of two episodes of the same task."""

    time: str
    """UTC, ISO 8601."""
    runs: tuple[str, str]
    """Identities of the runs shown left and right."""
    names: tuple[str, str]
    episodes: tuple[str, str]
    env: str
    task: str
    choice: Preferred

    @property
    def share(self) -> float:
        """The left run's share: 1, 0, or 0.5 for a tie."""
        return {"left": 1.0, "right": 0.0, "tie": 0.5}[self.choice]


class Votes:
    """A file of votes. A vote is on disk before `append` returns; a line that a kill tore is skipped and counted, and
    does not harm others.

    Args:
        path: The file; made by the first vote.
    """

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> tuple[list[Vote], int]:
        """All votes in order, and how many lines could not be read.

        Raises:
            StoreError: The file cannot be read.
        """
        try:
            lines, torn = read_journal(self.path)
        except OSError as error:
            raise StoreError(f"Cannot read {self.path}: {error.strerror or error}.") from error
        votes, damaged = [], 0
        for line in (*lines, torn):
            if line.strip():
                try:
                    votes.append(msgspec.json.decode(line, type=Vote))
                except msgspec.DecodeError:
                    damaged += 1
        return votes, damaged

    def append(self, vote: Vote) -> None:
        """Writes a vote, on a line of its own even where a kill tore the one before.

        Raises:
            StoreError: The file cannot be written.
        """
        with named(self.path, "--votes"):
            append_to_journal(self.path, vote)
