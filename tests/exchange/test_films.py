"""Films of recorded episodes: the goal above the picture, and long episodes in few pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import embodied
from embodied.errors import StoreError
from embodied.exchange.film import CAPTION, LAST, TITLE, _fitted, _held, _spread, write_film
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


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """An episode in a world with three frames, of a second each, between two decisions."""
    out = tmp_path_factory.mktemp("timed") / "run"
    heat = {"agent.script": ["heat"], "run.workers": 1}
    embodied.evaluate("gym:tests.envs.timed:Kettle-v0", "constant", episodes=1, out=out, options=heat)
    return Run(out)


def test_frames_between_decisions_stay_as_long_as_they_last(timed, tmp_path):
    with Image.open(write_film(timed, timed.episodes()[0].spec.id, tmp_path / "film.gif", 4, frames=True)) as film:
        durations = []
        for n in range(film.n_frames):
            film.seek(n)
            durations.append(film.info["duration"])
            assert film.size == (480, 320 + CAPTION + TITLE + 8)
    assert durations == [*[250, 1000, 1000, 1000] * 5, 1000 * LAST]


def test_frames_last_as_long_in_a_video():
    pictures = [np.full((2, 2, 3), n, np.uint8) for n in range(3)]
    shown = [int(picture[0, 0, 0]) for picture in _held(zip(pictures, (0.25, 0.01, 1.0), strict=True))]
    assert [shown.count(n) for n in range(3)] == [8, 0, 30]


def test_a_world_without_frames_says_so(ended, tmp_path):
    with pytest.raises(StoreError, match=r"has no frames between its decisions: export it without --frames"):
        write_film(*ended, tmp_path / "film.gif", 4, frames=True)
    assert not list(tmp_path.iterdir())


def test_a_frame_of_another_size_is_shown_whole():
    wide = _fitted(np.full((10, 40, 3), 255, np.uint8), (40, 40, 3))
    assert wide.shape == (40, 40, 3) and wide[20].min() == 255 and wide[0].max() == 0
