"""Driving, word for word: the recorded episodes play again as they were."""

from __future__ import annotations

import pytest

from tests.transcripts import EPISODES, again, golden


@pytest.mark.parametrize("name", ["corner_case_drive", "grounding3d", "highway"])
def test_golden_transcripts(name: str):
    episodes = golden(name)
    assert len(episodes) == len(EPISODES[name])
    for episode in episodes:
        assert again(name, episode) == episode
