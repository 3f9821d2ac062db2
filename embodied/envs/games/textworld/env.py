"""TextWorld as a LanguageEnv: three kinds of text adventure."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.catalog import check_task, entry
from embodied.envs.games.textworld import games, missions
from embodied.envs.games.textworld.games import Game
from embodied.envs.games.textworld.interpreters import Interpreter, interpreter
from embodied.envs.spaces import FreeText
from embodied.errors import UsageError
from embodied.registry import unknown
from embodied.seeding import derive
from embodied.types import Mission

_LIMIT = 80
"""Steps of an episode (balrog/config/config.yaml, textworld_kwargs.max_episode_steps), whatever BALROG's prompts say."""
_LONGEST = 198
"""Bytes of a command (jericho's input buffer)."""

_TRACK_SCORE = "tw-extra-infos score"
"""TextWorld's own command that makes a game print its score, between tags, in every turn. It takes no turn and 5 % of the time."""
_SCORE = re.compile(r"<score>\n(.*?)</score>", re.DOTALL)
_MOVES = re.compile(r"<moves>\n(.*?)</moves>", re.DOTALL)
_STATUS_LINE = re.compile(r"(?:\n>)?\s+-= [^\n]* =-\s*-?\d+/\d+\s*$")
"""What a Z-machine draws into its top line comes out at the end of the text: `>`, spaces, room, score/moves."""

_WON, _LOST = "*** The End ***", "*** You lost! ***"

_FILES = frozenset({"save", "restore", "script", "transcript", "unscript", "recording", "replay"})
"""Commands that make an interpreter write or read files, or ask for one."""
_META = _FILES | {"quit", "q", "restart", "print_state", "restrict", "enable", "disable", "tw-print", "tw-extra-infos", "tw-trace-actions"}
"""Those, the ones that leave the game, and the doors that TextWorld left open for itself (`print_state` tells where everything is)."""
_SENTENCE = re.compile(r"[.,;:\n]|\bthen\b")
"""What may stand between two commands on a line."""
_NO_SUCH_COMMAND = "That command is not part of this game."

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

_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2011": "-", "\u2013": "-", "\u2014": "-"})


class TextWorldEnv(LanguageEnv):
    def __init__(
        self,
        task: str = "treasure_hunter",
        *,
        rules: str = "embodied",
        max_steps: int | None = _LIMIT,
        expert: bool = False,
        data: str | None = None,
        generate: bool = False,
        render_mode: str | None = None,
    ):
        check_task(entry("textworld"), task)
        if rules not in ("embodied", "balrog"):
            raise unknown("rule set of textworld", rules, ["embodied", "balrog"], "embodied show textworld")
        if max_steps is not None and max_steps < 1:
            raise UsageError(f"max_steps is at least 1, or None for no limit, not {max_steps!r}.")
        if data is not None and generate:
            raise UsageError("Choose one: data plays published games, generate makes new ones.")
        self._task = task
        self._mended = rules == "embodied"
        self._stories = games.folder(data, task) if data is not None else None
        self._generate = generate
        super().__init__(
            action_space=FreeText(),
            default_action="look" if self._mended else "help",
            max_steps=max_steps,
            expert=expert,
            render_mode=render_mode,
        )
        self._game: Game | None = None
        self._machine: Interpreter | None = None
        self._screen = ""
        self._score = 0
        self._walked = 0

    @property
    def mission(self) -> Mission:
        target = self._game.target if self._game is not None and self._mended else ""
        return missions.mission(self._task, target, self.default_action, self.max_steps)

    # ----------------------------------------------------------------- hooks

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        game = self._choose(seed, options)
        if self._machine is None or self._game is None or self._game.story.suffix != game.story.suffix:
            self.close()
            self._machine = interpreter(game.story)
        self._game = game
        screen = self._machine.start(game.story, derive(seed, "textworld", "interpreter", bits=30))
        self._machine.send(_TRACK_SCORE)
        self._score = self._walked = 0
        self._screen = self._cut(screen)
        facts = {"game": game.name, "format": game.story.suffix[1:], "sha256": game.digest}
        return {**facts, "walkthrough_length": len(game.walkthrough), "max_score": game.max_score}

    def _step(self, action: str) -> Transition:
        command = _one_line(action) if self._mended else action.strip()
        before = self._score
        taken, quit_ = False, False
        if self._refused(command):
            screen = _NO_SUCH_COMMAND
        elif (answer := self._machine.send(command)) is None:
            screen, quit_ = "", True
        else:
            screen, taken = self._read_score(answer)
        won, lost = _WON in screen, _LOST in screen
        self._screen = self._cut(screen)
        if self._has_expert:
            self._follow(command)
        over = won or lost or quit_
        limit = not over and self.max_steps is not None and len(self._actions) >= self.max_steps
        info: dict[str, Any] = {"metrics": {"score": float(self._score), "max_score": float(self._game.max_score)}}
        if over or limit:
            info["end_reason"] = "won" if won else "lost" if lost else "quit" if quit_ else "step limit"
        if self._mended and not taken and (screen == _NO_SUCH_COMMAND or self._screen.startswith(_REJECTIONS)):
            info["valid"] = False
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
        walkthrough = self._game.walkthrough
        return walkthrough[self._walked] if self._walked < len(walkthrough) else self.default_action

    def close(self) -> None:
        """Ends the interpreter."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None
        super().close()

    # ----------------------------------------------------------------- parts

    def _choose(self, seed: int, options: dict[str, Any]) -> Game:
        choice = options.get("game")
        if choice is not None and Path(str(choice)).suffix in (".ulx", ".z8"):
            return games.from_file(choice)
        if choice is not None:
            return games.shipped(self._task, str(choice))
        if self._generate:
            return games.generated(self._task, seed)
        if self._stories is not None:
            return games.from_file(self._stories[seed % len(self._stories)])
        return games.shipped(self._task, games.names(self._task)[seed % games.SHIPPED])

    def _refused(self, command: str) -> bool:
        """Whether a command is kept from the interpreter: one that meddles with files or, mended, with the interpreter at all."""
        if self._mended and len(command) > _LONGEST:
            return True
        verbs = (sentence.split(None, 1)[:1] for sentence in _SENTENCE.split(command.lower()))
        return any(verb[0] in (_META if self._mended else _FILES) for verb in verbs if verb)

    def _read_score(self, answer: str) -> tuple[str, bool]:
        """Takes note of the score that the game printed and removes it. Returns the rest and whether the command took a turn."""
        score = _SCORE.search(answer)
        if score is None:
            return answer, False
        self._score = int(score[1])
        return _MOVES.sub("", _SCORE.sub("", answer)), True

    def _cut(self, screen: str) -> str:
        """The screen without what gives the solution away, and (mended) without the status line."""
        _, objective, rest = screen.rpartition(self._game.objective) if self._game.objective else ("", "", screen)
        text = _STATUS_LINE.sub("", rest) if self._mended else rest
        text = text.strip()
        return self.mission.goal if self._mended and objective and not text else text

    def _progress(self, won: bool) -> float:
        share = self._score / self._game.max_score if self._game.max_score else 0.0
        return max(0.0, min(1.0, max(share, 1.0 if won else 0.0)))

    def _follow(self, command: str) -> None:
        """Goes on in the walkthrough when `command` is its next one."""
        if " ".join(command.lower().split()) == self._expert().lower():
            self._walked += 1


def _one_line(action: str) -> str:
    """A phrase as an interpreter can read it: one line of ASCII, accents dropped, curly quotes made straight."""
    plain = unicodedata.normalize("NFKD", action.translate(_PLAIN))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(plain.encode("ascii", "replace").decode().replace("\0", " ").split())
