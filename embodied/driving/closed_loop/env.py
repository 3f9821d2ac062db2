"""Corner cases driven through, as a LanguageEnv."""

from __future__ import annotations

from typing import Any

import numpy as np

from embodied.driving.closed_loop.describe import ahead, instruments
from embodied.driving.closed_loop.rule_driver import decide
from embodied.driving.closed_loop.scenes import Drive, chosen, corner_cases, drive_of, hazardous, start
from embodied.driving.closed_loop.score import Scorer, progress_ratio
from embodied.driving.closed_loop.world import ACTIONS, World, run_up
from embodied.driving.scene.render import frame
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.catalog import check_task, entry
from embodied.envs.spaces import Choice
from embodied.errors import UsageError
from embodied.registry import unknown
from embodied.types import Mission

RATES = {1: 10, 2: 5}
"""Decisions a second -> ticks of the simulation between them."""
TEXTS = ("full", "minimal")
EXPERTS = ("rule_driver",)
OUTCOMES = ("avoided", "passed", "stopped_for_nothing", "hit", "left_road")
NARROWEST, WIDEST = 160, 1920
"""Pixels."""


class CornerCaseDriveEnv(LanguageEnv):
    """CornerCaseDrive: the corner cases in motion. Decide once or twice a second; arrive, hit nothing, stop for nothing.

    ## Description
    The scenes of `codalm-procedural`, driven: the car approaches the corner case from farther back (two seconds and a gentle stop before the nearest hazard),
    everything moves at 10 Hz, and once or twice a second one of six words says what to do. The car is a kinematic bicycle (wheelbase 2.8 m; 4.6 x 1.8 m) with a pilot
    that carries the words out: it accelerates with at most 2 m/s^2, brakes gently with at most 3.5 m/s^2, on `stop` with half its speed a second, at most
    6 m/s^2, and changes lanes within 4 s. Others follow their scripts (waypoints from when the car is near, constant speed) or keep their distance: the
    Intelligent Driver Model with Treiber's constants (T 1.6 s, s0 2 m, a 0.73 and b 1.67 m/s^2, delta 4) drives all cars that are no part of a script.

    | task | scenes |
    |---|---|
    | `drive` | all 48 |
    | `hazards` | those with a corner case in or near the way |
    | `negatives` | the twins without one, and what looks odd but does no harm |

    ## Action Space
    `Choice` of `maintain`, `slow`, `stop`, `left`, `right`, `yield`. The default action is `maintain`: a car that is not told goes on.

    ## Observation Space
    - `text`: with `text="full"` time, speed, cruising speed, limit, the road's lanes, the own lane, weather, hour and the way to go; with `text="minimal"` speed and
      lane. It never says what is on the road. With `describe` (by default where there is no image) a list follows of what can be seen ahead:
      what it is, in which lane, how far, how it moves. It says of nothing that it matters, and leaves out what a picture would not show.
    - `image` (with `image=True`): (height, width, 3) uint8, the view through the windscreen; 640 x 360 by default. Nothing is drawn without it.
    - `expert` (with `expert=True`): what the rule-based driver would say.

    ## Starting State
    Scene `seed % n` of n. Each further round of seeds starts up to 10 m farther back and up to 15 % slower; twins start alike.

    ## Rewards
    The score when the drive is over, 0 before.

    ## Progress
    The score in [0, 1], as NAVSIM (v1) defines it: `NC * DAC * (5 TTC + 5 EP + 2 C) / 12`.

    | part | is |
    |---|---|
    | NC | 1 without a collision that is the car's fault, 0.5 where it met a thing, 0 where it met a vehicle, a person or an animal. At fault by nuPlan's rules: not when the car stands (below 0.05 m/s) or is hit from behind (beyond 150 degrees); when the other stands or the front meets it; at the side when the car is in several lanes or off the road |
    | DAC | 1 while all four corners of the car stay on the carriageway (oncoming lanes included), else 0 |
    | TTC | 1 unless the car, going on as it does for 0, 0.3, 0.6, 0.9 s (horizon 1 s), would meet something ahead (within 30 degrees; when in several lanes all that is not behind); not asked below 0.005 m/s |
    | EP | metres driven along the road as a share of the reference's; 1 where neither gets 5 m far |
    | C | 1 while acceleration along the car is in [-4.05, 2.40] m/s^2 and to the side within 4.89, jerk along within 4.13 and altogether within 8.37 m/s^3, yaw rate within 0.95 rad/s, yaw acceleration within 1.93 rad/s^2 |

    Sources: weights, horizon, 5 m and 0.005 m/s from NAVSIM's scorer; the rules of fault and the bounds of comfort from nuPlan's metrics, which NAVSIM uses. What
    differs from NAVSIM: the others react; a drive lasts until it is over, not 4 s; the reference of EP is our rule-based driver in the same scene (NAVSIM's is
    PDM-Closed), whose own EP is 1 therefore; time to collision forecasts others at constant velocity (NAVSIM knows their future); acceleration and jerk are those of the
    simulation, unsmoothed, without the last tick of coming to a standstill; animals count as NAVSIM's agents.

    `success`: the corner case was avoided, or the scene without one was passed.

    ## Episode End
    Terminates when the scene has been passed (50 m beyond where the still picture is taken from), at the first contact, when a corner of the car leaves the carriageway, and when the time is over: that of the
    reference and two seconds (a reference that stands for 6 s has arrived), at most 30 s. Truncates after `max_steps`.

    ## Info
    `reset` gives `scene`, `twin`, `template`, `hazard` (bool), `weather`, `time`, `hz`, `run_up` (metres before where the
    still picture is taken from), `cruising_speed` (m/s), `seconds` (the longest the drive lasts), `reference_metres`, `reference_stood` (bool).
    Steps give `position` (x, y in metres and heading in degrees) and `speed`. `metrics` holds `nc`, `dac`, `ttc`, `ep`, `c`, `metres`, `seconds`, `stood` and
    `stood_for_nothing` (seconds), `hardest_acceleration` and `hardest_jerk` along the car. At the end `outcome` is one of

    - `hit`: it met something, and it was its fault;
    - `left_road`: a corner of the car left the carriageway;
    - `stopped_for_nothing`: it stood for a second or more without a reason (nothing within 20 m ahead in its breadth and 0.8 m to each side, no corner
      case within 25 m), or got less than half as far as the reference without any reason to stand;
    - `avoided` (there was a corner case) or `passed` (there was none): otherwise;

    `end_reason` says how it ended, `met` lists the ids of what was met, and `metrics` has a 1 or 0 for each outcome.

    ## Arguments
    - `task`: `drive`, `hazards` or `negatives`.
    - `image`: observations have an `image`.
    - `text`: `full` or `minimal`.
    - `describe`: whether the text describes what is ahead; None: where there is no image.
    - `hz`: decisions a second, 1 or 2.
    - `template`: only scenes of this template: `animal_crossing`, `broken_down`, `closed_road`, `fallen_cargo`, `harmless`, `obstacle`, `officer_overrides`, `oversize_load`,
      `overturned_vehicle`, `rider_cuts_in`, `slow_crossing`, `slow_machine`, `stepping_out`, `work_zone`, `wrong_way`.
    - `width`: of the image, pixels, a multiple of 16; it is 16:9.
    - `max_steps`: 60 by default, 30 s at 2 Hz; None for no limit (the time ends the drive).
    - `expert`: observations have an `expert` (`rule_driver`).
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## Limits
    Straight roads. Traffic lights and an officer's signs are seen, and not scored: v1 of NAVSIM's score has no term for them.

    ## References
    - Dauner et al. 2024, NAVSIM: Data-Driven Non-Reactive Autonomous Vehicle Simulation and Benchmarking.
    - Dauner et al. 2023, Parting with Misconceptions about Learning-based Vehicle Motion Planning.
    - Karnchanachari et al. 2024, Towards learning-based planning: The nuPlan benchmark for real-world autonomous driving.
    - Treiber, Hennecke and Helbing 2000, Congested Traffic States in Empirical Observations and Microscopic Simulations.
    - Kong et al. 2015, Kinematic and dynamic vehicle models for autonomous driving control design.
    - Li et al. 2022, CODA: A Real-World Road Corner Case Dataset for Object Detection in Autonomous Driving.

    ## Version History
    - v0: first version.
    """  # noqa: E501

    def __init__(
        self,
        task: str = "drive",
        *,
        image: bool = False,
        text: str = "full",
        describe: bool | None = None,
        hz: int = 2,
        template: str | None = None,
        width: int = 640,
        max_steps: int | None = 60,
        expert: bool | str = False,
        render_mode: str | None = None,
    ):
        check_task(entry("corner_case_drive"), task)
        if text not in TEXTS:
            raise unknown("text of corner_case_drive", text, list(TEXTS), "embodied show corner_case_drive")
        if expert and expert is not True and expert not in EXPERTS:
            raise unknown("expert of corner_case_drive", str(expert), list(EXPERTS), "embodied show corner_case_drive")
        if isinstance(hz, bool) or hz not in RATES:
            raise UsageError(f"hz is 1 or 2 decisions a second, not {hz!r}.")
        if isinstance(width, bool) or not isinstance(width, int) or width % 16 or not NARROWEST <= width <= WIDEST:
            raise UsageError(f"width is a multiple of 16 pixels from {NARROWEST} to {WIDEST}, not {width!r}.")
        if max_steps is not None and max_steps < 1:
            raise UsageError(f"max_steps is at least 1, or None for no limit, not {max_steps!r}.")
        self._size = (width, width * 9 // 16)
        super().__init__(
            action_space=Choice(ACTIONS),
            default_action="maintain",
            max_steps=max_steps,
            image_shape=self._size[::-1] if image else None,
            expert=expert,
            render_mode=render_mode,
        )
        self._scenes = chosen(task, template)
        self._full, self._described, self._hz = text == "full", (not image if describe is None else describe), hz
        self._drive: Drive | None = None
        self._world: World | None = None
        self._scorer = Scorer()

    @property
    def mission(self) -> Mission:
        seen = "You see the road through the windscreen." if self._pictures else "You are told what can be seen ahead." if self._described else ""
        often = "twice" if self._hz == 2 else "once"
        return Mission(
            goal="Drive on along the road to where the scene ends: hit nothing, stay on the road, and do not slow down or stop without a reason.",
            actions=dict(ACTIONS),
            intro=f"You drive a car. {often.capitalize()} a second you say what it does next; it keeps its lane by itself. {seen}".strip(),
            tips=(
                f"Each word holds until the next one, {'half a second' if self._hz == 2 else 'a second'} later; a lane change, once begun, goes on.",
                "Far from everything, `maintain` is right. Slowing down takes time: at 10 m/s a gentle stop takes 17 m.",
                "Lane changes take 4 seconds. The car does not look out for anything itself.",
                "Many strange things on or beside the road need no reaction.",
            ),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        spec, earlier, share = start(self._scenes, seed)
        self._drive = drive_of(spec, earlier, share, RATES[self._hz])
        self._world, self._scorer = World(self._drive.route), Scorer()
        return {
            "scene": spec.name,
            "twin": spec.twin,
            "template": spec.template,
            "hazard": hazardous(spec),
            "weather": spec.weather,
            "time": spec.time,
            "hz": self._hz,
            "run_up": round(run_up(spec.ego.speed) + earlier, 2),
            "cruising_speed": self._drive.route.speed,
            "seconds": self._drive.seconds,
            "reference_metres": self._drive.metres,
            "reference_stood": self._drive.stood,
        }

    def _step(self, action: str) -> Transition:
        world, scorer, drive = self._world, self._scorer, self._drive
        world.command(action)
        reason = ""
        for _ in range(RATES[self._hz]):
            world.tick()
            scorer.watch(world)
            if reason := self._over():
                break
        last = bool(reason) or (self.max_steps is not None and len(self._actions) >= self.max_steps)
        metres = max(0.0, min(world.state.y, drive.route.goal))
        ep = progress_ratio(metres, drive.metres)
        score = round(scorer.score(metres, drive.metres), 6)
        info: dict[str, Any] = {"metrics": self._metrics(metres, ep), "position": self._position(), "speed": round(world.state.speed, 3)}
        if not last:
            return Transition(0.0, progress=score, info=info)
        outcome = self._outcome(ep)
        info |= {"outcome": outcome, "end_reason": reason or "step limit", "met": list(scorer.hit)}
        info["metrics"] |= {name: float(name == outcome) for name in OUTCOMES}
        return Transition(score, bool(reason), False, score, outcome in ("avoided", "passed"), info)

    def _over(self) -> str:
        world, scorer = self._world, self._scorer
        if scorer.hit:
            return "collision" if scorer.nc < 1 else "hit by another"
        if not scorer.dac:
            return "left the road"
        if world.state.y >= self._drive.route.goal:
            return "arrived"
        return "time over" if world.time >= self._drive.seconds else ""

    def _outcome(self, ep: float) -> str:
        scorer = self._scorer
        if scorer.nc < 1 or set(scorer.hit) & corner_cases(self._drive.route.spec):  # met, whoever drove into whom
            return "hit"
        if not scorer.dac:
            return "left_road"
        if scorer.stood_for_nothing >= 1.0 or (ep < 0.5 and scorer.stood == 0.0):
            return "stopped_for_nothing"
        return "avoided" if hazardous(self._drive.route.spec) else "passed"

    def _metrics(self, metres: float, ep: float) -> dict[str, float]:
        s = self._scorer
        values = {"nc": s.nc, "dac": s.dac, "ttc": s.ttc, "ep": ep, "c": s.c, "metres": metres, "seconds": self._world.time, "stood": s.stood}
        values |= {"stood_for_nothing": s.stood_for_nothing, "hardest_acceleration": s.hardest["acceleration"], "hardest_jerk": s.hardest["jerk"]}
        return {name: round(float(value), 4) for name, value in values.items()}

    def _position(self) -> list[float]:
        s = self._world.state
        return [round(s.x, 3), round(s.y, 3), round(float(np.degrees(s.heading)), 3)]

    def _text(self) -> str:
        known = instruments(self._world, self._full)
        return f"{known}\n{ahead(self._world)}" if self._described else known

    def _image(self) -> np.ndarray:
        x, y, heading = self._position()
        return frame(self._drive.route.spec, (x, y, heading), [m.posed() for m in self._world.movers], size=self._size).color

    def _expert(self) -> str:
        return decide(self._world)
