"""One spelling for digits and signs; what is not a digit stays."""

import pytest

from embodied.numerals import spelled


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("１２．５，４０", "12.5, 40"),
        ("٣٫ ۴ ५", "3٫ 4 5"),
        ("−1 ‐2 ‑3 ﹣4 －5", "-1 -2 -3 -4 -5"),
        ("[–1.2, –.8] at –3", "[-1.2, -.8] at –3"),
        ("12–14 m², ½", "12–14 m², ½"),
        ("【1，2】；x：3\u00a0m", "[1, 2];x:3 m"),
        ("1\u200b2", "12"),
        ("a_b - 1", "a_b - 1"),
    ],
)
def test_look_alikes_have_one_spelling(text, plain):
    assert spelled(text) == plain
