"""CODA-LM as a LanguageEnv: one question about one picture of a street."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from gymnasium import spaces

from embodied.arrays import Pixels
from embodied.catalog import check_task, entry
from embodied.driving import controls
from embodied.driving.categories import canonical
from embodied.driving.codalm import pictures, sources
from embodied.driving.codalm.ground import grounded, item
from embodied.driving.records import Question
from embodied.envs.base import LanguageEnv, Transition, check_limit
from embodied.envs.spaces import FreeText
from embodied.errors import UsageError
from embodied.numerals import spelled
from embodied.registry import unknown
from embodied.types import Mission

BOXES = ("drawn", "text", "both")
ZOOM = "zoom(x, y, w, h)"
LIMIT = 16
"""Steps of an episode: an answer, and enough zooms."""
SMALLEST = 16
"""Pixels: a part that is looked at is at least so wide and so high."""
_NUMBER = r"\s*(?:[xywh]\s?[=:]\s?)?(-?\d{1,6}(?:\.\d{1,6})?)\s*"
_ZOOM = re.compile(
    rf"[\W_]*(?:(?:action|command|answer|python|json)[\W_]*){{0,2}}zoom\s*\({','.join([_NUMBER] * 4)}\)[\W_]*",
    re.IGNORECASE,
)
"""A zoom and nothing else, in any wrapping: a fence, a label, JSON."""


PICTURED = "There is an image of traffic captured from the perspective of the ego car."
"""The sentence of CODA-LM's questions that is left out where no image is shown."""


class CodaLMEnv(LanguageEnv):
    """CODA-LM: questions about corner cases on the road, answered in words.

    ## Description
    An episode is one picture from behind a windscreen, and one question about it. CODA-LM collects what ordinary
    driving data lacks: cargo on the road, animals, overturned vehicles, road works. There are three tasks:

    | task | the question | what is scored |
    |---|---|---|
    | `general_perception` | which objects matter to the driver, and why | objects named, missed and invented |
    | `region_perception` | what is in the red box, and why does it matter | the kind of object |
    | `driving_suggestion` | what should the driver do | actions advised, missing and contradictory |

    There are two sources of scenes. Their numbers are never mixed:

    - `split="procedural"` (default) is `codalm-procedural`: 48 scenes that this package draws from specifications, so
      that everything in them is known. Every scene with a corner case has a twin without it.
    - `split="test"` (or `val`, `train`, `mini`) is the real CODA-LM, in the user's own folder, because its pictures may
      not be redistributed. `embodied codalm check DIR` says what is wrong with a folder.

    ## Action Space
    `FreeText`: an answer in sentences, which ends the episode. With `zoom=k` the agent may write `zoom(x, y, w, h)` at
    most k times before the answer. The picture then shows the part whose upper left corner is (x, y), w wide and h
    high, in pixels of the whole picture. The command is offered as long as it can be used: not after k looks, and not
    in the last step before `max_steps`, which is for the answer. A zoom that is not offered shows nothing new, and the
    text says so. The default action is an empty answer.

    ## Observation Space
    - `text`: how large the picture is, where the region is (with `box="text"` or `box="both"`, and always without a
      picture), and which part is shown. The question itself is the mission's goal.
    - `image` (with `image=True`): (height, width, 3) uint8, the picture. With `box="drawn"` or `"both"` a red outline
      of 2 pixels marks the region. Procedural pictures are (720, 1280, 3). Real pictures differ in size; the
      observation space is that of this episode's picture. A zoomed part fills a picture of the same size as far as its
      shape allows.
    - `actions` (with `zoom`): `zoom(x, y, w, h)` where it can be used, else nothing.
    - `expert` (with `expert=True`): a statement of the facts. In real scenes the facts are not known, and the expert
      gives the reference answer.

    Without pictures (`image=False`, `--text`) the agent gets only the question. This control shows what can be guessed.
    `gymnasium.make` shows pictures by default.

    ## Starting State
    Question number `seed % n` of the task's n questions. Their order was shuffled once and never changes, so any number
    of seeds in a row is a sample of all scenes. `reset(options={"scene": name, "region": key})` asks one question.

    ## Rewards
    `grounded-v1` of the answer in [0, 1], on the step that answers (see docs/driving.md); else 0. No model judges
    during an episode: `embodied codalm judge` does that afterwards.

    ## Progress
    The reward of the answer. It is None, and the episode has no score, in two cases: the reference is not published
    (only with `partial=True`), or the region's category is not one of the 43.

    ## Episode End
    Terminates with an answer; truncates after `max_steps` zooms, which scores 0.

    ## Info
    `reset` gives `dataset` (`codalm` or `codalm-procedural`), `split`, `language`, `scene`, `region`, `image` (the path
    in a submission), `question_id`, `width`, `height`; for regions `box` and `category`; and `faults` if a real scene's
    files have some. The last step gives `answer` (str). `metrics` holds the parts of `grounded-v1` and `zooms`.
    `end_reason` is `answered` or `step limit`.

    ## Arguments
    - `task`: one of the three.
    - `image`: observations have an `image`.
    - `max_steps`: 16 by default; None for no limit.
    - `expert`: observations have an `expert`.
    - `data`: the folder of the real CODA-LM; None for the folder that EMBODIED_CODA_ROOT names. Only for real splits.
    - `split`: `procedural` (default), `train`, `val`, `test` or `mini`.
    - `language`: `english` (default) or `chinese`, for the references and the answers. Procedural scenes are in
      English.
    - `box`: `drawn` (default), `text` or `both`: how the region is shown.
    - `zoom`: how often the agent may zoom; 0 by default.
    - `partial`: if files of a split are missing or damaged, or references are not published, use the rest.
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## References
    - Li et al. 2024, Automated Evaluation of Large Vision-Language Models on Self-driving Corner Cases (CODA-LM).
    - Li et al. 2022, CODA: A Real-World Road Corner Case Dataset for Object Detection in Autonomous Driving.

    ## Version History
    - v0.1: this is the version with `zoom`, and only with it. Observations say whether the agent can still zoom
      (`actions`), and the text says when the last step has come. Without `zoom` everything is as in v0.
    - v0: first version.
    """

    can_succeed = False

    def __init__(
        self,
        task: str = "general_perception",
        *,
        image: bool = False,
        max_steps: int | None = LIMIT,
        expert: bool | str = False,
        data: str | None = None,
        split: str = sources.PROCEDURAL,
        language: str = "english",
        box: str = "drawn",
        zoom: int = 0,
        partial: bool = False,
        render_mode: str | None = None,
    ):
        self._task = check_task(entry("codalm"), task)
        if box not in BOXES:
            raise unknown("way to show a box", box, list(BOXES), "embodied show codalm")
        check_limit(max_steps)
        if isinstance(expert, str) and expert not in entry("codalm").experts:
            raise unknown("expert of codalm", expert, list(entry("codalm").experts), "embodied list envs")
        if not isinstance(zoom, int) or zoom < 0 or (max_steps is not None and zoom >= max_steps):
            raise UsageError(
                f"zoom is how often a part may be looked at before the answer: from 0 to max_steps - 1, not {zoom!r}."
            )
        if zoom and not image:
            raise UsageError("zoom needs a picture: give image=True (--image).")
        self._set = sources.open_set(split, data, language, partial)
        self._questions = self._set.turns(self._task)  # type: ignore[arg-type]  # a name that the catalog has
        if not self._questions:
            raise UsageError(f"The split {split} has no question for {task}.")
        self._scenes = {scene.name: scene for scene in self._set.scenes}
        self._box, self._zoom, self._with_image = box, zoom, image
        self._begin(self._questions[0])
        super().__init__(
            action_space=FreeText(),
            default_action="",
            max_steps=max_steps,
            image_shape=(self._scene.height, self._scene.width) if image else None,
            expert=expert,
            render_mode=render_mode,
            changing=zoom > 0,
        )

    @property
    def mission(self) -> Mission:
        gloss = (
            f"look at a part of the picture from near, at most {self._zoom} times; x, y: its upper left corner, w, h:"
            " its size, pixels"
        )
        picture = (
            "one picture, taken from a car that drives (the ego car)" if self._with_image else "a scene on the road"
        )
        return Mission(
            goal=self._goal(),
            actions={ZOOM: gloss} if self._zoom else {},
            intro=f"You are asked about {picture}.",
            tips=(
                f"Answer in {self._set.language.capitalize()}.",
                *(("An answer ends the episode.",) if self._zoom else ()),
            ),
            default_action=self.default_action,
            free_text=True,
            prose=True,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        self._begin(self._wanted(options) if options else self._questions[seed % len(self._questions)])
        scene, question = self._scene, self._question
        if self._with_image:
            self.observation_space.spaces["image"] = spaces.Box(0, 255, (scene.height, scene.width, 3), np.uint8)
        info: dict[str, Any] = {
            "dataset": self._set.dataset,
            "split": self._set.name,
            "language": self._set.language,
            "scene": scene.name,
            "image": question.image,
        }
        info |= {"region": question.key[2], "question_id": question.id, "width": scene.width, "height": scene.height}
        if faults := self._set.faults(scene.name):
            info["faults"] = faults
        if question.region:
            info |= {
                "box": list(question.region.box),
                "category": canonical(question.region.category) or question.region.category,
            }
        return info

    def _step(self, action: str) -> Transition:
        if self._zoom and (asked := _ZOOM.fullmatch(spelled(action))):
            self._look(*(float(n) for n in asked.groups()))
            over = self.max_steps is not None and len(self._actions) >= self.max_steps
            info: dict[str, Any] = {"metrics": {"zooms": float(self._zooms)}}
            return Transition(truncated=over, info=info | ({"end_reason": "step limit"} if over else {}))
        self._said = ""
        scored = grounded(self._question, self._scene, action)
        info = {"metrics": {**scored.metrics, "zooms": float(self._zooms)}, "end_reason": "answered", "answer": action}
        return Transition(scored.value or 0.0, True, False, scored.value, None, info)

    def _text(self) -> str:
        scene, region = self._scene, self._question.region
        lines = [
            (
                f"The picture is {scene.width} pixels wide and {scene.height} high."
                if self._with_image
                else "No picture is shown."
            )
        ]
        if region is not None and (self._box != "drawn" or not self._with_image):
            x, y, w, h = region.box
            lines.append(
                f"The box: upper left corner ({x:g}, {y:g}), lower right corner ({x + w:g}, {y + h:g}), of"
                f" {scene.width} x {scene.height} pixels."
            )
        return "\n".join([*lines, self._said] if self._said else lines)

    def _available(self) -> tuple[str, ...] | None:
        return (ZOOM,) if self._left(len(self._actions)) else ()

    def _image(self) -> Pixels:
        picture = self._scene.picture()
        if self._question.region is not None and self._box != "text":
            picture = pictures.boxed(picture, self._question.region.box)
        return picture if self._view is None else pictures.zoomed(picture, self._view)

    def _expert(self) -> str:
        if self._scene.facts is None:
            return self._question.answer or "There is no reference answer."
        return controls.oracle(item(self._scene, self._question))

    # ----------------------------------------------------------------- question and view

    def _begin(self, question: Question) -> None:
        self._question, self._scene = question, self._scenes[question.scene]
        self._view: tuple[int, int, int, int] | None = None
        self._zooms = 0
        self._said = ""

    def _wanted(self, options: dict[str, Any]) -> Question:
        """The question that `reset`'s options name."""
        scene, region = options.get("scene"), str(options.get("region", ""))
        found = [q for q in self._questions if q.scene == scene and region in ("", q.key[2])]
        if not found or set(options) - {"scene", "region"}:
            raise UsageError(
                f"reset(options=...) names a scene and, for regions, a region of the split {self._set.name};"
                f" {options!r} names none."
            )
        return found[0]

    def _goal(self) -> str:
        if self._question.region is not None and (self._box == "text" or not self._with_image):
            return (
                "Describe the object inside the box given by its corners, and explain why it affects how the ego car"
                " drives."
            )
        asked = " ".join(self._question.text.split())
        return asked if self._with_image else asked.removeprefix(PICTURED).strip()

    def _look(self, x: float, y: float, w: float, h: float) -> None:
        """Shows a zoomed part, clipped to the picture; says why if that is not possible."""
        scene = self._scene
        left, top = max(0, round(x)), max(0, round(y))
        right, bottom = min(scene.width, round(x + w)), min(scene.height, round(y + h))
        if self._zooms >= self._zoom:
            self._said = "You have looked from near as often as you may. Give your answer."
        elif not self._left(len(self._actions) - 1):
            self._said = "The last step was for the answer."
        elif right - left < SMALLEST or bottom - top < SMALLEST:
            self._said = (
                f"That part is too small or outside the picture: it needs at least {SMALLEST} x {SMALLEST} pixels."
            )
        else:
            self._zooms += 1
            self._view = (left, top, right - left, bottom - top)
            self._said = (
                f"The picture now shows only the part from ({left}, {top}) to ({right}, {bottom})."
                f" {self._left(len(self._actions))} more looks from near are left."
            )
        if len(self._actions) + 1 == self.max_steps:
            self._said += " The next step is the last: give your answer."

    def _left(self, taken: int) -> int:
        """How often the agent can still look from near after `taken` steps. The last step is for the answer."""
        looks = self._zoom - self._zooms
        return looks if self.max_steps is None else max(0, min(looks, self.max_steps - taken - 1))
