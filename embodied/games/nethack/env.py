"""NetHack as a language environment."""

from __future__ import annotations

from typing import Any

from nle import nethack

from embodied.envs.base import Transition
from embodied.games.nethack.actions import vocabulary
from embodied.games.nethack.base import NetHackBase, check_option, check_rules
from embodied.games.nethack.progress import Progress
from embodied.games.nethack.raw import NetHack, wheel
from embodied.seeding import derive
from embodied.types import Mission

TASKS = ("NetHackChallenge-v0",)


class NetHackEnv(NetHackBase):
    """NetHack 3.6: a hero in a dungeon of about fifty levels. Each game has a new dungeon.

    ## Description

    The seed decides the hero, who starts on the first level of the Dungeons of Doom. Descending is easy, surviving is
    not: food runs out, deeper monsters are stronger, and death is final. The score counts how far the hero gets. The
    hero does not have to win.

    The task is `NetHackChallenge-v0`. The player has the whole keyboard and answers every prompt and menu. The reward
    is NetHack's own score.

    ## Action Space

    `Choice` of phrases. Each presses one key:

    - 86 named commands (`north`, `far east`, `pickup`, `esc`, ...) and seven more (`travel`, `overview`, `annotate`,
      `teleport`, `minus`, `apos`);
    - single letters and digits, which answer questions ("What do you want to eat? [cd or ?*]": `c`);
    - the symbols `-`, `?` and `*`, which some questions offer.

    `mission.actions` explains each. The default action is `esc`.

    ## Observation Space

    `Dict` of

    - `text`: the sections `message`, `language observation`, `cursor` and, with `text="hybrid"`, `map`. The message
      joins all pages of a long message. The language observation names what is on the map, with distance and
      direction. The map is the terminal without its first row: 21 rows of map and two status lines.
    - `status`: the section `inventory`; with `text="language"`, the section `statistics` stands before it.
    - `image` (with `image=True`): the terminal as a picture, (384, 1280, 3) uint8: tiles, message, status lines and
      cursor. `picture="tiles"` gives BALROG's picture: only the map, (336, 1264, 3). With `crop=9` only the map's 9 x 9
      places around the hero, (144, 144, 3).

    ## Starting State

    The seed decides the hero (role, race, gender, alignment), the pet, the dungeon and everything after. `info` names
    the hero's role (`hero`), the seeds (`seeds`) and the simulator (`simulator`). Another build of NetHack makes
    another dungeon from the same seed.

    ## Rewards

    The change of NetHack's score in this step. 0 on the step that ends the game.

    ## Progress

    BALROG's table gives two shares: how many recorded human games were won of those that reached this depth, and of
    those that reached this experience level. Progress is the higher of the two, for the hero's greatest depth and
    level. Depth 2 gives 0.015, depth 10 gives 0.126, level 10 gives 0.179. An ascension gives 1.

    ## Episode End

    Terminated when the game is over: by death, escape from the dungeon (up the stairs of level 1), quitting or
    ascension. Truncated after `max_steps`, or after 150 steps in a row without a game turn. `success` is true only for
    an ascension.

    ## Info

    `metrics`: `score`, `depth`, `gold`, `experience_level` and `time` (game turns), read from the last screen on which
    the hero lived; `max_depth` and `max_experience_level`. `highest_achievement`, for example `Dlvl:3`. At the end
    `end_reason`, for example `died: killed by a jackal`.

    ## Arguments

    - `task`: `NetHackChallenge-v0`.
    - `rules`: `"embodied"`, or `"balrog"` for BALROG's behaviour (see below).
    - `image`, `picture` (`"full"`, `"tiles"`), `text` (`"hybrid"`, `"language"`; by default hybrid without a picture,
      language with one).
    - `max_steps`: 100,000.
    - `character`: `"@"` (the seed decides), or one hero, for example `"val-dwa-law-fem"`.
    - `no_progress`: after this many steps without a game turn, the episode is truncated.
    - `more_joiner`: `"newline"`, or `"space"` as in BALROG before March 2025.
    - `skip_more`: the environment turns the pages of long messages. With `False` the agent turns them, with `more`.
    - `crop`: None, or an odd number from 3 to 41: the picture is a square of the map with this many places a side and
      the hero in its middle. Message and status lines are not in it.

    ## Defects of BALROG repaired here

    - BALROG's prompt offers six actions that its environment rejects (`travel`, `overview`, `annotate`, `teleport`,
      `minus`, `apos`). Here they work. BALROG accepts 22 actions that it does not list. Here they are listed. Two-digit
      strings crash BALROG. Here they are not actions: press the digits one by one. `rules="balrog"` accepts what BALROG
      accepts; a two-digit string presses both digits.
    - BALROG reads score, depth, gold, level and time from the screen after death, and reports 0. Here they come from
      the last screen on which the hero lived.
    - BALROG's games depend on the wall clock: on the moon, on Friday the 13th and on the hour. Shopkeepers get their
      names from the second in which the hero was born. Here it is always noon on 31 May 2020, under either rules
      (x86-64 Linux; elsewhere nle 1.3 fixes the moon).
    - The display's random numbers come from the seed, under either rules. BALROG draws them and does not record them.
    - Levels have a seed of their own. A level does not depend on what the hero did before reaching it (nle 1.3). With
      `rules="balrog"` it does.
    - Keys that turn pages do not count as steps without a game turn. With `rules="balrog"` they count, and the episode
      then ends with NetHack's quit command (terminated).
    - The top ten list at the end is shown row by row. With `rules="balrog"` each row begins with the last character of
      the row above.
    - An ascension gives 1. BALROG's table has this value, but BALROG never reads it.
    - An environment can be reset and used again. The top ten list at the end does not name heroes of earlier episodes.

    NetHack episodes recorded by BALROG replay exactly with `rules="balrog"` on balrog-nle 0.9.0 (NetHack 3.6.6;
    `make test-balrog`). nle 1.3 (NetHack 3.6.7) gives the same hero another dungeon.

    ## References

    - Küttler et al., The NetHack Learning Environment, NeurIPS 2020.
    - Paglieri et al., BALROG: Benchmarking Agentic LLM and VLM Reasoning On Games, ICLR 2025.
    - Goodger et al., A NetHack Learning Environment Language Wrapper for Autonomous Agents, Journal of Open Research
      Software 2023.

    ## Version History

    - v0: first version.
    """

    def __init__(
        self,
        task: str = TASKS[0],
        *,
        rules: str = "embodied",
        image: bool = False,
        max_steps: int | None = 100_000,
        render_mode: str | None = None,
        text: str | None = None,
        picture: str | None = None,
        character: str = "@",
        no_progress: int = 150,
        more_joiner: str = "newline",
        skip_more: bool = True,
        crop: int | None = None,
    ):
        self.task = check_option("task of NetHack", task, TASKS)
        self.rules = check_rules(rules)
        self._actions_by_phrase = vocabulary(rules)
        self._no_progress = no_progress
        super().__init__(
            NetHack(character=character),
            phrases=tuple(self._actions_by_phrase),
            default_action="esc",
            max_steps=max_steps,
            image=image,
            text=text,
            picture=picture or ("tiles" if rules == "balrog" else "full"),
            more_joiner=more_joiner,
            skip_more=skip_more,
            original=rules == "balrog",
            render_mode=render_mode,
            crop=crop,
        )
        self._progress = Progress()

    @property
    def mission(self) -> Mission:
        tips = [
            "Look at the message first: it says what your last action did, and what the game asks.",
            (
                "Where the game asks for an item, such as [cd or ?*], answer with a single letter; where it asks for a"
                " direction, with a direction."
            ),
            "A single letter or digit outside of a question is the key of that name, not a word.",
            "esc leaves a question or a menu that you did not want.",
            (
                "Stairs down (>) lead deeper: stand on them, then use down. Going up the stairs of the first level ends"
                " the game."
            ),
            "You attack a monster by moving into it; do not attack peaceful ones or your pet.",
            "An action that lets no game turn pass achieves nothing by itself; after many in a row the episode ends.",
        ]
        return Mission(
            intro=(
                "You play NetHack, a game of exploring a dungeon full of monsters, traps and treasure. Death is final."
            ),
            goal="Get as deep into the dungeon and as experienced as you can.",
            actions={phrase: action.gloss for phrase, action in self._actions_by_phrase.items()},
            tips=tuple(tips),
            default_action=self.default_action,
            max_steps=self.max_steps,
        )

    # ----------------------------------------------------------------- hooks

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        seeds = {"core": seed, "display": derive(seed, "nethack", "display"), "level": None}
        if self.rules == "embodied":
            seeds["level"] = derive(seed, "nethack", "level")
        self.game.start(seed, display=seeds["display"], level=seeds["level"])
        self._progress = Progress()
        self._score = self._statistic(nethack.NLE_BL_SCORE)
        self._turn: int | None = None
        self._idle = self._keys = 0
        self._aborted = False
        self._look()
        if self.rules == "embodied":
            self._turn = self._statistic(nethack.NLE_BL_TIME)
            self._progress.update(self.game.blstats)
        return {"hero": self._describer.hero(), "seeds": seeds, "simulator": wheel(), **self._facts()}

    def _step(self, action: str) -> Transition:
        reward = self._send(self._actions_by_phrase[action].keys)
        game = self.game
        if game.in_play:
            if self.rules == "embodied":
                self._count_idle()
            else:
                self._progress.update(game.blstats)
        over = game.done or self._aborted
        ascended = game.done and game.end_name == "ascended"
        if ascended and self.rules == "embodied":
            self._progress.ascend()
        stuck = self._idle >= self._no_progress and not over
        info = self._facts()
        if over or stuck:
            info["end_reason"] = self._end_reason()
        return Transition(
            reward=reward,
            terminated=over,
            truncated=stuck,
            progress=self._progress.progression,
            success=ascended if over else None,
            info=info,
        )

    def _after_key(self) -> tuple[float, bool]:
        game = self.game
        score, worth = self._statistic(nethack.NLE_BL_SCORE), 0.0
        if game.in_play:
            worth = float(score - self._score)
            if self.rules == "embodied":
                self._progress.update(game.blstats)
        self._score = score
        if self.rules == "balrog" and not game.done:
            self._keys += 1
            self._count_idle()
            if self._idle >= self._no_progress or (self.max_steps is not None and self._keys >= self.max_steps):
                self._aborted = True
                self._quit()
        return worth, game.done or self._aborted

    # ----------------------------------------------------------------- details

    def _statistic(self, index: int) -> int:
        return int(self.game.blstats[index])

    def _count_idle(self) -> None:
        turn = self._statistic(nethack.NLE_BL_TIME)
        self._idle = self._idle + 1 if turn == self._turn else 0
        self._turn = turn

    def _facts(self) -> dict[str, Any]:
        return {"metrics": self._progress.metrics(), "highest_achievement": self._progress.highest}

    def _end_reason(self) -> str:
        if self._aborted or not self.game.done:
            return f"no progress: no game turn passed in {self._no_progress} steps"
        epitaph, name = self.game.epitaph, self.game.end_name
        return epitaph if epitaph.startswith(name) else f"{name}: {epitaph}"
