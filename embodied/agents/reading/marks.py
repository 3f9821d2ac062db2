"""Stage three of reading a reply, `mark`: where the answer stands. The mark that was asked for goes first, then what
models use of their own accord.

The first kind of this list that is there decides:

    own        the mark of the reply format: `ACTION: x`, `<|ACTION|>x<|END|>`
    container  <answer>x</answer>, <action>, \\boxed{x}, JSON and calls of tools ({"action": "x"},
               {"name": ..., "arguments": {"action": "x"}}), ...
    label      "Action: x", "Final answer: x", "The next command is: x", "Aktion: x", "动作：x", where a line or a
               sentence begins
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import NamedTuple

from embodied.agents.formats import Format
from embodied.agents.reading.dress import CJK_LABELS, LABELS

WINDOW = 16_384
"""Characters, from the end of a reply, in which an answer is looked for: keeps a huge reply from costing more than a
long one.
"""


class Said(NamedTuple):
    """A place where an answer is stated."""

    text: str
    """The answer with its dress, and for marks without an end all that follows."""
    start: int
    """Where the mark begins, in the text looked at."""
    end: int
    """Where what was said ends."""
    label: str = ""
    """The mark as it is written."""
    closed: bool = True
    """False where nothing marks the end: the answer is then the first line of `text`."""


_TAG_NAMES = (
    r"answer|final_answer|finalanswer|final|action|actions|next_action|final_action|command|cmd|move|next_move"
    r"|decision|choice|output|response|solution|conclusion|act"
    r"|result|execute|selected_action|chosen_action|game_command|begin_of_box|START_RESPONSE|START_TEXT"
    r"|begin_of_solution|begin_of_answer"
)
_TAG = re.compile(rf"<[|｜]?\s?({_TAG_NAMES})(?:\s[^<>\n]{{0,60}})?\s?[|｜]?>|\[({_TAG_NAMES})\](?!\()", re.IGNORECASE)
_TAG_END = re.compile(
    rf"<[|｜]?\s?(?:/\s?|end_of_|end_)(?:{_TAG_NAMES}|box|response|text|solution|answer)\s?[|｜]?>|\[/(?:{_TAG_NAMES})\]",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\f?boxed\s?\{((?:[^{}\n]|\{[^{}\n]{0,300}\}){0,300})\}")
_PARAMETER = re.compile(
    r"<(?:parameter|arg|param|argument)(?:=|\s{1,3}name\s?=\s?)[\"']?(?:action|command|cmd|answer|move|next_action"
    r"|input|text|value)[\"']?[^<>]{0,40}>\s{0,8}([^<>]{1,300}?)\s{0,8}</"
    r"|<arg_key>\s{0,4}(?:action|command|cmd|answer"
    r"|move)\s{0,4}</arg_key>\s{0,8}<arg_value>\s{0,4}([^<>]{1,300}?)\s{0,4}</arg_value>",
    re.IGNORECASE,
)
_KEYS = (
    (
        "action",
        "next_action",
        "chosen_action",
        "selected_action",
        "final_action",
        "best_action",
        "nextaction",
        "recommended_action",
    ),
    ("command", "next_command", "cmd"),
    ("final_answer", "answer", "finalanswer"),
    ("move", "next_move", "choice", "decision", "selected", "chosen", "selection", "action_name"),
    (
        "动作",
        "行动",
        "命令",
        "指令",
        "答案",
        "aktion",
        "befehl",
        "antwort",
        "acción",
        "accion",
        "comando",
        "respuesta",
        "commande",
        "réponse",
    ),
    ("output", "response", "result", "final", "text", "input", "value", "content"),
)
"""Keys of JSON that hold an answer, the more telling first."""
_RANK = {key: rank for rank, keys in enumerate(_KEYS) for key in keys}
_STRINGS = (
    r"\"(?:[^\"\\\n]|\\.){0,400}\"(?=\s{0,8}(?:[,}\]]|$))|'(?:[^'\\\n]|\\.|'(?=\w)){0,400}'(?=\s{0,8}(?:[,}\]]|$))"
)
_NAMES = sorted([*_RANK, "action_input", "actioninput", "name", "tool_name", "function"], key=len, reverse=True)
_PAIR = re.compile(
    rf"(?<![\w\\])([\"'])({'|'.join(_NAMES)})\1\s{{0,8}}:\s{{0,8}}"
    rf"(?:({_STRINGS})|(\[)|([\w-]{{1,40}})(?=\s{{0,8}}(?:[,}}\]]|$)))",
    re.IGNORECASE | re.MULTILINE,
)
_STRING = re.compile(_STRINGS, re.MULTILINE)
_EMPTY_CALL = re.compile(
    r"[\"'](?:arguments|parameters|args|input)[\"']\s{0,8}:\s{0,8}(?:\{\s{0,8}\}|\"\{\s?\}\"|\"\"|null)"
)
_LABEL = re.compile(
    rf"(?:^|(?<=[.!?;])[ \t]{{1,3}}|(?<=[{{,])[ \t]{{0,3}})[ \t>*_#\"'`~-]{{0,10}}(?:\d{{1,2}}[.)] )?[*_`]{{0,3}}"
    rf"(?:{LABELS}(?: i (?:choose|take|will take|select))?(?: is| will be)?[\"'`*_ \t]{{0,4}}(?:[:=](?!=)|=>)"
    rf"|{CJK_LABELS}[\"'`*_ \t]{{0,4}}[:=])[ \t*_]{{0,4}}",
    re.IGNORECASE | re.MULTILINE,
)
_INPUT = re.compile(r"action[ _]input", re.IGNORECASE)


def own(text: str, format: Format) -> list[Said]:
    """Where the mark that `format` asks for stands."""
    before, _, after = format.wrap("\0").partition("\0")
    opening, closing = before.strip(), after.strip()
    if not opening:
        return []
    starts = [match.start() for match in re.finditer(re.escape(opening), text)]
    found = []
    for start, following in pairwise([*starts, len(text)]):
        begin = start + len(opening)
        end = text.find(closing, begin, following) if closing else following
        cut = (
            end
            if end >= 0
            else min(
                (at for sign in ("<|", closing) if (at := text.find(sign, begin, following)) >= 0), default=following
            )
        )
        if text[begin:cut].strip():
            found.append(Said(text[begin:cut], start, cut, opening, bool(closing) and end >= 0))
    return found


def containers(text: str) -> list[Said]:
    """Answers in tags, boxes, JSON or the parameters of a call."""
    return _tagged(text) or [*_boxed(text)] or _parameters(text) or json_values(text)


def labelled(text: str) -> list[Said]:
    """Answers behind a word such as "Action:"."""
    matches = list(_LABEL.finditer(text))
    ends = [match.start() for match in matches[1:]] + [len(text)] * bool(matches)
    found = [
        Said(text[m.end() : end], m.start(), end, m[0], False)
        for m, end in zip(matches, ends, strict=True)
        if text[m.end() : end].strip("`'\" \t\n*_~")
    ]
    inputs = [said for said in found if _INPUT.search(said.label)]
    return inputs or found  # `Action: act`, then `Action Input: go east`


def first_line(said: Said) -> str:
    """The line of `said` that holds the answer: the first with anything on it but fences and dashes."""
    for line in said.text.splitlines():
        if not (bare := line.strip(" \t`~")) or set(bare) <= set("*_-=\"'"):
            continue
        if (
            line.lstrip().startswith(("```", "~~~"))
            and not line.rstrip().endswith(("```", "~~~"))
            and bare.isalpha()
            and _fenced(said.text, line)
        ):
            continue  # ```text
        return line.strip()
    return ""


def _fenced(text: str, line: str) -> bool:
    """Whether something follows the line that opens a fence."""
    return bool(text.partition(line)[2].strip("`~ \t\n"))


def _tagged(text: str) -> list[Said]:
    found: list[Said] = []
    marks = sorted([*_TAG.finditer(text), *_TAG_END.finditer(text)], key=lambda match: match.start())
    opened = None
    for mark in marks:
        if mark.re is _TAG:
            if opened is not None and not text[opened.end() : mark.start()].strip():
                opened = mark  # <response><action>
            elif opened is None:
                opened = mark
        elif opened is not None:
            found.append(Said(text[opened.end() : mark.start()], opened.start(), mark.end(), opened[0]))
            opened = None
    if opened is not None and (opened[1] or not found):
        found.append(Said(text[opened.end() :], opened.start(), len(text), opened[0], False))
    return [said for said in found if said.text.strip()]


def _boxed(text: str) -> list[Said]:
    return [
        Said(match[1], match.start(), match.end(), "\\boxed") for match in _BOXED.finditer(text) if match[1].strip()
    ]


def _parameters(text: str) -> list[Said]:
    return [Said(match[1] or match[2], match.start(), match.end(), "parameter") for match in _PARAMETER.finditer(text)]


def json_values(text: str) -> list[Said]:
    """Values of the most telling key in JSON, whole or cut, of one line or many, with either kind of quotes."""
    found = _pairs(text)
    if '\\"' in text and not any(
        key in _RANK or key == "action_input" for key, _ in found
    ):  # JSON within a string: the arguments of a call as OpenAI writes them
        found = _pairs(text.replace('\\"', '"'))
    inputs = [said for key, said in found if key in ("action_input", "actioninput")]
    if inputs:
        actions = [said for key, said in found if key == "action"]
        return inputs if all(said.text.lower() in _TOOLS for said in actions) else [*inputs, *actions]
    ranked = [(_RANK[key], said) for key, said in found if key in _RANK]
    if ranked:
        best = min(rank for rank, _ in ranked)
        return [said for rank, said in ranked if rank == best]
    names = [said for key, said in found if key in ("name", "tool_name", "function")]
    return names if names and _EMPTY_CALL.search(text) else []


_TOOLS = frozenset(
    [
        "act",
        "action",
        "step",
        "execute",
        "command",
        "do",
        "perform",
        "play",
        "move",
        "send",
        "submit",
        "input",
        "type",
        "game",
        "final",
        "answer",
        "final_answer",
        "take_action",
        "send_command",
        "execute_action",
    ]
) | {
    "final answer",
    "game_step",
    "text_game",
    "textgame",
}


def _pairs(text: str) -> list[tuple[str, Said]]:
    found = []
    for match in _PAIR.finditer(text):
        key, string, opened, bare = match[2].lower(), match[3], match[4], match[5]
        if opened:
            inside = text[match.end() : match.end() + 2_000].partition("]")[0] + "]"
            found += [
                (key, Said(_decoded(item[0]), match.start(), match.end(), key)) for item in _STRING.finditer(inside)
            ]
        elif string or bare.lower() not in ("null", "none", "true", "false"):
            found.append((key, Said(_decoded(string) if string else bare, match.start(), match.end(), key)))
    return [(key, said) for key, said in found if said.text.strip()]


def _decoded(string: str) -> str:
    inside = string[1:-1]
    if "\\" not in inside or string[0] == "'":
        return inside.replace("\\'", "'")
    try:
        return str(json.loads(f'"{inside}"', strict=False))
    except ValueError:
        return inside
