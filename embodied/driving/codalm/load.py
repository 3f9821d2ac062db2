"""CODA-LM from the user's own folder: found, paired with its pictures, checked. Everything that is wrong is listed;
nothing is left out silently.

The folder is laid out as CODA-LM's README says, pictures from CODA2022 and annotations beside them:

    val/images/0001.jpg ...               CODA2022 val: pictures of Train
    test/images/0001.jpg ...              CODA2022 test: pictures of Val, Test and Mini
    CODA-LM/Train/val_0001.json ...
    CODA-LM/Val/test_0001.json ...        CODA-LM/Test, CODA-LM/Mini likewise
    CODA-LM-chinese/                      the same in Chinese
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image

from embodied.driving import schema
from embodied.driving.categories import CATEGORIES, canonical
from embodied.driving.codalm import pictures, vqa
from embodied.driving.records import LANGUAGES, SPLITS, Annotation, Problem, Question, Scene, Task
from embodied.errors import UsageError
from embodied.registry import unknown

VARIABLE = "EMBODIED_CODA_ROOT"
"""Environment variable that names the folder where `--data` does not."""
PUBLISHED = {"train": 4884, "val": 4384, "test": 500, "mini": 50}
"""Pictures of each split (CODA-LM's README, Data Preparation)."""
_SOURCE = {"train": "val", "val": "test", "test": "test", "mini": "test"}
"""Split -> the part of CODA2022 its pictures are of."""
_ANNOTATIONS = dict(zip(LANGUAGES, ("CODA-LM", "CODA-LM-chinese"), strict=True))
_NAME = re.compile(r"(val|test)_\d{4,}")

KINDS = {
    "unreadable": "annotations that are not JSON or have another form",
    "file name": "annotations whose name does not say which picture they belong to",
    "no picture": "annotations without their picture",
    "bad picture": "pictures that cannot be opened",
    "no annotation": "pictures that no split here annotates",
    "box": "boxes that are empty or reach out of the picture",
    "category": "categories that are none of the 43",
    "no answer": (
        "texts that are empty, as in the Test files from before its answers were published: they cannot be scored"
    ),
    "count": "splits with more or fewer files than were published",
}
"""Kind of problem -> what it means."""
FATAL = frozenset({"unreadable", "file name", "no picture", "bad picture"})
"""Kinds that leave nothing to ask about a scene."""


@dataclass(frozen=True)
class Split:
    """One split in one language, read whole."""

    root: Path
    name: str
    language: str
    scenes: tuple[Scene, ...]
    """Those that can be asked about, sorted by name."""
    problems: tuple[Problem, ...]

    def questions(self, task: Task) -> tuple[Question, ...]:
        return vqa.questions(self.scenes, task)

    def unscorable(self, task: Task) -> list[Question]:
        """The questions without a reference."""
        return [q for q in self.questions(task) if not q.answer.strip()]


def data_root(data: str | Path | None) -> Path:
    """The user's folder: `data`, or the one `EMBODIED_CODA_ROOT` names. Raises `UsageError` where there is none."""
    named = data or os.environ.get(VARIABLE)
    if not named:
        raise UsageError(
            "CODA-LM's pictures may not be redistributed, so you need your own copy: name its folder with --data, or in"
            f" {VARIABLE}."
        )
    root = Path(named).expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}" + ("." if data else f" ({VARIABLE} names it)."))
    return root.parent if root.name in _ANNOTATIONS.values() else root


def present(root: Path, language: str = "english") -> list[str]:
    """The splits whose annotations lie in `root`, in the order of `SPLITS`."""
    return [name for name in SPLITS if (root / _ANNOTATIONS[language] / name.capitalize()).is_dir()]


def load(data: str | Path | None, split: str, language: str = "english", decode: bool = False) -> Split:
    """Reads one split and checks it: every file is opened, of every picture its header.

    Args:
        data: The user's folder; None for the one that `EMBODIED_CODA_ROOT` names.
        split: train, val, test or mini, in any case.
        language: english or chinese.
        decode: Whether every picture is decoded whole, which takes some 10 ms each.

    Raises:
        UnknownName: No such split or language.
        UsageError: There is no such folder, it is another dataset's, or it lacks the split.
    """
    root, name, language = data_root(data), split.casefold(), language.casefold()
    if language not in LANGUAGES:
        raise unknown("language of CODA-LM", language, list(LANGUAGES), "embodied codalm check --help")
    if name not in SPLITS:
        raise unknown("split of CODA-LM", split, list(SPLITS), "embodied codalm check --help")
    folder = _folder(root, name, language)
    problems: list[Problem] = []
    scenes = [
        scene
        for path in sorted(folder.glob("*.json"))
        if (scene := _scene(root, path, _SOURCE[name], decode, problems)) is not None
    ]
    found = len(list(folder.glob("*.json")))
    if not found:
        raise UsageError(f"{folder} holds no annotations (*.json).")
    if found != PUBLISHED[name]:
        _note(problems, root, folder, "count", f"has {found} annotations; the published split has {PUBLISHED[name]}")
    return Split(root, name, language, tuple(scenes), tuple(problems))


@lru_cache(maxsize=4)
def cached(data: str | None, split: str, language: str) -> Split:
    """`load`, kept: a process plays many episodes of one split."""
    return load(data, split, language)


def unannotated(root: Path) -> tuple[Problem, ...]:
    """Pictures that no split in `root` annotates, in either language. Val, Test and Mini share their pictures, so this
    is asked of the whole folder.
    """
    problems: list[Problem] = []
    for source in ("val", "test"):
        splits = [name.capitalize() for name in SPLITS if _SOURCE[name] == source]
        named = {
            p.stem
            for folder in _ANNOTATIONS.values()
            for split in splits
            for p in (root / folder / split).glob("*.json")
        }
        if named:
            for picture in sorted((root / source / "images").glob("*.jpg")):
                if f"{source}_{picture.stem}" not in named:
                    _note(problems, root, picture, "no annotation", "belongs to no annotation in this folder")
    return tuple(problems)


def _folder(root: Path, name: str, language: str) -> Path:
    """The folder of a split's annotations. Raises `UsageError` that says what is expected and what is there."""
    folder = root / _ANNOTATIONS[language] / name.capitalize()
    if not present(root, "english") and not present(root, "chinese"):
        here = ", ".join(sorted(p.name + "/" * p.is_dir() for p in root.iterdir())[:6]) or "nothing"
        raise UsageError(
            f"{root} is not CODA-LM's folder: it should hold CODA-LM/{name.capitalize()}/*.json (annotations) and"
            f" {_SOURCE[name]}/images/*.jpg (pictures of CODA2022), and holds {here}."
        )
    if not folder.is_dir():
        there = ", ".join(present(root, language)) or f"none in {language}"
        raise UsageError(
            f"{root} has no split {name} in {language}: {folder.relative_to(root)}/ is missing. Splits that are there:"
            f" {there}."
        )
    if not (root / _SOURCE[name] / "images").is_dir():
        raise UsageError(
            f"{root} has no pictures for the split {name}: {_SOURCE[name]}/images/*.jpg of CODA2022 should lie beside"
            f" {_ANNOTATIONS[language]}/."
        )
    return folder


def _scene(root: Path, path: Path, source: str, decode: bool, problems: list[Problem]) -> Scene | None:
    """One annotation with its picture; None where nothing can be asked about it. Adds what is wrong to `problems`."""
    note = partial(_note, problems, root, path)
    if not _NAME.fullmatch(path.stem) or not path.stem.startswith(f"{source}_"):
        note("file name", f"should be named {source}_NNNN.json after its picture {source}/images/NNNN.jpg")
        return None
    try:
        annotation = schema.decode(path.read_bytes(), path.stem)
    except (OSError, ValueError) as error:
        note("unreadable", str(error))
        return None
    picture = root / source / "images" / f"{path.stem.partition('_')[2]}.jpg"
    if not picture.is_file():
        note("no picture", f"its picture {picture.relative_to(root)} is missing")
        return None
    try:
        with Image.open(picture) as image:
            width, height = image.size
            if decode:
                image.load()
    except (OSError, Image.DecompressionBombError) as error:
        note("bad picture", f"{picture.relative_to(root)} cannot be opened ({error})")
        return None
    for kind, text in faults(annotation, width, height):
        note(kind, text)
    return Scene(annotation, width, height, partial(pictures.read, picture))


def faults(annotation: Annotation, width: int, height: int) -> Iterator[tuple[str, str]]:
    """What is wrong within an annotation of a picture of this size: kind and sentence."""
    for region in annotation.regions:
        x, y, w, h = region.box
        if not (w > 0 and h > 0):
            yield "box", f"region {region.key}: the box {list(region.box)} is empty"
        elif x < 0 or y < 0 or x + w > width or y + h > height:
            yield (
                "box",
                (
                    f"region {region.key}: the box {list(region.box)} (x, y, width, height) reaches out of the picture"
                    f" of {width} x {height} pixels"
                ),
            )
        if canonical(region.category) is None:
            yield "category", f"region {region.key}: {region.category!r} is none of the {len(CATEGORIES)} categories"
        if not region.text.strip():
            yield "no answer", f"region {region.key} has no text"
    if not annotation.summary.strip():
        yield "no answer", "general perception has no text"
    if not annotation.suggestion.strip():
        yield "no answer", "there is no driving suggestion"


def _note(problems: list[Problem], root: Path, path: Path, kind: str, text: str) -> None:
    problems.append(Problem(str(path.relative_to(root)), kind, text, kind in FATAL))
