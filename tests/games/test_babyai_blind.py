"""The walker that never reads BabyAI's instruction, and the figures of it on the page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from embodied.games.babyai.env import BabyAIEnv

BENCHMARK = Path(__file__).parents[2] / "benchmarks/babyai_blind.py"


@pytest.fixture(scope="module")
def blind():
    spec = importlib.util.spec_from_file_location("babyai_blind", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_measured_figures():
    rows = json.loads(BENCHMARK.with_suffix(".json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 9
    for row in rows:
        cells = [
            f"{row[name]['mean']:.2f} ± {row[name]['standard_error']:.3f}"
            for name in ("success", "first_object_named", "spl")
        ]
        assert f"| {row['distractors']} | {row['player']} | {' | '.join(cells)} |" in BabyAIEnv.__doc__


@pytest.mark.parametrize("kind", ["goto", "pickup", "open", "putnext", "pick_up_seq_go_to"])
def test_without_distractors_nothing_need_be_read(blind, kind: str):
    task = f"BabyAI-MixedTrainLocal-v0/{kind}"
    found = list(blind.episodes(task, 0, "blind", range(1000, 1010)))
    assert sum(success for success, *_ in found) >= 9
    assert found == list(blind.episodes(task, 0, "blind", range(1000, 1010)))


def test_with_distractors_the_first_object_is_a_guess(blind):
    named = [first for _, first, _ in blind.episodes("BabyAI-MixedTrainLocal-v0/pickup", 8, "blind", range(20))]
    assert 0 < sum(named) < 10


def test_the_walker_keeps_its_map(blind):
    walker = blind.BlindWalker(blind.generator(0, "test"))
    walker._see(
        "You carry a red ball\na wall 3 steps forward\na wall 1 step left\na blue box 2 steps right and 1 step"
        " forward\na locked red door 2 steps forward"
    )
    assert walker._carried == ("red", "ball")
    assert walker._things == {(2, 1): ("", "blue", "box"), (0, 2): ("locked", "red", "door")}
    assert walker._bounds == {0: 3, 1: 99, 2: 99, 3: 1}
