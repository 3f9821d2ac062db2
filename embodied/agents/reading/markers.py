"""Unknown markers: a reply that begins with one may be a thought in an unknown form, so it is reported and not read."""

from __future__ import annotations

import re

from embodied.agents.formats import Format
from embodied.agents.reading.choice import whole
from embodied.agents.vocabulary import Commands, Vocabulary

_OPENING = re.compile(
    r"[\s\"'`*_]{0,40}(?P<all>(?:<[|｜]?|◁|⟨|\{\{|<<|⟦|【"
    r"|\[(?=[A-Z_]{3,30}\]))\s?(?P<name>[^\W\d_][\w.:▁-]{1,40})(?:\s[^<>\n]{0,80})?\s?(?:[|｜]?>|▷|⟩|\}\}|>>|⟧|】|\]))"
)
_PIPE = re.compile(r"^[ \t]{0,8}(?P<all>(?:<[|｜]|◁)(?P<name>[\w▁]{2,40})(?:[|｜]>|▷))", re.MULTILINE)
_KNOWN = frozenset(
    # answers, and what stands around calls of tools
    [
        "answer",
        "final_answer",
        "final",
        "action",
        "actions",
        "next_action",
        "command",
        "cmd",
        "move",
        "next_move",
        "decision",
        "choice",
        "output",
        "response",
        "solution",
        "conclusion",
        "act",
        "result",
        "execute",
        "selected_action",
        "chosen_action",
        "game_command",
        "tool_call",
        "tool_calls",
        "function",
        "function_call",
        "function_calls",
        "invoke",
        "parameter",
        "arg_key",
        "arg_value",
        "tool_code",
        "tool_use",
        "call",
        "begin_of_box",
        "end_of_box",
        "start_response",
        "end_response",
        "start_text",
        "end_text",
        "begin_of_solution",
        "end_of_solution",
        "start_action",
        "end_action",
        "python_tag",
        "tool_calls_section_begin",
        "tool_call_begin",
        "action_start",
        "plugin",
        "tool▁calls▁begin",
        "tool▁call▁begin",
        "tool_calls_begin",
        "start",
        "message",
        "channel",
        "assistant",
        "json",
        "b",
        "i",
        "u",
        "s",
        "p",
        "q",
        "a",
        "br",
        "hr",
        "em",
        "strong",
        "code",
        "pre",
        "kbd",
        "tt",
        "mark",
        "span",
        "div",
        "center",
        "font",
        "small",
        "big",
        "sub",
        "sup",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "td",
        "th",
        "thead",
        "tbody",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "html",
        "body",
        "blockquote",
        "details",
        "summary",
        "img",
        "svg",
        "section",
        "article",
        "md",
        "markdown",
        "text",
        "xml",
        "root",
        "data",
        "ref",
        "box",
        "bbox",
        "point",
        "points",
        "loc",
        "quad",
        "image",
        "region",
        "obj",
        "object",
        "det",
        "detection",
        "box_start",
        "box_end",
        "object_ref_start",
        "object_ref_end",
        "quad_start",
        "quad_end",
        "grounding",
        "ocr",
        "frame",
        "observation",
        "obs",
        "environment",
        "env",
        "user",
        "human",
    ]
)


def unknown(text: str, format: Format, accepted: Vocabulary | Commands) -> re.Match[str] | None:
    """The marker that `text` begins with, if it is none that the reader, the reply format or the vocabulary knows."""
    match = _OPENING.match(text)
    if match is None or _is_known(match, text, format, accepted):
        match = next((m for m in _PIPE.finditer(text[:2_000]) if not _is_known(m, text, format, accepted)), None)
    return match


def without(text: str, marker: re.Match[str]) -> str | None:
    """What follows the block that `marker` opens; None if nothing closes it."""
    name = re.escape(marker["name"])
    closing = re.compile(rf"(?:<[|｜]?|◁|⟨|\[)\s?(?:/|end_of_|end_)\s?{name}\s?(?:[|｜]?>|▷|⟩|\])", re.IGNORECASE)
    match = closing.search(text, marker.end())
    return text[match.end() :] if match else None


def _is_known(match: re.Match[str], text: str, format: Format, accepted: Vocabulary | Commands) -> bool:
    marker, name = match["all"], match["name"].lower()
    if name in _KNOWN or text.strip(" \n\t*`\"'.") == marker or marker in format.wrap(""):
        return True
    inside = marker.strip("<>|｜◁▷⟨⟩{}⟦⟧【】[] ")
    return isinstance(accepted, Vocabulary) and bool(whole(accepted, inside))
