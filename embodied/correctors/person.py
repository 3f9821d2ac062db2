"""person: somebody at this terminal sees each decision before it is executed, and may speak or act."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from embodied.agents.keyboard import KEYBOARD, interruptible, leave
from embodied.agents.parse import shorten
from embodied.agents.prompt import told
from embodied.agents.vocabulary import Commands, Vocabulary, accepted, fold, present
from embodied.blobs import pictures_of
from embodied.terminal import plain
from embodied.types import Correction, Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.correctors import Kit

LONGEST = 2_000
"""Characters of a correction."""
_BEGIN = """
You correct the agent, in one episode at a time. Nothing runs out while you think.
Enter lets a decision go. A line of words corrects it, and the agent decides again. `help` says what else you can type.
Ctrl-C or the end of input stops the run. What is recorded stays, and `embodied resume` goes on."""
HELP = """Enter            executes the decision
WORDS            corrects it: the agent hears the words, decides again, and that is executed
lasts 3 WORDS    the same, and the words count for 3 steps
say WORDS        the same as WORDS, for words that begin like a line below
do ACTION        executes this action in place of the decision
label WORDS      keeps what you say of the episode: success, failure, ...
alone            lets the agent play on alone to the end of the episode; `alone 5`: the next 5 decisions
back 3           ends this episode, and plays on in another from the moment after 3 steps
branch 3         the same, and this episode goes on
stop             stops the run; `embodied resume` goes on with it
actions          lists the actions
Words that are exactly an action of this world always correct."""
_COMMAND = re.compile(
    r"(?P<help>help|\?)|(?P<actions>actions)|(?P<stop>stop)|(?P<alone>alone)(?:\s+(?P<steps>\d{1,9}))?"
    r"|(?P<to>back|branch)\s+(?P<step>\d{1,9})|lasts\s+(?P<lasts>\d{1,9})\s+(?P<words>\S.*)"
    r"|(?P<with>do|say|label)\s+(?P<rest>\S.*)",
    re.IGNORECASE,
)
_OUTSIDE = "That is possible only in a run."
_SILENT = object()


class Person:
    """Prints the step and the decision, and reads lines until one of them settles it. Other things go on meanwhile.

    The end of input stops the run, as Ctrl-C does: nobody is taken for a person who agrees.
    """

    in_person = True

    def __init__(self, kit: Kit):
        self._lasts, self._orders = kit.config.lasts, kit.orders
        self._episode = kit.spec.id if kit.spec is not None else ""

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._mission = mission
        self._accepted: Vocabulary | Commands = accepted(mission)
        self._alone = -math.inf
        """The agent is alone up to this step."""
        _say(f"\n{self._episode}\n\n{told(mission)}\n{_BEGIN}")

    async def review(self, observation: Observation, decision: Decision) -> Correction | None:
        self._accepted = accepted(present(self._mission, observation))
        self._show(observation, decision)
        if observation.step < self._alone:
            return None
        said: object = None
        try:
            with interruptible():
                while said is None:
                    said = self._settled(await self._line(), observation.step)
        except (KeyboardInterrupt, EOFError):
            await leave()
        return said if isinstance(said, Correction) else None

    async def clarify(self, question: str, options: tuple[str, ...]) -> str | None:
        """Asks once which action was meant; Enter for none."""
        _say(f"{question} Type one of: {', '.join(options)}. Enter lets the agent decide as it did.")
        try:
            with interruptible():
                return (await self._line()) or None
        except (KeyboardInterrupt, EOFError):
            await leave()

    def follows(self, decision: Decision) -> None:
        """The decision that the words led to."""
        _say(self._decided(decision, "now "))

    def recall(self, step: Step) -> None:
        """Nothing to do: a person remembers."""

    def end(self, outcome: Outcome) -> None:
        _say(f"\nThe episode is over: {outcome}.")

    async def _line(self) -> str:
        while True:
            try:
                return (await KEYBOARD.line("> ")).strip()
            except UnicodeDecodeError:
                _say("That is not text.")

    def _settled(self, line: str, step: int) -> object:
        """What a line means for the decision: a Correction, `_SILENT`, or None to read on.

        Raises:
            EOFError: The person stops.
        """
        if not line:
            return _SILENT
        found = None if self._is_action(line) else _COMMAND.fullmatch(line)
        if found is None:
            return self._words(line, self._lasts)
        if found["lasts"]:
            return self._words(found["words"], int(found["lasts"]))
        if found["with"]:
            return self._with(found["with"].lower(), found["rest"])
        if found["to"]:
            return self._to(found["to"].lower(), int(found["step"]))
        if found["stop"]:
            raise EOFError
        if found["alone"]:
            self._alone = step + int(found["steps"]) if found["steps"] else math.inf
            return _SILENT
        _say("\n".join(self._accepted.listing().split(", ")) if found["actions"] else HELP)
        return None

    def _is_action(self, line: str) -> bool:
        return self._accepted.finite and self._accepted.exact(line) is not None

    def _words(self, words: str, lasts: int) -> Correction | None:
        if len(words) > LONGEST or lasts < 1:
            _say(
                f"A correction has at most {LONGEST:,} characters, not {len(words):,}."
                if lasts
                else "Words count for at least 1 step."
            )
            return None
        return Correction(text=words, how="typed", by="person", lasts=lasts)

    def _with(self, command: str, rest: str) -> object:
        if command == "say":
            return self._words(rest, self._lasts)
        if command == "label":
            _say((self._orders.label(rest) if self._orders else _OUTSIDE) or "Kept.")
            return None
        phrases = self._meant(rest)
        if len(phrases) == 1:
            return self._done(self._orders.act(phrases[0]) if self._orders else _OUTSIDE)
        if phrases:
            _say(f"Which one? {', '.join(phrases)}")
        else:
            _say(f"{shorten(rest)!r} is not an action here: `actions` lists them; `say do ...` says it as words.")
        return None

    def _to(self, command: str, step: int) -> object:
        if self._orders is None:
            return self._done(_OUTSIDE)
        if command == "back":
            return self._done(self._orders.back(step))
        _say(self._orders.branch(step) or f"An episode of its own begins after step {step}. This one goes on.")
        return None

    def _done(self, refused: str) -> object:
        if refused:
            _say(refused)
        return None if refused else _SILENT

    def _meant(self, text: str) -> tuple[str, ...]:
        """The actions that a text can mean: exactly one, or those that begin so."""
        if exact := self._accepted.exact(text):
            return (exact,)
        if isinstance(self._accepted, Commands):
            return ()
        begun = (phrase for phrase in self._accepted.actions if fold(phrase).startswith(fold(text)))
        return self._accepted.whole(text) or tuple(begun)

    def _show(self, observation: Observation, decision: Decision) -> None:
        reward = f", reward {observation.reward:g}" if observation.reward else ""
        lines = [f"\n--- step {observation.step}{reward}"]
        if not observation.valid:
            lines.append(f"That was not a valid action: {observation.executed!r} was executed instead.")
        lines += [part for part in (observation.status, observation.text) if part]
        if pictures_of(observation):
            lines.append("(The agent also sees a picture, which a terminal cannot show.)")
        if observation.actions:
            lines.append(f"The agent can choose now: {self._accepted.listing() or 'no command'}.")
        _say("\n".join([*lines, self._decided(decision)]))

    def _decided(self, decision: Decision, when: str = "") -> str:
        thought = f"The agent thinks: {decision.thought.strip()}\n" if decision.thought.strip() else ""
        if decision.parsed:
            return f"{thought}The agent {when}decides: {decision.action}"
        return (
            f"{thought}The agent's reply names no action, so {self._mission.default_action!r} is executed. It replied:"
            f" {decision.action}"
        )


def _say(text: str) -> None:
    print(plain(text), flush=True)
