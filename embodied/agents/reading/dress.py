"""Stage four of reading a reply, `dress`: what may stand around a phrase on its line, taken off piece by piece.

Bullets, quotes, brackets, emphasis, fences, LaTeX, tags, labels, calls of functions, closing punctuation. Whatever is
taken off leaves a shorter text, and only lines of `LONGEST` characters are looked at, so the time a line takes is
bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 600
"""Characters of a line that may be a dressed phrase."""

LABELS = (
    r"(?:(?:the|my|your|our|so|thus|therefore|hence|and|here|now|ok(?:ay)?|sure|well|then)[ ,:]{1,3}){0,3}"
    r"(?:(?:final|next|chosen|best|correct|selected|recommended|proposed|optimal|new|actual|single|output|agent"
    r"|immediate|right|suggested|game|revised|corrected)[ _]){0,2}"
    r"(?:actions?|commands?|answers?|moves?|decision|choice|output|response|cmd|act|acci[oó]n|respuesta|comando"
    r"|aktion|antwort|befehl|r[eé]ponse|commande|azione|risposta"
    r"|a[cç][aã]o|resposta|actie|antwoord|действие|команда|ответ|handlung|conclusion|solution|pick|selection|result"
    r"|verdict)"
    r"(?:[ _](?:i(?:'ll)? (?:choose|take|will take|select|pick)|is|to take|taken|would be|will be|input|chosen|here))?"
)
"""What a model may call its answer, before a colon."""
CJK_LABELS = (
    r"(?:最终|下一步|我的|所选|选择的|次の|最終)?(?:的)?"
    r"(?:动作|動作|行动|行動|答案|指令|命令|操作|选择|回答|アクション|コマンド|答え|행동|명령|답변?|결정)(?:是|为)?"
)
_LABEL = re.compile(
    rf"(?:{LABELS}[\"'`*_ ]{{0,4}}(?:[:=]|=>|->)|{CJK_LABELS}[\"'`*_ ]{{0,4}}[:=])[ *_]{{0,4}}", re.IGNORECASE
)
_SPEAKER = re.compile(
    r"(?:assistant|ai|agent|player|bot|model|me|step \d{1,3}|turn \d{1,3}|action \d{1,3})[*_ ]{0,3}[:)]\s{0,3}",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:[-*•·+]|>{1,4}|#{1,6}|\d{1,2}[.)]|=>|->|→|➡|✅|👉|\$|&gt;|>>>)\s{1,4}|(?:→|➡|✅|👉)")
_PAIRS = {
    '"': '"',
    "'": "'",
    "`": "`",
    "*": "*",
    "_": "_",
    "«": "»",
    "(": ")",
    "[": "]",
    "<": ">",
    "{": "}",
    "$": "$",
    "【": "】",
    "~": "~",
    "|": "|",
    "‹": "›",
}
_LATEX = re.compile(
    r"\\(?:boxed|fbox|text|mathrm|mathbf|textbf|texttt|textit|mathtt|mathit|mbox|emph|operatorname)\s?\{(.{1,500})\}"
)
_MATHS = re.compile(r"(?:\\\((.{1,500})\\\)|\\\[(.{1,500})\\\])")
_TAGGED = re.compile(r"<([a-z][\w.:-]{0,30})(?:\s[^<>]{0,60})?>(.{0,500})</\1\s?>", re.IGNORECASE)
_ENTITY = {"&quot;": '"', "&#39;": "'", "&apos;": "'", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": " "}
_CALL = re.compile(
    r"(?:(?:await|return|print)\s)?(?:[a-z_]\w{0,30}\.){0,3}(?P<name>[a-z_]\w{0,40})"
    r"\(\s?(?:\w{1,30}\s?[=:]\s?)?(?P<quote>[\"'`]?)(?P<value>[^\"`()]{0,300}?)(?P=quote)\s?,?\s?\);?",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"<[|｜][\w▁]{1,30}[|｜]>$")
_PRINTED = re.compile(r"print\((.{1,300}\))\);?")
_DOING = frozenset(
    [
        "act",
        "action",
        "step",
        "execute",
        "exec",
        "command",
        "cmd",
        "do",
        "perform",
        "play",
        "move",
        "send",
        "submit",
        "choose",
        "select",
        "input",
        "run",
        "respond",
        "answer",
        "type",
        "enter",
        "print",
        "take_action",
        "make_action",
        "apply_action",
        "next_action",
        "final",
        "final_answer",
        "game",
        "env",
        "agent",
        "invoke",
        "tool",
        "call",
        "interact",
        "output",
        "take_step",
        "do_action",
    ]
)
_FENCE = re.compile(r"(`{3,}|~{3,})[a-z]{0,12}\s{0,4}([^`~]{1,500}?)\s{0,4}\1", re.IGNORECASE)
_END = ".,;:!…。！}"
_ESCAPES = (("\\_", "_"), ("\\*", "*"), ("\\-", "-"), ('\\"', '"'), ("\\ ", " "))


def forms(line: str) -> Iterator[str]:
    """`line`, then what is left as its dress is taken off piece by piece; nothing for lines of more than `LONGEST`
    characters.
    """
    if len(line) > LONGEST:
        return
    for entity, sign in _ENTITY.items():
        line = line.replace(entity, sign) if "&" in line else line
    yield line
    while (shorter := _less(line.strip())) != line:
        if not shorter:
            return
        yield shorter
        line = shorter


def _less(line: str) -> str:
    """`line` with one piece of dress less."""
    if match := _BULLET.match(line):
        return line[match.end() :]
    if match := _LABEL.match(line) or _SPEAKER.match(line):
        return line[match.end() :]
    if match := _TAGGED.fullmatch(line):
        return match[2].strip()
    if len(line) >= 2 and _PAIRS.get(line[0]) == line[-1] and not (line[0] in "(['\"" and _several(line)):
        return line[1:-1]
    for pattern in (_FENCE, _LATEX, _MATHS):
        if match := pattern.fullmatch(line):
            return match[match.lastindex or 0].strip()
    if line.endswith(("|>", "｜>")) and (match := _TOKEN.search(line)):
        return line[: match.start()].rstrip()
    if match := _PRINTED.fullmatch(line):
        return match[1].strip()
    if match := _CALL.fullmatch(line):
        return _called(match, line)
    if "\\" in line:
        for escaped, sign in _ESCAPES:
            line = line.replace(escaped, sign)
    # the rest of `**ACTION:** x`, once the label is gone
    if line.startswith(("**", "__", "~~")) and line[:2] not in line[2:]:
        return line[2:]
    if line.endswith(("**", "__")) and line[-2:] not in line[:-2]:
        return line[:-2]
    return line.rstrip(_END)


def _several(line: str) -> bool:
    """Whether the sign that opens `line` is closed before its end: `"a" or "b"` is not a quotation."""
    return line[-1] in line[1:-1] and line[0] in line[1:-1]


def _called(match: re.Match[str], line: str) -> str:
    """What `act("go east")` and `look()` come to; the call as it is where the name may be half of the phrase
    (`take("coin")`).
    """
    name, value = match["name"], match["value"].strip()
    if not value:
        return name if not match["quote"] else line
    return (
        value
        if name.lower() in _DOING or set(name.lower().split("_")) <= _DOING | {"game", "next", "take", "the"}
        else line
    )
