"""Every environment of the catalog in Gymnasium's vector environments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import create_shared_memory, read_from_shared_memory, write_to_shared_memory

from embodied.catalog import ENTRIES
from embodied.envs.spaces import Choice, FreeText
from tests.plugins.stranger import ROOT

SEEDS = [3, 4]
NEEDS = {"games": ("nle", "minihack", "minigrid", "crafter", "textworld"), "driving": ("highway_env",), "": ()}


def _same(several: dict, single: dict, index: int) -> None:
    assert set(several) == set(single)
    for key, value in single.items():
        assert np.array_equal(several[key][index], value), key


@pytest.mark.parametrize("name", list(ENTRIES.ours))
def test_async_observations_are_those_of_single_environments(name: str) -> None:
    entry = ENTRIES[name]
    if any(find_spec(module) is None for module in NEEDS[entry.extra]):
        pytest.skip(f"the extra {entry.extra} is not installed")
    together = gymnasium.make_vec(entry.id, num_envs=2, vectorization_mode="async")
    alone = [gymnasium.make(entry.id) for _ in SEEDS]
    try:
        observed, _ = together.reset(seed=SEEDS)
        for i, env in enumerate(alone):
            _same(observed, env.reset(seed=SEEDS[i])[0], i)
        first = observed
        action = alone[0].unwrapped.default_action
        told, *_ = together.step([action] * 2)
        for i, env in enumerate(alone):
            expected, _, terminated, *_ = env.step(action)
            if not terminated:
                _same(told, expected, i)
        assert first["text"] == observed["text"] and isinstance(first["text"], tuple)  # a copy, not a view
    finally:
        together.close()
        for env in alone:
            env.close()


def test_texts_and_phrases_pass_through_shared_memory() -> None:
    space = spaces.Dict({"text": FreeText(20), "phrase": Choice(["go", "stay"], tacit="...")})
    memory = create_shared_memory(space, n=2)
    seen = read_from_shared_memory(space, memory, n=2)
    for index, (text, phrase) in enumerate([("größer 🙂\n" * 2, "stay"), ("", "...")]):
        write_to_shared_memory(space, index, {"text": text, "phrase": phrase}, memory)
        assert (seen["text"][index], seen["phrase"][index]) == (text, phrase)
    write_to_shared_memory(space, 0, {"text": "now", "phrase": "go"}, memory)
    assert (tuple(seen["text"]), seen["phrase"][:1]) == (("now", ""), ("go",))


def test_a_text_that_does_not_fit_says_what_to_do() -> None:
    space = FreeText(10)
    with pytest.raises(ValueError, match="shared_memory=False"):
        write_to_shared_memory(space, 0, "x" * 41, create_shared_memory(space))


def test_the_example_on_the_page(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/gymnasium.md").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "example.py").write_text(code)
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "example.py"], cwd=tmp_path, env=path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout, done.stderr
