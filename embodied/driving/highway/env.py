"""highway-env as a LanguageEnv: lanes, gaps and speeds in words, decisions in words."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import highway_env  # registers its ids; fails here where the extra is missing
import numpy as np
from gymnasium.envs.registration import load_env_creator
from highway_env.vehicle.behavior import IDMVehicle

from embodied.arrays import Pixels
from embodied.driving.highway import parking
from embodied.driving.highway.driver import Driver
from embodied.driving.highway.tasks import META, MOVE, STEER, check_pygame, family_of, setup_of
from embodied.driving.highway.words import describe
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.registry import unknown
from embodied.types import Mission

EXPERTS = ("rule_driver",)
LON_ACCELERATION, LAT_ACCELERATION = (-4.05, 2.40), 4.89
"""Bounds of comfort, m/s^2: nuPlan's (`ego_is_comfortable`)."""
SPEED = 0.25
"""The share of progress that is for speed, where a road has cruising speeds."""


@dataclass
class _Episode:
    """What `reset` makes and steps change."""

    driver: Driver | None
    """None where no expert was asked for."""
    clean: int = 0
    """Decisions until the car first left the road or hit something."""
    advance: float = 0.0
    """Metres along the road in them."""
    sums: dict[str, float] = field(default_factory=lambda: {"speed": 0.0, "comfort": 0.0, "on_road": 0.0})
    """Over the decisions so far."""


class HighwayEnv(LanguageEnv):
    """Highway: highway-env's roads in words.

    ## Description
    The roads of highway-env 1.12, with a picture from above. The agent steers one car. The other cars keep their
    distance and change lanes (IDM and MOBIL).

    | task | to do | decisions a second |
    |---|---|---|
    | `highway` | drive fast among 50 cars on four lanes; right lanes are preferred | 1 |
    | `merge` | pass an access road, make room for cars that join | 1 |
    | `roundabout` | drive through a roundabout | 1 |
    | `intersection` | turn left where others cross | 1 |
    | `parking` | park on the spot that is the goal | 3 |
    | `exit` | leave the motorway at an exit | 1 |
    | `two-way` | overtake on a road with oncoming traffic | 1 |
    | `u-turn` | drive through a U-turn | 1 |
    | `lane-keeping` | keep a car that slides in a lane that winds | 2 |
    | `racetrack` | follow the lane of a track | 3 |

    A task is the newest version of its kind (`merge` is `merge-v1`). Every other id that highway-env registers for one
    car is a task by its id (`highway-fast-v0`, `merge-v0`, `parking-parked-v0`, `racetrack-oval-v1`, ...).

    ## Action Space
    `Choice`. The phrases depend on what the agent controls on this road:

    - cruising speed and lane: `lane left`, `keep`, `lane right`, `faster`, `slower` (highway-env's meta-actions;
      intersections have no lane changes);
    - steering wheel only (lane-keeping, racetrack): `hard left`, `left`, `straight`, `right`, `hard right`: -1, -0.3,
      0, 0.3, 1 of the steering range;
    - steering wheel and pedals (parking, `intersection-v1`): `brake`, and `forward` or `reverse`, alone or with ` left`
      or ` right` (full lock). Within one decision the car gets as close to 3 m/s (9 m/s at intersections), or to 0, as
      5 m/s^2 allow.

    The default action is `keep`, `straight` or `brake`.

    ## Observation Space
    - `text`: speed and cruising speeds, lane and distance from its middle, and up to 8 neighbours within 100 m: lane,
      gap between bumpers and speed, or, on curved roads, metres ahead and aside. Parking: where the goal is and which
      way it points. Roads with the steering wheel only: where the middle of the lane leads.
    - `image` (with `image=True`): highway-env's picture from above, (height, width, 3) uint8, in its own size (600 x
      150 for `highway`). It is drawn in memory and needs no display. (highway-env's own frames are black when
      SDL_VIDEODRIVER is `dummy`.)
    - `expert` (with `expert=True`): what a rule-based driver would do.

    ## Starting State
    The seed is highway-env's: it draws the traffic, the heading of the car to park, the lane.

    ## Rewards
    highway-env's own.

    ## Progress
    Our own measure, in [0, 1]. It is 0 after a collision. On a road with a goal it is 0 until the goal is reached. If
    the car has a list of cruising speeds, a quarter of the progress is for speed: a factor of `(3 + pace) / 4`. Pace is
    0 if the mean speed is the slowest cruising speed, and 1 if it is the fastest. Progress does not depend on
    `max_steps`: each road has its own time.

    | task | counts | its time |
    |---|---|---|
    | `highway` | the share of its time that the car was driven without a collision, times the term of speed | 40 s |
    | `merge` | x = 370 m is passed | 30 s |
    | `roundabout` | the second exit is taken | 25 s |
    | `intersection` | through, to the left | 25 s |
    | `parking` | parked | 20 s |
    | `exit` | on the exit lane | 18 s |
    | `two-way` | x = 700 m is passed | 50 s |
    | `u-turn` | 40 m behind the U-turn | 35 s |
    | `lane-keeping` | metres gained along the lane, until the car first leaves it, as a share of 200 | 30 s |
    | `racetrack` | the same, of 180 | 20 s |

    `success`: the goal was reached. On `highway`: the car was on the road without a collision until the time was over.
    An episode whose steps or time run out before has failed.

    The table under every run also shows drivers that always say one phrase, a random driver and the rule-based driver,
    on the same road. On the race track the rule-based driver is not better than `straight`: the car cannot brake, and
    others are in its way.

    ## Episode End
    Terminates at a collision, at the goal, when the car leaves the race track, and when the road's time is over. The
    times of highway-env are too short for a calm drive on three roads: 11 s for `roundabout`, 13 s for `intersection`
    and 10 s for `u-turn`. Here they are longer (table above). Truncates after `max_steps`.

    ## Info
    `reset` gives `id` (highway-env's) and `version`. `metrics` holds `collision` (0 or 1), `progress`, `seconds`,
    `speed` (mean, m/s), `comfort` (share of decisions whose mean acceleration lies within nuPlan's bounds: -4.05 to
    2.40 m/s^2 along, 4.89 m/s^2 across), `on_road` (share of decisions). At the end `end_reason` is `collision`,
    `off the road`, `arrived`, `time over` or `step limit`.

    ## Arguments
    - `task`: see above.
    - `image`: observations have an `image`.
    - `max_steps`: 60 by default, as long as the longest road; None for no limit but the road's own time.
    - `expert`: observations have an `expert` (`rule_driver`).
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## References
    - Leurent 2018, An Environment for Autonomous Driving Decision-Making (highway-env, MIT licence).

    ## Version History
    - v1: progress counts a goal when it is reached, nothing after a collision, and speed; it no longer depends on
      `max_steps`. Each road has its own time; roundabout, intersection and U-turn last longer.
    - v0: first version. A driver who always said `slower` won `merge` (.90), and one who always said `faster` won
      `roundabout` (.68). Progress was a share of what `max_steps` allowed.
    """

    _episode: _Episode
    """Made by `reset`."""

    def __init__(
        self,
        task: str = "highway",
        *,
        image: bool = False,
        max_steps: int | None = 60,
        expert: bool | str = False,
        render_mode: str | None = None,
    ):
        check_pygame()
        self._id, self._setup = setup_of(task)
        if expert and expert is not True and expert not in EXPERTS:
            raise unknown("expert of highway", str(expert), list(EXPERTS), "embodied show highway")
        self._family = family_of(self._id)
        self._env = _open(self._id, self._setup.hz, self._setup.config)
        self._seconds = float(self._setup.seconds or self._env.config["duration"])
        self._phrases = _vocabulary(self._env)
        default = next(p for p in ("keep", "straight", "brake") if p in self._phrases)
        shape = (self._env.config["screen_height"], self._env.config["screen_width"])
        super().__init__(
            action_space=Choice(self._phrases),
            default_action=default,
            max_steps=max_steps,
            image_shape=shape if image else None,
            expert=expert,
            render_mode=render_mode,
        )

    @property
    def mission(self) -> Mission:
        often = {1: "Once", 2: "Twice", 3: "Three times"}.get(self._env.config["policy_frequency"], "Many times")
        colour = "green" if self._family == "parking" or hasattr(self._env.vehicle, "target_speeds") else "yellow"
        seen = f" You see the road from above; your car is the {colour} one." if self._pictures else ""
        return Mission(
            goal=self._setup.goal,
            actions={phrase: gloss for phrase, (_, gloss) in self._phrases.items()},
            intro=f"You drive a car among others. {often} a second you say what it does.{seen}",
            tips=("Gaps are from bumper to bumper, in metres; speeds in metres a second.",),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def close(self) -> None:
        self._env.close()
        super().close()

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        self._env.reset(seed=seed)
        self._episode = _Episode(Driver(self._env, self._family, self._setup) if self._has_expert else None)
        return {"id": self._id, "version": highway_env.__version__}

    def _step(self, action: str) -> Transition:
        car, episode = self._env.vehicle, self._episode
        speed, heading, lane = float(car.speed), float(car.heading), self._lane()
        before = float(lane.local_coordinates(car.position)[0])
        _, reward, terminated, over, _ = self._env.step(self._executable(action))
        if episode.driver:
            episode.driver.follow(action)
        car = self._env.vehicle
        seconds = 1 / self._env.config["policy_frequency"]
        along, across = (
            (float(car.speed) - speed) / seconds,
            float(car.speed) * _wrap(float(car.heading) - heading) / seconds,
        )
        episode.sums["speed"] += abs(float(car.speed))
        episode.sums["comfort"] += (
            LON_ACCELERATION[0] <= round(along, 6) <= LON_ACCELERATION[1] and abs(across) <= LAT_ACCELERATION
        )
        episode.sums["on_road"] += bool(car.on_road)
        n = len(self._actions)
        # decisions until it first left the road
        episode.clean += episode.clean == n - 1 and bool(car.on_road) and not car.crashed
        if episode.clean == n:
            episode.advance += float(lane.local_coordinates(car.position)[0]) - before
        arrived, over = self._arrived(), bool(over) or n >= round(self._seconds / seconds)
        ends = bool(terminated or over or arrived)
        last = ends or (self.max_steps is not None and n >= self.max_steps)
        progress = self._progress(arrived)
        success = (arrived or (over and self._setup.kind == "last" and episode.clean == n)) if last else None
        means = {k: round(v / n, 4) for k, v in episode.sums.items()}
        info: dict[str, Any] = {
            "metrics": {"collision": float(car.crashed), "progress": progress, "seconds": n * seconds, **means}
        }
        if last:
            off = self._setup.kind in ("last", "follow") and episode.clean < n
            info["end_reason"] = (
                "collision"
                if car.crashed
                else "arrived"
                if arrived
                else "off the road"
                if off
                else "time over"
                if over
                else "step limit"
            )
        return Transition(round(float(reward), 6), ends, False, progress, success, info)

    def _executable(self, action: str) -> Any:
        """highway-env's action for a phrase."""
        value = self._phrases[action][0]
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return np.array([value])
        share, wheel = value
        pace = 9.0 if self._family == "intersection" else self._setup.pace
        push = parking.pedal(float(self._env.vehicle.speed), share * pace)
        return np.array([push / parking.ACCELERATION, wheel])

    # ----------------------------------------------------------------- what counts

    def _arrived(self) -> bool:
        env, car = self._env, self._env.vehicle
        if car.crashed:
            return False
        lane = car.lane_index
        match self._setup.kind:
            case "follow":
                return self._episode.advance >= self._setup.metres
            case "along":
                return bool(car.position[0] > self._setup.metres)
            case "arrive":
                return bool(env.has_arrived(car))
            case "through":
                return bool(lane[0].startswith("nx") and lane[1].startswith("nx"))
            case "exit":
                return bool(lane[:2] == ("2", "exit") or (env.time >= env.config["duration"] and env._is_success()))
            case "turn":
                turned = lane[:2] == ("c", "d")
                return turned and bool(car.lane.local_coordinates(car.position)[0] > self._setup.metres)
            case "park":
                seen = env.observation_type_parking.observe()
                return bool(env._is_success(seen["achieved_goal"], seen["desired_goal"]))
        return False

    def _lane(self) -> Any:
        """The lane that counts. The winding lane is a list of points, not part of a road network."""
        return self._env.lane if self._family == "lane-keeping" else self._env.vehicle.lane

    def _progress(self, arrived: bool) -> float:
        """The progress so far: 0 after a collision, and on a road with a goal 0 before the goal is reached."""
        car = self._env.vehicle
        share: float
        speeds = getattr(car, "target_speeds", None) if hasattr(self._env.action_type, "actions") else None
        if car.crashed:
            return 0.0
        match self._setup.kind:
            case "last":
                share = min(1.0, self._episode.clean / self._env.config["policy_frequency"] / self._seconds)
            case "follow":
                share = min(max(self._episode.advance / self._setup.metres, 0.0), 1.0)
            case _:
                share = float(arrived)
        if speeds is None:
            return round(share, 6)
        slowest, fastest = float(speeds[0]), float(speeds[-1])
        pace = (self._episode.sums["speed"] / len(self._actions) - slowest) / (fastest - slowest)
        return round(share * (1 - SPEED + SPEED * min(max(pace, 0.0), 1.0)), 6)

    # ----------------------------------------------------------------- what is seen

    def _text(self) -> str:
        return describe(self._env, self._family)

    def _image(self) -> Pixels:
        env = self._env
        if env.viewer is None:
            from highway_env.envs.common.graphics import EnvViewer

            if not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
                os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # otherwise SDL looks for a display, and complains
            env.viewer = EnvViewer(env)
            # highway-env draws nothing where SDL_VIDEODRIVER is `dummy`, though its surface needs no display
            env.viewer.enabled = True
        env.viewer.display()
        return np.array(env.viewer.get_image())

    def _expert(self) -> str:
        driver = self._episode.driver
        assert driver is not None, "An environment made without an expert has no driver."
        return driver.decide()


def _open(id: str, hz: int, config: dict[str, Any]) -> Any:
    """highway-env's environment itself, without Gymnasium's wrappers and warnings that older versions exist."""
    spec = gymnasium.registry[id]
    kwargs = {**spec.kwargs, "config": config} if config else spec.kwargs  # at once: making one resets it
    creator: Any = load_env_creator(str(spec.entry_point))
    env: Any = creator(**kwargs)
    env.render_mode = "rgb_array"
    env.configure({**config, "policy_frequency": hz, "offscreen_rendering": True})
    env.reset(seed=0)
    return env


class CrossingVehicle(IDMVehicle):  # type: ignore[misc]  # highway-env has no types
    """The others at an intersection.

    highway-env's intersection writes its gaps and accelerations into the class of the others. Were that IDMVehicle
    itself, everyone on every road opened later in the same process would drive by them, and an episode would depend on
    what was played before it.
    """


def _vocabulary(env: Any) -> dict[str, tuple[Any, str]]:
    """Phrase -> what highway-env is given, and a gloss."""
    if hasattr(env.action_type, "actions"):
        return {META[name][0]: (int(k), META[name][1]) for k, name in env.action_type.actions.items()}
    if env.action_type.size == 1:
        return {phrase: (share, gloss) for phrase, (share, gloss) in STEER.items()}
    return {phrase: ((share, wheel), gloss) for phrase, (share, wheel, gloss) in MOVE.items()}


def _wrap(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi
