"""MyCorrector speaks where an action is repeated in vain."""

import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from embodied.correctors import CorrectorConfig, Kit
from embodied.types import Decision, Mission, Observation

from my_corrector import MyCorrector

MISSION = Mission("Find the door.", {"go left": "", "go right": ""}, default_action="go left")


@pytest.fixture
def corrector():
    made = MyCorrector(Kit(CorrectorConfig("my_corrector")))
    made.begin(MISSION, np.random.default_rng(0))
    return made


def seen(step, text="A wall."):
    return Observation(text, step=step, executed="go left" if step else None)


async def test_it_is_silent_where_something_changed(corrector):
    assert await corrector.review(seen(0), Decision("go left")) is None
    assert await corrector.review(seen(1, "A door."), Decision("go left")) is None


async def test_it_names_another_action_where_nothing_changed(corrector):
    assert await corrector.review(seen(0), Decision("go left")) is None
    assert await corrector.review(seen(1), Decision("go right")) is None
    said = await corrector.review(seen(2), Decision("go left"))
    assert said.text == "Do this instead: go right"


def test_the_entry_point_names_the_corrector():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["embodied.correctors"]
    module, _, attribute = points["my_corrector"].partition(":")
    assert getattr(import_module(module), attribute) is MyCorrector
