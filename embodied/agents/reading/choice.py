"""Stage five of reading a reply, `phrase`, where actions are finite: which phrase was chosen.

A line that is a phrase chooses it. A phrase within a sentence is chosen only if the sentence says so: it is the only
phrase that the text speaks of, and it stands as an order ("Turn left now."), behind words of choosing ("I will", "my
answer is"), or in quotes; and it is not denied ("not", "instead of", "is wrong"), asked about, or only supposed ("if
I", "could", "last time").
"""

from __future__ import annotations

import re
from functools import lru_cache

from embodied.agents.reading.dress import forms
from embodied.agents.reading.letters import plain
from embodied.agents.vocabulary import Vocabulary, expression

_PARENTHESES = re.compile(r"\([^()\n]{0,400}\)|\[[^\[\]\n]{0,400}\]|（[^（）\n]{0,400}）")
_SENTENCE = re.compile(r"[.!?;:\n。！？；]")
_STATEMENT = re.compile(r"[.!?\n。！？]")
_CLAUSE = re.compile(r"[.!?;:,\n。！？；，、()\-–—]")
_REACH = 160
"""Characters before and behind a phrase that are looked at."""

_NOT = re.compile(
    r"(?:\b(?:not|never|no|nor|neither|false|untrue|without|avoid(?:s|ed|ing)?|except|cannot|dont|wont|cant|shouldnt"
    r"|isnt|unable|unwilling|refus\w+|stop(?:ping)?|against|excluding|exclude[sd]?"
    r"|reject(?:s|ed|ing)?|ruled? out|ruling out|skip(?:ping)?|unlike|versus|vs|than|hardly|instead of|rather than"
    r"|other than|apart from|aside from|anything but|all but|but not"
    r"|far from|fail(?:s|ed|ing)?|discard\w*|eliminat\w+|dismiss\w*|wrong|worse|nicht|kein\w*|nie|statt|ohne|ne|pas"
    r"|jamais|nunca|jam[aá]s|sin|non|nao|não|niet|geen|evitar|vermeide\w*"
    r"|forget(?:ting)?|ignor\w+|oppose\w*|prevent\w*|forbid\w*|forbidden|prohibit\w*|ban(?:ned)?|illegal|invalid"
    r"|impossible|useless|bad idea to|mistake to)\b|n't\b|不|别|勿|没|非|而非|避免)",
    re.IGNORECASE,
)
_NEVER_MIND = re.compile(r"^\W*(?:no|nope|never mind|not yet|not sure|no problem|not bad)\s?[,;:]", re.IGNORECASE)
_NOT_BEHIND = re.compile(
    r"[\s\"'`*”’»)\]]{0,4}(?:,?\s?(?:which|that|this|it|but that|and that)\s)?(?:(?:is|was|are|would|will|wo|does"
    r"|did|do|can|could|should|has|had|looks?|seems?|ca|may|might|must|appears?|sounds?)(?:n't| not|\snot"
    r"|\sbe)?\s?(?:be|been|a|an|the|to be)?\s?)"
    r"(?:\w+ly |too |very |also |quite |more |still )?(?:n't|not\b|never|no\b|wrong|bad|worse|worst|mistake|unsafe"
    r"|dangerous|blocked|impossible|incorrect|useless|invalid|pointless|out\b|ruled|excluded|risky|unnecessary|fail"
    r"|failed|cannot|inferior"
    r"|unwise|fatal|hit|lose|kill|crash|collide|lead nowhere|forbidden|illegal|rejected|unavailable|premature"
    r"|suboptimal|less|a bad|a mistake|deadly|suicide|harmful|unsuitable|unhelpful)|[\s\"'`*”’»)\]]{0,4}(?:isn't"
    r"|wasn't|won't|doesn't|didn't|can't|cannot|shouldn't|wouldn't|isnt|不|ist nicht|ist falsch)"
    r"|[\s\"'`*”’»)\]]{0,4}[?？]|[\s\"'`*”’»)\]]{0,4}[-:–—=,]{0,2}\s?(?:no\b|not\b(?! go)|wrong\b|bad\b|incorrect\b|❌"
    r"|✗|✘|nope\b|never\b|blocked\b|failed\b|invalid\b|impossible\b)",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:could|might|may|maybe|perhaps|possibly|if|when|whenever|once|after|before|until|till|unless|whether|while"
    r"|because|since|although|though|would(?! (?:choose|pick|go|say|select|prefer|take|like|recommend|suggest|be)\b)"
    r"|was|were|had|tried|trying|already|last|previous(?:ly)?|earlier|just now|used to|options?|possible|available"
    r"|consider(?:ing|ed)?|either|or|example|e\.g|such as|like when|suppose|imagine|assum\w+"
    r"|as if|in case|later|eventually|next time|then i|afterwards|chose|took|went|did|someone|they|he|she|monster"
    r"|enemy|other|wish|hope|unsure|doubt\w*|wonder\w*|don't know|wenn|falls|vielleicht|si)\b|如果|可能|也许",
    re.IGNORECASE,
)
_FILLER = (
    r"(?:please|just|simply|first|now|then|so|ok|okay|therefore|thus|hence|well|yes|sure|alright|definitely|go|move"
    r"|head|walk|step|do|use|try|perform|execute|press|take|choose|select|pick"
    r"|to|the|action|immediately|quickly|carefully|let's|lets|and|a|an|my|it|with|for|bitte|dann|also|right away"
    r"|certainly|on|one step|the option|option|number|no\.)"
)
_ORDER = re.compile(rf"^[^\w]*(?:{_FILLER}[\s,:\"'`*]{{1,4}}){{0,5}}[^\w]*$", re.IGNORECASE)
"""What may stand before a phrase that is an order."""
_BARE_TO = re.compile(r"^[^\w]*to\s+[^\w]*$", re.IGNORECASE)
_AFTER_WILL = (
    r"(?:now|then|simply|just|first|again|therefore|thus|so|definitely|have|need|want|like|love|going|to|go|move"
    r"|walk|head|step|choose|pick|select|decide|decided|try|use|say|take|do|perform|execute|press|be|keep|opt|for"
    r"|with|settle|on"
    r"|the|a|action|command|option|direction|path|proceed|continue|prefer|make|answer|vote|here|also|recommend"
    r"|suggest|conclude|that|is|it|immediately|start|begin|by|doing|choosing|selecting|picking|taking|turn|my|own"
    r"|move)"
)
_WILLED = re.compile(
    r"(?:\b(?:i|we|let me|let us|let's|lets|should|must|will|shall|'ll|i'm|im|we're|am|need(?:s)? to|ha(?:s|ve) to"
    r"|want(?:s)? to|going to|ought to|gonna|have decided to|time to|best to|wise to|better to|safest to"
    r"|ich(?: werde| w[aä]hle| nehme)?|yo|voy a|debo|elijo"
    rf"|je(?: choisis| vais)?|choisis|vado|escolho)|'ll|'m|我(?:会|将|要|选|选择|应该)?|选择|应该"
    rf"|执行)[\s,]{{0,2}}(?:{_AFTER_WILL}\b[\s,:]{{0,3}}){{0,7}}[\s\"'`*(\[<:“]{{0,5}}$",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:\b(?:choose|choosing|select|selecting|pick|picking|prefer|opt for|opting for|go with|going with|settle on"
    r"|answer|answer is|action|action is|action:|command|command is|choice|choice is|decision|decision is|move is"
    r"|option is|best|better"
    r"|recommend|suggest|conclude|conclusion|execute|perform|therefore|hence|thus|it is|it's|that is|that's|is to"
    r"|be to|would be|decide on|vote for|(?:best|better|right|correct|optimal|preferred|next|safest|preferable"
    r"|suitable|only) (?:\w+ ){0,3}(?:is|are|seems|remains)"
    r"|antwort ist|respuesta es|r[eé]ponse est)|答案是|动作是|选择)[\s,]{0,3}(?:(?:is|to|be|clearly|obviously|therefore"
    r"|would|the|that|action|a|as|option|simply|just|probably|go|move)\b[\s:,]{0,3}){0,5}[\s\"'`*(\[<:：“]{0,5}$",
    re.IGNORECASE,
)
_TOLD_OF = re.compile(
    r"[\s\"'`*”’)\]]{0,4}(?:is|are|was|were|has|have|had|would|could|seems?|looks?|appears?|may|might|will|does|did"
    r"|do|can|leads?|goes|takes|passes|contains?|requires?|needs?|makes?|runs?|gets?|keeps?|stays?|comes?|involves?"
    r"|offers?|provides?|gives?|costs?|means?|lies)\b",
    re.IGNORECASE,
)
_PRAISED = re.compile(
    r"[^.!?\n]{0,40}?\b(?:better|best|preferable|preferred|right one|correct|optimal|my (?:answer|choice|action|pick"
    r"|move)|the (?:answer|choice|one|action|right|best|better|correct|way to go|most|winner)|chosen|recommended"
    r"|more suitable|most suitable|superior|favou?red|ideal"
    r"|what i (?:choose|will do|pick)|it)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(r"\b(?:if|unless|otherwise|or|else|until|except|but|wenn|oder|si|ou)\b|如果|或", re.IGNORECASE)
"""Behind a phrase: it is not the whole of what is decided."""
_QUOTES = "\"'`*“‘«「[<"
_OTHER_WORD = {
    "up": re.compile(
        r"(?:pick|look|give|stand|wake|sum|end|set|back|line|follow|speed|write|pull|hurry|get|got|open|mess|show"
        r"|turn|grow|make|made|come|came|build|straight|bring|move it|clear|keep)(?:s|ed|ing|ting)?[\s-]$",
        re.IGNORECASE,
    ),
    "down": re.compile(
        r"(?:slow|calm|break|write|sit|put|turn|come|shut|track|narrow|boil|lie|settle|cool|note|fall|upside|lay"
        r"|close)(?:s|ed|ing|ting)?[\s-]$",
        re.IGNORECASE,
    ),
}
_OTHER_WORD_BEHIND = {
    "right": re.compile(
        r"[\s]?(?:now|away|choice|answer|action|one|thing|decision|order|path|away|place|next|after|before|!|,"
        r"|\.\s|there|here|above|below|behind|way|question|track|angle)", re.IGNORECASE),
    "left": re.compile(r"\s(?:over|behind|alone|of|side of|for|to do|is|are|hand side|me with|in)", re.IGNORECASE),
    "up": re.compile(r"\s(?:to|until|against|for|next|ahead|and running|with)\b", re.IGNORECASE),
    "look": re.compile(r"\s(?:like|forward|for|into|as)\b", re.IGNORECASE),
    "open": re.compile(r"\s(?:to|space|area|ground|question|door(?:way)? (?:is|leads))\b", re.IGNORECASE),
    "stop": re.compile(r"\s(?:sign|light|line|bar)\b", re.IGNORECASE),
    "wait": re.compile(r"\s?[,.!…-]", re.IGNORECASE),
}  # fmt: skip
_DENIES = -2
_CONTRAST = 1_000
"""Characters of a text in which one phrase is set against another."""
_REFUSED = re.compile(r"\s*I (?:won't|will not|don't|do not|shouldn't|should not) $", re.IGNORECASE)
_INSTEAD = re.compile(r"\s*(?:instead of|rather than) $", re.IGNORECASE)
_BUT_NOT = re.compile(r",\s(?:and |but )?not $", re.IGNORECASE)
_FAR = re.compile(r"\b(?:far|half|almost|slightly|hard|sharp|double)[\s_-]{1,2}$", re.IGNORECASE)


def whole(vocabulary: Vocabulary, line: str) -> tuple[str, ...]:
    """The phrases that `line` can be, dress aside: one when it is clear, several when only case could tell them apart,
    else none.
    """
    if phrase := vocabulary.exact(line):
        return (phrase,)
    shapes = list(forms(line))
    if len(shapes[-1] if shapes else "") > vocabulary.longest_line:
        return ()
    for shape in shapes:
        if phrase := vocabulary.exact(shape):
            return (phrase,)
    for shape in shapes:
        if phrases := vocabulary.folded(shape):
            return phrases
        if (
            (bare := _PARENTHESES.sub("", shape).strip()) != shape
            and bare
            and (phrases := vocabulary.folded(bare) or vocabulary.folded(bare.rstrip(".,;:! ")))
        ):
            return phrases  # turn left (towards the door)
    return ()


def lines(vocabulary: Vocabulary, text: str) -> tuple[str, ...]:
    """The phrases that lines of `text` are, each once."""
    return tuple(
        dict.fromkeys(
            phrase for line in text.splitlines() if line.strip() for phrase in whole(vocabulary, line.strip())
        )
    )


def mentioned(vocabulary: Vocabulary, text: str) -> tuple[str, ...]:
    """The phrases that `text` speaks of, remarks in brackets aside, each once, in order."""
    return tuple(dict.fromkeys(phrase for phrase, _, _ in _mentions(vocabulary, _PARENTHESES.sub(_blank, text))))


def chosen(vocabulary: Vocabulary, text: str, marked: bool = False) -> tuple[str, ...]:
    """The phrase that a sentence of `text` chooses; several where several are spoken of; none where the only one is not
    chosen.

    Args:
        vocabulary: The phrases.
        text: A reply, or the line behind a mark.
        marked: The text stands behind a mark: speaking of a phrase is enough, unless it is denied, asked about or
            supposed.
    """
    for view in (_PARENTHESES.sub(_blank, text), text):
        mentions = _mentions(vocabulary, view)
        if not mentions:
            continue
        stances: dict[str, list[int]] = {}
        for phrase, start, end in mentions:
            stances.setdefault(phrase, []).append(_stance(view, phrase, start, end))
        if len(stances) > 1:
            rest = _without_contrast(view, mentions)
            return (
                chosen(vocabulary, rest, marked) if rest != view else _singled_out(view, mentions, stances)
            ) or tuple(stances)
        (only,) = stances.values()
        return tuple(stances) if max(only) >= (0 if marked else 1) and _DENIES not in only else ()
    return ()


def _without_contrast(text: str, mentions: list[tuple[str, int, int]]) -> str:
    """`text` without the one phrase that it plainly sets against another: "Instead of A, B", "I won't A; B", "B, not
    A".
    """
    for _, start, end in mentions if len(text) <= _CONTRAST else ():
        before, behind = text[:start], text[end:]
        if _REFUSED.match(before) and re.match(r"\s?[;.]\s+(?!and\b|or\b|nor\b)", behind):
            return behind.lstrip(" ;.")
        if _INSTEAD.match(before) and re.match(r"\s?,\s*(?!and\b|or\b|nor\b)|\s+I (?:choose|pick|select)\b", behind):
            return behind.lstrip(" ,")
        if (ahead := _BUT_NOT.search(before)) and re.fullmatch(r"\s*[.!]?\s*", behind):
            return text[: ahead.start()]
    return text


def _singled_out(text: str, mentions: list[tuple[str, int, int]], stances: dict[str, list[int]]) -> tuple[str, ...]:
    """The one phrase that is chosen, without a condition, where each other one is denied, asked about or supposed; else
    none.
    """
    wanted = [phrase for phrase, found in stances.items() if max(found) >= 0]
    if len(wanted) != 1 or min(stances[wanted[0]]) < 1:
        return ()
    behind = (_after(_STATEMENT, text[end : end + _REACH]) for phrase, _, end in mentions if phrase == wanted[0])
    return () if any(_CONDITION.search(rest) for rest in behind) else tuple(wanted)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _mentions(vocabulary: Vocabulary, text: str) -> list[tuple[str, int, int]]:
    pattern = _pattern(tuple(vocabulary.actions))
    found: list[tuple[str, int, int]] = []
    end = 0
    for match in pattern.finditer(text) if pattern else ():
        if match.end(1) <= end:
            continue  # it lies within a longer one
        end = match.end(1)
        phrases = vocabulary.folded(match[1])
        for phrase in [match[1]] if match[1] in phrases else phrases:
            found.append((phrase, match.start(1), match.end(1)))
    return found


def _stance(text: str, phrase: str, start: int, end: int) -> int:
    """What the sentence does with the phrase: chooses it (1), speaks of it (0), asks or supposes (-1), or denies it
    (-2).
    """
    before, behind = text[max(0, start - _REACH) : start], text[end : end + _REACH]
    sentence, clause, statement = (_after_last(pattern, before) for pattern in (_SENTENCE, _CLAUSE, _STATEMENT))
    if _denied(statement, clause) or _NOT_BEHIND.match(behind):
        return _DENIES
    ending = _STATEMENT.search(behind)
    if (
        (ending and ending[0] in "?？")
        or _FAR.search(before)
        or _is_other_word(phrase, before, behind)
        or _SUPPOSED.search(statement)
    ):
        return -1
    if before[-1:] and before[-1] in _QUOTES and not before[-2:-1].isalnum():
        return 1
    if _ORDER.match(sentence) and not _BARE_TO.match(sentence):
        return 1 if not _TOLD_OF.match(behind) or _PRAISED.match(behind) else 0
    if _WILLED.search(sentence) or _NAMED.search(sentence):
        return 1
    return int(
        _ORDER.match(clause) is not None
        and len(clause) < len(sentence)
        and not _TOLD_OF.match(behind)
        and not _BARE_TO.match(clause)
    )


def _denied(statement: str, clause: str) -> bool:
    """Whether what stands before a phrase denies it: in its own clause, or before it in a clause that does not choose
    by itself.
    """
    if _NOT.search(clause):
        return True
    return _NOT.search(_NEVER_MIND.sub("", statement)) is not None and not (
        _WILLED.search(clause) or _NAMED.search(clause)
    )


def _is_other_word(phrase: str, before: str, behind: str) -> bool:
    word = phrase.lower()
    ahead, following = _OTHER_WORD.get(word), _OTHER_WORD_BEHIND.get(word)
    return bool((ahead and ahead.search(before)) or (following and following.match(behind)))


def _after(pattern: re.Pattern[str], behind: str) -> str:
    """What follows up to the first match."""
    end = pattern.search(behind)
    return behind[: end.start()] if end else behind


def _after_last(pattern: re.Pattern[str], text: str) -> str:
    last = 0
    for match in pattern.finditer(text):
        last = match.end()
    return text[last:]


@lru_cache(maxsize=64)
def _pattern(actions: tuple[str, ...]) -> re.Pattern[str] | None:
    """Finds phrases of over one character, not numbers, as whole words: `far-east` and `pick-up` hold neither `east`
    nor `up`.
    """
    phrases = sorted(
        (plain(p).strip() for p in actions if len(p.strip()) > 1 and not p.strip().isdigit()), key=len, reverse=True
    )
    if not phrases:
        return None
    return re.compile(rf"(?<![\w'])(?<!\w-)(?=({'|'.join(map(expression, phrases))})(?![\w])(?!-\w))", re.IGNORECASE)
