"""A judge's prompts from a folder of the user's: CODA-LM's own, for those who have its repository, or any others.

FOLDER/general_perception.json    [{"role": "system", "content": "..."}, ...,
                                   {"role": "user", "content": "... {reference} ... {prediction} ..."}]
FOLDER/driving_suggestion.json    the same; worked examples stand between the two as messages of user and assistant
FOLDER/region_perception.json     the same
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from embodied.driving.records import TASKS, Task
from embodied.errors import UsageError
from embodied.exchange.codalm.judge import HIGHEST, LOWEST, rating, shown
from embodied.types import Message, Text

READINGS = ("strict", "brackets")
"""How a reply's rating is read. strict: `Rating: [[n]]`, one value. brackets: the first number in double brackets, else
the first in single ones.
"""
_BRACKETS = (re.compile(r"\[\[\s*(\d+(?:\.\d+)?)\s*\]\]"), re.compile(r"\[\s*(\d+(?:\.\d+)?)\s*\]"))


@dataclass(frozen=True)
class Prompts:
    """The words of a judge, and how its ratings are read."""

    name: str
    """Of the folder."""
    messages: dict[Task, tuple[tuple[str, str], ...]]
    """Task -> role and text of each message; the last one holds the places of reference and prediction."""
    reading: str = "strict"

    @property
    def label(self) -> str:
        """What marks a score that was made with them: name, hash of every word and of the way ratings are read."""
        words = json.dumps([self.messages, self.reading], sort_keys=True, ensure_ascii=False)
        return f"{self.name}-{self.reading}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"

    def ask(self, task: Task, reference: str, answer: str) -> tuple[Message, ...]:
        """What the judge is asked. Ratings and marks of turns inside the answer are taken out, as
        with our own words.
        """
        places = {"{reference}": reference, "{prediction}": shown(answer).text}
        *before, (role, text) = self.messages[task]
        filled = re.sub(r"\{reference\}|\{prediction\}", lambda m: places[m.group()], text)
        # roles are checked on reading
        return tuple(Message(r, (Text(t),)) for r, t in [*before, (role, filled)])  # type: ignore[arg-type]

    def rating(self, reply: str) -> float | None:
        """The rating in a reply, 1 to 10; None where there is none."""
        if self.reading == "strict":
            return rating(reply)
        found = next((m for pattern in _BRACKETS if (m := pattern.search(reply))), None)
        value = float(found.group(1)) if found else None
        return value if value is not None and LOWEST <= value <= HIGHEST else None


def load(folder: Path, reading: str = "strict") -> Prompts:
    """Reads a folder of prompts.

    Raises:
        UsageError: A file is missing or has another form, or there is no such reading.
    """
    if reading not in READINGS:
        raise UsageError(f"--ratings is one of {', '.join(READINGS)}, not {reading!r}.")
    return Prompts(folder.resolve().name, {task: _read(folder / f"{task}.json") for task in TASKS}, reading)


def _read(path: Path) -> tuple[tuple[str, str], ...]:
    form = 'a list of messages, each {"role": "system", "user" or "assistant", "content": "..."}'
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(
            f"Cannot read {path}: {error.strerror or error}. --prompts names a folder with a file for each of"
            f" {', '.join(TASKS)}: {form}."
        ) from error
    except ValueError as error:
        raise UsageError(f"{path} is not JSON ({error}). It must be {form}.") from error
    fine = isinstance(found, list) and all(
        isinstance(m, dict) and m.get("role") in ("system", "user", "assistant") and isinstance(m.get("content"), str)
        for m in found
    )
    if not fine or not found or found[-1]["role"] != "user":
        raise UsageError(f"{path} must be {form}; the last one is the user's.")
    for place in ("{reference}", "{prediction}"):
        if place not in found[-1]["content"]:
            raise UsageError(f"{path}: the last message lacks {place}, where that text is put in.")
    return tuple((m["role"], m["content"]) for m in found)
