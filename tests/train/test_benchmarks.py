"""The benchmarks of tinyvlm run, and say what they measured."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

torch = pytest.importorskip("torch")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # dataclasses look themselves up
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("part", ["training", "pictures", "rollouts", "bf16", "larger"])
def test_each_part_of_gpu_writes_its_figures(part: str, tiny_agent: Path, tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    out.write_text('{"another": {}}')
    module("gpu").main([part, "--small", "--agent", str(tiny_agent), "--out", str(out)])
    found = json.loads(out.read_text())
    assert list(found) == ["another", part]
    card = torch.cuda.is_available()
    assert (found[part]["card"] is not None) == card and ("note" in found[part]) != card
    assert found[part]["rows"] and found[part]["torch"] == torch.__version__


def test_the_ways_of_stack_take_the_same_actions(tiny_agent: Path) -> None:
    stack = module("stack")
    torch.set_num_threads(1)
    played = {way: stack.WAYS[way](tiny_agent, 1, 6, 16) for way in stack.WAYS}
    first = played["suite"].actions
    assert len(first) == 5 and all(first == other.actions for other in played.values())
    assert all(other.cpu > 0 for way, other in played.items() if way != "world")


def test_stack_gives_medians_and_ratios() -> None:
    stack = module("stack")
    took = {"suite": (3.0, 4.0, 9.0), "loop": (1.5, 2.0, 3.0), "forward": (1.0, 1.0, 1.0), "world": (0.1, 0.1, 0.1)}
    found = {
        (way, batch): [{"steps": 1000, "cpu": cpu, "around": 5.0} for cpu in took[way]]
        for way in stack.WAYS
        for batch in stack.BATCHES
    }
    row = stack.summary(found)[0]
    assert row["CPU ms a step"] == {"suite": 4.0, "loop": 2.0, "forward": 1.0, "world": 0.1}
    assert row["ratios of CPU a step"] == {"suite over loop": 2.0, "suite over forward": 4.0}
    assert row["steps a CPU second"]["suite"] == 250
