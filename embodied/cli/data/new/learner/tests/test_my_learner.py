"""MyLearner keeps the value that earns most, in episodes that are really played."""

import tomllib
from importlib import import_module
from pathlib import Path

import embodied
import pytest
from embodied.agents.versions import AgentRecord, write
from embodied.errors import NothingLearned
from embodied.store.run import Run

from my_learner import MyLearner, learn


class Practice:
    """What the learner needs of `embodied.train.learner.Practice`: it plays, and keeps each run under its name."""

    seed = 0

    def __init__(self, folder, **settings):
        self.folder, self.work, self.said = folder, folder / "work", []
        self.settings = {**MyLearner.defaults, **settings}
        self.work.mkdir(parents=True)

    def play(self, agent, episodes, *, name):
        out = self.folder / name
        embodied.evaluate(
            "babyai", str(agent.folder), task="goto", split="train", seed=self.seed, episodes=episodes, out=str(out)
        )
        return Run(out)

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def parent(tmp_path):
    return write(tmp_path / "parent", AgentRecord(name="wanderer", settings={"agent.policy": "random"}), {})


def test_it_keeps_the_best(tmp_path, parent):
    practice = Practice(tmp_path, key="agent.policy", values=["random", "expert"], episodes=3)
    made = learn(practice, parent, tmp_path / "child")
    assert made.record.settings["agent.policy"] == "expert"  # chance finds the goal seldom
    assert made.record.lineage.parent == parent.hash and len(practice.said) == 2


def test_it_says_when_there_is_nothing_to_learn(tmp_path, parent):
    with pytest.raises(NothingLearned):
        learn(Practice(tmp_path, values=[]), parent, tmp_path / "child")


def test_the_entry_point_names_the_learner():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["embodied.learners"]
    module, _, attribute = points["my_learner"].partition(":")
    assert getattr(import_module(module), attribute) is learn
