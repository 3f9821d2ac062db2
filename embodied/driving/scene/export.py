"""Procedural scenes as files in CODA-LM's layout, for tools that read it. The split is called Procedural, so that it is
not mistaken for a real one.

    procedural/images/NAME.jpg                      pictures
    procedural/images_w_boxes/NAME_object_K.jpg     the same with the box of region K
    CODA-LM/Procedural/NAME.json                    annotations, with keys as CODA-LM writes them
    vqa_anno/*.jsonl                                the questions of the three tasks
    specs.json, facts.json                          the sources of the scenes, and their facts; twins name each other
                                                    in specs.json
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from PIL import Image

from embodied.atomic import FULL
from embodied.driving import schema
from embodied.driving.codalm import vqa
from embodied.driving.records import Scene
from embodied.driving.scene.spec import SceneSpec, encode
from embodied.errors import StoreError, UsageError

QUALITY = 95
"""Of the JPEG files, as CODA-LM writes its pictures with boxes. Runs of this package show the pictures themselves,
without loss.
"""


def write(
    folder: Path, specs: Sequence[SceneSpec], scenes: Sequence[Scene], done: Callable[[int], None] = lambda n: None
) -> int:
    """Writes scenes with pictures, annotations, questions, facts and specifications.

    Args:
        folder: Is made; it must be empty or not be there.
        specs: What the scenes are made from.
        scenes: The scenes, in the same order, with facts.
        done: Told the number of pictures drawn after each.

    Returns:
        How many files were written.

    Raises:
        UsageError: The folder holds something.
        StoreError: It cannot be written; then nothing is left in it.
    """
    there = _empty(folder)
    try:
        images, annotations = folder / "procedural" / "images", folder / "CODA-LM" / "Procedural"
        for place in (images, annotations):
            place.mkdir(parents=True)
        for n, scene in enumerate(scenes, 1):
            Image.fromarray(scene.picture()).save(images / f"{scene.name}.jpg", quality=QUALITY)
            text = json.dumps(schema.to_json(scene.annotation), indent=4, ensure_ascii=False)
            (annotations / f"{scene.name}.json").write_text(text + "\n", encoding="utf-8")
            done(n)
        vqa.write(folder, scenes, pictures=True)
        (folder / "specs.json").write_bytes(encode(tuple(specs)))
        (folder / "facts.json").write_bytes(
            msgspec.json.format(msgspec.json.encode([scene.facts for scene in scenes]), indent=1) + b"\n"
        )
    except OSError as error:
        _clear(folder, there)
        way_out = (
            "Free space and run the same command again" if error.errno in FULL else "Name another folder with --out"
        )
        raise StoreError(f"{folder} cannot be written ({error.strerror or error}). {way_out}.") from error
    except StoreError:
        _clear(folder, there)
        raise
    return sum(path.is_file() for path in folder.rglob("*"))


def _empty(folder: Path) -> bool:
    """Whether the folder is there and empty, not whether it is missing. Raises `UsageError` where
    it holds something.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{folder} is there already and holds something; name a new folder, so that old and new scenes do not"
                " mix."
            )
        return folder.exists()
    except OSError as error:
        raise StoreError(f"Cannot read {folder}: {error.strerror or error}. Name another folder with --out.") from error


def _clear(folder: Path, there: bool) -> None:
    """Removes what was written before the disk was full, so that the same command can run again."""
    for part in list(folder.iterdir()) if folder.is_dir() else []:
        shutil.rmtree(part) if part.is_dir() else part.unlink()
    if not there and folder.is_dir():
        folder.rmdir()
