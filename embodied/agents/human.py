"""human: a person at the terminal decides."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from embodied.agents.keyboard import KEYBOARD, interruptible, leave
from embodied.agents.parse import shorten
from embodied.agents.prompt import instruction
from embodied.agents.vocabulary import Commands, accepted, fold, present
from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit


class HumanAgent:
    """Prints what there is to see and reads an action, asking until there is one. Other episodes go on meanwhile.

    Ctrl-C and the end of input cancel the run: under `asyncio.run` as a Ctrl-C does, else `act` raises
    `KeyboardInterrupt`.
    """

    def __init__(self, kit: Kit):
        """Needs nothing of `kit`."""

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._mission = self._now = mission
        self._accepted = accepted(mission)
        self._numbered = not any(phrase.isdigit() for phrase in mission.actions)  # else a number is an action
        self._help = "??" if "?" in mission.actions else "?"
        how = (
            "a command"
            if mission.free_text
            else (
                "an action, the beginning of one, or its number"
                if self._numbered
                else "an action, or the beginning of one"
            )
        )
        print(
            f"{instruction(mission)}\n\nType {how}. {self._help} lists them, Tab completes, Ctrl-D stops.", flush=True
        )

    async def act(self, observation: Observation) -> Decision:
        self._now = present(self._mission, observation)
        self._accepted = accepted(self._now)
        self._show(observation)
        try:
            with _completion(self._now), interruptible():
                while (action := await self._read()) is None:
                    pass
        except (KeyboardInterrupt, EOFError):
            await leave()
        return Decision(action)

    def recall(self, step: Step) -> None:
        """Nothing to do: a person remembers."""

    def hear(self, correction: str) -> None:
        print(f"Correction: {correction}", flush=True)

    def end(self, outcome: Outcome) -> None:
        print(f"\nThe episode is over: {outcome}.", flush=True)

    def _show(self, observation: Observation) -> None:
        reward = f", reward {observation.reward:g}" if observation.reward else ""
        lines = [f"\n--- step {observation.step}{reward}"]
        if not observation.valid:
            lines.append(f"That was not a valid action: {observation.executed!r} was executed instead.")
        lines += [part for part in (observation.status, observation.text) if part]
        if self._now is not self._mission:
            lines.append(f"You can choose now: {self._accepted.listing() or 'no command'}.")
        print("\n".join(lines), flush=True)

    async def _read(self) -> str | None:
        """One line from the person, as an action; None, after a word of explanation, when it is not one."""
        try:
            line = await KEYBOARD.line("> ")
        except UnicodeDecodeError:
            print("That is not text.", flush=True)
            return None
        found = () if line.strip() == self._help else self._meant(line)
        if len(found) == 1:
            return found[0]
        if line.strip() == self._help:
            print("\n".join(self._listed()), flush=True)
        elif found:
            print(f"Which one? {', '.join(found)}", flush=True)
        else:
            print(
                (
                    f"{shorten(line.strip())!r} is not an action; {self._help} lists them."
                    if line.strip()
                    else f"{self._help} lists the actions."
                ),
                flush=True,
            )
        return None

    def _meant(self, line: str) -> tuple[str, ...]:
        """The actions `line` can mean: exactly one, or one by another case or wrapping, by number,
        or by its beginning.
        """
        if exact := self._accepted.exact(line):
            return (exact,)
        if isinstance(self._accepted, Commands) or not line.strip():
            return ()
        if whole := self._accepted.whole(line):
            return whole
        phrases = tuple(self._accepted.actions)
        if self._numbered and line.strip().isdecimal():
            return phrases[int(line) - 1 : int(line)] if 0 < int(line) <= len(phrases) else ()
        return tuple(phrase for phrase in phrases if fold(phrase).startswith(fold(line)))

    def _listed(self) -> list[str]:
        numbered = self._numbered and not self._mission.free_text
        items = self._now.actions.items() if numbered else self._accepted.lines()
        return [
            f"{number:3}  " * numbered + f"{phrase}: {gloss}".removesuffix(": ")
            for number, (phrase, gloss) in enumerate(items, 1)
        ]


@contextlib.contextmanager
def _completion(mission: Mission) -> Iterator[None]:
    """Tab completes phrases, blanks included, where there is a terminal and Python has readline."""
    try:
        import readline
    except ModuleNotFoundError:
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    before, delimiters = readline.get_completer(), readline.get_completer_delims()

    def complete(text: str, state: int) -> str | None:
        matches = [phrase for phrase in mission.actions if fold(phrase).startswith(fold(text))]
        return matches[state] if state < len(matches) else None

    readline.set_completer(complete)
    readline.set_completer_delims("")
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(before)
        readline.set_completer_delims(delimiters)
