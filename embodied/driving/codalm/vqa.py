"""The three sets of questions that annotations become, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from PIL import Image

from embodied.atomic import named, whole, write_whole
from embodied.driving.codalm.pictures import boxed
from embodied.driving.records import Annotation, Key, Question, Region, Scene, Task
from embodied.errors import UsageError

QUESTIONS: MappingProxyType[Task, str] = MappingProxyType(
    {
        "general_perception": (
            "There is an image of traffic captured from the perspective of the ego car. Focus on objects influencing"
            " the ego car's driving behavior: vehicles (cars, trucks, buses, etc.), vulnerable road users (pedestrians,"
            " cyclists, motorcyclists), traffic signs (no parking, warning, directional, etc.), traffic lights (red,"
            " green, yellow), traffic cones, barriers, miscellaneous(debris, dustbin, animals, etc.). \xa0You must not"
            " discuss any objects beyond the seven categories above. Please describe each object's appearance,"
            " position, direction, and explain why it affects the ego car's behavior."
        ),
        "region_perception": (
            "Please describe the object inside the red rectangle in the image and explain why it affect ego car"
            " driving."
        ),
        "driving_suggestion": (
            "There is an image of traffic captured from the perspective of the ego car. Focus on objects influencing"
            " the ego car's driving behavior: vehicles (cars, trucks, buses, etc.), vulnerable road users (pedestrians,"
            " cyclists, motorcyclists), traffic signs (no parking, warning, directional, etc.), traffic lights (red,"
            " green, yellow), traffic cones, barriers, miscellaneous(debris, dustbin, animals, etc.). You must not"
            " discuss any objects beyond the seven categories above. Please provide driving suggestions for the ego car"
            " based on the current scene."
        ),
    }
)
"""The challenge's questions, character by character (a no-break space, a missing blank and a missing s included):
submissions repeat them.
"""


def image_path(task: Task, scene: str, region: str = "") -> str:
    """The path of a question's picture as the challenge writes it: `test_0353` -> `test/images/0353.jpg`, with region 1
    `test/images_w_boxes/0353_object_1.jpg`. Scenes whose names are not of that form keep their name whole."""
    folder, _, number = scene.rpartition("_")
    folder, number = (folder, number) if folder in ("val", "test") else ("procedural", scene)
    return (
        f"{folder}/images_w_boxes/{number}_object_{region}.jpg"
        if task == "region_perception"
        else f"{folder}/images/{number}.jpg"
    )


def key_of(task: Task, image: str) -> Key | None:
    """The key of a picture's path, in either spelling of the folder with boxes (CODA-LM's README says
    `images_w_bboxes`); None for another path.
    """
    parts = image.replace("\\", "/").split("/")
    if len(parts) < 3 or not parts[-1].endswith(".jpg"):
        return None
    folder, kind, stem = parts[-3], parts[-2], parts[-1].removesuffix(".jpg")
    region = ""
    if task == "region_perception":
        stem, mark, region = stem.rpartition("_object_")
        if not mark or kind not in ("images_w_boxes", "images_w_bboxes"):
            return None
    elif kind != "images":
        return None
    return task, stem if folder == "procedural" else f"{folder}_{stem}", region


def questions(scenes: Iterable[Scene], task: Task) -> tuple[Question, ...]:
    """The questions of a task: one a scene, or one a region; ids count from 0 over the scenes in sorted order."""
    asked: list[Question] = []
    for scene in sorted(scenes, key=lambda s: s.name):
        for region in scene.annotation.regions if task == "region_perception" else (None,):
            answer = _reference(scene.annotation, task, region)
            image = image_path(task, scene.name, region.key if region else "")
            asked.append(Question(task, len(asked), scene.name, image, QUESTIONS[task], answer, region))
    return tuple(asked)


def write(folder: Path, scenes: Sequence[Scene], pictures: bool = False) -> list[tuple[Path, int]]:
    """Writes the three sets as CODA-LM's own conversion does: `vqa_anno/<task>.jsonl`, with references where they are
    published.

    Args:
        folder: Is made where it is not there.
        scenes: Of one split.
        pictures: Whether the pictures with boxes are drawn as well, at the paths the questions name (JPEG of quality
            95).

    Returns:
        Each file with its number of questions.
    """
    files = []
    for task in QUESTIONS:
        asked = questions(scenes, task)
        path = made(folder / "vqa_anno") / f"{task}.jsonl"
        with named(path):
            write_whole(
                path, b"".join(line(q.id, q.image, q.text, q.answer if q.answer.strip() else None) for q in asked)
            )
        files.append((path, len(asked)))
    if pictures:
        by_name = {scene.name: scene for scene in scenes}
        for q in questions(scenes, "region_perception"):
            path = folder / q.image
            # these questions are about a region
            picture = Image.fromarray(boxed(by_name[q.scene].picture(), q.region.box))  # type: ignore[union-attr]
            with named(path), whole(path, path.suffix) as target:
                picture.save(target, quality=95)
    return files


def made(folder: Path) -> Path:
    """Makes a folder. Raises `UsageError` where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made a folder: {error.strerror or error}.") from error
    return folder


def line(id_: int, image: str, question: str, answer: str | None) -> bytes:
    """A line of the challenge's files: keys in this order, everything outside ASCII escaped; no `answer` where there is
    none.
    """
    body = {"question_id": id_, "image": image, "question": question, "answer": answer}
    return json.dumps({k: v for k, v in body.items() if v is not None}).encode() + b"\n"


def annotations_of(asked: Iterable[Question]) -> tuple[Annotation, ...]:
    """The reverse: what the questions of all three tasks say about each scene. No question holds the lists of objects,
    so the result has none.
    """
    scenes: dict[str, list[Question]] = {}
    for question in asked:
        scenes.setdefault(question.scene, []).append(question)
    return tuple(_annotation(name, found) for name, found in sorted(scenes.items()))


def _annotation(name: str, asked: list[Question]) -> Annotation:
    said = {q.task: q.answer for q in asked if q.region is None}
    regions = tuple(replace(q.region, text=q.answer) for q in asked if q.region is not None)
    return Annotation(name, (), said.get("general_perception", ""), regions, said.get("driving_suggestion", ""))


def _reference(annotation: Annotation, task: Task, region: Region | None) -> str:
    if region is not None:
        return region.text
    return annotation.summary if task == "general_perception" else annotation.suggestion
