"""What is kept between frames changes no byte of any: 300 random moments against the pictures of the renderer that kept
nothing.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tests.driving.scene.moments import COUNT, KNOWN, digest, digests, moment, panels


def known() -> dict[str, str]:
    return json.loads(KNOWN.read_text(encoding="utf-8"))


def test_random_moments_look_as_they_did_before_anything_was_kept():
    before = known()
    assert COUNT >= 300 and len(set(before.values())) > 0.95 * COUNT
    assert digests() | panels() == before


def test_threads_that_draw_at_once_draw_the_same():
    moments = [moment(number) for number in (*range(0, 24, 2), *range(22, -1, -2))]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda m: digest(m.draw()), moments))
    assert drawn == [known()[str(m.number)] for m in moments]
