"""A package of one's own, installed with pip into a clean environment, and every command that meets it.

Clean is: a new virtual environment that holds this one package and reads all others from the environment of the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.plugins.stranger import ROOT

EXTRAS = """
from embodied.eval.metrics import Metric
from embodied.eval.suites import Suite
from embodied.types import Decision


class Wanderer:
    needs_model = False

    def __init__(self, kit):
        pass

    def begin(self, mission, rng):
        self._rng, self._phrases = rng, list(mission.actions)

    async def act(self, observation):
        return Decision(self._phrases[int(self._rng.integers(2))])

    def hear(self, correction):
        pass

    def end(self, outcome):
        pass


BACKWARD = Metric(
    "steps backward",
    lambda episode, steps: sum(step.executed != f"go {episode.spec.task.task}" for step in steps),
    range=None,
    higher_is_better=False,
)
HALLS = Suite("halls", "1", (("my_halls", "right", 6), ("my_halls", "left", 6)))
"""
POINTS = """
[project.entry-points."embodied.agents"]
wanderer = "my_halls.extras:Wanderer"

[project.entry-points."embodied.metrics"]
backward = "my_halls.extras:BACKWARD"

[project.entry-points."embodied.suites"]
halls = "my_halls.extras:HALLS"

[tool.setuptools]
"""


def _called(*words: object, cwd: Path) -> str:
    """The output of a command that must succeed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(w) for w in words], cwd=cwd, env=kept, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def embodied(tmp_path_factory: pytest.TempPathFactory):
    """Calls the command line of an environment in which the package is installed."""
    place = tmp_path_factory.mktemp("clean")
    _called(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    python = place / "venv/bin/python"
    site = Path(_called(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip())
    (site / "others.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    _called(python, "-m", "embodied", "new", "environment", "my_halls", cwd=place)
    (place / "my_halls/my_halls/extras.py").write_text(EXTRAS)
    project = place / "my_halls/pyproject.toml"
    project.write_text(project.read_text().replace("\n[tool.setuptools]\n", POINTS, 1))
    _called(python, "-m", "embodied", "new", "corrector", "my_critic", cwd=place)
    install = ("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index")
    _called(python, *install, place / "my_halls", place / "my_critic", cwd=place)
    (place / "runs").mkdir()
    return lambda *words: _called(python, "-m", "embodied", *words, cwd=place / "runs")


@pytest.mark.slow
def test_every_command_meets_the_package(embodied) -> None:
    for kind, name in [("envs", "my_halls"), ("agents", "wanderer"), ("suites", "halls"), ("metrics", "backward")]:
        assert name in embodied("list", kind)
    assert "keeps all" in embodied("check", "my_halls")
    for agent in ("oracle", "wanderer"):
        assert "12/12" in embodied("eval", "--suite", "halls", "--agent", agent, "--out", agent)
    assert "steps backward (backward)" in embodied("score", "wanderer", "--tasks")
    assert embodied("report", "wanderer").strip() == "wanderer/report.html"
    said = embodied("compare", "oracle", "wanderer", "--metric", "backward")
    assert "oracle is better than wanderer" in said and "steps backward" in said
    embodied("leaderboard", "oracle", "wanderer", "--out", "board")
    assert "2 episodes" in embodied("eval", "--env", "my_halls", "--task", "left", "--agent", "oracle", "env.length=5",
                                    "--episodes", "2", "--out", "short")  # fmt: skip
    assert "12 episodes" in embodied("resume", "wanderer")
    assert "of the package my-critic" in embodied("list", "correctors")
    words = ("--corrector", "my_critic", "--episodes", "2", "--out", "helped")
    assert "Not played alone: " in embodied("eval", "--env", "my_halls", "--agent", "wanderer", *words)
