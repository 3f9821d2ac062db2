"""BabyAI as a LanguageEnv: five kinds of instruction in small rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel

from embodied.arrays import Pixels
from embodied.catalog import check_task, entry
from embodied.envs.base import LanguageEnv, Transition, check_limit
from embodied.envs.spaces import Choice
from embodied.envs.truth import Sight
from embodied.errors import UsageError
from embodied.games.babyai.levels import MixedTrainLevel
from embodied.games.babyai.touch import FirstTouch
from embodied.games.babyai.view import SIZE, TILE, View, describe, draw, look, things
from embodied.registry import unknown
from embodied.types import Mission

ACTIONS = {
    "turn left": "turn a quarter to the left",
    "turn right": "turn a quarter to the right",
    "go forward": "take one step ahead",
    "pick up": "pick up the object in the cell in front of you",
    "drop": "put the object you carry into the empty cell in front of you",
    "toggle": (
        "open or close the door in front of you (a locked one opens with the key of its color); a box is destroyed"
    ),
}
"""Phrase -> gloss, in the order of minigrid's action numbers."""
_PHRASES = tuple(ACTIONS)
_NUMBER = {phrase: number for number, phrase in enumerate(_PHRASES)}


@dataclass
class _Episode:
    """What `reset` makes and steps change."""

    view: View
    touch: FirstTouch
    guide: _Guide | None
    """None where no expert was asked for."""


class BabyAIEnv(LanguageEnv):
    """BabyAI: follow one instruction in one or two small rooms.

    ## Description
    The agent stands in a room of 6 x 6 free cells and gets one instruction: go to an object, pick one up, open a door,
    put one object next to another, or pick up one and go to another in a given order. It sees the 7 x 7 cells in front
    of it, except what walls and closed doors hide. The task names are BALROG's:

    | task | instruction | step limit |
    |---|---|---|
    | `BabyAI-MixedTrainLocal-v0/goto` | go to the grey key | 64 |
    | `BabyAI-MixedTrainLocal-v0/pickup` | pick up the red ball | 64 |
    | `BabyAI-MixedTrainLocal-v0/open` | open the blue door (locked; its key lies in the agent's room) | 128 |
    | `BabyAI-MixedTrainLocal-v0/putnext` | put the blue box next to the red ball | 128 |
    | `BabyAI-MixedTrainLocal-v0/pick_up_seq_go_to` | go to the blue key after you pick up the red box | 128 |

    ## Action Space
    `Choice` of `turn left`, `turn right`, `go forward`, `pick up`, `drop`, `toggle`. The default action is
    `go forward`. All act on the cell in front of the agent. To go to an object means to stand before it, facing it.

    ## Observation Space
    - `text`: a line each for the object carried, the nearest wall straight ahead, to the left and to the right where no
      object is in between, and every object and door in sight: `a red ball 1 step left and 3 steps forward`.
    - `image` (with `image=True`): (112, 112, 3) uint8, the same 7 x 7 cells from above, the agent at the bottom facing
      up, 16 pixels a cell, cells in sight lighter.
    - `expert` (with `expert=True`): what minigrid's BabyAI bot would do now. The bot takes into account what was
      played. If it cannot solve the level any more (a box was destroyed), it says `go forward`.

    The instruction is `mission.goal`.

    ## Starting State
    The seed draws the rooms, the objects and their colors, the agent's place and direction, and the instruction. The
    same seed gives the same level as in BALROG.

    ## Rewards
    `1 - 0.9 * steps / step limit` when the instruction is fulfilled, else 0.

    ## Progress
    1 when the instruction is fulfilled, else 0.

    ## Episode End
    Terminates when the instruction is fulfilled; truncates at the step limit.

    ## Info
    `reset` gives `instruction` (str), `kind` (str) and `max_steps` (int). At the end `end_reason` is `fulfilled` or
    `step limit`. `metrics`: `first_object_named` is 1 if the first object that the agent touched is one that the
    instruction names (or the key of a door it names), else 0. It is missing until the agent touches an object. It is 0
    at the end if the agent touched nothing. To touch means to walk into something, to toggle a door or box, to pick
    something up, or to fulfil the instruction.

    ## What success does not show
    In BALROG's levels (`distractors=0`) a room holds little besides the named objects, so an agent can succeed without
    reading: a walker that never gets the instruction earns 0.99. Two measures show whether the agent reads, both with
    `distractors=3` or more. The table under the scores has them, beside those of the players below:

    - `first_object_named`, see above. Leave out `goto`: to face a named object ends such an episode, and to face
      another is not a touch. A policy that visits everything without touching it earns 1 there.
    - SPL, success weighted by path length (Anderson et al. 2018, section 4): success times the bot's steps / the larger
      of the bot's steps and the agent's. The bot plays from the same start, in a level of its own, when the table is
      made. So a record holds nothing more, and runs of before have the measure too.

    `embodied compare RUN RUN --metric babyai_first` and `--metric babyai_spl` compare two runs by them. Means and
    standard errors of 100 episodes of each of the five tasks, seeds 1000 to 1099:

    | distractors | player | success | first object named | SPL |
    |---|---|---|---|---|
    | 0 | bot | 1.00 ± 0.000 | 1.00 ± 0.000 | 1.00 ± 0.000 |
    | 0 | blind | 0.99 ± 0.004 | 0.99 ± 0.004 | 0.84 ± 0.009 |
    | 0 | random | 0.09 ± 0.012 | 0.40 ± 0.021 | 0.01 ± 0.003 |
    | 3 | bot | 1.00 ± 0.000 | 1.00 ± 0.000 | 1.00 ± 0.000 |
    | 3 | blind | 0.75 ± 0.018 | 0.41 ± 0.022 | 0.37 ± 0.015 |
    | 3 | random | 0.06 ± 0.010 | 0.28 ± 0.019 | 0.01 ± 0.003 |
    | 8 | bot | 1.00 ± 0.000 | 1.00 ± 0.002 | 1.00 ± 0.000 |
    | 8 | blind | 0.44 ± 0.016 | 0.22 ± 0.018 | 0.19 ± 0.014 |
    | 8 | random | 0.10 ± 0.012 | 0.28 ± 0.020 | 0.03 ± 0.005 |

    The blind walker gets the text of every observation, but not the instruction. It goes to objects in random order,
    picks each up, carries it to the others and puts it down beside them. If it has seen a locked door, it takes that
    door's key first. With eight distractors it still earns 0.93 in `goto`, where there is time to visit everything, and
    0.78 in `open`, where the door says which key it needs. It earns 0.16 to 0.19 in the other tasks.

    So this is what a policy that never reads gets: without distractors all but everything, also by SPL (0.84); with
    three distractors 0.41 of first objects and an SPL of 0.37; with eight 0.22 and 0.19.

    `python benchmarks/babyai_blind.py` repeats the measurement and writes `benchmarks/babyai_blind.json`, which also
    has the figures of each task.

    ## Arguments
    - `task`: one of the five.
    - `rules`: `embodied` (default) or `balrog`.
    - `image`: observations have an `image`.
    - `max_steps`: None (default) for the limit of the table. Another limit also changes the reward.
    - `expert`: observations have an `expert`.
    - `distractors`: objects besides those the instruction needs, in [0, 12]; BALROG has 0.
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## Defects of BALROG repaired here
    | BALROG | here |
    |---|---|
    | An open door is `a open red door`. | `an open red door` |
    | When nothing is in sight the text is empty. | `nothing in sight` |
    | The prompt says that `pick up` takes the object below the agent. | The mission says: the object in front. |
    | The prompt says to use `toggle` on any object; it destroys boxes. | The mission says what it does. |
    | The level is made again until it has the task's kind of instruction. | The level is made for that kind. |
    | A picture is drawn at every step, even if not needed. | Only with `image=True`. |

    `rules="balrog"` gives BALROG's text in the first two cases.

    ## References
    - Chevalier-Boisvert et al. 2019, BabyAI: A Platform to Study the Sample Efficiency of Grounded Language Learning.
    - Carta et al. 2023, Grounding Large Language Models in Interactive Environments with Online Reinforcement Learning
      (the level).
    - Paglieri et al. 2024, BALROG: Benchmarking Agentic LLM and VLM Reasoning On Games.
    - Anderson et al. 2018, On Evaluation of Embodied Navigation Agents (SPL).

    ## Version History
    - v0: first version.
    """

    _episode: _Episode
    """Made by `reset`."""

    def __init__(
        self,
        task: str = "BabyAI-MixedTrainLocal-v0/goto",
        *,
        rules: str = "embodied",
        image: bool = False,
        max_steps: int | None = None,
        expert: bool = False,
        distractors: int = 0,
        render_mode: str | None = None,
    ):
        kind = check_task(entry("babyai"), task).rpartition("/")[2]
        if rules not in ("embodied", "balrog"):
            raise unknown("rule set of babyai", rules, ["embodied", "balrog"], "embodied show babyai")
        if not 0 <= distractors <= 12:
            raise UsageError(f"distractors is a number from 0 to 12, not {distractors!r}.")
        check_limit(max_steps, "the task's own limit")
        self._rules = rules
        self._kind = kind
        self._level: RoomGridLevel = MixedTrainLevel(kind, distractors=distractors, max_steps=max_steps)
        limit = max_steps or 64 * (1 if kind in ("goto", "pickup") else 2)
        shape = (SIZE * TILE, SIZE * TILE)
        super().__init__(
            action_space=Choice(_PHRASES),
            default_action="go forward",
            max_steps=limit,
            image_shape=shape if image else None,
            expert=expert,
            render_mode=render_mode,
        )

    @property
    def mission(self) -> Mission:
        return Mission(
            goal=f"{self._level.mission[:1].upper()}{self._level.mission[1:]}.",
            actions=ACTIONS,
            intro=(
                "You are in a small room of square cells and see what lies before you, up to six steps ahead and three"
                " to each side."
            ),
            tips=(
                "To go to an object, stand right before it and face it.",
                "Objects and walls block your way; turn and walk round them.",
                "An action that leaves the observation as it was will not work the next time either.",
            ),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        self._level.reset(seed=seed)
        guide = _Guide(self._level) if self._has_expert else None
        self._episode = _Episode(look(self._level), FirstTouch(self._level), guide)
        return {"instruction": self._level.mission, "kind": self._kind, "max_steps": self.max_steps}

    def _step(self, action: str) -> Transition:
        number, episode = _NUMBER[action], self._episode
        episode.touch.before()
        _, reward, terminated, truncated, _ = self._level.step(number)
        episode.touch.after(action, terminated)
        episode.view = look(self._level)
        if episode.guide is not None:
            episode.guide.follow(number)
        over = terminated or truncated
        info: dict[str, Any] = {"end_reason": "fulfilled" if terminated else "step limit"} if over else {}
        if over or episode.touch.named is not None:
            info["metrics"] = {"first_object_named": float(episode.touch.named is True)}
        return Transition(
            float(reward),
            terminated,
            truncated and not terminated,
            float(terminated),
            terminated if over else None,
            info,
        )

    def _text(self) -> str:
        return describe(self._episode.view, articles=self._rules == "embodied")

    def _image(self) -> Pixels:
        return draw(self._episode.view)

    def _expert(self) -> str:
        guide = self._episode.guide
        assert guide is not None, "An environment made without an expert has no guide."
        number = guide.advice
        return _PHRASES[number] if number < len(_PHRASES) else self.default_action

    def truth(self) -> tuple[Sight, ...]:
        return tuple(
            Sight(box, (thing.color, thing.type), self._episode.touch.names(thing))
            for thing, box in things(self._episode.view)
            if thing.type != "wall"
        )


class _Guide:
    """Minigrid's BabyAI bot, kept up to date with what is played."""

    def __init__(self, level: RoomGridLevel):
        from minigrid.utils.baby_ai_bot import BabyAIBot

        self._bot: BabyAIBot | None = BabyAIBot(level)
        self.advice = int(self._bot.replan())

    def follow(self, action: int) -> None:
        """Takes note of an action that was executed and plans the next one. If the bot gives up, this gives up for the
        rest of the episode.
        """
        from minigrid.utils.baby_ai_bot import DisappearedBoxError

        if self._bot is None:
            return
        try:
            self.advice = int(self._bot.replan(action))
        except (DisappearedBoxError, AssertionError):  # how the bot says that it has no plan
            self._bot, self.advice = None, _NUMBER["go forward"]
