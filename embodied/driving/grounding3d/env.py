"""3D grounding as a LanguageEnv: where is it, as a box in metres."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodied.arrays import Pixels
from embodied.catalog import check_task, entry
from embodied.driving.grounding3d.boxes import Box2D, Box3D, distance, distance_3d, iou_2d, iou_3d, iou_bev, yaw_error
from embodied.driving.grounding3d.items import SIZE, Item, items, made
from embodied.driving.grounding3d.parse import Answer, read_box, read_box_2d, read_point
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import FreeText
from embodied.errors import UsageError
from embodied.quantities import counted
from embodied.registry import unknown
from embodied.types import Mission

HINTS = ("none", "box")
CHAINS = ("direct", "box_first", "point_first")
EXPERTS = ("oracle",)
THRESHOLDS = (0.5, 1.0, 2.0, 4.0)
"""Metres between centres seen from above: nuScenes' matching distances (Caesar et al. 2020, section 3.1)."""
SUCCESS = 2.0
"""Metres: the distance at which nuScenes takes its true-positive metrics."""

_FORM = "[x, y, z, w, h, l, yaw]"
_FRAME = (
    (
        "x, y, z are the centre of the box in metres in the levelled frame of the camera: the origin is the camera, x"
        " points right, y down, z along the road."
    ),
    "w, h, l are its width, height and length in metres, all positive. Length is what runs from its back to its front.",
    (
        "yaw is in degrees, counter-clockwise seen from above: 0 when its front looks ahead, away from you, 90 to the"
        " left, -90 to the right, 180 towards you."
    ),
    "You may add how sure you are: confidence: p, with p from 0 to 1.",
)
_FIRST = {
    "box_first": "its box in the picture, [left, top, right, bottom] in pixels",
    "point_first": "the pixel at the middle of what is seen of it, [u, v]",
}


class Grounding3DEnv(LanguageEnv):
    """Grounding3D: find a named object in one picture, and give its 3D box in metres.

    ## Description
    The agent gets a picture of a street from behind a windscreen, the camera's intrinsics, and a name that fits only
    one object: "the red car", "the second traffic cone from the left". The answer is the object's box in space, in the
    form of Cube-LLM: centre, size and yaw in the camera's frame. The scenes are those of `codalm-procedural`, whose
    boxes are known exactly. Every object that the annotator lists is asked about.

    The frame is the camera's, levelled: origin in the camera, x right, y down, z ahead along the road's plane, metres.
    The box is [x, y, z, w, h, l, yaw]: centre, width, height, length, and the direction of its length in degrees,
    counter-clockwise seen from above. Yaw 0 looks ahead, yaw 90 looks to the left.

    ## Action Space
    `FreeText`: an answer with a box: seven numbers in a list (with six, yaw is 0), labelled numbers, or JSON. If there
    are several boxes, the last one counts. A `confidence: p` may stand beside it. With `chain="box_first"` or
    `"point_first"` the first answer is a box or point in the picture, in pixels, and the second is the 3D box. The
    default action is an empty answer.

    ## Observation Space
    - `text`: the picture's size, the camera's focal length, principal point, height above the road and tilt; with
      `hint="box"` the object's box in the picture; before the second answer of a chain, the first answer.
    - `image` (with `image=True`): (720, 1280, 3) uint8.
    - `expert` (with `expert=True`): the right answer.

    Without pictures (`image=False`, `--text`) the agent gets only the text. This control shows what can be guessed.
    `gymnasium.make` shows pictures by default.

    ## Starting State
    Item `seed % n` of n. The scenes take turns from item to item, so episodes in a row show different scenes.

    ## Rewards
    The progress, for the 3D box; 0 for the first answer of a chain.

    ## Progress
    nuScenes has four distances: 0.5, 1, 2 and 4 m. Progress is the share of them that the answer keeps: the distance
    from the stated centre to the true one, seen from above, is not larger. `success`: within 2 m.

    ## Episode End
    Terminates with the answer (in a chain with the second one), even if it cannot be read. Truncates at `max_steps`.

    ## Info
    `reset` gives `scene`, `object` (instance id), `category`, `group`, `phrase`, `box` (x, y, z, w, h, l, yaw),
    `box_2d` (left, top, right, bottom of what is seen of it), `camera` (`width`, `height`, `focal`, `cx`, `cy`,
    `above_road`, `tilt`), `hint`, `chain`. The last step gives `answer` (the box as read, or null) and `confidence` (or
    null). `metrics` holds `parsed` (0 or 1). If it is 1, `metrics` also holds `centre_distance` (from above) and
    `centre_distance_3d` in metres, `depth_error` (share of the true z), `iou_bev`, `iou_3d` and `yaw_error` (degrees,
    in [0, 180]). In a chain it holds `first_parsed`, and `first_iou` of the first box or `first_inside` of the first
    point. `end_reason` is `answered` or `unparsed`. An answer that cannot be read is not counted as a wrong one.

    ## Arguments
    - `task`: `locate`.
    - `image`: observations have an `image`.
    - `hint`: `none`, or `box`: the text has the object's box in the picture.
    - `chain`: `direct` (one answer), `box_first` or `point_first` (two answers, from coarse to fine).
    - `generate`: a new scene for every seed, and one of its objects; what `--split train` and `dev` play.
    - `max_steps`: None by default: an episode is one answer, or the two of a chain.
    - `expert`: observations have an `expert` (`oracle`).
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## References
    - Cho et al. 2024, Language-Image Models with 3D Understanding (Cube-LLM).
    - Caesar et al. 2020, nuScenes: A multimodal dataset for autonomous driving.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        task: str = "locate",
        *,
        image: bool = False,
        hint: str = "none",
        chain: str = "direct",
        generate: bool = False,
        max_steps: int | None = None,
        expert: bool | str = False,
        render_mode: str | None = None,
    ):
        check_task(entry("grounding3d"), task)
        _one_of("hint of grounding3d", hint, HINTS)
        _one_of("chain of grounding3d", chain, CHAINS)
        if expert and expert is not True:
            _one_of("expert of grounding3d", str(expert), EXPERTS)
        if hint == "box" and chain != "direct":
            raise UsageError(f"hint=box tells the box that chain={chain} asks for first. Leave one of them out.")
        needed = 1 if chain == "direct" else 2
        if max_steps is not None and max_steps < needed:
            raise UsageError(
                f"chain={chain} takes {counted(needed, 'step')}: max_steps is at least {needed}, or None for no"
                f" limit, not {max_steps!r}."
            )
        super().__init__(
            action_space=FreeText(),
            default_action="",
            max_steps=max_steps,
            image_shape=SIZE[::-1] if image else None,
            expert=expert,
            render_mode=render_mode,
        )
        self._hint, self._chain, self._generate = hint, chain, generate
        self._items = items()
        self._item: Item = self._items[0]
        self._first: str | None = None
        self._measured: dict[str, float] = {}
        self._said = ""

    @property
    def mission(self) -> Mission:
        name = self._item.phrase
        goal = f"Say where {name} is: the 3D box around it, {_FORM}."
        if self._chain != "direct":
            goal = (
                f"Say where {name} is, in two answers: first {_FIRST[self._chain]}; then, when you are asked again, the"
                f" 3D box around it, {_FORM}."
            )
        seen = bool(self._pictures)
        return Mission(
            goal=goal,
            intro=(
                "You see a street from a car that drives (the ego car)."
                if seen
                else "You are asked about a street in front of a car (the ego car)."
            ),
            tips=_FRAME,
            default_action=self.default_action,
            free_text=True,
            prose=True,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        self._item = made(seed) if self._generate else self._items[seed % len(self._items)]
        self._first, self._measured, self._said = (None if self._chain == "direct" else ""), {}, ""
        item = self._item
        return {
            "scene": item.scene,
            "object": item.id,
            "category": item.category,
            "group": item.group,
            "phrase": item.phrase,
            "box": list(item.box.numbers()),
            "box_2d": list(item.box_2d),
            "camera": item.view.facts(),
            "hint": self._hint,
            "chain": self._chain,
        }

    def _step(self, action: str) -> Transition:
        if self._first == "":
            return self._coarse(action)
        answer = read_box(action)
        self._said = (
            "Your answer could not be read as a 3D box." if answer is None else f"Your answer: {_listed(answer.box)}."
        )
        metrics = {**self._measured, **measures(answer, self._item.box)}
        progress = 0.0 if answer is None else sum(metrics["centre_distance"] <= t for t in THRESHOLDS) / len(THRESHOLDS)
        info: dict[str, Any] = {
            "metrics": metrics,
            "valid": answer is not None,
            "end_reason": "unparsed" if answer is None else "answered",
            "answer": None if answer is None else list(answer.box.numbers()),
            "confidence": None if answer is None else answer.confidence,
        }
        return Transition(progress, True, False, progress, metrics.get("centre_distance", np.inf) <= SUCCESS, info)

    def _coarse(self, action: str) -> Transition:
        """The first answer of a chain: it is measured and shown again, but not corrected."""
        seen = self._item.box_2d
        if self._chain == "box_first":
            box = read_box_2d(action)
            self._measured = {"first_iou": 0.0 if box is None else iou_2d(box, seen)}
            said = None if box is None else _pixels(box)
        else:
            point = read_point(action)
            self._measured = {
                "first_inside": float(
                    point is not None and seen[0] <= point[0] <= seen[2] and seen[1] <= point[1] <= seen[3]
                )
            }
            said = None if point is None else _pixels(point)
        self._measured["first_parsed"] = float(said is not None)
        self._first = said or "nothing that could be read"
        self._said = f"Your first answer: {self._first}. Now the 3D box: {_FORM}."
        return Transition(info={"metrics": dict(self._measured), "valid": said is not None})

    def _text(self) -> str:
        view, lines = self._item.view, []
        tilt = (
            "looks straight ahead"
            if abs(view.tilt) < 0.05
            else f"is tilted {'down' if view.tilt > 0 else 'up'} by {abs(view.tilt):.1f} degrees"
        )
        picture = "The picture" if self._pictures else "No picture is shown. The camera's picture"
        lines.append(
            f"{picture} is {view.width} pixels wide and {view.height} high. Camera: pinhole, focal length"
            f" {view.focal:.1f} pixels, principal point ({view.centre[0]:g}, {view.centre[1]:g}), {view.above_road:.2f}"
            f" m above the road; it {tilt}."
        )
        if self._hint == "box":
            lines.append(
                f"In the picture {self._item.phrase} is within {_pixels(self._item.box_2d)} (left, top, right, bottom,"
                " pixels)."
            )
        if self._first == "":
            lines.append(f"First answer: {_FIRST[self._chain]}.")
        return "\n".join([*lines, self._said] if self._said else lines)

    def _image(self) -> Pixels:
        return self._item.view.picture()

    def _expert(self) -> str:
        if self._first == "":
            left, top, right, bottom = self._item.box_2d
            return _pixels(
                self._item.box_2d if self._chain == "box_first" else ((left + right) / 2, (top + bottom) / 2)
            )
        return _listed(self._item.box)


def measures(answer: Answer | None, true: Box3D) -> dict[str, float]:
    """How well an answer agrees with the true box; an answer that cannot be read has nothing to measure."""
    if answer is None:
        return {"parsed": 0.0}
    box = answer.box
    values = {
        "centre_distance": distance(box, true),
        "centre_distance_3d": distance_3d(box, true),
        "depth_error": abs(box.z - true.z) / true.z,
        "iou_bev": iou_bev(box, true),
        "iou_3d": iou_3d(box, true),
        "yaw_error": yaw_error(box, true),
    }
    return {"parsed": 1.0, **{key: round(value, 6) for key, value in values.items()}}


def _one_of(kind: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise unknown(kind, value, list(known), "embodied show grounding3d")


def _listed(box: Box3D) -> str:
    return "[" + ", ".join(f"{n:.2f}" for n in box.numbers()) + "]"


def _pixels(numbers: Box2D | tuple[float, float]) -> str:
    return "[" + ", ".join(f"{n:g}" for n in numbers) + "]"
