"""The instruction: a mission in the words a model is told it in, once, at the beginning of every prompt."""

from __future__ import annotations

from collections.abc import Sequence

from embodied.agents.vocabulary import accepted
from embodied.types import Image, Message, Mission, Part, Role, Text

PIXELS_A_CHARACTER = 750 / 4
"""What a picture counts for beside text: a token for 750 pixels, as Claude counts them (docs.claude.com, Vision), and
four characters a token.
"""

SAYS = "A person who watches you says: "
"""How a prompt begins the words of a correction."""


def instruction(mission: Mission, more: str = "") -> str:
    """The mission as text: the world, the goal, exactly the accepted actions with a gloss each, tips, and the step
    limit. `more`, which stands behind the tips, is `agent.instructions`.

    Rows of single letters, digits or numbers are shown as one line ("any single small letter from a to z"), for
    vocabularies that need them to answer questions of the game.
    """
    return f"{told(mission, more)}\n\nWhat you have seen and done so far follows, ending with what you see now."


def told(mission: Mission, more: str = "") -> str:
    """The instruction without its last sentence, which says what follows it."""
    sections = [mission.intro.strip(), f"Your goal: {mission.goal.strip()}", _actions(mission)]
    if mission.tips:
        sections.append("Good to know:\n" + "\n".join(f"- {tip}" for tip in mission.tips))
    sections.append(more.strip())
    if mission.max_steps is not None:
        sections.append(f"The episode ends after {mission.max_steps} steps at the latest.")
    return "\n\n".join(s for s in sections if s)


def _actions(mission: Mission) -> str:
    lines = [f"- {phrase}: {gloss}" if gloss else f"- {phrase}" for phrase, gloss in accepted(mission).lines()]
    if mission.prose:
        head = "You act by writing an answer, in your own words." + (
            " Instead of it, you may first give commands of this kind:" if lines else ""
        )
    elif not mission.free_text:
        head = "These are the actions, each followed by what it does. Only the words before the colon are the action:"
    elif lines:
        head = "You act by typing commands. These are the kinds of commands, each followed by what it does:"
    else:
        head = "You act by typing commands, in your own words."
    return "\n".join([head, *lines])


def offer(mission: Mission) -> str:
    """The line that says which actions can be chosen in one step, where they are not those of the instruction."""
    listing = accepted(mission).listing()
    if mission.free_text:
        return f"The commands you can give now: {listing}." if listing else "You can give no command now."
    return f"The actions you can choose from now: {listing}."


def message(role: Role, text: str, images: Sequence[Image] = ()) -> Message:
    """A message of one text, with its pictures behind it."""
    return Message(role, (Text(text), *images))


def provided(images: Sequence[Image]) -> list[str]:
    """The line that says that pictures follow, in BALROG's words where there is one; none without a picture."""
    if len(images) > 1:
        return [f"{len(images)} image observations provided, in this order."]
    return ["Image observation provided."] if images else []


def with_ask(last: Message, ask: str) -> Message:
    """`last` with `ask` as a paragraph at the end of its text; its pictures stay behind the text."""
    text, *rest = last.parts
    assert isinstance(text, Text)
    return Message(last.role, (Text(f"{text.text}\n\n{ask}"), *rest))


def repeated(before: Sequence[Message], now: Sequence[Message]) -> float:
    """The share of the prompt `now` that is word for word the beginning of the prompt `before`, in [0, 1]: what a
    prompt cache can serve.

    Counted in characters, pictures by their size; one picture is the same as another when its content is.
    """
    total = sum(map(size, (part for message in now for part in message.parts)))
    return _shared(before, now) / total if total else 0.0


def _shared(before: Sequence[Message], now: Sequence[Message]) -> float:
    same = 0.0
    for old, new in zip(before, now, strict=False):
        if old.role != new.role:
            return same
        for a, b in zip(old.parts, new.parts, strict=False):
            if a != b:
                return same + (common(a.text, b.text) if isinstance(a, Text) and isinstance(b, Text) else 0)
            same += size(b)
        if len(old.parts) != len(new.parts):
            return same
    return same


def common(a: str, b: str) -> int:
    """How many characters `a` and `b` have in common at their beginning."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle - 1)
    return low


def size(part: Part) -> float:
    return len(part.text) if isinstance(part, Text) else part.width * part.height / PIXELS_A_CHARACTER
