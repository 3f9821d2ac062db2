"""Our own wording, as files with a version in their name: what a learner asked stays known by that name."""

from __future__ import annotations

from importlib.resources import files

TEMPLATE = "propose-1.txt"


def read(name: str) -> str:
    """A file of `embodied/train/data/prompts`."""
    return (files("embodied.train") / "data" / "prompts" / name).read_text(encoding="utf-8")


def lines(name: str) -> list[str]:
    """Its lines that are not empty."""
    return [line for line in read(name).splitlines() if line.strip()]
