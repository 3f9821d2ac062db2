"""Stage two of reading a reply, `turn`: where the model's own turn ends.

Models that were trained on transcripts continue after their answer: they imagine what the world says, and then their
next action. Nothing after such an invented observation is an answer. An observation that is repeated before any action
was stated is not an invented one: many thoughts begin with it.
"""

from __future__ import annotations

import re

_WORLD = (
    r"(?:(?:new|next|current|updated|expected|simulated|imagined|resulting|game|environment|tool|function|system"
    r"|your|the|assumed|predicted)[ _]){0,2}"
    r"(?:observations?|obs|results?|environment|env|feedback|user|human|system|game|simulator|simulation|world|tool"
    r"|tool[ _](?:result|output|response)|function|outcome"
    r"|narrator|output|game[ _]?master|dungeon[ _]?master|dm|you[ ]see|state|reward"
    r"|response from (?:the )?(?:environment|game)|env(?:ironment)? (?:response|feedback|output)"
    r"|beobachtung|umgebung|ergebnis|observaci[oó]n|resultado|entorno|observation|r[eé]sultat|environnement|观察|观测|环境"
    r"|用户|结果|観察|結果|관찰|결과)"
)
_SAYS = re.compile(
    rf"^[ \t>*_#~`|\"'(\-]{{0,10}}(?:\d{{1,2}}[.)] )?[\[<(]?[*_]{{0,3}}{_WORLD}(?:[ ](?:after"
    rf"|\#)?[ ]?\d{{1,3}})?[\])>*_ \t\"']{{0,4}}[:：=]"
    rf"|^[ \t>*_#~`]{{0,10}}[\[<【]\s?{_WORLD}\s?[\]>】]|^[ \t]{{0,4}}[#*_]{{1,6}}[ ]?{_WORLD}[*_ \t]{{0,4}}$",
    re.IGNORECASE | re.MULTILINE,
)
_SAYS_INLINE = re.compile(
    r"(?<=[\s.!?*\"'`>)\]}])[\[(<*_]{0,3}(?:(?:New |Next |Current |Expected )?(?:Observations?|OBSERVATIONS?"
    r"|observation|Obs|OBS|obs|Results?|RESULT|Environment|ENVIRONMENT|Env|ENV"
    r"|User|USER|Human|HUMAN|Feedback|Outcome|System|Game))[\])>*_ ]{0,3}[:：]"
)
_HARD = re.compile(
    r"<\|im_start\|>\s{0,4}(?:user|system|tool|observation|environment)|<[|｜](?:user|observation|tool|system"
    r"|environment|human|ipython|tool_response|begin_of_user|User)[|｜]>"
    r"|<start_of_turn>\s{0,2}user|<\|turn>\s?user|<\|start_header_id\|>\s{0,2}(?:user|tool|ipython|system"
    r"|environment)|\[INST\]|\[/?TOOL_RESULTS\]|<\|START_OF_TURN_TOKEN\|><\|(?:USER|SYSTEM)_TOKEN\|>"
    r"|<(?:observations?|obs|tool_response|tool_result|tool_results|function_results?|function_response|result"
    r"|results|environment|env|user|human|feedback|game)(?:\s[^<>]{0,60})?>"
    r"|<[|｜]tool▁outputs▁begin[|｜]>|<[|｜]tool_outputs_begin[|｜]>",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"<\|im_end\|>|<\|eot_id\|>|<\|eom_id\|>|<\|endoftext\|>|<\|end_of_text\|>|<end_of_turn>|<turn\|>|</s>|<eos>"
    r"|<[|｜]end[▁_]of[▁_]sentence[|｜]>|<\|end\|>|<\|return\|>|<\|END_OF_TURN_TOKEN\|>"
    r"|<\|endofturn\|>|<\|end_of_turn\|>|<\|end_of_role\|>|<\|eos\|>|<\|endofresponse\|>|\[EOS\]"
)
_BEGINS = re.compile(
    r"\s{0,40}(?:<s>|<bos>|<\|begin_of_text\|>|<\|im_start\|>\s{0,2}assistant"
    r"|<\|start_header_id\|>\s{0,2}assistant\s{0,2}<\|end_header_id\|>|<start_of_turn>\s{0,2}model|<\|turn>model"
    r"|<[|｜]assistant[|｜]>|\[/INST\]|<\|START_OF_TURN_TOKEN\|><\|CHATBOT_TOKEN\|>"
    r"|<\|start_of_role\|>assistant<\|end_of_role\|>|<\|python_tag\|>|<\|message\|>)",
    re.IGNORECASE,
)
_MOST = 16
"""Observations that are looked behind, one after the other, before all that follows is given up."""


def turn(text: str) -> str:
    """`text` without the signs of a chat template at its beginning, and without what follows one that ends a turn."""
    for _ in range(8):
        if not (match := _BEGINS.match(text)):
            break
        text = text[match.end() :]
    if "<" in text or "[" in text:
        for match in _OVER.finditer(text):
            if text[: match.start()].strip():
                return text[: match.start()]
            return turn_rest(text, match.end())
    return text


def turn_rest(text: str, start: int) -> str:
    """What follows a sign that ended a turn in which nothing was said."""
    following = _OVER.search(text, start)
    return text[start : following.start() if following else len(text)]


def observations(text: str) -> list[tuple[int, bool]]:
    """Where something that is not the model begins to speak, in order, at most `_MOST` places: (position, whether it is
    a sign of a chat template).
    """
    places: dict[int, bool] = {}
    for pattern, hard in ((_SAYS, False), (_SAYS_INLINE, False), (_HARD, True)):
        for number, match in enumerate(pattern.finditer(text)):
            if number == _MOST:
                break
            places[match.start()] = places.get(match.start(), False) or hard
    return sorted(places.items())[:_MOST]
