"""Fixtures of the tests of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agent's folder, trained for seconds: enough to answer differently to different pictures."""
    torch = pytest.importorskip("torch")
    from embodied.train.tinyvlm.learning import Course
    from embodied.train.tinyvlm.making import Making
    from embodied.train.tinyvlm.worlds import plan

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    course = Course(updates=120, batch=16, warmup=10)
    chosen = replace(plan("babyai"), course=course, episodes=40, turns=(), dev=0)
    out = tmp_path_factory.mktemp("agent") / "tiny"
    made = Making(chosen, out, torch.device("cpu"), lambda text: None).make()
    torch.set_num_threads(before)
    return made.folder
