"""The records of CODA-LM: annotations, their pictures, and the questions made from them. Frozen dataclasses,
no logic.

Source: the data of Li et al. 2024, "Automated Evaluation of Large Vision-Language Models on Self-driving Corner Cases"
(CODA-LM).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from embodied.arrays import Pixels
from embodied.driving.categories import CATEGORIES, canonical
from embodied.driving.facts import SceneFacts

Task = Literal["general_perception", "region_perception", "driving_suggestion"]
TASKS: tuple[Task, ...] = ("general_perception", "region_perception", "driving_suggestion")
SPLITS = ("train", "val", "test", "mini")
LANGUAGES = ("english", "chinese")

OTHER = "other"
"""Group of a region whose category is not one of the 43. Such regions are not dropped from a score."""

Box = tuple[float, float, float, float]
"""x, y of the upper left corner, width, height; pixels."""


@dataclass(frozen=True)
class ListedObject:
    """One object of a scene's lists."""

    group: str
    """One of the seven of `embodied.driving.categories`."""
    description: str = ""
    explanation: str = ""


@dataclass(frozen=True)
class Region:
    """One boxed object."""

    key: str
    """Its key in the file: a number from 1, of which some may be missing."""
    box: Box
    category: str
    """As the file writes it; one of the 43, in either spelling, in a file without fault."""
    text: str
    """What it is and why it matters to the driver."""


@dataclass(frozen=True)
class Annotation:
    """One file of annotations: everything about one picture."""

    name: str
    """File name without its ending: `test_0353`."""
    mentions: tuple[ListedObject, ...]
    """Objects by group, in the order of the file."""
    summary: str
    """The scene in sentences: the reference of general perception."""
    regions: tuple[Region, ...]
    """In the order of the file's keys."""
    suggestion: str
    """Advice to the driver."""


@dataclass(frozen=True)
class Scene:
    """A picture with its annotation."""

    annotation: Annotation
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    picture: Callable[[], Pixels]
    """Reads or draws the picture: (height, width, 3) uint8, a fresh array."""
    facts: SceneFacts | None = None
    """Where they are known: of procedural scenes."""

    @property
    def name(self) -> str:
        return self.annotation.name


Key = tuple[Task, str, str]
"""Task, name of the scene, key of the region (empty except in region perception): answers, references and ratings are
matched by it.
"""


@dataclass(frozen=True)
class Question:
    """One question about one picture."""

    task: Task
    id: int
    """From 0 within the task, over the scenes in sorted order and the regions in the order of the file."""
    scene: str
    """Name of the scene."""
    image: str
    """Path of the picture as a submission names it: `test/images/0353.jpg`."""
    text: str
    """The question, word for word as a submission repeats it."""
    answer: str
    """The reference; empty where it is not published."""
    region: Region | None = None

    @property
    def key(self) -> Key:
        return self.task, self.scene, self.region.key if self.region else ""

    @property
    def group(self) -> str:
        """Of the region's category, or `OTHER`; empty for questions about the whole picture."""
        return CATEGORIES.get(canonical(self.region.category) or "", OTHER) if self.region else ""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with the data."""

    file: str
    """Path below the data folder."""
    kind: str
    """One of `embodied.driving.codalm.load.KINDS`."""
    text: str
    """One sentence."""
    fatal: bool
    """True where nothing can be asked about the scene; the rest of the split can still be used."""
