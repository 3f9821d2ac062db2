"""Look-alikes: one spelling for signs that a person would not tell apart. Character by character, so time is linear."""

from __future__ import annotations

import unicodedata

_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u2043"
_NOTHING = (
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff\u202a\u202b\u202c"
    "\u202d\u202e\u2066\u2067\u2068\u2069\ufe0e\ufe0f"
)
"""Soft hyphens, zero-width characters, marks of direction and variants."""
_SINGLE, _DOUBLE = "\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4", "\u201c\u201d\u201e\u201f\u2033"
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_LINES = "\u2028\u2029\u0085"
_CJK = str.maketrans({"。": ".", "、": ",", "「": '"', "」": '"', "『": '"', "』": '"', "〈": "<", "〉": ">", "▁": "_"})
_LARGEST = 4_096
"""Characters whose spelling is kept in mind."""


class _Plain(dict[int, str]):
    """For `str.translate`: compatibility forms (full-width letters and signs, ligatures) as what they stand for."""

    def __missing__(self, code: int) -> str:
        plain = chr(code) if 0xD800 <= code < 0xE000 else unicodedata.normalize("NFKC", chr(code)).translate(_CJK)
        if len(self) < _LARGEST:
            self[code] = plain
        return plain


_TABLE = _Plain()
_TABLE.update(
    dict.fromkeys(map(ord, _HYPHENS), "-")
    | dict.fromkeys(map(ord, _NOTHING), "")
    | dict.fromkeys(map(ord, _SPACES), " ")
)
_TABLE.update(
    dict.fromkeys(map(ord, _SINGLE.replace("`", "")), "'")
    | dict.fromkeys(map(ord, _DOUBLE), '"')
    | dict.fromkeys(map(ord, _LINES), "\n")
)
_TABLE.update({code: chr(code) for code in range(128)})


def plain(text: str) -> str:
    """`text` with plain hyphens, blanks, quotes and letters, and without characters that take no room."""
    return text if text.isascii() else text.translate(_TABLE)
