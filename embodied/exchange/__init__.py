"""Data in and out: other projects' records as runs, runs as other projects' records.

An export format is a name in `EXPORTS`: a callable that takes an `Export` and returns what it wrote. Other
distributions add theirs through the entry-point group `embodied.exports`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from embodied.registry import Registry
from embodied.store.run import Run

EXPORTS = Registry(
    "export",
    {
        "gif": "embodied.exchange.films:films",
        "mp4": "embodied.exchange.films:films",
        "html": "embodied.exchange.pages:write",
        "balrog": "embodied.exchange.balrog.writing:write",
        "csv": "embodied.exchange.tables:write_csv",
        "parquet": "embodied.exchange.tables:write_parquet",
        "sft": "embodied.exchange.chat:write_sft",
        "dpo": "embodied.exchange.preferences:write_dpo",
        "corrections": "embodied.exchange.corrections:write_corrections",
        "lerobot": "embodied.exchange.lerobot.writing:write_lerobot",
        "inspect": "embodied.exchange.inspect_log:write_log",
    },
)


@dataclass(frozen=True)
class Export:
    """What to export, and how. A format uses the options that mean something to it."""

    run: Run
    ids: tuple[str, ...]
    """Ended episodes."""
    format: str
    out: Path
    """Folder for the files; need not exist."""
    fps: int = 4
    """Films, lerobot: steps a second."""
    min_progress: float = 0.0
    """sft, dpo, corrections, lerobot: episodes (dpo: better ones) that got at least this far, in [0, 1]."""
    success: bool = False
    """sft, dpo, corrections, lerobot: only episodes (dpo: better ones) that succeeded."""
    against: tuple[Run, ...] = ()
    """dpo: more runs whose episodes of the same task and seed are compared with these."""
    frames: bool = False
    """Films: show the frames between two decisions too."""
    recordings: bool = False
    """corrections: also write the recordings of spoken words."""


@dataclass
class Exported:
    """What was written."""

    paths: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Sentences: what was left out, and why."""
