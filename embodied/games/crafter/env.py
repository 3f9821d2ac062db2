"""Crafter as a LanguageEnv: survive, gather, craft; scored by 22 achievements."""

from __future__ import annotations

from typing import Any

from crafter import constants

from embodied.arrays import Pixels
from embodied.catalog import check_task, entry
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.envs.truth import Sight
from embodied.errors import UsageError
from embodied.games.crafter.expert import EXPERTS, advise
from embodied.games.crafter.game import PIXELS, Game
from embodied.games.crafter.picture import draw, size
from embodied.games.crafter.sights import sights
from embodied.games.crafter.view import WORDINGS, describe, describe_status
from embodied.registry import unknown
from embodied.types import Mission

ACTIONS = {
    "Noop": "wait",
    "Move West": "face west and step there if the ground is free",
    "Move East": "face east and step there if the ground is free",
    "Move North": "face north and step there if the ground is free",
    "Move South": "face south and step there if the ground is free",
    "Do": "use what you face: gather the material, drink the water, hit the creature, eat the ripe plant",
    "Sleep": "sleep, when energy is below its maximum",
    "Place Stone": "put a stone where you face",
    "Place Table": "build a table where you face, from wood",
    "Place Furnace": "build a furnace where you face, from stone",
    "Place Plant": "plant a sapling in the grass you face",
    "Make Wood Pickaxe": "make a wood pickaxe next to a table, from wood",
    "Make Stone Pickaxe": "make a stone pickaxe next to a table, from wood and stone",
    "Make Iron Pickaxe": "make an iron pickaxe next to a table and a furnace, from wood, coal and iron",
    "Make Wood Sword": "make a wood sword next to a table, from wood",
    "Make Stone Sword": "make a stone sword next to a table, from wood and stone",
    "Make Iron Sword": "make an iron sword next to a table and a furnace, from wood, coal and iron",
}
"""Phrase -> gloss, in the order of the package's action numbers."""
_PLAYED = dict(zip(ACTIONS, constants.actions, strict=True))
_GOALS = ", ".join(name.replace("_", " ") for name in constants.achievements)


class CrafterEnv(LanguageEnv):
    """Crafter: stay alive in an open world and unlock 22 achievements.

    ## Description
    The player starts in a meadow. The world has 64 x 64 cells: grass, trees, water, sand, and mountains with caves,
    tunnels, lava and ores. The player must eat, drink and sleep, and must fight zombies by night and skeletons in
    tunnels. It can gather, plant, build and craft. Achievements build on each other, from wood to the diamond, which
    only an iron pickaxe breaks. A day has 300 steps.

    ## Action Space
    `Choice` of 17 phrases: `Noop`, `Move West`, `Move East`, `Move North`, `Move South`, `Do`, `Sleep`, `Place Stone`,
    `Place Table`, `Place Furnace`, `Place Plant`, `Make Wood Pickaxe`, `Make Stone Pickaxe`, `Make Iron Pickaxe`,
    `Make Wood Sword`, `Make Stone Sword`, `Make Iron Sword`. The default action is `Noop`. `Do` and the placing actions
    act on the cell that the player faces: the one it last moved to or tried to move to. An action that is not possible
    has the effect of `Noop`. So has every action while the player sleeps. It wakes when energy is full or when hurt.

    ## Observation Space
    - `text`: whether the player sleeps or died; then the closest thing of each kind in the 9 x 7 cells around it
      (`- tree 3 steps to your north-west`); then the thing in front (`You face grass at your front.`). Distance counts
      steps along the axes. The order is that of a scan column by column from the north-west. The text also shows what
      lies in the dark. It calls a ripe plant a `plant`, like any other.
    - `status`: health, food, drink and energy, each out of 9, and the inventory.
    - `image` (with `image=True`): (256, 256, 3) uint8, the same cells from above and the inventory in two rows below,
      as the package draws it: darker and noisy by night. A cell has 28 x 28 pixels, with a black border of 2 pixels
      around all. With `cell=16` it has 16 x 16, the size of the package's textures, and the picture is (144, 144, 3).
    - `expert` (with `expert=True`): what a scripted player would do now (see Experts).

    `truth()` lists the cells that hold more than grass or sand, with one word each, as the text calls them. It calls a
    plant that is not ripe a `sapling`. `named` is whether an achievement is about the thing, or about what it gives: it
    is false for lava, paths and arrows only. A box tells where a thing is, also where the night hides it.

    ## Experts
    Both are lists of rules in order of urgency: fight what is near, eat, drink, shelter and sleep, make tools, gather
    what is missing, explore. They plan anew at every step, so they can advise in any state.

    - `settler` (the default) knows only what the picture shows. Where its way is blocked, the number of steps played
      decides between turns that are equally good.
    - `surveyor` follows the same rules. Where nothing that it needs is in view, it heads for the closest such thing in
      the whole world.

    Achievements of 22 after so many steps, means and standard errors of the first 30 test episodes:

    | player | 300 steps | 500 steps | to the end, at most 2000 |
    |---|---|---|---|
    | `settler` | 15.8 ± 0.5 | 16.7 ± 0.5 | 16.9 ± 0.6 |
    | `settler` after 10 random actions | 14.1 ± 0.5 | 14.6 ± 0.5 | 14.8 ± 0.5 |
    | `surveyor` | 16.0 ± 0.4 | 17.0 ± 0.5 | 17.5 ± 0.5 |
    | random | 2.6 ± 0.2 | 2.6 ± 0.2 | 2.6 ± 0.2 |

    Most episodes of an expert end in a death: zombies by night, arrows, hunger. `python benchmarks/crafter_experts.py`
    repeats the measurement and writes `benchmarks/crafter_experts.json`, which also says how often each achievement is
    reached.

    ## Starting State
    The seed decides the world and all that happens in it. It is the world that `crafter.Env(seed=seed)` makes for its
    first episode. The player stands in the middle and faces south. Its inventory is empty, and its health, food, drink
    and energy are full.

    ## Rewards
    1 in a step that unlocks an achievement for the first time, plus a tenth of the health gained or lost.

    ## Progress
    Achievements unlocked / 22.

    ## Episode End
    Terminates when the player dies; truncates at the step limit. The episode continues after the last achievement.

    ## Info
    `reset` gives `world_seed` (int), the seed of the world's own random stream. `metrics` counts how often each
    achievement was reached. `success` is true as soon as all are unlocked, and false if the episode ends before. At the
    end `end_reason` is `died` or `step limit`.

    ## Arguments
    - `task`: `default`.
    - `rules`: `embodied` (default) or `balrog`.
    - `image`: observations have an `image`.
    - `max_steps`: 2000 by default, as in BALROG; None for no limit.
    - `expert`: observations have an `expert`: True, `settler` or `surveyor`.
    - `cell`: pixels along the side of a cell in the picture, from 8 to 28 (default).
    - `wording`: with `rules="balrog"`, BALROG's text since `2025-08` (default), since `2025-04`, or since `2024-11`.
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## Defects of BALROG repaired here
    | BALROG | here |
    |---|---|
    | The recorded seed is not the seed of the world. | The seed decides the world. |
    | The game depends on memory addresses: they order a chunk's creatures. | Creatures keep their order. |
    | Night pictures draw from the game's random stream: they change the game. | They have a stream of their own. |
    | Two pictures are drawn at every step, even if not needed. | One, with `image=True`. |
    | `reset` plays a hidden `Noop`, so the first observation is that of step 1. | It does not. |
    | Near the western edge (4 columns) and the northern one (3 rows) the text names nothing. | It names things there. |
    | A player who dies asleep reads `You are sleeping`. | `You died.` |
    | Any error of the describer reads `Error, you are out of the map.` | Errors are not caught. |
    | Before 2025-04-24 rows and columns of the thing in front were mixed up. | It is the thing in the cell in front. |
    | Before 2025-08-19 the distance always had `steps`, also for 1. | `1 step` |

    `rules="balrog"` restores the hidden `Noop`, the draws of night pictures from the game's stream (with or without
    `image=True`), the blindness at the edges and the text of a player who dies asleep. The seed still decides the world
    and the order of creatures. Entries on BALROG's leaderboard were recorded with the older texts:
    `wording="2024-11"`, or `wording="2025-04"` from 2025-04-24.

    ## References
    - Hafner 2022, Benchmarking the Spectrum of Agent Capabilities (Crafter; the package `crafter` 1.8.3).
    - Wu et al. 2024, SmartPlay: A Benchmark for LLMs as Intelligent Agents (the text).
    - Paglieri et al. 2024, BALROG: Benchmarking Agentic LLM and VLM Reasoning On Games.

    ## Version History
    - v0: first version.
    """

    _game: Game
    """Made by `reset`."""
    _played: int
    """Actions of the episode."""

    def __init__(
        self,
        task: str = "default",
        *,
        rules: str = "embodied",
        image: bool = False,
        max_steps: int | None = 2000,
        expert: bool | str = False,
        wording: str = "2025-08",
        cell: int = PIXELS,
        render_mode: str | None = None,
    ):
        check_task(entry("crafter"), task)
        if rules not in ("embodied", "balrog"):
            raise unknown("rule set of crafter", rules, ["embodied", "balrog"], "embodied show crafter")
        if wording not in WORDINGS:
            raise unknown("wording of crafter", wording, list(WORDINGS), "embodied show crafter")
        if wording != "2025-08" and rules != "balrog":
            raise UsageError(
                f'The wording {wording!r} names the wrong thing or number; it goes with rules="balrog" only.'
            )
        if not isinstance(cell, int) or not 8 <= cell <= PIXELS:
            raise UsageError(f"cell is a number of pixels from 8 to {PIXELS}, not {cell!r}.")
        self._expert_name = "settler" if expert is True else expert
        if self._expert_name and self._expert_name not in EXPERTS:
            raise unknown("expert of crafter", str(self._expert_name), list(EXPERTS), "embodied list envs")
        super().__init__(
            action_space=Choice(ACTIONS),
            default_action="Noop",
            max_steps=max_steps,
            image_shape=(size(cell), size(cell)) if image else None,
            status=True,
            expert=expert,
            render_mode=render_mode,
        )
        self._original = rules == "balrog"
        self._wording = WORDINGS[wording]
        self._cell = cell

    @property
    def mission(self) -> Mission:
        return Mission(
            goal=f"Stay alive and unlock as many as you can of these achievements: {_GOALS}.",
            actions=ACTIONS,
            intro=(
                "You are in an open world of square cells seen from above, where you can gather, build, craft and"
                " fight, and must eat, drink and sleep."
            ),
            tips=(
                "You face the cell you last moved or tried to move to; `Do` and the placing actions act on it.",
                "An action whose materials, tools or place are wanting changes nothing.",
            ),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        self._game = Game(seed, pictures_draw=self._original)
        self._played = 0
        if self._original:
            self._game.step("noop")
        return {"world_seed": self._game.world_seed}

    def _step(self, action: str) -> Transition:
        reward = self._game.step(_PLAYED[action])
        self._played += 1
        achievements = self._game.player.achievements
        unlocked = len(self._game.unlocked)
        info: dict[str, Any] = {"metrics": {name: float(count) for name, count in achievements.items()}}
        died = self._game.player.health <= 0
        truncated = not died and self._played == self.max_steps
        if died or truncated:
            info["end_reason"] = "died" if died else "step limit"
        success = True if unlocked == len(achievements) else None
        return Transition(reward, died, truncated, unlocked / len(achievements), success, info)

    def _text(self) -> str:
        return describe(self._game.world, self._game.player, wording=self._wording, original=self._original)

    def _status(self) -> str:
        return describe_status(self._game.player)

    def _image(self) -> Pixels:
        return draw(self._game, self._cell)

    def _expert(self) -> str:
        return advise(self._game, str(self._expert_name))

    def truth(self) -> tuple[Sight, ...]:
        return sights(self._game, self._cell)
