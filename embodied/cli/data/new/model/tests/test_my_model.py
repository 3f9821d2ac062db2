"""MyModel answers."""

import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from embodied.blobs import MemoryBlobs
from embodied.errors import ModelRefused
from embodied.models import ModelConfig
from embodied.types import Message, Settings, Text

from my_model import MyModel


def model(name):
    return MyModel(ModelConfig("my_model", name), MemoryBlobs())


async def test_it_answers_and_counts_tokens():
    reply = await model("left").generate([Message("user", (Text("Where to go?"),))], Settings())
    assert (reply.text, reply.model) == ("left", "my_model/left")
    assert (reply.usage.input, reply.usage.output) == (3, 1)


async def test_nothing_to_answer():
    with pytest.raises(ModelRefused):
        await model("left").generate([], Settings())


async def test_it_closes_twice():
    made = model("left")
    await made.aclose()
    await made.aclose()


def test_the_entry_point_names_the_provider():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["embodied.models"]
    module, _, attribute = points["my_model"].partition(":")
    assert getattr(import_module(module), attribute) is MyModel
