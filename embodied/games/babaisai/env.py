"""Baba Is AI as a LanguageEnv: puzzles in which the rules are blocks one can push."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from embodied.arrays import Pixels
from embodied.catalog import check_task, entry
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.envs.truth import Sight
from embodied.games.babaisai.engine import State, focus, step
from embodied.games.babaisai.image import TILE, paint
from embodied.games.babaisai.levels import draw, size
from embodied.games.babaisai.pieces import PIECES, TOP
from embodied.games.babaisai.search import solve
from embodied.games.babaisai.text import describe, describe_as_balrog, describe_swap
from embodied.registry import unknown
from embodied.types import Mission

ACTIONS = {
    "idle": "wait a turn",
    "up": "take one step up",
    "right": "take one step to the right",
    "down": "take one step down",
    "left": "take one step to the left",
}
"""Phrase -> gloss, in the original's order."""
LIMIT = 100
"""Steps of an episode (baba/grid.py, BabaIsYouEnv). The reward uses it also when there is no limit."""


@dataclass
class _Episode:
    """What `reset` makes and steps change."""

    state: State
    plan: list[str] | None = None
    """The expert's next actions; None when it has given up."""
    clock: int = 0
    """Turns played; the reward depends on them."""
    rule_changes: int = 0
    swapped: State | None = None
    """The state that BALROG's wrapper has just replaced by another level."""


class BabaIsAIEnv(LanguageEnv):
    """Baba Is AI: puzzles in which the rules are blocks one can push.

    ## Description
    A walled grid holds objects (baba, wall, ball, key, door) and word blocks. Three blocks in a row, from left to right
    or from top to bottom, that read "[object] is [property]" make a rule. The rule holds while the blocks lie there.

    The player moves everything that is YOU, and wins by moving it onto something that is WIN. YOU pushes blocks, also
    several in a line, and so breaks rules and makes new ones. Nothing can enter a cell with an object that is STOP. YOU
    can walk over objects that are neither STOP nor PUSH, and can push blocks over them. "[object] is [object]" turns
    the first object into the second. If several pieces are in one cell, only the top one is seen and acts.

    The 40 tasks are BALROG's. A name says what to do, and its suffix says what distracts:

    | task `env/...` | board | to do |
    |---|---|---|
    | `goto_win` | 8 x 8 | go to the object that is WIN |
    | `make_win` | 8 x 8 | complete a rule that says what is WIN, go there |
    | `two_room-goto_win` | 13 x 9 | as `goto_win`, on Baba's side of the wall |
    | `two_room-break_stop-goto_win` | 13 x 9 | break "wall is stop" to get to the other room |
    | `two_room-maybe_break_stop-goto_win` | 13 x 9 | the object may be in either room |
    | `two_room-make_win` | 13 x 9 | the noun of the rule is in the other room, the wall is not STOP |
    | `two_room-break_stop-make_win` | 13 x 9 | break "wall is stop", make the rule, go there |
    | `two_room-make_you` | 13 x 9 | make YOU what is in the other room |
    | `two_room-make_you-make_win` | 13 x 9 | the same, and make the rule that says what is WIN |
    | `two_room-make_wall_win` | 13 x 9 | the noun of the rule is out of reach: use that of "wall is stop" |

    | suffix | what distracts |
    |---|---|
    | `-distr_obj` | a second object |
    | `-distr_rule` | a noun block of an object that is not there |
    | `-distr_obj_rule` | a second object and its noun, the noun out of reach or useless |
    | `-distr_obj-irrelevant_rule` | a second object and the noun of a third |
    | `-distr_win_rule` | (two tasks) a second object, its noun, and a rule that makes a third WIN |

    ## Action Space
    `Choice` of `idle`, `up`, `right`, `down`, `left`. The default action is `idle`.

    ## Observation Space
    - `text`: the active rules, then every object and block in reading order, with its position relative to the first
      YOU object in reading order: "ball 3 steps to the right and 1 step up", "rule `win` 2 steps to the left". If
      several objects are YOU, or if YOU is not baba, a line says so and names the object that positions are relative
      to. The other YOU objects are marked "(you)". The outer wall is not listed.
    - `image` (with `image=True`): (32 * rows, 32 * columns, 3) uint8, the whole board from above, outer wall included.
    - `expert` (with `expert=True`): the next action of a solution that a search found. The search runs at `reset`, and
      again when the agent leaves its solution. It usually takes milliseconds, and 20 seconds at worst. If it finds no
      solution, the expert says `idle` for the rest of the episode.

    ## Starting State
    The seed decides the objects, their colors and all positions. It gives the same level as in BALROG.

    ## Rewards
    `1 - 0.9 * steps / max_steps` for winning, at least 0.1; else 0. If `max_steps` is None, 100 replaces it.

    ## Progress
    1 when won, else 0.

    ## Episode End
    Terminates when won, when YOU meets something that is LOSE, and when nothing is YOU any more. Truncates after
    `max_steps`.

    ## Info
    `reset` gives `plan` (str: the intended solution, BALROG's `target_plan`), `columns` and `rows` (int). `metrics`
    holds `rule_changes`, the number of turns that changed the active rules. At the end `end_reason` is `won`, `lost` or
    `step limit`.

    ## Arguments
    - `task`: one of the 40.
    - `rules`: `embodied` (default) or `balrog`.
    - `image`: observations have an `image`.
    - `max_steps`: 100 by default; the reward depends on it. None for no limit.
    - `expert`: observations have an `expert`.
    - `render_mode`: None or `rgb_array` (the picture of `image`).

    ## Defects of BALROG repaired here
    | BALROG | here |
    |---|---|
    | When nothing is YOU any more, another level replaces this one and play continues. | Lost: the episode ends. |
    | So it does when the object of the last "is you" rule is gone but others are YOU. | Any YOU object is enough. |
    | A win on the turn of such a replacement does not count. | It counts. |
    | The text then holds the Python repr of an observation, with addresses. | The text says that nothing is YOU. |
    | Rules "X is Y" are not listed. | They are. |
    | Baba is not listed. | All objects are listed, except the one that positions are relative to. |
    | If that object is not Baba, an empty line stands in its place. | There is no such line. |
    | Positions are relative to the first object of the last "is you" rule. | They are to the first YOU object. |
    | The text does not say which object that is. | It does, and it marks other YOU objects. |
    | "4 step up", "2 step to the left" | "4 steps up" |
    | If several objects are YOU, only the last in reading order wins or loses. | Each does. |
    | A YOU object that is also WIN wins only when it bumps into something. | Any step wins. |
    | Moving right or down, a YOU object that another one walks onto loses its turn. | The foremost moves first. |
    | "X is Y" lays a Y on every X. The X stays below and can appear again. | X turns into Y. |
    | The picture is drawn and encoded at every step, even if not needed. | Only with `image=True`. |

    `rules="balrog"` gives BALROG's behaviour in all of these except the last. It writes memory addresses as `0x...`.
    Pictures have BALROG's layout and our own tiles, under either rules.

    ## References
    - Cloos et al. 2024, Baba Is AI: Break the Rules to Beat the Benchmark.
    - Paglieri et al. 2024, BALROG: Benchmarking Agentic LLM and VLM Reasoning On Games.
    - Hempuli 2019, Baba Is You (the game).

    ## Version History
    - v0: first version.
    """

    _episode: _Episode
    """Made by `reset`."""

    def __init__(
        self,
        task: str = "env/goto_win",
        *,
        rules: str = "embodied",
        image: bool = False,
        max_steps: int | None = LIMIT,
        expert: bool = False,
        render_mode: str | None = None,
    ):
        self._task = check_task(entry("babaisai"), task)
        if rules not in ("embodied", "balrog"):
            raise unknown("rule set of babaisai", rules, ["embodied", "balrog"], "embodied show babaisai")
        columns, rows = size(task)
        super().__init__(
            action_space=Choice(ACTIONS),
            default_action="idle",
            max_steps=max_steps,
            image_shape=(rows * TILE, columns * TILE) if image else None,
            expert=expert,
            render_mode=render_mode,
        )
        self._original = rules == "balrog"
        self._random = np.random.RandomState(0)

    @property
    def mission(self) -> Mission:
        return Mission(
            goal="Bring an object that is `you` onto an object that is `win`.",
            actions=ACTIONS,
            intro=(
                "This is a puzzle on a grid. What holds is spelt by word blocks lying in the grid, three in a row from"
                " left to right or from top to bottom: [object] is [property]. You move every object that is `you`, all"
                " at once."
            ),
            tips=(
                "Word blocks can be pushed, several in a line too; so rules can be broken and made.",
                "An object that is `stop` blocks the way of objects and blocks. Any other object can be walked over.",
                "Where no rule says what is `win`, make one, of an object you can get to.",
                "Mind the blocks that say what is `you`: where nothing is, there is nothing you can do.",
                (
                    "A wall that is not listed and cannot be passed runs all around the grid; a block that touches it"
                    " cannot be pushed off it."
                ),
            ),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        self._random.seed(seed)
        state, plan = draw(self._task, self._random)
        self._episode = _Episode(state, solve(state, original=self._original) if self._has_expert else None)
        columns, rows = size(self._task)
        return {"plan": plan, "columns": columns, "rows": rows}

    def _step(self, action: str) -> Transition:
        episode = self._episode
        before, episode.swapped = episode.state, None
        episode.state, outcome = step(before, action, original=self._original)
        episode.clock += 1
        episode.rule_changes += episode.state.rules.listed != before.rules.listed
        won = outcome == "won"
        reward = max(0.1, 1 - 0.9 * (episode.clock / (self.max_steps or LIMIT))) if won else 0.0
        if self._original and focus(episode.state, original=True) is None:
            # BALROG's wrapper draws another level while it writes the observation: the clock starts anew and a win is
            # forgotten.
            episode.swapped = episode.state
            episode.state, _ = draw(self._task, self._random)
            episode.clock, won = 0, False
        info: dict[str, Any] = {"metrics": {"rule_changes": float(episode.rule_changes)}}
        over = bool(outcome)
        if over or (self.max_steps is not None and len(self._actions) >= self.max_steps):
            info["end_reason"] = "won" if won else "lost" if over else "step limit"
            return Transition(reward, over, not over, float(won), won, info)
        if self._has_expert:
            self._follow(action, before)
        return Transition(reward, info=info)

    def _text(self) -> str:
        state, swapped = self._episode.state, self._episode.swapped
        if not self._original:
            return describe(state)
        return describe_as_balrog(state) if swapped is None else describe_swap(swapped, state)

    def _image(self) -> Pixels:
        return paint(self._episode.state)

    def truth(self) -> tuple[Sight, ...]:
        """Objects and word blocks, each with its kind and its word. `named`: it is YOU or WIN now."""
        state, found = self._episode.state, []
        sought = state.rules.you | state.rules.win
        for place, cell in enumerate(state.cells):
            piece = PIECES[cell & TOP]
            if piece.kind in ("empty", "border"):
                continue
            y, x = divmod(place, state.width)
            box = (x * TILE, y * TILE, (x + 1) * TILE, (y + 1) * TILE)
            kind = "object" if piece.kind == "object" else "block"
            found.append(Sight(box, (kind, piece.word), bool(sought >> (cell & TOP) & 1)))
        return tuple(found)

    def _expert(self) -> str:
        return self._episode.plan[0] if self._episode.plan else self.default_action

    def _follow(self, action: str, before: State) -> None:
        """Keeps the expert's plan for the present state. Searches again when play has left the plan, unless it has
        given up before.
        """
        episode = self._episode
        if episode.plan and episode.plan[0] == action:
            episode.plan.pop(0)
        elif episode.plan is not None and episode.state.cells != before.cells:
            episode.plan = solve(episode.state, original=self._original)
