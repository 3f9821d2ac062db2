"""Control: who decides in a running episode, as a state machine. It knows no event loop, no clock and no HTTP.

A person sends commands. Each gets a `Receipt`, which ends with exactly one final status. The episode loop asks `next`
what to do, and reports what it did. Steps are the only time: nothing here runs out while a person thinks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from embodied.agents.resolving import Resolution
from embodied.errors import EmbodiedError
from embodied.types import How, Recording

LONGEST = 2_000
"""Characters of a correction: a slip of the clipboard must not fill every later prompt."""


class Mode(Enum):
    """Who decides next."""

    AUTONOMOUS = "autonomous"
    """The agent."""
    PAUSED = "paused"
    """Nobody: the loop waits."""
    TAKEOVER = "takeover"
    """A person."""
    ENDED = "ended"
    """The episode is over, or was told to end."""


# --------------------------------------------------------------------------- commands


@dataclass(frozen=True)
class Pause:
    """Stop before the next decision. Out of a takeover: hand back, and hold."""


@dataclass(frozen=True)
class GoOn:
    """Let the agent decide again."""


@dataclass(frozen=True)
class SingleStep:
    """Let the paused agent play one step."""


@dataclass(frozen=True)
class Speak:
    """A correction in words. It interrupts the decision in flight."""

    text: str
    how: How = "typed"
    by: str = "person"
    """A label of the speaker, never an account name."""
    lasts: int = 1
    """Steps after which it ends by itself, at least 1. The agent is told it before each of them."""
    recording: Recording | None = None
    """The sound of the words, where they were spoken to a microphone."""


@dataclass(frozen=True)
class EndCorrection:
    """The correction in force, or the one that waits, is done with."""


@dataclass(frozen=True)
class TakeOver:
    """A person decides from now on. It interrupts the decision in flight."""

    by: str = "person"


@dataclass(frozen=True)
class Act:
    """The person's action: a phrase that the environment accepts."""

    phrase: str


@dataclass(frozen=True)
class GiveBack:
    """The agent decides again, once the person's actions are executed."""


@dataclass(frozen=True)
class Label:
    """What a person says about a step, or about the whole episode."""

    label: str
    step: int | None = None
    """A step that was played; None for the episode."""
    by: str = "person"


@dataclass(frozen=True)
class Branch:
    """Play on from an earlier moment in an episode of its own. This one goes on."""

    step: int
    """How many of this episode's steps the branch repeats."""
    by: str = "person"


@dataclass(frozen=True)
class Rewind:
    """As `Branch`, and this episode ends, without a score."""

    step: int
    by: str = "person"


@dataclass(frozen=True)
class End:
    """End the episode. It interrupts the decision in flight."""


@dataclass(frozen=True)
class Lost:
    """The controller has gone. The episode waits for another."""


Command = (
    Pause | GoOn | SingleStep | Speak | EndCorrection | TakeOver | Act | GiveBack | Label | Branch | Rewind | End | Lost
)
INTERRUPTING = (Speak, TakeOver, Rewind, End)
"""Commands that do not wait for the decision in flight."""
CUTTING = (*INTERRUPTING, Pause)
"""Commands that do not wait for the frames of the step in flight."""

_A, _P, _T, _E = Mode.AUTONOMOUS, Mode.PAUSED, Mode.TAKEOVER, Mode.ENDED
MOVES: dict[type, dict[Mode, Mode]] = {
    Pause: {_A: _P, _P: _P, _T: _P},
    GoOn: {_A: _A, _P: _A},
    SingleStep: {_P: _P},
    Speak: {_A: _A, _P: _P, _T: _T},
    EndCorrection: {_A: _A, _P: _P, _T: _T},
    TakeOver: {_A: _T, _P: _T},
    Act: {_T: _T},
    GiveBack: {_T: _A},
    Label: {_A: _A, _P: _P, _T: _T},
    Branch: {_A: _A, _P: _P, _T: _T},
    Rewind: {_A: _E, _P: _E, _T: _E},
    End: {_A: _E, _P: _E, _T: _E},
    Lost: {_A: _P, _P: _P, _T: _P},
}
"""The transition table: command -> present mode -> next mode. What is not here is refused."""

_REFUSED: dict[tuple[type, Mode], str] = {
    (SingleStep, _A): "The agent is not paused. Pause it, then step.",
    (Act, _A): "The agent has control. Take over, then act.",
    (Act, _P): "The agent has control. Take over, then act.",
    (GiveBack, _A): "The agent has control already.",
    (GiveBack, _P): "The agent has control already. Let it go on.",
    (GoOn, _T): "A person has control. Give it back, and the agent goes on.",
    (SingleStep, _T): "A person has control. Act, or give it back.",
    (TakeOver, _T): "A person has control already.",
}
_OVER = "The episode is over. Nothing can reach it any more."


# --------------------------------------------------------------------------- receipts

Status = Literal["waiting", "applied", "done", "refused", "dropped"]
"""waiting: accepted. applied: in force. The others are final. done: it had its effect. refused: it was not possible.
dropped: it was possible, and something came between."""
EndedBy = Literal["", "explicit", "done", "new correction", "time-out", "takeover", "pause", "lost", "episode end"]
FINAL: tuple[Status, ...] = ("done", "refused", "dropped")


@dataclass
class Receipt:
    """What became of a command."""

    id: int
    """1, 2, ... within the episode; a resumed episode counts on."""
    command: Command
    opened: int
    """Steps that had been played when it came."""
    status: Status = "waiting"
    why: str = ""
    """One sentence, where it was refused or dropped."""
    applied: int | None = None
    """The step at which it took effect."""
    told: int | None = None
    """The last step in which the agent was told a correction."""
    ended: int | None = None
    """The first step at which it had no effect any more."""
    ended_by: EndedBy = ""
    """What ended a correction or a takeover that was in force."""
    meant: Resolution | None = None
    """The action that a correction names; None as long as nobody has heard it."""
    question: str = ""
    """What its speaker is asked, where the agent follows actions alone and the correction names none, or several."""
    episode: str = ""
    """The id of the episode that a branch or a rewind began."""

    @property
    def final(self) -> bool:
        return self.status in FINAL


class Next(Enum):
    """What the episode loop must do."""

    DECIDE = "decide"
    """Ask the agent."""
    ACT = "act"
    """Execute the person's action (`Control.act`)."""
    WAIT = "wait"
    STOP = "stop"


@dataclass
class Control:
    """The state machine of one episode.

    Args:
        accepts: The action of the present step that a person's words are; None where they are none.
        choices: What can be chosen in the present step, as the end of a sentence; empty where nobody knows.
        resolve: The action that a correction names in the present step.
        question: What the speaker of words is asked that name no action; empty where the agent understands words.
        changed: Hears every receipt that is new or has changed. Must return quickly and send no command.
        branch: Begins the episode that a command asks for, and returns its id. Raises `EmbodiedError` where it cannot.
    """

    accepts: Callable[[str], str | None] = lambda phrase: phrase or None
    choices: Callable[[], str] = lambda: ""
    resolve: Callable[[str], Resolution] = lambda words: Resolution()
    question: Callable[[str, Resolution], str] = lambda words, found: ""
    changed: Callable[[Receipt], None] = lambda receipt: None
    branch: Callable[[Branch | Rewind], str] = lambda command: ""
    mode: Mode = Mode.AUTONOMOUS
    played: int = 0
    """Steps so far."""
    receipts: list[Receipt] = field(default_factory=list)
    """All commands of the episode, in the order in which they came."""
    branches: list[Branch | Rewind] = field(default_factory=list)
    """What somebody must play as an episode of its own."""
    _last: int = 0
    """The number of the latest command."""
    _credit: int = 0
    _words: Receipt | None = None
    """The correction that waits or is in force."""
    _takeover: Receipt | None = None
    driver: Receipt | None = None
    """The latest takeover."""
    _acts: deque[tuple[Receipt, str]] = field(default_factory=deque)
    _acting: Receipt | None = None

    # ----------------------------------------------------------------- the person's side

    def submit(self, command: Command) -> Receipt:
        """Takes a command in. A command that is not possible now is refused in one sentence; nothing else changes."""
        self._last += 1
        receipt = Receipt(self._last, command, self.played)
        self.receipts.append(receipt)
        to = MOVES[type(command)].get(self.mode)
        if to is None:
            why = _REFUSED.get((type(command), self.mode), _OVER)
            self._finish(receipt, "refused", why)
        elif why := self._wrong(command) or self._not_begun(receipt):
            self._finish(receipt, "refused", why)
        else:
            self._take(receipt, command)
            self.mode = to
            if to is Mode.ENDED:
                self._close_all()  # a step in flight still ends
        return receipt

    def _wrong(self, command: Command) -> str:
        """Why a command makes no sense; empty where it does."""
        match command:
            case Speak(text, lasts=lasts):
                if not text.strip():
                    return "An empty correction says nothing."
                if len(text) > LONGEST:
                    return f"The correction has {len(text):,} characters; {LONGEST:,} is the most."
                if lasts < 1:
                    return f"A correction lasts at least 1 step, not {lasts}."
            case EndCorrection() if self._words is None:
                return "There is no correction to end."
            case Act(phrase) if self.accepts(phrase) is None:
                return f"{_short(phrase)!r} is not an action here. You keep control: {self._other()}."
            case Label(label, step):
                if not label.strip():
                    return "An empty label says nothing."
                if len(label) > LONGEST:
                    return f"The label has {len(label):,} characters; {LONGEST:,} is the most."
                if step is not None and not 0 <= step < self.played:
                    return f"Step {step} was not played: {self._so_far()}."
            case Branch(step) | Rewind(step) if not 0 <= step <= self.played:
                return f"There is no step {step} to go back to: {self._so_far()}."
        return ""

    def _other(self) -> str:
        return self.choices() or "choose another"

    def _not_begun(self, receipt: Receipt) -> str:
        """Why the episode that a command asks for cannot begin; empty where it has begun, or none is asked for."""
        if isinstance(receipt.command, Branch | Rewind):
            try:
                receipt.episode = self.branch(receipt.command)
            except EmbodiedError as error:
                return str(error)
        return ""

    def _so_far(self) -> str:
        return f"the episode has {self.played} {'step' if self.played == 1 else 'steps'} so far"

    def _take(self, receipt: Receipt, command: Command) -> None:
        """The effect of a command that is possible. Those that take time stay open."""
        match command:
            case Speak():
                self._end_words("new correction", "A newer correction came before the agent heard this one.")
                self._words = receipt
                return self.changed(receipt)
            case TakeOver():
                self._end_words("takeover", "A person took over before the agent heard it.")
                self._takeover = self.driver = receipt
                receipt.applied = self.played
                return self._set(receipt, "applied")
            case Act(phrase):
                self._acts.append((receipt, self.accepts(phrase) or phrase))
                return self.changed(receipt)
            case EndCorrection():
                self._end_words("explicit", "It was taken back before the agent heard it.")
            case GiveBack():
                self._end_takeover("explicit", self.played + len(self._acts) + (self._acting is not None))
            case Pause():
                self._hold("pause", "The episode was paused before it was executed.")
            case Lost():
                self._hold("lost", "The controller was lost before it was executed.")
            case GoOn():
                self._credit = 0
            case SingleStep():
                self._credit += 1
            case Branch() | Rewind():
                self.branches.append(command)
        receipt.applied = receipt.ended = self.played
        self._set(receipt, "done")

    def _hold(self, by: EndedBy, why: str) -> None:
        self._credit = 0
        self._drop_acts(why)
        self._end_takeover(by, self.played + (self._acting is not None))

    # ----------------------------------------------------------------- the loop's side

    def begin(self, played: int, last: int, counting: Iterable[Receipt] = ()) -> None:
        """The episode begins, or continues after a record.

        Args:
            played: Recorded steps.
            last: The highest number of a recorded command.
            counting: The corrections that are in force, the newest first.
        """
        for early in self.receipts:  # they came before anybody knew of the record
            early.id, early.opened = early.id + last, played
        self.played, self._last = played, self._last + last
        for number, receipt in enumerate(counting):
            self.receipts.insert(number, receipt)
            newer, self._words = self._words, receipt
            if newer is not None or self._takeover is not None:
                self._end_words("takeover" if newer is None else "new correction", "")
                self._words = newer
        if self.mode is Mode.ENDED:
            self._close_all()

    def look(self) -> None:
        """The loop has a new observation. The actions that wait and cannot be chosen any more are dropped, and those
        behind them, which were meant for another situation.
        """
        if not self._acts:
            return
        receipt, phrase = self._acts.popleft()
        if (now := self.accepts(phrase)) is not None:
            return self._acts.appendleft((receipt, now))
        self._finish(receipt, "dropped", f"{_short(phrase)!r} cannot be chosen any more: {self._other()}.")
        self._drop_acts("The action before it could not be chosen any more.")

    def next(self) -> Next:
        """What the loop must do now. It changes nothing."""
        if self.mode is Mode.ENDED:
            return Next.STOP
        if self._acts:
            return Next.ACT
        if self.mode is Mode.AUTONOMOUS or (self.mode is Mode.PAUSED and self._credit):
            return Next.DECIDE
        return Next.WAIT

    @property
    def interrupts(self) -> bool:
        """Whether a decision that is being made has become needless."""
        return (
            self.mode in (Mode.ENDED, Mode.TAKEOVER)
            or bool(self._acts)
            or (self._words is not None and self._words.status == "waiting")
        )

    @property
    def words(self) -> Receipt | None:
        """The correction that waits or is in force."""
        return self._words

    def hear(self) -> str | None:
        """The correction that the agent must be told now, before it decides: once in each step in which it counts. None
        where there is none.
        """
        words = self._words
        if words is None or not isinstance(words.command, Speak) or words.told == self.played:
            return None
        words.told = self.played
        if words.status == "waiting":
            words.applied, words.meant = self.played, self.resolve(words.command.text)
            words.question = "" if words.meant.action else self.question(words.command.text, words.meant)
            self._set(words, "applied")
        return words.command.text

    def act(self) -> str:
        """The person's next action. Call it where `next` says so."""
        self._acting, phrase = self._acts.popleft()
        self._acting.applied = self.played
        self._set(self._acting, "applied")
        return phrase

    def step(self, executed: str = "", over: bool = False) -> None:
        """A step was played.

        Args:
            executed: The action that was executed.
            over: The episode ended with it.
        """
        ended = "" if self._words is None else self.ending(self._words, executed, over)
        self.played += 1
        if self._acting is not None:
            receipt, self._acting = self._acting, None
            self._finish(receipt, "done")
        else:
            self._credit = max(0, self._credit - 1)
        if ended:
            self._end_words(ended, "")

    def ending(self, words: Receipt, executed: str, over: bool) -> EndedBy:
        """What ends a correction with the step that is being played; empty where it goes on counting, or still waits.
        The arguments are those of `step`.
        """
        if words.applied is None or not isinstance(words.command, Speak):
            return ""
        if words.meant is not None and executed and executed == words.meant.action:
            return "done"
        if over:
            return "episode end"
        return "time-out" if self.played - words.applied + 1 >= words.command.lasts else ""

    def close(self) -> None:
        """The episode is over: every command that is still open gets its status."""
        self.mode = Mode.ENDED
        self._close_all()
        if self._acting is not None:
            receipt, self._acting = self._acting, None
            self._finish(receipt, "dropped", "The episode ended while it was executed.")

    # ----------------------------------------------------------------- ends

    def _close_all(self) -> None:
        self._credit = 0
        self._end_words("episode end", "The episode ended before the agent heard it.")
        self._drop_acts("The episode ended before it was executed.")
        self._end_takeover("episode end", self.played + (self._acting is not None))

    def _end_words(self, by: EndedBy, unheard: str) -> None:
        receipt, self._words = self._words, None
        if receipt is None:
            return
        receipt.ended_by = by
        if receipt.status == "applied":
            self._finish(receipt, "done")
        else:
            self._finish(receipt, "dropped", unheard)

    def _end_takeover(self, by: EndedBy, ended: int) -> None:
        receipt, self._takeover = self._takeover, None
        if receipt is not None:
            receipt.ended_by, receipt.ended = by, ended
            self._set(receipt, "done")

    def _drop_acts(self, why: str) -> None:
        while self._acts:
            self._finish(self._acts.popleft()[0], "dropped", why)

    def _finish(self, receipt: Receipt, status: Status, why: str = "") -> None:
        receipt.why, receipt.ended = why, self.played
        self._set(receipt, status)

    def _set(self, receipt: Receipt, status: Status) -> None:
        receipt.status = status
        self.changed(receipt)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
