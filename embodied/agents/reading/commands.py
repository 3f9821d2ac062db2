"""Stage five of reading a reply, `phrase`, where any line is a command: which one was given, and that it is one.

A command is an order of one line, as it would be typed. Sentences about what to do ("I will go east"), questions and
alternatives are none. Of several commands in one the first is taken: what follows is dropped, and the decision says so.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from embodied.agents.reading.dress import LONGEST, forms
from embodied.agents.vocabulary import CONTROL, LONGEST_COMMAND, Commands

_KNOWN = (
    "north south east west northeast northwest southeast southwest up down in out n s e w ne nw se sw go walk run "
    "move head enter exit leave climb look l examine x inspect search read "
    "take get grab pick drop put insert place open close shut lock unlock push pull turn switch eat drink cook "
    "slice chop dice prepare inventory i wait z give show ask tell say answer "
    "attack hit kill throw wear remove light burn cut use goal help score undo press touch jump sit stand wave give "
    "feed fill empty pour tie untie"
)
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_ABBREVIATION = re.compile(r"(?:^|\s)(?:mr|mrs|ms|dr|st|prof|jr|sr|no|vs|mt|capt|lt|sgt)$", re.IGNORECASE)
_INTERJECTION = re.compile(
    r"(?:sure(?: thing)?|okay|ok|certainly|of course|got it|alright|all right|great|understood|absolutely|no problem"
    r"|yes|yeah|well|hmm+|ah|aha|thanks|thank you|perfect|good|hello|hi|hey"
    r"|excellent|right|fine|very well|so|now)(?:\s?[!.,:–—-]+\s*|\s*$)",
    re.IGNORECASE,
)
_PROSE = re.compile(
    r"(?:i(?:'[a-z]+)?|we(?:'[a-z]+)?|you(?:'[a-z]+)?|let me|let's|let us|the|my|to|since|because|based|given|first"
    r"|next|finally|it(?:'s)?|there(?:'s)?|this|that|these|those|as|sorry|unfortunately"
    r"|after|before|if|in order|in the|in this|from|however|but|so|here(?:'s)?|what|where|which|who|why|how|when"
    r"|while|should|could|would|can(?:'t|not)?|do not|don't|dont|never|not|no|nor|avoid|instead"
    r"|rather|anything but|anywhere but|everything but|all but|maybe|perhaps|thoughts?|reasoning|reason|analysis"
    r"|plan|goals?:|a|an|our|your|he|she|they|at|with|by|for|is|are|was|does|did|will|must|need|none|neither"
    r"|nothing|either|note|remember|unable|please note|my|action|command|answer|\w+ing|stop|refuse|without|except"
    r"|other than|only if|under no|absolutely not|one|some|any|all|both|according|currently|possible|available"
    r"|observations?|obs|results?|user|human|environment|system|step)(?=[\s,.:;!?*_])",
    re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"\b(?:is|are|was|were|would|could|might|should|seems?|will|i|i'll|i'm|we|won't|isn't|don't|doesn't|can't|cannot"
    r"|must|may|not|never)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"]*\"|'(?<!\w')[^']*'(?!\w)")
_ALTERNATIVE = re.compile(
    r"\s(?:or|vs\.?|versus|oder|rather than|instead of|and not|but not|if|unless|until)\s|\s/\s", re.IGNORECASE
)
_TAIL = re.compile(
    r"\s(?:because|since|so that|so as|so i|in order|which|as (?:i|it|this|that|the)|hoping|in hopes|to (?:find|see"
    r"|get|reach|explore|look|check|continue|try|avoid|return|go|search|head|start|move|discover|learn|unlock)\b"
    r"|where|for the)\b.*"
    r"|\s(?:--?|#|//|;;|→|=>|->|\|)\s.*|\s{2,}#.*|\s?\([^()]*(?:\)|$)\s*[.!]?$",
    re.IGNORECASE,
)
_SPAN = re.compile(r"`([^`\n]{1,200})`|\*\*([^*\n]{1,200})\*\*")
_FENCED = re.compile(r"^[ \t]{0,3}(?:```|~~~)[^\n`]{0,20}\n([^`~]{1,2000}?)^[ \t]{0,3}(?:```|~~~)", re.MULTILINE)
_NUMBERED = re.compile(r"\s\d{1,2}[.)]\s")
_FENCE = re.compile(r"(?:```|~~~)\s?\w{0,20}$")


class Command(NamedTuple):
    """A command, or None, and what was dropped behind it."""

    text: str | None
    dropped: str = ""


_NONE = Command(None)


class Speech:
    """Finds commands.

    Args:
        accepted: The environment's command patterns, whose first words are known to be verbs.
    """

    def __init__(self, accepted: Commands):
        words = {match[0].lower() for pattern in accepted.patterns if (match := _FIRST_WORD.match(pattern))}
        self._known = words | set(_KNOWN.split())
        known = "|".join(sorted(map(re.escape, self._known), key=len, reverse=True))
        self._next = re.compile(
            rf"(?:\s?[,;&]\s?(?:and\s|then\s|and then\s|next\s|also\s|finally\s|followed by\s)*"
            rf"|\s(?:and|then|and then|and also|before|after that|followed by|->|=>|→|\|"
            rf"|&&?)\s)(?=(?:go\s)?(?:{known})\b)"
            r"|,?\s(?:and\s)?then\b|\s?(?:&&|->|=>|→)\s?|,\s?then\b|;|\s\d{1,2}[.)]\s",
            re.IGNORECASE,
        )

    def knows(self, line: str) -> bool:
        """Whether `line`, dress aside, begins with a verb of the game or of its kind."""
        return self._is_known(_undressed(line.strip()))

    def of_line(self, line: str, rest: str = "") -> Command:
        """The command that `line` is, dress aside. `rest` is what follows in the lines below."""
        line = CONTROL.sub("", line).strip()
        shape = _undressed(line)
        if (
            not shape
            or len(shape) > LONGEST_COMMAND
            or _JSON.match(line)
            or shape.startswith(("{", "[{", "</", "<|", "\\"))
        ):
            return _NONE
        if "_" in shape and " " not in shape:
            shape = shape.replace("_", " ").strip()
        command, dropped = self._first(shape)
        tail = _TAIL.search(_QUOTED.sub(lambda m: "x" * len(m[0]), command))
        if tail and self._is_known(command):
            command, dropped = command[: tail.start()].rstrip(" ,;"), dropped or ""
        if not self._is_order(command):
            return _NONE
        return Command(command, dropped or self._more(rest, command))

    def of_text(self, text: str) -> Command:
        """The command of a reply that had to be a command and nothing else."""
        lines = [CONTROL.sub("", line).strip() for line in text.splitlines()]
        lines = [line for line in lines if line and not _FENCE.match(line) and set(line) - set("-=_*`~")]
        while lines:
            rest = "\n".join(lines[1:])
            line = lines[0]
            if (match := _INTERJECTION.match(line)) and (line[match.end() :].strip() or len(lines) > 1):
                lines = [line[match.end() :].strip(), *lines[1:]] if line[match.end() :].strip() else lines[1:]
                continue
            if line.rstrip("*_ ").endswith((":", "：")) and len(lines) > 1 and not self._is_known(line):
                lines = lines[1:]
                continue
            found = self.of_line(line, rest)
            return found if found.text is not None else self._shown(text, lines)
        return _NONE

    def _shown(self, text: str, lines: list[str]) -> Command:
        """Behind a sentence: the one command in a fence or in quotes of code, or a last line that is nothing else."""
        blocks = [block for block in _FENCED.findall(text) if block.strip()]
        if len(blocks) == 1:
            first, _, rest = blocks[0].strip().partition("\n")
            return self._sure(self.of_line(first, rest))
        spans = {span.strip() for match in _SPAN.findall(text) for span in match if span.strip()}
        if len(spans) == 1 and not _DENIED.search(text):
            return self._sure(self.of_line(spans.pop()))
        orders = [line for line in lines if self._is_known(_undressed(line)) and self.of_line(line).text is not None]
        if blocks or spans or len(orders) != 1 or orders[0] != lines[-1] or len(orders[0].split()) > 8:
            return _NONE
        return self.of_line(orders[0])

    def _sure(self, command: Command) -> Command:
        return command if command.text is not None and self._is_known(command.text) else _NONE

    def _first(self, text: str) -> tuple[str, str]:
        """The first of several commands on a line, and the others."""
        hidden = _QUOTED.sub(lambda match: "x" * len(match[0]), text)
        cuts = (
            [match.start() for match in self._next.finditer(hidden) if hidden[: match.start()].strip()]
            if self._is_known(text)
            else []
        )
        for match in re.finditer(r"[.!](?=\s*\S)", hidden):
            if (
                self._is_known(text)
                and not _ABBREVIATION.search(hidden[: match.start()])
                and not re.match(r"\.\d", hidden[match.start() :])
            ):
                cuts.append(match.start())
                break
        if not cuts:
            return text, ""
        cut = min(cuts)
        dropped = text[cut:].strip(" .,;!")
        return text[:cut].strip(), dropped if re.search(r"\w", dropped) else ""

    def _is_known(self, text: str) -> bool:
        """Whether `text` begins with a word that a command begins with."""
        return (match := _FIRST_WORD.match(text.lstrip(" *_`\"'"))) is not None and match[0].lower() in self._known

    def _is_order(self, command: str) -> bool:
        if not command or not re.search(r"\w|[^\s\"'`*.,;:!?-]", command) or command.endswith(("?", "？", ":", "：")):
            return False
        if len(command.split()) == 1 and not command.endswith("..."):
            return True
        bare = _QUOTED.sub("", command)
        return not (_PROSE.match(command) or _ALTERNATIVE.search(bare) or _SENTENCE.search(bare))

    def _more(self, rest: str, command: str) -> str:
        """Lines below that are commands too; explanations are not spoken of."""
        more = []
        for line in rest[:2_000].splitlines()[:20]:
            shape = _undressed(line.strip())
            if (
                len(shape) <= 80
                and self._is_known(shape)
                and self._is_order(shape.rstrip("."))
                and shape.rstrip(".").lower() != command.rstrip(".").lower()
            ):
                more.append(shape)
        return "; ".join(more)


_JSON = re.compile(r"\[?\s?\{?\s?[\"'][\w ]{1,30}[\"']\s?:|[\[{]\s?[\"'{]")
"""What remains of JSON in which no answer was found."""
_DENIED = re.compile(
    r"\b(?:not|don't|won't|can't|cannot|never|instead of|rather than|avoid|but|could|might|or|failed|tried|if)\b|n't\b",
    re.IGNORECASE,
)


def _undressed(line: str) -> str:
    """`line` without its dress; closing punctuation stays where nothing was hidden behind it."""
    if len(line) > LONGEST:
        return line
    shapes = list(forms(line))
    while len(shapes) > 1 and shapes[-1] == shapes[-2].strip().rstrip(".,;:!…。！}"):
        if shapes[-2].strip().endswith("}") and "{" not in shapes[-2]:
            break
        shapes.pop()
    return shapes[-1].strip() if shapes else ""
