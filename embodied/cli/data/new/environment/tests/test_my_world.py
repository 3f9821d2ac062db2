"""MyWorld keeps what Embodied asks of an environment."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from embodied.envs.check import EnvContract

from my_world import ENTRY
from my_world.env import MyWorld


@pytest.mark.parametrize("task", ENTRY.tasks)
class TestContract(EnvContract):
    """A test for every rule of the contract."""

    @pytest.fixture(autouse=True)
    def _task(self, task):
        self.task = task

    def make(self, **options):
        return MyWorld(self.task, **options)


@pytest.mark.parametrize("task", ENTRY.tasks)
def test_the_expert_finds_the_door(task):
    env = MyWorld(task, expert=True)
    observation, info = env.reset(seed=3)
    over = False
    while not over:
        observation, _, terminated, truncated, info = env.step(observation["expert"])
        over = terminated or truncated
    assert info["success"] and info["progress"] == 1


def test_the_entry_point_names_the_environment():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["embodied.environments"]
    module, _, attribute = points["my_world"].partition(":")
    assert getattr(import_module(module), attribute) is ENTRY
