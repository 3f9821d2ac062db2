"""Whether an episode is being played, seen from outside."""

from __future__ import annotations

import pytest

from embodied.store import playing
from tests.console.recorded import new_run


@pytest.mark.parametrize("listed", [True, False], ids=["list of locks", "tried locks"])
def test_an_episode_is_played_while_it_is_held(tmp_path, listed):
    run = new_run(tmp_path / "run", {"hall": 2})
    one, other = run.record.planned

    def seen(*ids: str) -> bool:
        if listed and playing.held() is None:
            pytest.skip("this system keeps no list of locks")
        return playing.playing([run.folder(id_) for id_ in ids], playing.held() if listed else None)

    assert not seen(one.id, other.id), "none has begun"
    writer = run.claim(one)
    assert seen(one.id) and seen(other.id, one.id) and not seen(other.id)
    writer.close()
    assert not seen(one.id, other.id)
    assert run.claim(one) is not None, "looking has left no lock behind"
