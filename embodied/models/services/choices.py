"""The only answers that a call allows (`Settings.choices`), in the words of the services and engines that hold a model
to them.

A JSON schema that allows one object, `{"action": ...}`, for services with structured output; a GBNF grammar for
llama.cpp. `taken` gives the bare choice for every form of answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from embodied.models.services.wire import storable

KEY = "action"
"""The one key of the object that structured output answers with."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def schema(choices: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of an object whose one value is one of `choices`."""
    return {
        "type": "object",
        "properties": {KEY: {"type": "string", "enum": [storable(choice) for choice in choices]}},
        "required": [KEY],
        "additionalProperties": False,
    }


def grammar(choices: Sequence[str]) -> str:
    """The grammar of llama.cpp (GBNF) that accepts exactly the texts of `choices`."""
    return "root ::= " + " | ".join(_literal(storable(choice)) for choice in choices)


def taken(text: str, choices: Sequence[str]) -> str:
    """The one of `choices` that an answer is, bare or within the object of `schema`; any other answer unchanged: a
    server may ignore the request.
    """
    known = {storable(choice): choice for choice in choices}
    for form in (text, text.strip(), _inside(text)):
        if form is not None and form in known:
            return known[form]
    return text


def _inside(text: str) -> str | None:
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    value = found.get(KEY) if isinstance(found, dict) else None
    return value if isinstance(value, str) else None


def _literal(text: str) -> str:
    """`text` as a string of GBNF."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\x{ord(character):02X}" if ord(character) < 0x20 or ord(character) == 0x7F else character
