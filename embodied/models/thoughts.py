"""Stage one of reading a reply, `thoughts`: separates what a model thought from what it said.

Open models write their thoughts into the reply itself, between marks of their own. Known are, in any letter case:

    marks                                                        models (examples)
    <think>, <thinking>, <thought>, <reasoning>, <reflection>,   DeepSeek, Qwen, GLM, Nemotron, Phi, SmolLM, Claude,
      ...                                                        Marco-o1, ...
      with a prefix too: <seed:think>                            Seed-OSS
    [THINK] ... [/THINK]                                         Magistral
    ◁think▷ ... ◁/think▷                                         Kimi
    <|channel|>analysis<|message|> ... <|channel|>final...       gpt-oss (harmony)
    <|begin_of_thought|> ... <|end_of_thought|>                  Sky-T1, OpenThinker
    <|START_THINKING|> ... <|END_THINKING|>                      Command A
    Here is my thought process: ... Here is my response:         Granite
    ```thinking ... ```, <!-- ... -->, &lt;think&gt;             various

A closing mark without an opening one ends a thought that began with the reply (chat templates write the opening). A
thought that does not end is all there is: nothing in it is an answer. Time is linear in the length of the reply.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = (
    r"(?:[a-z]{1,12}:)?(?:thinking|think|thoughts?|thought[_ ]process|reasoning|reason|reflection|reflect|rationale"
    r"|scratch_?pad|analysis|deliberation"
    r"|(?:inner|internal)[_ ]?(?:monologue|thoughts?|thinking)|monologue|chain[_ ]of[_ ]thought|cot"
    r"|cot_budget_reflect|contemplation|contemplator|planning)"
)
_MARK = re.compile(
    rf"""
      (?P<comment><!--) | (?P<uncomment>-->)
    | (?P<fence>^[ \t]{{0,3}}(?:```|~~~)[ \t]?(?:thinking|think|thoughts?|reasoning)[ \t]*$)
     | (?P<unfence>^[ \t]{{0,3}}(?:```|~~~)[ \t]*$)
    | (?P<here>^[ \t*\#]{{0,8}}here(?:[ ]is|'s|’s)[ ](?:my|the)[ ](?:thought|thinking|reasoning)
        (?:[ ]process)?[ ]?[*]{{0,2}}:)
    | (?P<said>^[ \t*\#]{{0,8}}here(?:[ ]is|'s|’s)[ ](?:my|the)[ ](?:final[ ])?(?:response|answer)[ ]?[*]{{0,2}}:)
    | (?:<[|｜]\s?(?:end[_▁ ](?:of[_▁ ])?|/){_NAME}\s?[|｜]>) (?P<unpipe>)
    | (?:<[|｜]\s?(?:(?:begin|start)[_▁ ](?:of[_▁ ])?)?{_NAME}\s?[|｜]>) (?P<pipe>)
    | (?:<|＜|&lt;|◁|⟨|〈) \s? [/／\\] \s? {_NAME} \s? (?:>|＞|&gt;|▷|⟩|〉) (?P<close>)
    | (?:<|＜|&lt;|◁|⟨|〈) \s? {_NAME} (?:[ \t][^<>\n]{{0,100}})? (?:>|＞|&gt;|▷|⟩|〉) (?P<open>)
    | [\[【] \s? [/／] \s? {_NAME} \s? [\]】] (?P<unbracket>)
    | [\[【] \s? {_NAME} \s? [\]】] (?P<bracket>)
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_SIGNS = ("<", "◁", "[", "【", "&lt;", "＜", "⟨", "〈", "&LT;")
_HERE = re.compile("(?:```|~~~)[ \t]?(?:think|thought|reason)|here(?: is|'s|’s) ", re.IGNORECASE)
_OPENS = {
    "comment": "uncomment",
    "fence": "unfence",
    "here": "said",
    "pipe": "unpipe",
    "open": "close",
    "bracket": "unbracket",
}
_TAGS = frozenset({"unpipe", "close", "unbracket"})
"""Closing marks that end any thought, no matter which mark opened it."""
_ALWAYS = re.compile(r"[\[【]\s?think(?:ing)?\s?[\]】]", re.IGNORECASE)
"""Bracketed words that open a thought even if nothing closes it; others may be headings (`[Reasoning]`)."""

_CHANNEL = re.compile(
    r"<\|channel\|>\s{0,4}(analysis|commentary|final)\b([^<]{0,200})(?:<\|constrain\|>[^<]{0,40})?<\|message\|>"
)
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start|channel)\|>")
_CHANNEL_MARK = re.compile(r"<\|channel\|>|<\|start\|>assistant")
_RUN_TOGETHER = re.compile(r"\s{0,8}analysis(?=[A-Z\"'*])")
"""Harmony whose special tokens were left out by the server: `analysisWe need ...assistantfinalgo east`."""
_GEMMA = re.compile(r"\s{0,8}<\|channel>thought\b")


class Thoughts(NamedTuple):
    """A reply without its thoughts."""

    thought: str
    answer: str
    cut: bool = False
    """True when the last thought does not end: `answer` is what came before it, mostly nothing."""


def split(text: str) -> Thoughts:
    """Separates thoughts and answer; both are stripped when there are thoughts, else `answer` is `text` as it is."""
    if _CHANNEL_MARK.search(text):
        return _harmony(text)
    if match := _RUN_TOGETHER.match(text):
        thought, final, answer = text[match.end() :].rpartition("assistantfinal")
        return Thoughts(thought.strip(), answer.strip()) if final else Thoughts(answer.strip(), "", True)
    if match := _GEMMA.match(text):
        thought, closed, answer = text[match.end() :].partition("<channel|>")
        return Thoughts(thought.strip(), answer.strip(), not closed)
    return _marked(text)


def opens(text: str) -> bool:
    """Whether `text` still holds a mark of a thought: one that `split` left because the thought has no clear beginning
    or end.
    """
    return any(
        match.lastgroup in ("open", "pipe", "close", "unpipe") or _ALWAYS.fullmatch(match[0])
        for match in _MARK.finditer(text)
    )


def _harmony(text: str) -> Thoughts:
    """The last message on the final channel, or the last call of a function; the rest is thought. None of them: the
    reply was cut.
    """
    thoughts, said, called = [], None, None
    position = 0
    while match := _CHANNEL.search(text, position):
        before = text[position : match.start()]
        thoughts.append(before.partition("<|")[0])
        end = _CHANNEL_END.search(text, match.end())
        body = text[match.end() : end.start() if end else len(text)].strip()
        position = end.start() if end else len(text)
        if match[1] == "final":
            said = body
        elif "to=" in match[2]:
            called = body
        else:
            thoughts.append(body)
    if position == 0:
        thoughts.append(text)
    answer = said if said is not None else called
    return Thoughts("\n".join(t.strip() for t in thoughts if t.strip()), answer or "", answer is None)


def _marked(text: str) -> Thoughts:
    thoughts: list[str] = []
    kept: list[str] = []
    position, opened = 0, None
    matches = list(_MARK.finditer(text)) if _may_hold_marks(text) else []
    closable = {match.lastgroup for match in matches}
    for match in matches:
        kind = match.lastgroup or ""
        if opened is not None:
            if kind == _OPENS[opened.lastgroup or ""] or (
                kind in _TAGS and opened.lastgroup not in ("comment", "fence")
            ):
                thoughts.append(text[opened.end() : match.start()])
                position, opened = match.end(), None
        elif kind in _TAGS:  # all before it was thought
            thoughts.append("".join([*kept, text[position : match.start()]]))
            kept, position = [], match.end()
        elif kind in _OPENS and (kind in ("open", "pipe") or _OPENS[kind] in closable or _ALWAYS.fullmatch(match[0])):
            kept.append(text[position : match.start()])
            opened = match
    if opened is None:
        kept.append(text[position:])
    elif opened.lastgroup != "comment" and (_begins_line(text, opened.start()) or not "".join(kept).strip()):
        thoughts.append(text[opened.end() :])
    else:  # in the middle of a line, and without an end: perhaps no mark at all
        kept.append(text[opened.start() :])
        return _result(thoughts, kept, text, False)
    return _result(thoughts, kept, text, opened is not None)


def _begins_line(text: str, place: int) -> bool:
    return not text[text.rfind("\n", 0, place) + 1 : place].strip(" \t>*_#\"'`")


def _may_hold_marks(text: str) -> bool:
    return any(sign in text for sign in _SIGNS) or _HERE.search(text) is not None


def _result(thoughts: list[str], kept: list[str], text: str, cut: bool) -> Thoughts:
    if not thoughts:
        answer = "".join(kept)
        return Thoughts("", text if answer == text else answer.strip(), cut)
    return Thoughts("\n".join(t.strip() for t in thoughts if t.strip()), "".join(kept).strip(), cut)
