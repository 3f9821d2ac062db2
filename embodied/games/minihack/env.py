"""MiniHack as a language environment."""

from __future__ import annotations

from typing import Any

from nle import nethack
from nle.env.base import SKIP_EXCEPTIONS

from embodied.envs.base import Transition
from embodied.errors import UsageError
from embodied.games.minihack import boxoban
from embodied.games.minihack.compiler import build, build_once
from embodied.games.minihack.expert import Expert, advisor, check_expert
from embodied.games.minihack.level import ABORTED, DEATH, RUNNING, SUCCESS, Referee, load
from embodied.games.nethack.actions import COMMANDS, DIGITS, LETTERS, SYMBOLS, Action
from embodied.games.nethack.base import ESC, RETURN, SPACE, NetHackBase, check_rules
from embodied.games.nethack.raw import NetHack, wheel
from embodied.games.nethack.text import MORE
from embodied.seeding import derive
from embodied.types import Mission

_QUESTION, _LINE, _PAGE = 1, 2, 3  # indices in internal
_GAME_OVER = 0  # index in program_state

_BALROG = frozenset(
    (
        *(
            n
            for d in ("north", "east", "south", "west", "northeast", "southeast", "southwest", "northwest")
            for n in (d, f"far {d}")
        ),
        *(
            "up",
            "down",
            "wait",
            "more",
            "apply",
            "close",
            "open",
            "eat",
            "force",
            "kick",
            "loot",
            "pickup",
            "pray",
            "puton",
            "quaff",
            "search",
            "zap",
        ),
    )
)
"""The commands BALROG has words for in MiniHack (balrog/environments/minihack/__init__.py)."""

_ANSWERS: dict[str, Action] = {**SYMBOLS, **LETTERS, **DIGITS}
_END = {DEATH: "death", SUCCESS: "success", ABORTED: "aborted"}


class MiniHackEnv(NetHackBase):
    """MiniHack: one small NetHack level, one goal.

    ## Description

    Each level tests one skill: find the stairs in a maze or through dark corridors, fight along a corridor, push
    boulders onto fountains, or use things found on the way to get past lava and monsters. The tasks are:

    - BALROG's eight: `MiniHack-Boxoban-Hard-v0`, `-Boxoban-Medium-v0`, `-MazeWalk-9x9-v0`, `-MazeWalk-15x15-v0`,
      `-Corridor-R3-v0`, `-CorridorBattle-Dark-v0`, `-Quest-Easy-v0`, `-Quest-Medium-v0`;
    - any other level that the minihack package registers (`MiniHack-River-v0`, `MiniHack-KeyRoom-S5-v0`, ...). The
      package says what the level is, which keys it allows, which rewards it gives and when it ends.

    ## Action Space

    `Choice` of phrases: the level's own commands, and `esc`, which takes no turn and is the default action. Boxoban
    has 4 directions, MazeWalk and CorridorBattle have 8. Corridor has 8 and `open`, `kick`, `search`. Quest has the
    whole keyboard except `up`.

    In Quest and all skill levels the player answers NetHack's questions; elsewhere only the question what to eat.
    Letters, digits and the symbols `-`, `?`, `*` are the answers. While NetHack asks nothing, such a phrase is not a
    valid action and counts as `esc`. `mission.actions` explains each.

    ## Observation Space

    `Dict` of

    - `text`: the sections `message`, `language observation`, `cursor` and, with `text="hybrid"`, `map`, as in NetHack.
    - `status`: the section `inventory`; with `text="language"`, the section `statistics` stands before it.
    - `image` (with `image=True`): the terminal as a picture, (384, 1280, 3) uint8; with `picture="tiles"` only the
      map, (336, 1264, 3). With `crop=9` only the map's 9 x 9 places around the hero, (144, 144, 3).
    - `expert` (with `expert=True`): what one of the experts would do now (see below).

    `truth()` names what the picture shows of stairs, doors, boulders, fountains, lava, monsters and the hero.

    ## Experts

    - `solver` (the default) reads the level from the memory of the game. It goes the shortest way to the stairs, kicks
      in locked doors and searches for secret ones. It also fights from a corridor (CorridorBattle, Quest) and freezes
      lava with the wand (Quest). In Boxoban it searches for pushes: milliseconds as a rule, some seconds at worst.
    - `explorer` knows only what the player has seen. It goes to the nearest place from which more can be seen, until
      the stairs are in sight. In Boxoban and Quest it does what `solver` does.

    Both advise from any state of play. If there is no way to win, they say `esc`: a boulder is stuck. Other tasks that
    have an expert are MultiRoom and Room. 50 episodes of the test split each; `after 10` means after 10 random actions:

    | task | `solver` | steps | after 10 | `explorer` | steps | random |
    |---|---|---|---|---|---|---|
    | Boxoban-Hard | 1.00 | 36 | 0.90 | | | 0.00 |
    | Boxoban-Medium | 1.00 | 29 | 0.90 | | | 0.00 |
    | MazeWalk-9x9 | 1.00 | 6 | 1.00 | 1.00 | 14 | 0.24 |
    | MazeWalk-15x15 | 1.00 | 15 | 1.00 | 0.94 | 52 | 0.08 |
    | Corridor-R3 | 1.00 | 31 | 1.00 | 0.82 | 56 | 0.00 |
    | CorridorBattle-Dark | 0.70 | 54 | 0.72 | 0.78 | 56 | 0.00 |
    | Quest-Easy | 0.94 | 35 | 0.96 | | | 0.00 |
    | Quest-Medium | 1.00 | 60 | 0.98 | | | 0.00 |

    In Boxoban, ten random actions leave 10 of 100 levels without a solution (the search tried everything). An expert
    costs 0.1 to 0.5 ms of CPU time a step, the environment itself 0.05 ms.

    ## Starting State

    The seed decides the hero, the level and everything after. `info["seeds"]` lists the seeds of the simulator, and
    `info["simulator"]` names its build. A Boxoban level comes from one of three sources:
    `embodied.games.minihack.boxoban` makes it from the seed; or the seed picks one of the published levels (`data`); or
    the caller gives it (`reset(options={"level": <ten lines>})`). `info["level"]` names the level, `info["boxoban"]`
    holds it, and `info["measures"]` says how hard it is.

    ## Rewards

    The level's own: 1 for the goal, and -0.01 for an action without a game turn. Boxoban gives 1 for the last boulder;
    before that, -0.001 for each action, 0.1 for each boulder pushed onto a fountain and -0.1 for each pushed off one.

    ## Progress

    1 when the level is won, else 0.

    ## Episode End

    Terminated when the level is won (`success` is true), or when the hero dies or the level is lost (`success` is
    false). Truncated after `max_steps`.

    ## Info

    `metrics`: `time` (game turns), and in Boxoban `boxes_on_goals`. At the end `end_reason`: `success`,
    `death: killed by a giant rat`, ...

    ## Arguments

    - `task`: a registered MiniHack id.
    - `rules`: `"embodied"`, or `"balrog"` for BALROG's behaviour (see below).
    - `image`, `picture` (`"full"`, `"tiles"`), `text` (`"hybrid"`, `"language"`; by default hybrid without a picture,
      language with one).
    - `max_steps`: 100, as in BALROG; None for no limit.
    - `data`: for Boxoban, a copy of google-deepmind/boxoban-levels.
    - `character`: `"@"` (the seed decides), or one hero, for example `"val-dwa-law-fem"`. CorridorBattle, Quest-Medium
      and KeyRoom have their own.
    - `autopickup`: whether the hero picks up things it walks over.
    - `expert`: observations have an `expert`; True, `"solver"` or `"explorer"`.
    - `crop`: None, or an odd number from 3 to 41: the picture is a square of the map with this many places a side and
      the hero in its middle. Message and status lines are not in it.

    ## Defects of BALROG repaired here

    - A won level counts as won. BALROG asks whether the last reward is at least 1. The -0.01 for an action without a
      game turn can be part of that reward, so 5 of 82 recorded wins score 0. Here the end of the level decides.
    - A level that is won with the last allowed action counts as won. MiniHack stops first, and it counts as lost.
    - Turning the pages of a message costs nothing. BALROG subtracts 0.01 for each page.
    - The wrong choice in Memento is a failure. MiniHack ends it like a success.
    - Quest can be played. BALROG accepts no letters, so an agent can choose an item only if a direction happens to
      press the item's letter. BALROG also offers less than half of the commands. With `rules="balrog"` only BALROG's
      words are actions, and the default action is `north`.
    - In levels where the player answers questions, menus stay open for an answer. In other levels the environment
      turns the pages and keeps their text in the message. With `rules="balrog"` both are closed unseen.
    - Boxoban can be reset on nle 1.3 and needs no downloads, and a seed gives the same level everywhere. BALROG draws
      from the order of `os.listdir` and never draws the last level of a file.
    - Seeds take effect, and the level has a seed of its own (nle 1.3). The wall clock has no effect. Global random
      numbers are not touched.
    - The last observation follows the last action. With `rules="balrog"` the game is quit first, as NLE does, and the
      text is what then stands on the screen.
    - The mission says the goal. BALROG's instructions for mazes and battles say only to get as far as possible.

    minihack 1.0.2 cannot make its `LavaCrossing` and `SimpleCrossing` levels with minigrid 3. They do not work here
    either.

    ## References

    - Samvelyan et al., MiniHack the Planet: A Sandbox for Open-Ended Reinforcement Learning Research, NeurIPS 2021
      Datasets and Benchmarks.
    - Guez et al., An Investigation of Model-Free Planning, ICML 2019 (Boxoban).
    - Paglieri et al., BALROG: Benchmarking Agentic LLM and VLM Reasoning On Games, ICLR 2025.

    MiniHack episodes recorded by BALROG replay exactly with `rules="balrog"` on balrog-nle 0.9.0 (`make test-balrog`).
    On nle 1.3 the game and the minihack package's own environment are in the same state after each of 10,000 random
    steps (`tests/games/test_minihack_original.py`).

    ## Version History

    - v1: the environment asks NLE to describe what it draws (`screen_descriptions`), as MiniHack does. This changes the
      game: things looked at from nearby count as seen, and a corpse that was seen does not stack with one that was not.
      It costs 2 to 9 us a step, depending on the task (at most 18 %). v0 did not ask. v0 and v1 differ for random
      players in 1 of 640 episodes of the eight tasks, and for a hero who attacks everything beside him in 4 of 40
      episodes of CorridorBattle-Dark.
    - v0: first version.
    """

    _guide: Expert
    """Made by `reset`, where an expert was asked for."""

    def __init__(
        self,
        task: str = "MiniHack-Boxoban-Hard-v0",
        *,
        rules: str = "embodied",
        image: bool = False,
        max_steps: int | None = 100,
        data: str | None = None,
        render_mode: str | None = None,
        text: str | None = None,
        picture: str | None = None,
        character: str = "@",
        autopickup: bool = False,
        expert: bool | str = False,
        crop: int | None = None,
    ):
        self.task = task
        self._advisor = check_expert(task, expert, rules)
        self.rules = check_rules(rules)
        self._referee: Referee = load(
            task,
            character=character,
            autopickup=autopickup,
            penalty_mode="constant",
            penalty_step=-0.01,
            penalty_time=0.0,
        )
        self._boxes = hasattr(self._referee, "describe")
        if data is not None and not self._boxes:
            raise UsageError(f"`data` is a folder of Boxoban levels; {task} does not use it.")
        self._data = data
        self._free = rules == "embodied" and self._referee.asks
        self._actions_by_phrase = _vocabulary(self._referee, rules)
        self._referee.actions = tuple(action.keys[0] for action in self._actions_by_phrase.values())
        self._index = {key: i for i, key in reversed(list(enumerate(self._referee.actions)))}
        referee = self._referee
        self._pages: list[str] = []
        self._turns = 0
        self._penalty = 0.0
        super().__init__(
            NetHack(
                options=referee.options,
                character=referee.character,
                buffers=referee.buffers,
                wizard=referee.wizard,
                spawn_monsters=referee.spawn_monsters,
            ),
            phrases=tuple(self._actions_by_phrase),
            default_action="north" if rules == "balrog" else "esc",
            max_steps=max_steps,
            image=image,
            text=text,
            picture=picture or ("tiles" if rules == "balrog" else "full"),
            skip_more=RETURN in self._index,
            original=rules == "balrog",
            expert=expert,
            render_mode=render_mode,
            crop=crop,
        )
        referee.attach(self.game, self._play)

    # ----------------------------------------------------------------- hooks

    @property
    def mission(self) -> Mission:
        return Mission(
            intro="You play MiniHack: one small level of the dungeon game NetHack, with one goal.",
            goal=self._goal(),
            actions={phrase: action.gloss for phrase, action in self._actions_by_phrase.items()},
            tips=tuple(self._tips()),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        level = self._choose_level(seed, options)
        seeds = {"core": seed, "display": derive(seed, "nethack", "display"), "level": None}
        if self.rules == "embodied":
            seeds["level"] = derive(seed, "minihack", "level")
        self.game.start(seed, display=seeds["display"], level=seeds["level"])
        self._referee.begin()
        self._keys = 0
        self._pages.clear()
        self._look()
        if self._advisor:
            self._guide = advisor(self._advisor, self.task, self.game, self._actions_by_phrase, level.get("boxoban"))
        return {"seeds": seeds, "simulator": wheel(), **level, **self._facts()}

    def _choose_level(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        """Compiles the episode's level and says which it is."""
        referee = self._referee
        if not self._boxes:
            if "level" in options:
                raise UsageError(f"The reset option 'level' is a Boxoban level; {self.task} makes its own.")
            new = referee.description(seed)
            self.game.use_data(build_once(referee.des) if new is None else build(new, self.game.directory / "level"))
            return {}
        if "level" in options:
            level = boxoban.Level("given", boxoban.check(options["level"]))
        elif self._data is not None:
            level = boxoban.read(self._data, referee.subset, seed)
        else:
            level = boxoban.generate("hard" if referee.subset.startswith("hard") else "medium", seed)
        self.game.use_data(build(referee.describe(level.text), self.game.directory / "level"))
        return {"level": level.id, "boxoban": level.text, "measures": level.measures}

    def _step(self, action: str) -> Transition:
        self._pages.clear()
        asked = action not in _ANSWERS or any(self.game.internal[_QUESTION : _PAGE + 1])
        executed = action if asked else self.default_action  # as a command, the key would mean something else
        turn, self._penalty = self.game.blstats[nethack.NLE_BL_TIME], 0.0
        reward = self._send(self._actions_by_phrase[executed].keys)
        if turn == self.game.blstats[nethack.NLE_BL_TIME]:
            reward += self._penalty
        if self._pages:
            self._message = self._joiner.join((*self._pages, self._message)).rstrip("\n")
        status = self._referee.status
        won = (
            reward >= 1.0
            if self.rules == "balrog"
            else status == SUCCESS and self._referee.reward > self._referee.penalty
        )
        info = {"valid": asked, "executed": executed, **self._facts()}
        if status != RUNNING:
            info["end_reason"] = self._end_reason(won)
        return Transition(
            reward=reward,
            terminated=status not in (RUNNING, ABORTED),
            truncated=status == ABORTED,
            progress=float(won),
            success=won if status != RUNNING else None,
            info=info,
        )

    def _expert(self) -> str:
        return self._guide.advise(self._message) or self.default_action

    # ----------------------------------------------------------------- keys

    def _press(self, key: int) -> tuple[float, bool]:
        """A key of the player, or one that turns a page."""
        self._keys += 1
        aborting = self.rules == "balrog" and self.max_steps is not None and self._keys >= self.max_steps
        self._referee.act(self._index[key], aborting=aborting)
        return self._after_key()

    def _after_key(self) -> tuple[float, bool]:
        referee = self._referee
        over = referee.status != RUNNING
        if self.rules == "embodied":  # the penalty is for an action, not for the pages that show its result
            self._penalty = min(self._penalty, referee.penalty)
            return referee.reward - referee.penalty, over
        if over and not self.game.done:
            self._quit()
        return referee.reward, over

    def _play(self, key: int) -> None:
        """Presses a key for the referee, as NLE does: passes pages and declines what the level does not let the player
        answer.
        """
        game = self.game
        if game.done:
            return
        game.press(key)
        if self._free and not game.program_state[_GAME_OVER]:
            return
        while not game.done:
            if game.internal[_PAGE]:
                self._keep_page()
                game.press(SPACE)
            elif game.internal[_LINE]:
                game.press(ESC)
            else:
                if game.internal[_QUESTION] and not self._may_answer():
                    game.press(ESC)
                return

    def _may_answer(self) -> bool:
        asked = self.game.message.tobytes()
        return self._referee.asks or any(word in asked for word in SKIP_EXCEPTIONS)

    def _keep_page(self) -> None:
        """A page is turned that the player has not seen: its text goes to the front of the message."""
        if self.rules == "embodied" and (page := self._describer.message().replace(MORE, "").rstrip("\n")):
            self._pages.append(page)

    # ----------------------------------------------------------------- words

    def _facts(self) -> dict[str, Any]:
        if self.game.in_play:
            self._turns = int(self.game.blstats[nethack.NLE_BL_TIME])
        metrics = {"time": float(self._turns)}
        if self._boxes:
            metrics["boxes_on_goals"] = float(self._referee.placed)
        return {"metrics": metrics}

    def _end_reason(self, won: bool) -> str:
        if self._referee.status == DEATH:
            return f"death: {self.game.epitaph or self.game.end_name}"
        if self._referee.status == SUCCESS and not won and self.rules == "embodied":
            return "failure: the level ended without its reward"
        return _END[self._referee.status]

    def _goal(self) -> str:
        if self._boxes:
            return "Push the boulders onto the fountains, until a boulder is on every fountain."
        if "Sokoban" in self.task:
            return (
                "Push the boulders into the pits until all are filled, then reach the stairs down (>). Do not step into"
                " a pit."
            )
        if goals := self._referee.goals():
            return f"Achieve this: {'; '.join(goals)}."
        if "Quest" in self.task:
            return (
                "Explore the level, get past its monsters and obstacles with what you find, and reach the stairs down"
                " (>)."
            )
        return "Reach the stairs down (>): the episode is won once you stand on them."

    def _tips(self) -> list[str]:
        tips = [
            "The message says what your last action did. Repeating an action that changed nothing gets you nowhere."
        ]
        if self._boxes:
            tips.append(
                "You push a boulder by walking into it; the place behind it must be free. Boulders cannot be pulled."
            )
        else:
            tips.append("You attack a monster by moving into it.")
        if "a" in self._actions_by_phrase:
            tips.append(
                "Where the game asks for an item, such as [cd or ?*], answer with a single letter; where it asks for a"
                " direction, with a direction."
            )
            tips.append(
                "A letter, a digit or a symbol counts only as an answer: where nothing is asked, it is no valid action."
            )
        return tips


def _vocabulary(referee: Referee, rules: str) -> dict[str, Action]:
    """The accepted phrases, exactly: the level's own commands by name, in its order.

    `rules="balrog"` leaves out what BALROG has no words for; else `esc` comes on top and, where the game may ask for an
    item, what answers that. MiniHack lets questions about eating through where it declines all others.
    """
    names = {action.keys: name for name, action in COMMANDS.items()}
    listed = {names[bytes((key,))]: COMMANDS[names[bytes((key,))]] for key in referee.actions if bytes((key,)) in names}
    if rules == "balrog":
        return {name: action for name, action in listed.items() if name in _BALROG}
    more = {"more": COMMANDS["more"]} if referee.asks else {}
    return {**listed, "esc": COMMANDS["esc"], **more, **(_ANSWERS if referee.asks or "eat" in listed else {})}
