"""Corner cases driven through, as a LanguageEnv."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from embodied.arrays import Pixels
from embodied.catalog import check_task, entry
from embodied.driving.closed_loop.bicycle import TICK
from embodied.driving.closed_loop.describe import ahead, instruments
from embodied.driving.closed_loop.road import OUTCOMES, DrivenRoad, Ending
from embodied.driving.closed_loop.rule_driver import decide
from embodied.driving.closed_loop.scenes import Drive, drive_of, pairs, start
from embodied.driving.closed_loop.world import ACTIONS, run_up
from embodied.driving.scene.render import frame
from embodied.envs.base import Frame, Frames, LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.errors import UsageError
from embodied.registry import unknown
from embodied.types import Mission

RATES = {1: 10, 2: 5}
"""Decisions a second -> ticks of the simulation between them."""
TEXTS = ("full", "minimal")
EXPERTS = ("rule_driver",)
KINDS = ("hazard", "clear")
"""The two roads of a pair: with the corner case, and without it."""
BEGINS = (
    "The first of two roads begins.",
    "That road is behind you. The second of two roads begins: a new one, from its start.",
)
"""The text where a road begins. It does not say how the road before went."""
NARROWEST, WIDEST = 160, 1920
"""Pixels."""


@dataclass
class _Episode:
    """What `reset` makes and steps change."""

    order: tuple[tuple[str, Drive], tuple[str, Drive]]
    """The kinds of road, and the roads, in the order in which they are driven."""
    road: DrivenRoad
    """The one that is driven now."""
    ended: dict[str, Ending] = field(default_factory=dict)
    """By kind."""


class CornerCaseDriveEnv(LanguageEnv):
    """CornerCaseDrive: drive each road twice, with and without its corner case. Decide once or twice a second. Arrive,
    hit nothing, and do not stop for nothing.

    ## Description
    An episode is a pair of roads, driven one after the other: the same road with a corner case and without it, in an
    order that the seed draws. The agent is not told which is which. The scenes are those of `codalm-procedural`. The
    car starts farther back: it has two seconds and the length of a gentle stop before the nearest hazard. Everything
    moves at 10 Hz. Once or twice a second, the agent says one of six words.

    The car is a kinematic bicycle (wheelbase 2.8 m; 4.6 x 1.8 m) with a pilot that carries out the words. It
    accelerates with at most 2 m/s^2 and brakes gently with at most 3.5 m/s^2. On `stop` it loses half its speed a
    second, with at most 6 m/s^2. It changes lanes within 4 s. Some road users follow a script: waypoints at a constant
    speed, from when the car is near. Cars without a script keep their distance: the Intelligent Driver Model drives
    them, with Treiber's constants (T 1.6 s, s0 2 m, a 0.73 and b 1.67 m/s^2, delta 4).

    The task is `drive`: 24 pairs. In 23 of them the second scene is the first without its corner case. In the last one
    a plastic bag lies on one road, for which the car must not brake, and a stone lies in its place on the other. A
    driver who always says the same word wins no pair. A driver who says one word at a fixed time on both roads wins
    only now and then. The table under every run says what such drivers earn.

    ## Action Space
    `Choice` of `maintain`, `slow`, `stop`, `left`, `right`, `yield`. The default action is `maintain`.

    ## Observation Space
    - `text`: with `text="full"` time, speed, cruising speed, limit, the road's lanes, the own lane, weather, hour and
      the way to go; with `text="minimal"` speed and lane. This part never says what is on the road. With `describe`
      (the default without an image) a list follows of everything visible ahead: what it is, in which lane, how far
      away, how it moves. The list does not say what matters, and leaves out what a picture would not show.
    - `image` (with `image=True`): (height, width, 3) uint8, the view through the windscreen; 640 x 360 by default.
    - `expert` (with `expert=True`): what the rule-based driver would say.

    - Frames: the view after each tick between two decisions, .1 s each, for those who watch. An interruption behind a
      frame ends the decision at this tick, and the agent is asked again.

    ## Starting State
    Pair `seed % 24`. The seed also draws which road comes first. Each further round of 24 seeds starts up to 10 m
    farther back and up to 15 % slower. Both roads of a pair start alike. When the first road is over, the text says so,
    and says that a new road begins. It does not say how the first one went. The observation is then the new road's.

    ## Rewards
    The progress when both roads are over, 0 before.

    ## Progress
    The smaller of the two roads' NAVSIM numbers, in [0, 1]. A road counts as 0 unless its outcome is `avoided` or
    `passed` (see Info). Progress is 0 until both roads are over, and 0 if steps run out.

    NAVSIM's number (v1) is `NC * DAC * (5 TTC + 5 EP + 2 C) / 12`. It is one of the metrics. Alone it would not be a
    good score: a driver who always yields stops for nothing on nearly every road and still earns .71.

    | part | is |
    |---|---|
    | NC | 1 without a collision that is the car's fault; 0.5 if it hit a thing; 0 if it hit someone alive |
    | DAC | 1 while all four corners of the car stay on the carriageway (oncoming lanes included), else 0 |
    | TTC | 1 unless the car, with its present motion, would soon hit something |
    | EP | metres driven along the road, divided by the reference's; 1 if neither gets 5 m far |
    | C | 1 while the drive is comfortable |

    - NC: someone alive is a vehicle, a person or an animal. nuPlan's rules decide whose fault it is. It is not the
      car's fault if the car stands (below 0.05 m/s) or is hit from behind (beyond 150 degrees). It is the car's fault
      if the other stands, or if the car's front hits it. If the contact is at the side, it is the car's fault when the
      car is in several lanes or off the road.
    - TTC: the car's motion is continued for 0, 0.3, 0.6 and 0.9 s (horizon 1 s). Only what is ahead counts: within 30
      degrees, or, while the car is in several lanes, everything that is not behind it. Below 0.005 m/s TTC is 1.
    - EP: metres count until two seconds after the reference's time.
    - C: acceleration is in [-4.05, 2.40] m/s^2 along the car and within 4.89 m/s^2 to the side; jerk is within 4.13
      m/s^3 along and within 8.37 m/s^3 altogether; the yaw rate is within 0.95 rad/s, and yaw acceleration within 1.93
      rad/s^2.

    Sources: NAVSIM's scorer (weights, horizon, 5 m, 0.005 m/s) and nuPlan's metrics, which NAVSIM uses (rules of fault,
    bounds of comfort). These things differ from NAVSIM:

    - The others react.
    - A drive lasts until it is over, not 4 s.
    - The reference of EP is our rule-based driver in the same scene, so that driver's EP is 1. NAVSIM's reference is
      PDM-Closed.
    - TTC assumes that others keep their velocity. NAVSIM knows their future.
    - Acceleration and jerk are those of the simulation, not smoothed. The last tick before a standstill does not count.
    - Animals count as NAVSIM's agents.

    `success`: the outcomes of the two roads are `avoided` and `passed`.

    ## Episode End
    A road is over

    - when the car has passed it (50 m beyond the viewpoint of the still picture);
    - at the first contact;
    - when a corner of the car leaves the carriageway;
    - when its time is over: the reference's time and two seconds. With the corner case, it is one and a half times the
      reference's time and two seconds. It is at most 30 s.

    A reference that stands for 6 s has arrived: the road is blocked there. The episode terminates when the second road
    is over. It truncates after `max_steps`, which is a failure.

    ## Info
    `reset` gives `pair`, `template`, `hazard_first` (bool), `weather`, `time`, `hz`, `run_up` (metres from the start to
    the viewpoint of the still picture), `cruising_speed` (m/s) and `roads`. `roads` has `hazard` (with the corner case)
    and `clear` (without it). Each has the `scene`, `seconds` (when NAVSIM's number is taken), `longest` (how long the
    drive may last), `reference_metres`, `reference_stood` and `reference_kept_lane` (bool).

    Steps give `road` (1 or 2), `position` (x, y in metres and heading in degrees) and `speed`. `metrics` holds for each
    road, after `hazard_` or `clear_`: `navsim` and its parts `nc`, `dac`, `ttc`, `ep`, `c`; `metres`; `seconds`,
    `stood`, `stood_for_nothing` and `elsewhere` (out of its own lane), all in seconds; `hardest_acceleration` and
    `hardest_jerk` along the car. It also holds `navsim`, the mean of the roads. When a road ends, `outcome` is one of

    - `hit`: the car and something touched, no matter whose fault it was;
    - `left_road`: a corner of the car left the carriageway;
    - `stopped_for_nothing`: the car stood for a second or more without a reason (nothing within 20 m ahead in its
      breadth and 0.8 m to each side, no corner case within 25 m), or it got less than half as far as the reference
      without any reason to stand;
    - `swerved_for_nothing`: there was no corner case, and the car was out of its lane for a second or more where the
      reference kept its lane;
    - `late`: the car did not reach the end of the road in its time, and the reference did;
    - `avoided` (there was a corner case) or `passed` (there was none): otherwise.

    `road_ended` says how the road ended (`end_reason` where the episode ends), and `met` lists the ids of what the car
    hit. At the end of the episode `outcomes` has both outcomes, and `metrics` a 1 or 0 for each outcome of each road.

    ## Arguments
    - `task`: `drive`.
    - `image`: observations have an `image`.
    - `text`: `full` or `minimal`.
    - `describe`: whether the text describes what is ahead; None: where there is no image.
    - `hz`: decisions a second, 1 or 2.
    - `template`: only pairs of this template: `animal_crossing`, `broken_down`, `closed_road`, `fallen_cargo`,
      `harmless`, `obstacle`, `officer_overrides`, `oversize_load`, `overturned_vehicle`, `rider_cuts_in`,
      `slow_crossing`, `slow_machine`, `stepping_out`, `work_zone`, `wrong_way`.
    - `width`: of the image, pixels, a multiple of 16; it is 16:9.
    - `max_steps`: 120 by default, twice 30 s at 2 Hz; None for no limit (the time ends the drives).
    - `expert`: observations have an `expert` (`rule_driver`).
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## Limits
    Straight roads. Traffic lights and an officer's signs are seen, and not scored: v1 of NAVSIM's score has no term for
    them.

    ## References
    - Dauner et al. 2024, NAVSIM: Data-Driven Non-Reactive Autonomous Vehicle Simulation and Benchmarking.
    - Dauner et al. 2023, Parting with Misconceptions about Learning-based Vehicle Motion Planning.
    - Karnchanachari et al. 2024, Towards learning-based planning: The nuPlan benchmark for real-world autonomous
      driving.
    - Treiber, Hennecke and Helbing 2000, Congested Traffic States in Empirical Observations and Microscopic
      Simulations.
    - Kong et al. 2015, Kinematic and dynamic vehicle models for autonomous driving control design.
    - Li et al. 2022, CODA: A Real-World Road Corner Case Dataset for Object Detection in Autonomous Driving.

    ## Version History
    - v1: an episode is a pair of roads. Progress is the smaller of NAVSIM number times success. Four corner cases start
      later, so that a driver who only says `maintain` has not passed before they start. A road must be driven to its
      end. The tasks `hazards` and `negatives` are gone, because one word won them.
    - v0: first version. An episode was one road, progress was NAVSIM's number: always `yield` earned .71, always `slow`
      .68.
    """

    _episode: _Episode
    """Made by `reset`."""

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
        max_steps: int | None = 120,
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
        self._size = (width, width * 9 // 16)
        super().__init__(
            action_space=Choice(ACTIONS),
            default_action="maintain",
            max_steps=max_steps,
            image_shape=self._size[::-1] if image else None,
            expert=expert,
            render_mode=render_mode,
        )
        self._pairs = pairs(template)
        self._full, self._described, self._hz = text == "full", (not image if describe is None else describe), hz

    @property
    def mission(self) -> Mission:
        seen = (
            "You see the road through the windscreen."
            if self._pictures
            else "You are told what can be seen ahead."
            if self._described
            else ""
        )
        often = "twice" if self._hz == 2 else "once"
        return Mission(
            goal=(
                "Drive two roads, one after the other, each on to where it ends: hit nothing, stay on the road, and do"
                " not slow down, stop or leave your lane without a reason. Both must go well."
            ),
            actions=dict(ACTIONS),
            intro=(
                f"You drive a car. {often.capitalize()} a second you say what it does next; it keeps its lane by"
                f" itself. {seen}".strip()
            ),
            tips=(
                (
                    f"Each word holds until the next one, {'half a second' if self._hz == 2 else 'a second'} later; a"
                    " lane change, once begun, goes on."
                ),
                (
                    "Far from everything, `maintain` is right. Slowing down takes time: at 10 m/s a gentle stop takes"
                    " 17 m."
                ),
                "Lane changes take 4 seconds. The car does not look out for anything itself.",
                "Many strange things on or beside the road need no reaction.",
                "Your time on a road is short: who does not get to its end in time has failed.",
            ),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        pair, hazard_first, earlier, share = start(self._pairs, seed)
        made = {kind: drive_of(getattr(pair, kind), earlier, share, RATES[self._hz]) for kind in KINDS}
        first, second = ((kind, made[kind]) for kind in (KINDS if hazard_first else KINDS[::-1]))
        self._episode = _Episode((first, second), DrivenRoad(*first))
        spec = pair.hazard
        return {
            "pair": pair.clear.name,
            "template": spec.template,
            "hazard_first": hazard_first,
            "weather": spec.weather,
            "time": spec.time,
            "hz": self._hz,
            "run_up": round(run_up(spec.ego.speed) + earlier, 2),
            "cruising_speed": made["hazard"].route.speed,
            "roads": {kind: _facts(drive) for kind, drive in made.items()},
        }

    def _step(self, action: str) -> Frames:
        episode, road = self._episode, self._episode.road
        for _ in road.ticks(action, RATES[self._hz]):
            if (yield Frame(TICK, self._image)):
                break
        info: dict[str, Any] = {
            "road": len(episode.ended) + 1,
            "position": road.position(),
            "speed": round(road.world.state.speed, 3),
        }
        out_of_steps = self.max_steps is not None and len(self._actions) >= self.max_steps
        if not (road.over or out_of_steps):
            return Transition(0.0, progress=0.0, info=info | {"metrics": self._metrics()})
        ending = episode.ended[road.kind] = road.ending()
        info |= {
            "outcome": ending.outcome,
            "end_reason": ending.reason,
            "met": list(ending.met),
            "metrics": self._metrics(),
        }
        whole = len(episode.ended) == len(KINDS) and bool(road.over)
        if not whole and not out_of_steps:  # the next road begins with this observation
            episode.road = DrivenRoad(*episode.order[1])
            return Transition(
                0.0,
                progress=0.0,
                info={key: value for key, value in info.items() if key != "end_reason"} | {"road_ended": ending.reason},
            )
        info["outcomes"] = {kind: e.outcome for kind, e in episode.ended.items()}
        info["metrics"] |= {
            f"{kind}_{name}": float(e.outcome == name) for kind, e in episode.ended.items() for name in OUTCOMES
        }
        progress = min(e.worth for e in episode.ended.values()) if whole else 0.0
        return Transition(
            progress, whole, False, progress, whole and all(e.success for e in episode.ended.values()), info
        )

    def _metrics(self) -> dict[str, float]:
        """The measures so far: of the roads that are over, and of the present one."""
        road = self._episode.road
        parts = {kind: e.parts for kind, e in self._episode.ended.items()}
        if road.kind not in parts:
            parts[road.kind] = road.parts()
        values = {f"{kind}_{name}": value for kind, measured in parts.items() for name, value in measured.items()}
        values["navsim"] = sum(p["navsim"] for p in parts.values()) / len(parts)
        return {name: round(float(value), 6) for name, value in values.items()}

    def _text(self) -> str:
        road = self._episode.road
        world, number = road.world, self._episode.order.index((road.kind, road.plan)) + 1
        begun = "" if world.ticks else f"{BEGINS[number - 1]}\n"
        known = begun + instruments(world, self._full)
        return f"{known}\n{ahead(world)}" if self._described else known

    def _image(self) -> Pixels:
        road = self._episode.road
        (x, y, heading), world = road.position(), road.world
        return frame(world.plan.spec, (x, y, heading), [m.posed() for m in world.movers], size=self._size).color

    def _expert(self) -> str:
        return decide(self._episode.road.world)


def _facts(drive: Drive) -> dict[str, Any]:
    """What is known of a road before it is driven."""
    return {
        "scene": drive.route.spec.name,
        "seconds": drive.seconds,
        "longest": drive.longest,
        "reference_metres": drive.metres,
        "reference_stood": drive.stood,
        "reference_kept_lane": drive.kept_lane,
    }
