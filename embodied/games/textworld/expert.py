"""The expert `walkthrough`: the commands that came with the game and, where play has left them, the shortest plan.

It must know where play has led, and no more than the player's text may come out of the game. So it lets a second
interpreter play along, in which Inform names every action that succeeds (`tw-trace-actions`).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from embodied.games.textworld.games import Game
from embodied.games.textworld.interpreters import Interpreter, interpreter
from embodied.games.textworld.logic import Logic, logic
from embodied.games.textworld.planning import plan

_UNDONE = "Previous turn undone."
"""What Inform says after `undo`."""
_BROKEN = "*** Run-time problem P12"
"""What Inform says to every command from then on, once five commands such as `drop all` were about nothing."""


@dataclass
class _Episode:
    """What the expert knows of the game being played."""

    logic: Logic
    state: int
    route: tuple[str, ...] | None
    """The commands that win from here; None where nothing wins any more."""
    shortest: bool
    """Whether `route` is the shortest one, and not the walkthrough or the rest of it."""
    earlier: list[int] = field(default_factory=list)
    """The states that `undo` goes back to."""


class Expert:
    """Knows a command that leads to the end of the game, from wherever play has led."""

    def __init__(self) -> None:
        self._machine: Interpreter | None = None
        self._suffix = ""
        self._episode: _Episode | None = None

    @property
    def advice(self) -> str:
        """The next command; empty where the game cannot be won any more."""
        return self._now.route[0] if self._now.route else ""

    def begin(self, game: Game, seed: int, told: Sequence[str]) -> None:
        """Begins a game, with the commands that the environment's own interpreter was told at its beginning."""
        if self._machine is None or self._suffix != game.story.suffix:
            self.close()
            self._machine, self._suffix = interpreter(game.story), game.story.suffix
        self._machine.start(game.story, seed)
        for command in (*told, "tw-trace-actions"):
            self._machine.send(command)
        rules, walkthrough = _rules(game.description()), game.facts.walkthrough
        route = walkthrough or plan(rules, rules.start)
        self._episode = _Episode(rules, rules.start, route, shortest=not walkthrough)

    def follow(self, command: str) -> None:
        """Notes a command that the game was given."""
        now, machine = self._now, self._machine
        assert machine is not None, "There is an interpreter until close() is called."
        answer = machine.send(command)
        if answer is None:
            return
        before = now.state
        if _UNDONE in answer and now.earlier:
            now.state = now.earlier.pop()
        else:
            now.earlier.append(before)
            now.state = now.logic.heard(before, answer)
        if _BROKEN in answer:
            now.route = None
        elif now.route and self._advanced(now.route[0], command, before):
            now.route = now.route[1:]
        elif now.state != before or not now.shortest:
            now.route, now.shortest = plan(now.logic, now.state), True

    def close(self) -> None:
        """Ends the interpreter; `begin` starts another."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    # ----------------------------------------------------------------- parts

    @property
    def _now(self) -> _Episode:
        assert self._episode is not None, "There is an episode once begin() was called."
        return self._episode

    def _advanced(self, advice: str, command: str, before: int) -> bool:
        """Whether the command did what was advised. It led to the same state; or it is the advice itself, which changes
        nothing here.
        """
        now = self._now
        action = now.logic.commanded(before, advice)
        if action is None:
            return now.state == before and _same(advice, command)
        return now.state != before and now.state == now.logic.after(before, action)


def _same(advice: str, command: str) -> bool:
    return " ".join(command.lower().split()) == advice.lower()


@functools.lru_cache(maxsize=16)
def _rules(description: bytes) -> Logic:
    """The rules of a game, which take a quarter of a second to make."""
    return logic(description)
