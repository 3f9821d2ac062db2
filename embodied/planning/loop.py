"""PathEval in the loop as a LanguageEnv: a robot drives the paths that an agent chooses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from embodied.arrays import Floats, Pixels
from embodied.catalog import check_task, entry
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.errors import UsageError
from embodied.planning import loop_view, views
from embodied.planning.descriptors import DESCRIPTORS, NAMES, denses
from embodied.planning.geometry import Together
from embodied.planning.inputs import inputs_of
from embodied.planning.making import PARAMETERS
from embodied.planning.maps import Map, read
from embodied.planning.planners.space import GOAL
from embodied.planning.policies import WAIT, Search, shortest
from embodied.planning.portfolio import PLANNERS
from embodied.planning.questions import number
from embodied.planning.scenarios import SCENARIOS, Scenario
from embodied.planning.scenarios import scenario as find_scenario
from embodied.planning.utility import regret
from embodied.planning.world import MOVER, State, World, draw, drive, first, known, seen_movers, wait
from embodied.registry import unknown
from embodied.types import Mission

REPLAN = "replan"
LIMIT = 12
MOST_PATHS = 4


@dataclass
class _Episode:
    """What `reset` makes and steps change."""

    world: World
    scenario: Scenario
    search: Search
    state: State
    plan: list[int] = field(default_factory=list)
    """The choices that the oracle means to take next."""
    replans: int = 0


class PathEvalLoopEnv(LanguageEnv):
    """PathEval in the loop: a robot drives the paths that an agent chooses. New obstacles appear on the way.

    ## Description
    A round robot must get from one corner of a map to the other. A scenario says what matters on the way: few turns,
    much room, cover, a long way. At each decision, several planners propose paths from the robot's position. The agent
    chooses one, or asks for others. The robot then drives along the path for at most `horizon` map units, with a
    unicycle's kinematics and a little tracking noise. It stops earlier when it sees a new crate in its way, and when a
    moving obstacle comes near. Then the planners propose new paths.

    Four planners share one probabilistic roadmap: `short`; `roomy`, for which edges near obstacles cost more; `close`,
    for which edges far from obstacles cost more; and `wander`, whose costs are drawn anew each time. The fifth is
    `rrt_connect`. The planners know the map, the crates seen so far, and where visible moving obstacles will be in the
    next 9 units of time. Their order is drawn at each decision, so `path 1` does not always come from the same planner.
    The proposals depend on the seed, the position, what was seen and the number of decisions taken, and on nothing
    else.

    ## Action Space
    `Choice` of `path 1` to `path N` (N is `paths`, 2 to 4) and `replan`, the default action. With `replan` the robot
    stands for 5 units of time (it drives 1 map unit in one unit of time), and the planners look for other paths.
    Sometimes there are fewer than N different paths. Then the actions of this step are the paths offered and `replan`.
    A path that is not offered is not valid, and `replan` is executed.

    ## Observation Space
    - `text`: the scenario; the robot's radius, position and heading; why it stopped and what it sees; the paths, with
      their seven descriptors if `inputs` has them.
    - `actions`: the phrases that can be chosen now.
    - `image` (with `image=True`): (508, 480, 3) uint8 from above, or (540, 960, 3) in 3D: obstacles, crates seen, the
      paths in four colours. The view from above also shows the way driven so far (grey), the robot at its true size,
      and visible moving obstacles (orange, with a line to where each will be in 9 units of time).
    - `expert` (with `expert=...`): `oracle` plays the best policy that it finds by trying choices in the world itself;
      `shortest_path` takes the shortest path.

    ## Starting State
    Seeds in a row walk through the 15 scenarios and the four families of maps, so any 60 in a row cover all
    combinations. The seed draws the map, the radius (0.5 to 1.0), three crates on or near ways to the goal, and one
    obstacle that moves up and down a line. The crates leave a way open. Maps on which the robot cannot reach the goal
    are skipped; `passed_over` says how many.

    ## Rewards
    The progress at the end, 0 before.

    ## Progress
    1 - regret if the robot arrived, else 0.

    - **Regret** = (best - utility) / (best - worst), in [0, 1].
    - **Utility** of a driven trajectory in a scenario is our own measure; PathEval compares descriptor by descriptor.
      It is the mean of weight * (value - mean) / deviation over the descriptors that matter. Weight is 1 if more is
      better and -1 if less is better. Mean and deviation come from a fixed reference set of trajectories, driven by
      random choice (`data/loop_reference.json`). Clearance is measured along the whole trajectory, to the map and to
      all crates. Length and turns are measured after small tremors (0.4 map units) are smoothed away.
    - **Best** and **worst** are utilities of policies that arrive. A beam search over choices among the same proposals
      finds them. It keeps two states a decision in each of the two directions. If the agent did better or worse than
      these, its own utility replaces them.

    ## Episode End
    Terminates at the goal (within 1.0) and with a collision; truncates after `max_steps` decisions.

    ## Info
    `reset` gives `scenario`, `scenario_number`, `weights`, `map` (name, family, parameter, seed), `radius`,
    `passed_over`, and `offers` (the planners of path 1, 2, ...). Steps give `chosen` (the planner), `stopped_for`
    (`crate`, `moving obstacle` or empty) and the next `offers`. `metrics` holds `decisions`, `replans`, `driven` (map
    units) and `collision` (0 or 1). At the end it also holds `regret` (1 if the robot did not arrive) and, if it
    arrived, `utility`, `best` and `worst`. `end_reason` is `goal`, `collision: wall`, `collision: crate`,
    `collision: moving obstacle` or `step limit`.

    ## Arguments
    - `task`: `drive`.
    - `image`: observations have an `image`.
    - `inputs`: `image`, `image+descriptors` or `descriptors`. By default `image` with a picture and `descriptors`
      without.
    - `view`: `2d` or `3d`.
    - `paths`: how many are proposed at each decision, 2 to 4.
    - `horizon`: the largest distance driven between two decisions, in map units.
    - `hidden`, `moving`: how many crates and moving obstacles.
    - `planners`: names separated by commas; all by default.
    - `scenario`: only this one (name or number).
    - `family`: only maps of this family (`maze`, `rings`, `waves`, `random`).
    - `data`: a folder of maps in the published format (`*.txt`). The robot drives on these.
    - `max_steps`: decisions, 12 by default. None for no limit; best and worst are then those of 12 decisions.
    - `expert`: `oracle` (or true) or `shortest_path`.
    - `render_mode`: None or `rgb_array`.

    ## References
    - Aghzal, Xiang, Plaku, Yao 2025, Evaluating Vision-Language Models as Evaluators in Path Planning (CVPR): scenarios
      and descriptors.
    - Kavraki, Svestka, Latombe, Overmars 1996, Probabilistic roadmaps; Kuffner, LaValle 2000, RRT-Connect.

    ## Version History
    - v1: observations say which actions can be chosen (`actions`). An agent that chooses by chance, or is held to the
      list, no longer chooses paths that are not offered. Worlds, proposals, texts and pictures are those of v0.
    - v0: first version.
    """

    _episode: _Episode
    """Made by `reset`."""

    def __init__(
        self,
        task: str = "drive",
        *,
        image: bool = False,
        inputs: str | None = None,
        view: str = "2d",
        paths: int = 3,
        horizon: float = 40.0,
        hidden: int = 3,
        moving: int = 1,
        planners: str | Sequence[str] | None = None,
        scenario: str | int | None = None,
        family: str | None = None,
        data: str | None = None,
        max_steps: int | None = LIMIT,
        expert: bool | str = False,
        render_mode: str | None = None,
    ):
        check_task(entry("patheval_loop"), task)
        self._inputs = inputs_of(inputs, image, "patheval_loop")
        self._view = _one_of("view of paths", view, views.VIEWS)
        self._scenarios = SCENARIOS if scenario is None else (find_scenario(scenario),)
        names = tuple(
            PLANNERS
            if planners is None
            else planners.replace(" ", "").split(",")
            if isinstance(planners, str)
            else planners
        )
        for name in names:
            _one_of("planner", name, PLANNERS)
        if family is not None:
            _one_of("map family", family, tuple(PARAMETERS))
        _check_numbers(paths, horizon, hidden, moving)
        self._expert_name = "oracle" if expert is True else expert
        if self._expert_name:
            _one_of("expert", str(self._expert_name), entry("patheval_loop").experts)
        self._horizon = float(horizon)
        self._draw = partial(
            draw,
            fields=_fields(data),
            family=family,
            hidden=hidden,
            moving=moving,
            planners=names,
            count=paths,
            horizon=self._horizon,
        )
        self._gloss = {f"path {k + 1}": f"drive along path {k + 1}" for k in range(paths)} | {
            REPLAN: "stand for a moment and ask for other paths"
        }
        super().__init__(
            action_space=Choice(self._gloss),
            default_action=REPLAN,
            max_steps=max_steps,
            image_shape=views.shapes(view, "overlay", paths, labels=True)[0] if image else None,
            expert=expert,
            render_mode=render_mode,
            changing=True,
        )

    @property
    def mission(self) -> Mission:
        return Mission(
            goal="Get the robot to its goal without a collision, on paths that suit the scenario.",
            actions=self._gloss,
            intro=(
                "A round robot drives across a map of 80 by 80 map units with obstacles. Planners propose paths from"
                f" where it is to the goal; it drives along the one you choose for {self._horizon:g} map units"
                " at most, then you are asked again."
            ),
            tips=(
                "What counts in the end is all of what was driven, from the start to the goal.",
                (
                    "Crates that are not on the map come into sight on the way, and some obstacles move; planners go"
                    " around those in sight."
                ),
                "Keep some room where you can: the robot strays from its path a little.",
            ),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        scenario = self._scenarios[seed % len(self._scenarios)]
        world, passed_over = self._draw(seed)
        self._episode = _Episode(world, scenario, Search(world, scenario, self.max_steps or LIMIT), first(world))
        map_ = world.field
        return {
            "scenario": scenario.name,
            "scenario_number": scenario.number,
            "weights": dict(zip(NAMES, scenario.weights, strict=True)),
            "map": {"name": map_.name, "family": map_.family, "parameter": map_.parameter, "seed": map_.seed},
            "radius": world.radius,
            "passed_over": passed_over,
            "offers": [planner for planner, _ in self._offers()],
        }

    def _step(self, action: str) -> Transition:
        offers, episode = self._offers(), self._episode
        world, state = episode.world, episode.state
        at = WAIT if action == REPLAN else list(self._gloss).index(action)
        episode.plan = episode.plan[1:] if episode.plan[:1] == [at] else []
        episode.replans += at == WAIT
        episode.state = state = wait(world, state) if at == WAIT else drive(world, state, offers[at][1])
        over = bool(state.end) or (self.max_steps is not None and state.step >= self.max_steps)
        info: dict[str, Any] = {
            "chosen": "" if at == WAIT else offers[at][0],
            "stopped_for": state.news,
            "offers": [] if over else [planner for planner, _ in self._offers()],
            "metrics": self._metrics(over),
        }
        if not over:
            return Transition(info=info)
        arrived = state.end == "goal"
        info["end_reason"] = "goal" if arrived else f"collision: {state.end}" if state.end else "step limit"
        progress = 1.0 - info["metrics"]["regret"] if arrived else 0.0
        return Transition(progress, bool(state.end), not state.end, progress, arrived, info)

    def _metrics(self, over: bool) -> dict[str, float]:
        state, search = self._episode.state, self._episode.search
        steps = np.diff(state.track, axis=0)
        metrics = {
            "decisions": float(state.step),
            "replans": float(self._episode.replans),
            "driven": round(float(np.sqrt((steps**2).sum(axis=1)).sum()), 4),
            "collision": float(state.end not in ("", "goal")),
        }
        if over and state.end == "goal":
            value, start = search.value(state.track), first(self._episode.world)
            best, worst = (policy.value if policy else value for policy in (search.best(start), search.worst(start)))
            metrics |= {
                "utility": value,
                "best": max(best, value),
                "worst": min(worst, value),
                "regret": regret(value, best, worst),
            }
        elif over:
            metrics["regret"] = 1.0
        return metrics

    def _offers(self) -> list[tuple[str, Floats]]:
        return self._episode.search.offers(self._episode.state)

    def _available(self) -> tuple[str, ...] | None:
        paths = tuple(self._gloss)[: len(self._offers())]
        return None if len(paths) == len(self._gloss) - 1 else (*paths, REPLAN)

    def _expert(self) -> str:
        offers, episode = self._offers(), self._episode
        if not offers:
            return REPLAN
        if self._expert_name == "shortest_path":
            return f"path {shortest(offers) + 1}"
        if not episode.plan:
            policy = episode.search.best(episode.state)
            episode.plan = list(policy.choices) if policy else [shortest(offers)]
        return REPLAN if episode.plan[0] == WAIT else f"path {episode.plan[0] + 1}"

    # ----------------------------------------------------------------- what is shown

    def _text(self) -> str:
        if self._done:
            ends = {"goal": "The robot has arrived.", "": "No decisions are left."}
            return ends.get(self._episode.state.end, f"The robot hit a {self._episode.state.end}.")
        return "\n\n".join(
            filter(
                None,
                [
                    f"Scenario: {self._episode.scenario.text}",
                    self._robot(),
                    self._around(),
                    self._paths(),
                    "Which path should it drive?",
                ],
            )
        )

    def _robot(self) -> str:
        state, world = self._episode.state, self._episode.world
        (x, y), degrees = state.place, math.degrees(state.heading) % 360
        toward = ("east", "northeast", "north", "northwest", "west", "southwest", "south", "southeast")[
            round(degrees / 45) % 8
        ]
        left = "" if self.max_steps is None else f" Decisions left: {self.max_steps - state.step}."
        why = {
            "crate": " It stopped since a crate came into sight in its way.",
            "moving obstacle": " It stopped since a moving obstacle came near.",
        }.get(state.news, "")
        return (
            f"The robot has a radius of {world.radius:g} map units. It is at ({x:.1f}, {y:.1f}), heading {toward}; the"
            f" goal is at ({GOAL[0]:.1f}, {GOAL[1]:.1f}).{why}{left}"
        )

    def _around(self) -> str:
        world, state = self._episode.world, self._episode.state
        crates = world.crates[[k for k in sorted(state.seen) if k < len(world.crates)]]
        lines = [f"- crate at ({x:.1f}, {y:.1f}), radius {radius:.1f}" for x, y, radius in crates]
        lines += [
            f"- moving obstacle at ({x:.1f}, {y:.1f}), radius {MOVER}, soon at ({u:.1f}, {v:.1f})"
            for (x, y), (u, v) in seen_movers(world, state)[[0, -1]].swapaxes(0, 1)
        ]
        return "\n".join(["Not on the map, but seen:", *lines]) if lines else ""

    def _paths(self) -> str:
        offers = self._offers()
        if not offers:
            return "No path was found just now."
        colours = list(views.COLOURS)
        names = [f"path {k + 1}" for k in range(len(offers))]
        parts = []
        if self._pictures:
            seen = "from above, obstacles in black" if self._view == "2d" else "in 3D; walls may hide parts of a path"
            where = ", ".join(f"{name} is {colour}" for name, colour in zip(names, colours, strict=False))
            parts.append(
                f"The picture shows the map {seen}. The red dot is the robot, the blue dot is the goal; {where}."
            )
        if self._inputs != "image":
            world = self._episode.world
            solid = Together(world.field.obstacles, known(world, self._episode.state)[0])
            values = denses([path for _, path in offers], solid)
            parts.append("The paths from here to the goal:")
            parts[-1] += "".join(
                f"\n- {d.key} ({d.gloss}; {d.unit}): "
                + ", ".join(f"{name} {number(d, v)}" for name, v in zip(names, values[:, k], strict=True))
                for k, d in enumerate(DESCRIPTORS)
            )
        return "\n\n".join(parts)

    def _image(self) -> Pixels:
        paths = [] if self._done else [path for _, path in self._offers()]
        return loop_view.picture(self._episode.world, self._episode.state, paths, self._view)


def _one_of(kind: str, value: str, known_names: Sequence[str]) -> str:
    if value not in known_names:
        raise unknown(f"{kind} of patheval_loop", value, list(known_names), "embodied show patheval_loop")
    return value


def _check_numbers(paths: int, horizon: float, hidden: int, moving: int) -> None:
    if not 2 <= paths <= MOST_PATHS:
        raise UsageError(f"paths is from 2 to {MOST_PATHS}, not {paths!r}.")
    if not 1 <= horizon < math.inf:
        raise UsageError(f"horizon is a number of map units, at least 1, not {horizon!r}.")
    if not (0 <= hidden <= 20 and 0 <= moving <= 20):
        raise UsageError(f"hidden and moving are from 0 to 20, not {hidden!r} and {moving!r}.")


def _fields(data: str | None) -> tuple[Map, ...]:
    if data is None:
        return ()
    files = sorted(Path(data).expanduser().glob("*.txt"))
    if not files:
        raise UsageError(
            f"There is no map (*.txt) in {data}. Give the folder of PathEval's published maps, or leave data out."
        )
    return tuple(replace(read(file), name=file.stem) for file in files)
