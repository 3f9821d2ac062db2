"""What the page of the desk may send: one JSON object a message, read strictly."""

from __future__ import annotations

from typing import Annotated

import msgspec

from embodied.errors import UsageError
from embodied.rollout import control
from embodied.terminal import plain
from embodied.types import How

_HOW = ("typed", "speech", "choice", "pointer")
"""How words can come from the page."""
Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", kw_only=True):
    """What every message has."""

    id: Count = 0
    """The page's own number of the message; the answer repeats it."""
    episode: Annotated[str, msgspec.Meta(max_length=300)] = ""


class Hello(Said, frozen=True, tag="hello"):
    """The first message of a connection."""

    since: Annotated[int, msgspec.Meta(ge=-1, le=10**9)] = -1
    """The number of the last event that the page has; -1 for none."""
    key: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """What the page was before its connection was cut: it keeps the control that it had."""


class Watching(Said, frozen=True, tag="watching"):
    """Frames of this episode are wanted, and of no other."""


class Take(Said, frozen=True, tag="take"):
    """Asks for the control of an episode."""


class Leave(Said, frozen=True, tag="leave"):
    """Gives the control of an episode back."""


class Resolve(Said, frozen=True, tag="resolve"):
    """Which action would these words name?"""

    text: str


class Advice(Said, frozen=True, tag="advice"):
    """What would the environment's expert do?"""


class Pace(Said, frozen=True, tag="pace"):
    """How fast an episode plays while somebody watches its frames."""

    real_time: bool


class Weigh(Said, frozen=True, tag="weigh"):
    """Whether the local model is asked how likely each action is: one more call for each decision."""

    on: bool


class Unheard(Said, frozen=True, tag="unheard"):
    """What becomes of words that no decision had heard when the run was stopped: they are said again, or dropped."""

    words: Annotated[str, msgspec.Meta(max_length=100)]
    again: bool


class Pause(Said, frozen=True, tag="pause"):
    pass


class GoOn(Said, frozen=True, tag="go_on"):
    pass


class SingleStep(Said, frozen=True, tag="step"):
    pass


class Speak(Said, frozen=True, tag="speak"):
    text: str
    how: How = "typed"
    lasts: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    recording: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """The digest that the upload was answered with; empty where nothing was recorded."""


class EndCorrection(Said, frozen=True, tag="end_correction"):
    pass


class TakeOver(Said, frozen=True, tag="take_over"):
    pass


class Act(Said, frozen=True, tag="act"):
    phrase: str


class GiveBack(Said, frozen=True, tag="give_back"):
    pass


class Label(Said, frozen=True, tag="label"):
    label: str
    step: Count | None = None


class Branch(Said, frozen=True, tag="branch"):
    step: Count


class Rewind(Said, frozen=True, tag="rewind"):
    step: Count


class End(Said, frozen=True, tag="end"):
    pass


Message = (
    Hello
    | Watching
    | Take
    | Leave
    | Resolve
    | Advice
    | Pace
    | Weigh
    | Unheard
    | Pause
    | GoOn
    | SingleStep
    | Speak
    | EndCorrection
    | TakeOver
    | Act
    | GiveBack
    | Label
    | Branch
    | Rewind
    | End
)
_DECODER = msgspec.json.Decoder(Message)


def read(data: str | bytes) -> Message:
    """Reads a message. Raises `UsageError` where it is none of ours."""
    try:
        message: Message = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UsageError(f"This message cannot be read: {error}") from error
    return message


def command(message: Message, by: str) -> control.Command | None:
    """The command that a message is; None where it is another request.

    Args:
        message: What came.
        by: Label of the speaker for the record.
    """
    match message:
        case Pause():
            return control.Pause()
        case GoOn():
            return control.GoOn()
        case SingleStep():
            return control.SingleStep()
        case Speak(text=text, how=how, lasts=lasts):
            return control.Speak(
                plain(text), how if how in ("typed", "speech", "choice", "pointer") else "typed", by, lasts
            )
        case EndCorrection():
            return control.EndCorrection()
        case TakeOver():
            return control.TakeOver(by)
        case Act(phrase=phrase):
            return control.Act(phrase)
        case GiveBack():
            return control.GiveBack()
        case Label(label=label, step=step):
            return control.Label(label, step, by)
        case Branch(step=step):
            return control.Branch(step, by)
        case Rewind(step=step):
            return control.Rewind(step, by)
        case End():
            return control.End()
    return None
