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
            "babaisai",
            str(agent.folder),
            task="env/goto_win",
            split="train",
            seed=self.seed,
            episodes=episodes,
            steps=20,
            out=str(out),
        )
        return Run(out)

    def say(self, text):
        self.said.append(text)


IDLE, MOVES = ["idle"], [["up"], ["down"], ["left"], ["right"]]


@pytest.fixture
def parent(tmp_path):
    """An agent that always says the same word."""
    settings = {"agent.policy": "constant", "agent.script": IDLE}
    return write(tmp_path / "parent", AgentRecord(name="idler", settings=settings), {})


def test_it_keeps_the_best(tmp_path, parent):
    practice = Practice(tmp_path, key="agent.script", values=[IDLE, *MOVES], episodes=10)
    made = learn(practice, parent, tmp_path / "child")
    assert made.record.settings["agent.script"] in MOVES, practice.said  # some walk straight into the goal
    assert made.record.lineage.parent == parent.hash


def test_it_says_when_there_is_nothing_to_learn(tmp_path, parent):
    with pytest.raises(NothingLearned):
        learn(Practice(tmp_path, values=[]), parent, tmp_path / "child")


def test_the_entry_point_names_the_learner():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["embodied.learners"]
    module, _, attribute = points["my_learner"].partition(":")
    assert getattr(import_module(module), attribute) is learn
