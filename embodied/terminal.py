"""Makes text from strangers safe for a terminal. Models, servers and run folders may write anything, and a terminal
obeys some of it.
"""

from __future__ import annotations

import re
import shlex
from os import PathLike

_ESCAPES = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]{0,4000}(?:\x07|\x1b\\)?|\x1b[@-_]?")
"""Control sequences: colours and cursor (CSI), titles and links (OSC), single escapes."""
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
"""Control characters but tab and line end, and the marks that turn or hide text (Unicode TR 36: bidirectional
overrides).
"""
_LINES = re.compile(r"[ \t\n]+")


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How texts begin that spreadsheets run as formulas."""


def plain(text: str) -> str:
    """`text` without control sequences, and with U+FFFD for every other character that a terminal obeys or hides. Lines
    and tabs stay.
    """
    text = _ESCAPES.sub("", text) if "\x1b" in text or "\x9b" in text else text
    text = text.replace("\r\n", "\n")
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def line(text: str) -> str:
    """`plain` text as one line."""
    return _LINES.sub(" ", plain(text)).strip()


def shell_word(path: str | PathLike[str]) -> str:
    """A path as one word of a shell command, for hints that are copied to a shell: quoted where it must be. A path that
    begins with a hyphen gets `./` before it, because a command would take it for an option.
    """
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def cell(value: object) -> object:
    """`value` as a cell of a CSV file. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value
