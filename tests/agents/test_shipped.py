"""The agents of the package: what they weigh, which bytes they are, what they know and how well they play."""

from __future__ import annotations

from pathlib import Path

import pytest

import embodied
from embodied.agents.folders import SHIPPED, shipped
from embodied.agents.versions import AgentRecord, load, write
from embodied.errors import StoreError, UsageError
from embodied.request import Request, planned
from embodied.versions import find, view

HASHES = {}
"""Whoever trains them anew writes the new hashes here, and the new scores into their cards."""
MOST = 2 << 20
"""Bytes of all together."""


def test_they_are_the_bytes_that_were_measured():
    assert {name: load(folder).hash[:12] for name, folder in shipped().items()} == HASHES


def test_they_weigh_little_and_say_what_they_are():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST
    for name, folder in shipped().items():
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert card.startswith(f"# {name}\n")
        for section in ("Data", "Scores", "Limits", "Licence", "Made with"):
            assert f"\n## {section}\n" in card, (name, section)
        assert load(folder).record.name == name


def test_tinyvlm_plays_babyai_in_its_band(tmp_path: Path):
    score = embodied.evaluate("babyai", agent="tinyvlm", episodes=4, out=tmp_path / "run")
    assert 0.8 <= score.progress <= 1.0


def test_a_world_it_does_not_know_is_refused_before_the_run(tmp_path: Path):
    with pytest.raises(UsageError, match=r"tinyvlm was made for babyai, .*and does not know nethack"):
        embodied.evaluate("nethack", agent="tinyvlm", out=tmp_path / "run")
    with pytest.raises(UsageError, match="does not know"):
        embodied.evaluate(agent="tinyvlm", suite="demo", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
