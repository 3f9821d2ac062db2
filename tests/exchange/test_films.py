"""Films of recorded episodes: the goal above the picture, and long episodes in few pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embodied.exchange.film import CAPTION, LAST, TITLE, _spread, write_film
from embodied.store.run import Run

RUN = Path(__file__).parents[1] / "fixtures/runs/babyai-random"


@pytest.fixture(scope="module")
def ended() -> tuple[Run, str]:
    run = Run(RUN)
    return run, run.episodes()[0].spec.id


def test_the_goal_stands_above_the_picture(ended, tmp_path):
    with Image.open(write_film(*ended, tmp_path / "film.gif", 4)) as film:
        assert film.size == (560, 560 + CAPTION + TITLE + 8)
        assert np.asarray(film.convert("RGB"))[4:TITLE].max() > 200, "there is text"
        film.seek(film.n_frames - 1)
        assert film.info["duration"] == 1000 * LAST


def test_a_long_episode_in_few_pictures(ended, tmp_path):
    with Image.open(write_film(*ended, tmp_path / "film.gif", 4, 3)) as film:
        assert 1 < film.n_frames <= 3


@pytest.mark.parametrize(
    ("moments", "most", "shown"),
    [(4, None, {0, 1, 2, 3}), (4, 9, {0, 1, 2, 3}), (101, 3, {0, 50, 100}), (9, 1, {0, 8}), (1, 5, {0})],
)
def test_pictures_are_spread_evenly(moments, most, shown):
    assert _spread(moments, most) == shown
