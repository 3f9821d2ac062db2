"""Numbers in words, for tables, pages and messages: counts, shares, seconds, dollars."""

from __future__ import annotations

Interval = tuple[float, float]
NOTHING = "–"
"""Stands where there is no number."""


def counted(n: int, noun: str, several: str = "") -> str:
    """A number of things: `1 step`, `3 steps`.

    Args:
        n: How many.
        noun: What one of them is called.
        several: What more of them are called; empty where that is `noun` with an s.
    """
    return f"{n} {noun}" if n == 1 else f"{n} {several or f'{noun}s'}"


def episodes(n: int, verb: str = "") -> str:
    """`1 episode`, `2 episodes`; with a verb, `1 episode was` and `2 episodes were`."""
    one, more = {"": ("", ""), "be": (" was", " were"), "have": (" has", " have")}[verb]
    return f"{n} episode{one}" if n == 1 else f"{n} episodes{more}"


def short(n: float, gap: str = "") -> str:
    """A count in few digits: `950`, `12.3k`, `4.56M`; below 10 with one digit behind the point where there is one.

    Args:
        n: The count, at least 0.
        gap: Stands between the number and its letter.
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.3g}{gap}{letter}"
    return f"{n:.0f}" if n >= 10 or n == int(n) else f"{n:.1f}"


def percent(share: float | None, digits: int = 1, nothing: str = NOTHING) -> str:
    """A share of 1 in percent: `62.0 %`."""
    return nothing if share is None else f"{100 * share:.{digits}f} %"


def span(interval: Interval | None, digits: int = 1, nothing: str = NOTHING, between: str = " to ") -> str:
    """An interval of shares in percent, without the sign: `53.0 to 70.1`."""
    if interval is None:
        return nothing
    return f"{100 * interval[0]:.{digits}f}{between}{100 * interval[1]:.{digits}f}"


def coverage(scored: int, planned: int) -> str:
    """How much of a plan has a score, in whole percent, rounded down: 100 % means that nothing is missing."""
    return NOTHING if not planned else f"{100 * scored // planned} %"


def dollars(cost: float | None) -> str:
    """A price in US dollars: `$1,234.50`; `< $0.01` for less than a cent."""
    if cost is None:
        return NOTHING
    return f"${cost:,.2f}" if cost == 0 or cost >= 0.01 else "< $0.01"


def seconds(s: float) -> str:
    """A short time: `1.5 s`, `120 ms`, `0.25 ms`."""
    return f"{s:.1f} s" if s >= 1 else f"{1000 * s:.0f} ms" if s >= 0.01 else f"{1000 * s:.2f} ms"


def duration(s: float) -> str:
    """A long time: `42 s`, `3 min 07 s`, `2 h 05 min`."""
    minutes, rest = divmod(round(s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
