"""PathEval as a LanguageEnv: one decision, which of two paths suits a scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from embodied.arrays import Pixels
from embodied.catalog import check_task, entry
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice, FreeText
from embodied.errors import UsageError
from embodied.planning import views
from embodied.planning.descriptors import DESCRIPTORS, NAMES, SETS, Descriptor
from embodied.planning.inputs import inputs_of
from embodied.planning.items import SPLITS, Item, ItemSet, Pair, check, differing, drawn, embedded
from embodied.planning.making import PARAMETERS
from embodied.planning.published import panels, picture_shape, read_split
from embodied.planning.questions import NO_ANSWER, QUESTIONS, Question, Shown
from embodied.planning.scenarios import scenario as find_scenario
from embodied.planning.shortcuts import answers
from embodied.registry import unknown
from embodied.seeding import generator
from embodied.types import Mission

_LETTERS = "BCDFGHJKMNPQRTVWXZ"
_DIGITS = "2345679"
_COLOURS = tuple(views.COLOURS)[:2]


@dataclass
class _Episode:
    """What `reset` makes and steps change."""

    shown: Shown
    question: Question
    ending: str = ""
    """The text after the answer."""
    pictures: list[Pixels] | None = None
    """Drawn when first asked for."""


class PathEvalEnv(LanguageEnv):
    """PathEval: which of two robot paths suits a scenario? The tasks show where a judge fails: in knowing what matters,
    in seeing it, or in putting both together.

    ## Description
    A robot must go from a start to a goal among obstacles, and two paths are proposed. One of fifteen scenarios says
    which vehicle drives and what matters to it: a long truck wants few sharp turns, a soil monitor wants a long way
    close to the walls.

    Seven descriptors of a path are known exactly: minimum, maximum and average clearance, path length, total turning
    (PathEval's "smoothness"), sharp turns, maximum angle. Each scenario defines which descriptors matter and in which
    direction. One path suits the scenario better when all descriptors that matter and differ enough favour it.

    | task | question | answer |
    |---|---|---|
    | `decide` | which path suits the scenario? | a path |
    | `perceive` | which path has the lower value of a descriptor? | a path |
    | `perceive` with `answer=value` | what is the value of a descriptor, of both paths? | two numbers |
    | `abstract` | which descriptors matter in the scenario, and in which direction? | a list |
    | `integrate` | given the descriptors and which of them matter, which path is better? | a path |

    What a path should have more of, and less of, in each scenario:

    - 1 `truck`: less total turning, sharp turns, maximum angle
    - 2 `firefighting`: more minimum clearance, average clearance, path length
    - 3 `warzone`: less maximum clearance, average clearance, path length
    - 4 `drone`: more minimum clearance, average clearance; less path length, total turning, sharp turns, maximum angle
    - 5 `earthquake`: more minimum clearance; less path length
    - 6 `museum`: more minimum clearance; less total turning, sharp turns
    - 7 `articulated_bus`: less total turning, sharp turns, maximum angle
    - 8 `harvester`: more minimum clearance, average clearance
    - 9 `forklift`: more minimum clearance; less total turning, sharp turns, maximum angle
    - 10 `crane`: less total turning, sharp turns, maximum angle
    - 11 `taxi`: more minimum clearance, average clearance; less total turning, sharp turns, maximum angle
    - 12 `mars_rover`: less path length, total turning, sharp turns
    - 13 `blind_guide`: more minimum clearance, average clearance; less total turning, sharp turns, maximum angle
    - 14 `soil_monitor`: more path length; less maximum clearance, average clearance
    - 15 `nuclear_inspection`: more path length; less maximum clearance, average clearance, total turning, sharp turns,
      maximum angle

    ## Action Space
    `Choice` of the two paths' names: `Path 1` and `Path 2`, or with `ids="random"` names such as `Path K7XQ`, drawn for
    each episode. An answer that names both paths or neither is executed as `no answer`. This is the default action; the
    agent is not told of it. The action space is `FreeText` for `abstract` and for `perceive` with `answer="value"`.

    ## Observation Space
    - `text`: the scenario or the question; what the pictures show; the descriptors of both paths if `inputs` has them;
      for `integrate` also which descriptors matter.
    - `image` (with `image=True`; with `layout="separate"` also `image_2`): (H, W, 3) uint8. A panel has 480 x 480
      pixels from above (`view="2d"`) and 540 x 960 in 3D. Two panels side by side are twice as wide. Published pictures
      keep their own size.
    - `expert` (with `expert=True`): the right answer.

    ## Starting State
    Seeds in a row walk through the items. The scenarios take turns from episode to episode, so any number of episodes
    covers them evenly. 1,050 episodes cover the test set in the package (70 items a scenario) once. In `perceive` the
    descriptors take turns in the same way; each question shows a pair that differs in the descriptor by at least its
    threshold. With `swap="both"`, two episodes in a row show the same item in both orders.

    ## Rewards
    1 for the right path, else 0. `abstract`: the F1 of the set of (descriptor, direction). `answer="value"`: the mean
    over both paths of 1 - error / threshold, at least 0. The threshold is the smallest difference that counts in that
    descriptor.

    ## Progress
    The same as the reward. `success` is true if the path is right, if the set is exact, or if both numbers are within
    the threshold.

    ## Episode End
    Terminates after one answer.

    ## Info
    `reset` gives `item`, `pair`, `map` (family, parameter, seed; null for published items), `scenario`,
    `scenario_number`, `weights`, `votes` (descriptor -> 1 for the path shown first, -1 for the other, 0 for neither),
    `margins` (how much more the path shown first has, in thresholds), `descriptors` (set -> both paths in the order
    shown), `names`, `swapped`, `radii` (the robot's, for which each path was planned), `answer` (1 or 2), `shortcuts`
    (what each rule that ignores the scenario would answer), `descriptor` (what `perceive` asks about). `metrics` holds
    `correct`, `unparsed`, `chosen` (1 or 2 in the order shown, 0 for none) and `answer`; for numbers `absolute_error`,
    `error_in_thresholds` and `within_threshold` (means of both paths); for `abstract` `f1` and `f1_without_direction`.
    At the end `end_reason` is `right`, `wrong` or `unparsed`. An answer that cannot be read is not counted as a wrong
    one.

    ## Arguments
    - `task`: one of the four.
    - `image`: observations have pictures.
    - `inputs`: `image`, `image+descriptors` or `descriptors`. By default `image` with pictures and `descriptors`
      without. `integrate` always has the descriptors. Without pictures, the agent in `perceive` reads values from a
      table: this control shows whether it can compare numbers.
    - `view`: `2d` or `3d`.
    - `layout`: `side_by_side`, `separate` (two pictures) or `overlay` (one panel, the paths in two colours).
    - `ids`: `12` or `random`.
    - `swap`: `false`, `true` (every item's paths change places) or `both`.
    - `descriptor_set`: `dense` (clearance along the curve, the default) or `paper` (at vertices, as in PathEval).
      Published items have only `paper`.
    - `answer`: for `perceive`: `lower` or `value`.
    - `descriptor`: for `perceive`: only questions about this one, such as `path length`.
    - `scenario`: only items of this one (name or number).
    - `family`: only maps of this family (`maze`, `rings`, `waves`, `random`).
    - `split`: `test` or `dev`, which ship with the package; `train` comes from a folder (`data`). All pairs of a map
      are in one split.
    - `data`: a folder with PathEval's published JSON and pictures, or one that `embodied data patheval` wrote.
    - `max_steps`: None; an episode is one answer.
    - `expert`: observations have an `expert` (`oracle`).
    - `render_mode`: None or `rgb_array` (the picture, or the first of two).

    ## Defects of PathEval repaired here
    | PathEval | here |
    |---|---|
    | Clearance is measured at vertices only. | Along the curve. Items on which the two disagree are left out. |
    | A map's pairs are on both sides of the split. | All pairs of a map are on one side. |
    | Scenarios differ in the number of items: those that had a clear answer. | Each has 70, 35 for either path. |
    | An answer that cannot be read is wrong. | It is `unparsed`, and counted apart. |
    | "Smoothness" is lower when the path is smoother. | It is called total turning. |

    ## References
    - Aghzal, Xiang, Plaku, Yao 2025, Evaluating Vision-Language Models as Evaluators in Path Planning (CVPR).

    ## Version History
    - v0: first version.
    """

    _episode: _Episode
    """Made by `reset`."""

    def __init__(
        self,
        task: str = "decide",
        *,
        image: bool = False,
        inputs: str | None = None,
        view: str = "2d",
        layout: str = "side_by_side",
        ids: str | int = "12",
        swap: bool | str = False,
        descriptor_set: str | None = None,
        answer: str = "lower",
        descriptor: str | None = None,
        scenario: str | int | None = None,
        family: str | None = None,
        split: str = "test",
        data: str | None = None,
        max_steps: int | None = None,
        expert: bool | str = False,
        render_mode: str | None = None,
    ):
        self._task = check_task(entry("patheval"), task)
        self._inputs = inputs_of(inputs, image, "patheval")
        self._swap = _one_of("value of swap", str(swap).lower(), ("false", "true", "both"))
        self._random_ids = _one_of("kind of ids", str(ids), ("12", "random")) == "random"
        _one_of("answer of perceive", answer, ("lower", "value"))
        _one_of("descriptor of patheval", descriptor or DESCRIPTORS[0].key, tuple(d.key for d in DESCRIPTORS))
        self._question_type = QUESTIONS["estimate" if task == "perceive" and answer == "value" else task]
        self._view, self._layout = view, layout
        pictures = views.shapes(view, layout, 2)
        drawing = image or render_mode is not None
        self._items = _load(split, data, drawing, view)
        self._chosen = self._filtered(scenario, family)
        self._which = self._descriptor_set(descriptor_set)
        if drawing and self._items.pairs[0].pictures:
            pictures = picture_shape(self._items, view, layout)
        self._open = self._questions_of(descriptor) if task == "perceive" else {}
        super().__init__(
            action_space=(
                Choice(_names(0 if self._random_ids else None), tacit=NO_ANSWER)
                if self._question_type.finite
                else FreeText()
            ),
            default_action=NO_ANSWER,
            max_steps=max_steps,
            image_shape=pictures[0] if image else None,
            more_images=pictures[1:],
            expert=(
                _one_of("expert of patheval", "oracle" if expert is True else str(expert), ("oracle",))
                if expert
                else False
            ),
            render_mode=render_mode,
        )
        self._names = _names(None)

    @property
    def mission(self) -> Mission:
        question = self._question_type
        names = self._names
        return Mission(
            goal=question.goal,
            actions=dict(zip(names, self._places(), strict=True)) if question.finite else {},
            intro=(
                "A robot is to go from a start to a goal on a square map with obstacles. Two paths have been planned"
                " for it. You judge them."
            ),
            tips=question.tips,
            default_action=self.default_action,
            free_text=not question.finite,
            prose=not question.finite,
            max_steps=self.max_steps,
        )

    # ----------------------------------------------------------------- the episode

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        index, swapped = (seed // 2, bool(seed % 2)) if self._swap == "both" else (seed, self._swap == "true")
        item, descriptor = self._pick(index)
        check(item)
        names = _names(seed) if self._random_ids else _names(None)
        numbers = "descriptors" in self._inputs
        shown = Shown(item, names, swapped, self._which, self._picture_words(names), numbers, descriptor)
        self._names, self._episode = names, _Episode(shown, self._question_type(shown))
        if isinstance(self.action_space, Choice) and self.action_space.phrases != names:
            self.action_space = Choice(names, self.action_space.np_random, tacit=NO_ANSWER)
        return _info(shown, self._items)

    def _step(self, action: str) -> Transition:
        grade = self._episode.question.grade(action)
        self._episode.ending = f"Your answer: {action}. {grade.said}"
        reason = "right" if grade.success else "wrong" if grade.parsed else "unparsed"
        info: dict[str, Any] = {"metrics": grade.metrics, "end_reason": reason}
        if not self._question_type.finite:
            info["valid"] = grade.parsed
        return Transition(grade.progress, True, False, grade.progress, grade.success, info)

    def _text(self) -> str:
        return "\n\n".join(filter(None, [self._episode.question.text(), self._episode.ending]))

    def _expert(self) -> str:
        return self._episode.question.right()

    def _image(self) -> Pixels:
        return self._images()[0]

    def _images(self) -> list[Pixels]:
        episode = self._episode
        if episode.pictures is None:
            pair, swapped = episode.shown.item.pair, episode.shown.swapped
            if pair.pictures:
                episode.pictures = panels(pair, self._view, self._layout, swapped)
            else:
                key, paths, _ = pair.parts()
                shown = paths[::-1] if swapped else paths
                episode.pictures = views.draw(drawn(key), shown, view=self._view, layout=self._layout)
        return [picture.copy() for picture in episode.pictures]

    # ----------------------------------------------------------------- items

    def _filtered(self, scenario: str | int | None, family: str | None) -> tuple[Item, ...]:
        wanted = None if scenario is None else find_scenario(scenario)
        if family is not None and family not in PARAMETERS:
            raise unknown("map family of patheval", family, list(PARAMETERS), "embodied show patheval")
        items = self._items.of(wanted, family)
        if not items:
            what = " ".join(
                filter(None, [f"scenario {wanted.name}" if wanted else "", f"family {family}" if family else ""])
            )
            raise UsageError(
                f"There is no item with {what} among the {len(self._items.items)} of the {self._items.split} set."
                " Choose another, or other data."
            )
        return items

    def _descriptor_set(self, wanted: str | None) -> str:
        if wanted is not None:
            _one_of("descriptor set", wanted, SETS)
        known = all(item.pair.dense is not None for item in self._chosen)
        if wanted == "dense" and not known:
            raise UsageError(
                "Published items have paper descriptors only, since their paths are not published. Leave descriptor_set"
                " out, or set it to paper."
            )
        return wanted or ("dense" if known else "paper")

    def _questions_of(self, wanted: str | None) -> dict[Descriptor, list[Pair]]:
        """What `perceive` asks about, and of which pairs."""
        pairs = tuple(dict.fromkeys(item.pair for item in self._chosen))
        found = {
            d: some
            for d, some in zip(DESCRIPTORS, differing(pairs, self._which), strict=True)
            if some and wanted in (None, d.key)
        }
        if not found:
            raise UsageError(
                f"No pair among these items differs enough in {wanted or 'any descriptor'} for the task perceive."
                " Choose more items."
            )
        return found

    def _pick(self, index: int) -> tuple[Item, Descriptor | None]:
        """The item of an episode, and the descriptor asked about."""
        if self._task != "perceive":
            return self._chosen[index % len(self._chosen)], None
        descriptor = list(self._open)[index % len(self._open)]
        pairs = self._open[descriptor]
        pair = pairs[index // len(self._open) % len(pairs)]
        return next(item for item in self._chosen if item.pair is pair), descriptor

    # ----------------------------------------------------------------- words

    def _places(self) -> tuple[str, str]:
        """What the names stand for."""
        if not self._pictures:
            return "the first path", "the second path"
        if self._layout == "overlay":
            return f"the {_COLOURS[0]} path", f"the {_COLOURS[1]} path"
        if self._layout == "separate":
            return "the path in the first picture", "the path in the second picture"
        return "the path on the left", "the path on the right"

    def _picture_words(self, names: tuple[str, str]) -> str:
        if not self._pictures:
            return ""
        seen = "from above, obstacles in black" if self._view == "2d" else "in 3D; walls may hide parts of a path"
        what = "The pictures show" if len(self._pictures) > 1 else "The picture shows"
        where = "; ".join(f"{name} is {place}" for name, place in zip(names, self._places(), strict=True))
        return f"{what} the map with the paths {seen}. The red dot is the start, the blue dot is the goal. {where}."


def _one_of(kind: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise unknown(kind, value, list(known), "embodied show patheval")
    return value


def _load(split: str, data: str | None, pictures: bool, view: str) -> ItemSet:
    _one_of("split", split, SPLITS)
    if data is not None:
        return read_split(data, split, view, pictures)
    if split == "train":
        raise UsageError(
            "The train split does not ship with the package. Make it with `embodied data patheval --out DIR`, then set"
            " data to that folder."
        )
    return embedded(split)


def _names(seed: int | None) -> tuple[str, str]:
    """The names of the paths: 1 and 2, or four characters each drawn from `seed`, which say nothing of an order."""
    if seed is None:
        return "Path 1", "Path 2"
    rng = generator(seed, "patheval", "ids")
    first = second = ""
    while first == second:
        first, second = (
            "".join(str(rng.choice(list(kind))) for kind in (_LETTERS, _DIGITS, _LETTERS, _LETTERS)) for _ in range(2)
        )
    return f"Path {first}", f"Path {second}"


def _info(shown: Shown, items: ItemSet) -> dict[str, Any]:
    item, pair, sign = shown.item, shown.item.pair, -1 if shown.swapped else 1
    sets = {"paper": pair.paper, "dense": pair.dense}
    return {
        "item": item.id,
        "pair": pair.name,
        "map": None if pair.map is None else pair.map._asdict(),
        "split": items.split,
        "scenario": item.scenario.name,
        "scenario_number": item.scenario.number,
        "weights": dict(zip(NAMES, item.scenario.weights, strict=True)),
        "votes": {k: int(v) * sign for k, v in zip(NAMES, pair.votes(item.scenario, shown.which), strict=True)},
        "margins": {k: round(float(v) * sign, 6) for k, v in zip(NAMES, pair.margins(shown.which), strict=True)},
        "descriptors": {
            k: [dict(zip(NAMES, map(float, row), strict=True)) for row in v[::sign]]
            for k, v in sets.items()
            if v is not None
        },
        "descriptor_set": shown.which,
        "names": list(shown.names),
        "swapped": shown.swapped,
        "radii": list(pair.radii[::sign]),
        "answer": shown.answer,
        "shortcuts": answers(shown.descriptors),
        "descriptor": shown.descriptor.name if shown.descriptor else None,
        **{key.replace(" ", "_"): items.counts[key] for key in ("records", "left out") if key in items.counts},
    }
