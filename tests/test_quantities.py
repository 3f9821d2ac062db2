"""Numbers in words."""

from __future__ import annotations

import pytest

from embodied import quantities as q


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (q.counted(1, "step"), "1 step"),
        (q.counted(2, "entry", "entries"), "2 entries"),
        (q.episodes(1), "1 episode"),
        (q.episodes(0, "be"), "0 episodes were"),
        (q.episodes(1, "have"), "1 episode has"),
        (q.short(950), "950"),
        (q.short(12_345), "12.3k"),
        (q.short(4_560_000, " "), "4.56 M"),
        (q.short(2.25), "2.2"),
        (q.percent(0.62), "62.0 %"),
        (q.percent(None), "–"),
        (q.percent(None, nothing="-"), "-"),
        (q.span((0.53, 0.701)), "53.0 to 70.1"),
        (q.span(None), "–"),
        (q.coverage(999, 1000), "99 %"),
        (q.coverage(0, 0), "–"),
        (q.dollars(0.001), "< $0.01"),
        (q.dollars(1234.5), "$1,234.50"),
        (q.seconds(1.5), "1.5 s"),
        (q.seconds(0.12), "120 ms"),
        (q.duration(42.4), "42 s"),
        (q.duration(187), "3 min 07 s"),
        (q.duration(7_500), "2 h 05 min"),
    ],
)
def test_numbers_in_words(said: str, words: str):
    assert said == words
