"""What a player typed, as the one command that a step carries out."""

from __future__ import annotations

import re
import unicodedata

_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": "-",
        "\u2014": "-",
    }
)
_CONTROLS = {code: " " for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\r"}
"""Characters that no game knows and that interpreters may take as keys. A line break ends a command; it is left to the
environment's rules.
"""

_BOUNDARY = re.compile(r'[.\n]|(?<![^\s,"])then(?![^\s,"])', re.IGNORECASE)
"""Where Inform's parser ends a command and begins another. No name can contain these: the parser would never see it
whole.
"""
_NOTHING = re.compile(rf"(?:[ ,]*+(?:{_BOUNDARY.pattern}))*+", re.IGNORECASE)
"""Ends of commands that are none. One pattern, since a million periods took a loop two seconds."""
_COMPLETE = re.compile(
    r"\S+|prepare meal|take inv(?:entory)?|(?:get|stand|wake) (?:up|out|off)|notify (?:on|off)", re.IGNORECASE
)
"""Commands without a thing. Behind one, Inform takes a comma as the end (`east, south`); behind a thing, as `and`
(`take knife, apple`: one turn).
"""


def printable(command: str) -> str:
    """`command` without control characters and lone surrogates."""
    return command.translate(_CONTROLS).encode(errors="replace").decode()


def one_line(line: str) -> str:
    """A line as an interpreter can read it: ASCII, accents dropped, curly quotes made straight, one space between
    words.
    """
    if not line.isascii():
        letters = unicodedata.normalize("NFKD", line.translate(_PLAIN))
        line = "".join(c for c in letters if not unicodedata.combining(c)).encode("ascii", "replace").decode()
    return " ".join(printable(line).split())


def first_command(text: str) -> tuple[str, str]:
    """Divides what was typed into its first command and the rest.

    Commands are divided as Inform divides them: at a period, at the word `then`, at a comma behind a command that needs
    no thing; and at the end of a line. Nothing is divided off where only punctuation would be left.

    Returns:
        The command, one line of ASCII, and the rest, likewise; empty if there was only one.
    """
    lines = "\n".join(one_line(line) for line in text.splitlines() if line.strip())
    start = nothing.end() if (nothing := _NOTHING.match(lines)) else 0
    boundary = _BOUNDARY.search(lines, start)
    if not re.search(r"\w", lines[start:]):
        return one_line(lines), ""
    end, after = (boundary.start(), boundary.end()) if boundary else (len(lines), len(lines))
    head, comma, _ = lines[start:end].partition(",")
    if comma and _COMPLETE.fullmatch(head.strip()):
        end, after = start + len(head), start + len(head) + 1
    rest = one_line(lines[after:]).strip(" .,")
    return one_line(lines[start:end]), rest if re.search(r"\w", rest) else ""
