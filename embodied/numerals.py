"""Numbers and signs in one spelling, for code that reads numbers out of replies.

Digits of every script, full-width letters and signs, hyphens and minus signs that look alike. Character by character,
so time is linear. A superscript is not a digit: `m²` stays what it is.
"""

from __future__ import annotations

import re
import unicodedata

_HYPHENS = "\u2010\u2011\u2012\u2212\ufe63"
_CJK = {"，": ", ", "、": ", ", "。": ". ", "【": "[", "】": "]", "〔": "[", "〕": "]"}
"""East Asian commas and full stops end a number; they are never part of one."""
_NOTHING = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Soft hyphens, zero-width characters, marks of direction."""
_EN_DASH = re.compile(r"(?:^|(?<=[\[(,;:=])|(?<=[\[(,;:=] ))–(?=\.?\d)")
"""An en dash used as a minus: at the beginning of a number, after a sign that no range has."""
_LARGEST = 4_096


class _Spelling(dict[int, str]):
    """For `str.translate`."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        if 0xFF01 <= code <= 0xFF5E:
            plain = chr(code - 0xFEE0)
        elif unicodedata.category(sign) == "Nd":
            plain = str(unicodedata.digit(sign))
        else:
            plain = " " if unicodedata.category(sign) == "Zs" else sign
        if len(self) < _LARGEST:
            self[code] = plain
        return plain


_TABLE = _Spelling({code: chr(code) for code in range(128)})
_TABLE.update(
    dict.fromkeys(map(ord, _HYPHENS), "-")
    | dict.fromkeys(map(ord, _NOTHING), "")
    | {ord(sign): plain for sign, plain in _CJK.items()}
)


def spelled(text: str) -> str:
    """`text` with ASCII digits, minus signs, brackets, colons, commas and blanks, as a person would read them."""
    return text if text.isascii() else _EN_DASH.sub("-", text.translate(_TABLE))
