"""`run.json`: what was planned, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from embodied.errors import StoreError
from embodied.types import EpisodeSpec, Json

FORMAT = 1
"""Of run folders that this version writes; it reads every earlier one. Runs that are older than format numbers name
none.
"""
ASSISTED = 2
"""Of run folders in which a corrector speaks to the agent. Versions that know nothing of correctors refuse them: they
would show such a run as one that the agent played alone.
"""
BRANCHED = 3
"""Of run folders with branches: a version that knows nothing of them would not play them, and would play an episode on
that somebody rewound.
"""
SCORED = ("finished", "limit")


@dataclass(frozen=True)
class Branched:
    """A branch: an episode that goes on from a step of another one. It counts in no score."""

    spec: EpisodeSpec
    """With `parent` and `from_step`."""
    by: str = "person"
    """A label of who asked for it, never an account name."""
    rewinds: bool = False
    """Whether its parent ended because of it."""
    say: str = ""
    """What the agent is told in its first step; empty for nothing."""
    lasts: int = 1
    """For how many steps that counts."""


@dataclass(frozen=True)
class RunRecord:
    """`run.json`."""

    identity: str
    """Hash of everything that decides what happens in an episode of this run; the number of episodes is not part of it.
    """
    config: Json
    """The whole configuration, as composed. Holds names of environment variables, never their values."""
    planned: tuple[EpisodeSpec, ...]
    """Grows when the same command asks for more episodes; never shrinks."""
    versions: dict[str, str] = field(default_factory=dict)
    """Distribution -> version, of everything that can move a score."""
    created: str = ""
    """UTC, ISO 8601."""
    suite: str = ""
    format: int = FORMAT
    """Of the folder. A reader refuses a later format than its own."""
    branches: tuple[Branched, ...] | msgspec.UnsetType = msgspec.UNSET
    """In the order in which they were begun, so that a parent stands before its branches. Unset where there is none:
    then records do not mention the field.
    """

    @property
    def branched(self) -> tuple[Branched, ...]:
        """The branches."""
        return () if isinstance(self.branches, msgspec.UnsetType) else self.branches

    @property
    def specs(self) -> tuple[EpisodeSpec, ...]:
        """Every episode: the planned ones, which count, and then the branches, which do not."""
        return (*self.planned, *(branch.spec for branch in self.branched))

    @property
    def corrector(self) -> str:
        """Who spoke to the agent; empty where it played alone."""
        found = self.config.get("corrector")
        return str(found.get("name") or "") if isinstance(found, dict) else ""

    def difference(self, other: RunRecord) -> str:
        """The first key in which the configuration or the versions of `other` differ, in words."""
        mine, others = ({**record.config, "version": record.versions} for record in (self, other))
        return _difference(mine, others) or "the suite differs"


def check_format(data: bytes, root: Path) -> None:
    """Refuses a folder of a later format before anything else of it is read: nothing in it must mean what this version
    expects.
    """
    try:
        found = msgspec.json.decode(data, type=_Format).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return  # damaged: reading the whole record will say where
    if found > BRANCHED:
        raise StoreError(
            f"{root} has format {found}, and this version of embodied reads formats up to {BRANCHED}: upgrade it with"
            " `pip install --upgrade embodied-suite`."
        )


class _Format(msgspec.Struct):
    format: int = 0


def _difference(old: Json, new: Json, path: str = "") -> str:
    """The first key in which two configurations differ, for the error message."""
    for key in [*old, *(k for k in new if k not in old)]:
        a, b = old.get(key), new.get(key)
        if a != b:
            if isinstance(a, dict) and isinstance(b, dict):
                return _difference(a, b, f"{path}{key}.")
            return f"{path}{key} is {a!r} there and {b!r} here"
    return ""
