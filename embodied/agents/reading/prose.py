"""Stage five of reading a reply, `phrase`, where answers are prose: all that was said, less marks and dress around all
of it.
"""

from __future__ import annotations

import re

from embodied.agents.formats import Format
from embodied.agents.reading.marks import containers, json_values, own
from embodied.agents.reading.turns import observations
from embodied.agents.vocabulary import Commands

_LABEL = re.compile(r"""\b(?:action|command|answer)\b["'`*_ \t]{0,4}[:=：][ \t]*[*_]{0,2}""", re.IGNORECASE)
_LABEL_AT_START = re.compile(
    r"[\s*_#]{0,8}(?:my |the )?(?:final |full )?answer[*_ ]{0,3}[:：][ \t*_]{0,4}(?=\S|\n)", re.IGNORECASE
)
_PERSON = re.compile(
    r"^(?:User|Human|USER|HUMAN)[ ]?[:：]|<\|im_start\|>\s?user|<start_of_turn>user|<[|｜](?:user|User"
    r"|observation)[|｜]>|\[INST\]|<\|start_header_id\|>user",
    re.MULTILINE,
)
_CALL = re.compile(r"\s{0,20}[`'\"*]{0,3}(\w{1,40})\s?\([^()\n]{0,200}\)[`'\"*.;]{0,3}[ \t]*(?:\n|$)")
_NAME = re.compile(r"\w+")
_JSON = re.compile(r"\s{0,20}(?:```[a-z]{0,10}\s{1,4})?\{")
_WHOLE_TAG = re.compile(
    r"\s{0,20}(?:<[|｜]?\s?(?:answer|final_answer|response|output|conclusion|final|START_RESPONSE|begin_of_solution"
    r"|begin_of_box)\s?[|｜]?>|\\boxed)",
    re.IGNORECASE,
)
WINDOW = 16_384


def answer(text: str, format: Format, accepted: Commands) -> tuple[str | None, str]:
    """The answer in `text`, or None, and the thought that stands before it."""
    text = _own_turn(text, format, accepted)
    if said := own(text, format):
        return said[-1].text, text[: said[-1].start].strip()
    if _WHOLE_TAG.match(text) and (found := containers(text[:WINDOW])):
        return found[-1].text, text[: found[-1].start].strip()
    if _JSON.match(text) and (found := json_values(text[:WINDOW])) and len(found) == 1 and " " in found[0].text.strip():
        return found[0].text, ""
    if not format.thinks:
        return text[match.end() :] if (match := _LABEL_AT_START.match(text)) else text, ""
    if (tag := text.rfind("<answer>")) >= 0 and (found := containers(text[tag:][:WINDOW])):
        return found[-1].text, text[:tag].strip()
    labels = list(_LABEL.finditer(text, max(0, len(text) - WINDOW)))
    if labels and text[labels[-1].end() :].strip("` \t\n"):
        return text[labels[-1].end() :], text[: labels[-1].start()].strip()
    return None, text.strip()


def _own_turn(text: str, format: Format, accepted: Commands) -> str:
    """`text` without what a user or the world is imagined to say behind it."""
    for match in _PERSON.finditer(text):
        if text[: match.start()].strip():
            text = text[: match.start()]
            break
    calls = {found[0] for pattern in accepted.patterns if (found := _NAME.match(pattern))}
    for place, _ in observations(text):
        before = text[:place]
        stated = own(before, format)
        if stated and own(text[place:], format):
            return before
        call = _CALL.match(stated[-1].text if stated else before)
        if call and call[1] in calls:
            return before
    call = _CALL.match(text)
    return call[0] if call and call[1] in calls and not format.thinks else text
