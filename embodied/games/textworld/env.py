"""TextWorld as a LanguageEnv: three kinds of text adventure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from embodied.catalog import check_task, entry
from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import FreeText
from embodied.errors import UsageError
from embodied.games.textworld import games, missions
from embodied.games.textworld.commands import first_command, printable
from embodied.games.textworld.expert import Expert
from embodied.games.textworld.games import Facts, Game
from embodied.games.textworld.interpreters import Interpreter, interpreter
from embodied.registry import unknown
from embodied.seeding import derive
from embodied.types import Mission

_LIMIT = 80
"""Steps of an episode (balrog/config/config.yaml, textworld_kwargs.max_episode_steps). BALROG's prompts name other
numbers.
"""
_LONGEST = 198
"""Bytes of a command (jericho's input buffer)."""

_TRACKED = {"embodied": ("score",), "balrog": ("description", "moves", "score")}
"""What a game is made to print between tags after every turn, by TextWorld's own command `tw-extra-infos`, in this
order. The score takes 5 % of the time. The description, which BALROG asks for and never shows, takes two thirds of it:
the game looks around as if told to, after which `it` is the last thing in the room."""
_SCORE = re.compile(r"<score>\n(.*?)</score>(?:<moves>\n.*?</moves>)?", re.DOTALL)
_TAGS = {name: re.compile(rf"<{name}>\n(.*)</{name}>", re.DOTALL) for name in _TRACKED["balrog"]}
"""TextWorld's own patterns, for `rules="balrog"`: of several turns in one answer they remove all from the first tag to
the last.
"""
_STATUS_LINE = re.compile(r">?\s{3,}-= .* =-\s*-?\d+/\d+$")
"""What a Z-machine draws into its top line comes out at the end of the last one: spaces, room, score/moves."""

_WON, _LOST = "*** The End ***", "*** You lost! ***"

_START = r"(?:^|[.,;:\n\r]|\bthen\b)\s*(?:(?:oops|o)\s+)?"
"""Where a command begins on a line that may hold several. `oops` makes a command of the last one by correcting a word.
"""
_FILES = r"(?:save|restore|script|unscript|replay)\b|transcrip|recording"
"""Commands that make an interpreter write or read files, or ask for one. Inform reads the first nine letters of a word.
"""
_META = r"(?:quit|q|restart|restrict|enable|disable|tw-print|undo)\b|print_sta|tw-extra-|tw-trace-"
"""Commands that leave the game, and the doors that TextWorld left open for itself (`print_state` tells where everything
is). `undo` takes back the command that makes the game print its score, too, and the .z8 interpreter has none."""
_AGAIN = re.compile(r"(?:again|g)\b.*", re.IGNORECASE)
_UNREPEATABLE = re.compile(r"\W*|(?:oops|o)\b.*", re.IGNORECASE)
"""What the game does not keep for `again`: there, that is still the line before."""
_REFUSED = {
    "balrog": re.compile(f"{_START}(?:{_FILES})", re.IGNORECASE),
    "embodied": re.compile(f"{_START}(?:{_FILES}|{_META})", re.IGNORECASE),
}
_NO_SUCH_COMMAND = "That command is not part of this game."
_NOTHING_TO_REPEAT = "You can hardly repeat that."

_REJECTIONS = (
    "I beg your pardon?",
    "I didn't understand",
    "I only understood you as far as",
    "I'm not sure what",
    "None of those are available",
    "Only ",
    "That noun did not make sense in this context.",
    "That's not a verb I recogni",
    "That's not something you need to refer to",
    "To repeat a command like",
    "You aren't holding that!",
    "You can hardly repeat that.",
    "You can only do that to something animate.",
    "You can only use multiple objects once on a line.",
    "You can't begin with a comma.",
    "You can't see any such thing.",
    "You can't talk to",
    "You can't use multiple objects with that verb.",
    "You excepted something not included anyway!",
    "You seem to have said too little!",
    "You seem to want to talk to someone",
)
"""How the parser begins when it rejects a command (Inform 7 6M62, Standard Rules, "parser error internal rule")."""

_ONE = "(One command a step: {first!r} was carried out, the rest of what you typed was not.)"


class TextWorldEnv(LanguageEnv):
    """TextWorld: three kinds of text adventure, played by typing commands.

    ## Description
    The agent walks through unknown rooms and does what the task asks. It reads what the game prints and types commands.
    The tasks are BALROG's:

    | task | what to do | game | max. score |
    |---|---|---|---|
    | `treasure_hunter` | find and take one object; another one loses the game | 20 rooms, locks, 20 commands | 1 |
    | `the_cooking_game` | find the cookbook, cook its recipe from five ingredients, eat the meal | 12 rooms | 17 |
    | `coin_collector` | find the coin and take it | 60 rooms, no doors, 20 commands | 1 |

    ## Action Space
    `FreeText`: every string is a command, and a step carries out one. If an answer has several (`east. south`,
    `east then south`, `east, south`, several lines), the environment plays the first and drops the rest.
    `info["dropped"]` holds what was dropped, and the text says so. One command may name several things if the game does
    all of it in one turn (`take knife, apple`). Letter case does not matter; hyphens, apostrophes and digits do. The
    environment removes accents and makes curly quotes straight. `mission.actions` lists useful patterns. The default
    action is `look` (`help` under `rules="balrog"`).

    ## Observation Space
    - `text`: what the game prints, without the objective, which would say where the treasure is.
    - `expert` (with `expert=True`): the next command of the walkthrough that came with the game, while play follows
      it. From the first other command on, it is the next command of the shortest plan. Empty where nothing wins.

    There is no picture.

    ## Expert
    `walkthrough` advises from wherever play leads. It reads the rules of the game from TextWorld's JSON and searches
    for the shortest way to win, which takes milliseconds. To know where play has led, it lets a second interpreter play
    along, which names every action that succeeds. So the observations are the same with and without an expert. Making
    the rules takes 0.3 s for a game, and the second interpreter doubles the time of a step.

    Ten random commands do not stop it: it wins unless one of them has lost the game. Its plans are shorter than the
    walkthroughs: 22 to 37 commands for a meal instead of 39 to 74, 8 to 20 for a treasure instead of 20.

    The game can break: after five commands like `drop all` with nothing to drop, Inform answers every command with
    `Run-time problem P12`. The defect is in the parser that every game brings. The expert then says nothing.

    ## Starting State
    The package ships ten games for each task, made with the parameters of BALROG's games. The seed modulo 10 chooses
    one, so ten seeds in a row play all ten. On first use a game is compiled into `$XDG_CACHE_HOME/embodied/textworld`
    (`~/.cache/...`), which takes a second of CPU time. With `generate=True` every seed makes a game of its own, once.
    This takes about 5 s of CPU time; `treasure_hunter` takes a minute, in unlucky cases several. The seeds 0 to 9 make
    the shipped games. With `data` the seed chooses among the files of a folder. `reset(options={"game": ...})` plays
    one game by name (`coin_collector-3`) or path. The same commands always give the same game: it seeds its own random
    numbers.

    ## Rewards
    The points of the game's own score that this step made. (Under `rules="balrog"`: the score so far, at every step.)

    ## Progress
    Score divided by the maximal score, and 1 when won. It is reported at every step. (Under `rules="balrog"`: 0 until
    the episode is over.)

    ## Episode End
    Terminates when the game is won or lost; truncates at the step limit. `success` says whether it was won.

    ## Info
    `reset` gives `game` (str), `format` (`z8` or `ulx`), `sha256` of the game file, `walkthrough_length` and
    `max_score` (int). `metrics` holds `score` and `max_score`. At the end `end_reason` is `won`, `lost`, `step limit`
    or (`rules="balrog"`) `quit`. `valid` is false if the game's parser rejected the command: no turn passed, and the
    answer is one of Inform's error messages (`That's not a verb I recognise.`, `You can't see any such thing.`, ...). A
    question (`What do you want to open?`) is not a rejection. An action that fails (`You have to unlock the gate
    first.`) is not one either. The game gets a rejected command as it is; no default action replaces it. `executed` is
    the command that was played. `dropped` (str) is the part that was not, if there was one.

    ## Arguments
    - `task`: one of the three.
    - `rules`: `embodied` (default) or `balrog`.
    - `max_steps`: steps of an episode, 80 as in BALROG; None for no limit.
    - `expert`: observations have an `expert`.
    - `data`: a folder of published games, `<data>/<task>/*.ulx` or `*.z8` with TextWorld's `.json` beside each.
    - `generate`: a new game for every seed.
    - `image`, `render_mode`: there are no pictures; leave them at their defaults.

    ## Defects of BALROG repaired here
    | BALROG | here |
    |---|---|
    | Each process counts through the games: many episodes of a run may be one game. | The seed chooses. |
    | The record does not say which game was played. | `info` says it. |
    | The prompts promise 40, 80 and 25 steps; all tasks have 80. | `mission.max_steps` is the limit. |
    | Agents are not told which object the treasure is, and one wrong object loses. | `mission.goal` names the object. |
    | The prompt recommends the command `goal`, but its answer is empty. | It answers with `mission.goal`. |
    | Some games have walkthroughs longer than the episode. | Ours have at most 80 commands. |
    | Z-machine games end every text with the interpreter's status line. | It is removed. |
    | Agents cannot send digits, hyphens and apostrophes, which names contain. | Every string arrives. |
    | After a command of over 255 bytes, the .ulx interpreter plays what is in its memory. | 198 bytes are the limit. |
    | A NUL crashes the .z8 interpreter. | Commands hold no NUL. |
    | `quit` ends or spoils the episode, `restart` starts again, `print_state` tells all. | They are refused. |
    | `save` and `script` write files or crash. | They are refused. |
    | Reward is the score so far, so that a return counts points many times. | Reward is the points made. |
    | Progress is 0 until the end. | It is reported at every step. |
    | A crashed or hung interpreter loses or hangs the run. | `EnvironmentFailure`, within 20 s or 1 MiB. |
    | One reply with all commands wins in one step. | One command a step. |
    | A command that begins with a backslash hangs the .z8 interpreter. | It goes to the game (under either rules). |
    | BALROG asks for a hidden description of the room every turn; `it` then means its last thing. | It does not. |

    A refused command costs a step and is not `valid`. `rules="balrog"` gives BALROG's text, rewards, progress and
    default action. It refuses only what touches files. It sends commands as they are, also several in one step, but cut
    to what the interpreter can read and without control characters. Both interpreters are child processes that cannot
    write files. `undo` is refused, because it would also undo the setting that makes the game print its score. Under
    `rules="balrog"` it reaches the game: .ulx games take a turn back, .z8 games say that they cannot.

    ## References
    - Côté et al. 2018, TextWorld: A Learning Environment for Text-based Games.
    - Lu et al. 2024, Intelligent Go-Explore (the parameters of the games).
    - Paglieri et al. 2024, BALROG: Benchmarking Agentic LLM and VLM Reasoning On Games.

    ## Version History
    - v1: one command a step; v0 played all commands of a reply. A line break ends a command; v0 joined the lines. Under
      `rules="balrog"` the environment asks the game for the room's description after every turn, as BALROG does.
    - v0: first version.
    """

    def __init__(
        self,
        task: str = "treasure_hunter",
        *,
        rules: str = "embodied",
        image: bool = False,
        max_steps: int | None = _LIMIT,
        expert: bool = False,
        data: str | None = None,
        generate: bool = False,
        render_mode: str | None = None,
    ):
        check_task(entry("textworld"), task)
        if rules not in ("embodied", "balrog"):
            raise unknown("rule set of textworld", rules, ["embodied", "balrog"], "embodied show textworld")
        if image or render_mode is not None:
            raise UsageError("TextWorld has no picture: leave image and render_mode as they are.")
        if data is not None and generate:
            raise UsageError("Choose one: data plays published games, generate makes new ones.")
        self._task = task
        self._mended = rules == "embodied"
        self._refused = _REFUSED[rules]
        self._stories = games.folder(data, task) if data is not None else None
        self._generate = generate
        super().__init__(
            action_space=FreeText(),
            default_action="look" if self._mended else "help",
            max_steps=max_steps,
            expert=expert,
        )
        self._machine: Interpreter | None = None
        """Kept from game to game."""
        self._game: Game | None = None
        self._adviser = Expert() if expert else None

    @property
    def mission(self) -> Mission:
        target = self._facts.target if self._game is not None and self._mended else ""
        return missions.mission(self._task, target, self.default_action, self.max_steps, one_command=self._mended)

    @property
    def game_file(self) -> Path | None:
        """The story file being played; None before the first reset."""
        return None if self._game is None else self._game.story

    @property
    def _facts(self) -> Facts:
        """What is known of the game being played."""
        assert self._game is not None, "There is a game once reset() was called."
        return self._game.facts

    # ----------------------------------------------------------------- hooks

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        game = self._choose(seed, options)
        if self._machine is None or self._game is None or self._game.story.suffix != game.story.suffix:
            self._stop()
            self._machine = interpreter(game.story)
        self._game, machine = game, self._machine
        drawn = derive(seed, "textworld", "interpreter", bits=30)
        screen = machine.start(game.story, drawn)
        told = [f"tw-extra-infos {what}" for what in _TRACKED["embodied" if self._mended else "balrog"]]
        for command in told:
            machine.send(command)
        if self._adviser is not None:
            self._adviser.begin(game, drawn, told)
        self._score = 0
        self._played = False  # whether the game has read a line of the player's that `again` repeats
        self._screen = self._cut(screen)
        facts = {"game": game.name, "format": game.story.suffix[1:], "sha256": game.digest}
        return {**facts, "walkthrough_length": len(game.facts.walkthrough), "max_score": game.facts.max_score}

    def _step(self, action: str) -> Transition:
        assert self._machine is not None, "There is an interpreter until close() is called."
        command, rest = first_command(action) if self._mended else (printable(action).strip(), "")
        before = self._score
        taken, quit_ = False, False
        if self._is_refused(command):
            screen = _NO_SUCH_COMMAND
        elif self._mended and not self._played and _AGAIN.fullmatch(command):
            screen = _NOTHING_TO_REPEAT  # but what the environment itself has asked for
        elif (answer := self._machine.send(command)) is None:
            screen, quit_ = "", True
        else:
            screen, taken = self._read_score(answer)
            self._played = self._played or _UNREPEATABLE.fullmatch(command) is None
            if self._adviser is not None:
                self._adviser.follow(command)
        won, lost = _WON in screen, _LOST in screen
        self._screen = self._cut(screen)
        over = won or lost or quit_
        limit = not over and self.max_steps is not None and len(self._actions) >= self.max_steps
        info: dict[str, Any] = {"metrics": {"score": float(self._score), "max_score": float(self._facts.max_score)}}
        if over or limit:
            info["end_reason"] = "won" if won else "lost" if lost else "quit" if quit_ else "step limit"
        if self._mended and not taken and (screen == _NO_SUCH_COMMAND or self._screen.startswith(_REJECTIONS)):
            info["valid"] = False
        if rest:
            info |= {"executed": command, "dropped": rest}
            self._screen = f"{self._screen}\n\n{_ONE.format(first=command)}".lstrip()
        return Transition(
            reward=self._score - before if self._mended else self._score,
            terminated=over,
            progress=self._progress(won) if self._mended or over or limit else 0.0,
            success=won if over or limit else None,
            info=info,
        )

    def _text(self) -> str:
        return self._screen

    def _expert(self) -> str:
        assert self._adviser is not None, "An environment that is asked for advice was made with expert=True."
        return self._adviser.advice

    def close(self) -> None:
        """Ends the interpreter; `reset` starts another."""
        self._done = True
        self._stop()
        if self._adviser is not None:
            self._adviser.close()
        super().close()

    # ----------------------------------------------------------------- parts

    def _stop(self) -> None:
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    def _choose(self, seed: int, options: dict[str, Any]) -> Game:
        if wrong := [key for key in options if key != "game"]:
            raise unknown("reset option of textworld", wrong[0], ["game"], "embodied show textworld")
        choice = options.get("game")
        if choice is not None:
            return (
                games.from_file(choice) if Path(choice).suffix in (".ulx", ".z8") else games.shipped(self._task, choice)
            )
        if self._stories is not None:
            return games.from_file(self._stories[seed % len(self._stories)])
        if self._generate:
            return games.generated(self._task, seed)
        return games.shipped(self._task, games.names(self._task)[seed % games.SHIPPED])

    def _is_refused(self, command: str) -> bool:
        """Whether a command must not reach the interpreter: one that touches files or, except under BALROG's rules, one
        that controls the interpreter.
        """
        return self._refused.search(command) is not None or (
            self._mended and len(command) + command.count("\\") > _LONGEST
        )

    def _read_score(self, answer: str) -> tuple[str, bool]:
        """Takes note of the score that the game printed and removes what is between tags. Returns the rest and whether
        the command took a turn.
        """
        patterns = (_SCORE,) if self._mended else tuple(_TAGS.values())
        score = None
        for pattern in patterns:  # the score is the last
            score = pattern.search(answer)
            answer = pattern.sub("", answer)
        if score is None:
            return answer, False
        self._score = int(score[1])
        return answer, True

    def _cut(self, screen: str) -> str:
        """The screen without the objective and, except under BALROG's rules, without the status line."""
        told = self._facts.objective
        _, objective, rest = screen.rpartition(told) if told else ("", "", screen)
        text = rest.strip()
        if self._mended:
            head, newline, last = text.rpartition("\n")
            text = (head + newline + _STATUS_LINE.sub("", last)).rstrip()
        return self.mission.goal if self._mended and objective and not text else text

    def _progress(self, won: bool) -> float:
        most = self._facts.max_score
        share = self._score / most if most else 0.0
        return max(0.0, min(1.0, max(share, 1.0 if won else 0.0)))
