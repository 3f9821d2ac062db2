"""The public records of BALROG, through our environments under `rules="balrog"`: every observation, reward, done flag
and progression.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import balrog_replay

COUNTS = {"babyai": 20, "babaisai": 40, "textworld": 10}
"""NetHack's six records and MiniHack's three need the balrog-nle wheel: `make test-balrog` replays them."""


@pytest.mark.parametrize("env", COUNTS)
def test_every_record_replays_exactly(env: str, balrog_data: Path):
    results = [
        balrog_replay.replay(balrog_replay.load(balrog_data, entry))
        for entry in balrog_replay.manifest(balrog_data, env)
    ]
    assert len(results) == COUNTS[env]
    assert [f"{r}\n{r.difference}" for r in results if not r.exact] == []
