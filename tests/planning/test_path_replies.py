"""Answers about paths as models write them: choices and denials, numbers and directions in any dress, and text that is
nothing but size.
"""

from __future__ import annotations

import time

import pytest

from embodied.agents.formats import Marked, Plain, Tagged
from embodied.agents.parse import Lenient
from embodied.agents.vocabulary import accepted
from embodied.planning.env import PathEvalEnv
from embodied.planning.loop import PathEvalLoopEnv
from embodied.planning.questions import directions, numbers
from tests.hostile_text import MEGABYTES

PATHS = ("Path 1", "Path 2")
FORMATS = {"plain": Plain(), "marked": Marked(), "tagged": Tagged(False)}
DENIALS = [
    "Not Path 2.",
    "Definitely not Path 2",
    "It isn't Path 2",
    "Path 2 is not suitable.",
    "Path 2 would be the wrong choice.",
    "Reject Path 2.",
    "Anything but Path 2",
    "Path 2? No.",
    "ACTION: not Path 2",
    "<answer>not Path 2</answer>",
    '{"answer": "not Path 2"}',
    "[THINK]Path 2 it is.[/THINK]Not Path 2.",
    "<think>I choose Path 2.",
    "◁think▷Path 2 suits.",
]
CHOICES = [
    "Path 1",
    "Ｐａｔｈ　１",
    "Path‑1",
    "答案：Path 1",
    "ACTION： Path 1",
    '{"answer": "Path 1"}',
    '```json\n{"answer": "Path 1"}\n```',
    "<answer>Path 1</answer>",
    "\\boxed{\\text{Path 1}}",
    "[THINK]Path 2 it is.[/THINK]Path 1",
    "◁think▷I choose Path 2.◁/think▷Path 1",
    "<reasoning>Path 2</reasoning>\nThe better path is Path 1.",
    "<|channel|>analysis<|message|>Path 2<|end|><|start|>assistant<|channel|>final<|message|>Path 1",
]


@pytest.fixture(scope="module")
def missions():
    return {"decide": PathEvalEnv("decide").mission, "loop": PathEvalLoopEnv().mission}


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(("world", "name"), [("decide", "Path"), ("loop", "path")])
def test_choices_are_read_and_denials_are_none(missions, form, world, name):
    accepts = accepted(missions[world])
    for reply in CHOICES:
        assert Lenient().parse(reply.replace("Path", name), form, accepts).action == f"{name} 1", reply
    for reply in DENIALS:
        assert Lenient().parse(reply.replace("Path", name), form, accepts).action is None, reply


@pytest.mark.parametrize(
    "answer",
    [
        "Path 1: 12.5; Path 2: 40",
        '{"Path 1": 12.5, "Path 2": 40}',
        '```json\n{"path_1": 12.5, "path_2": 40}\n```',
        "Path １：１２．５；Path ２：４０",
        "Ｐａｔｈ １： 12.5；Ｐａｔｈ ２： 40",
        "１２．５，４０",
        "12.5、40。",
        "Path‑1: 12.5; Path‑2: 40",
        "path\\_1: 12.5; path\\_2: 40",
        "[12.5, 40]",
        "`12.5; 40`",
        "$12.5$, $40$",
        "\\boxed{12.5, 40}",
        "\\boxed{Path 1: 12.5; Path 2: 40}",
        "<answer>12.5; 40</answer>",
        "Path 1 – 12.5; Path 2 – 40",
        "Path 1 (m²): 12.5; Path 2 (m²): 40",
    ],
)
def test_numbers_in_any_dress(answer):
    assert numbers(answer, PATHS) == (12.5, 40.0)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Path 1: −12.5; Path 2: –40", (-12.5, -40.0)),
        (".5, 40", (0.5, 40.0)),
        ("12,5, 40", None),
        ("Path 1: 1e999; Path 2: 40", None),
        ("9" * 400 + ", 40", None),
        ("Path 1: 12.5", None),
        ("1, 2, 3", None),
    ],
)
def test_numbers_that_are_something_else(answer, found):
    assert numbers(answer, PATHS) == found


@pytest.mark.parametrize(
    "answer",
    [
        '{"path length": "higher", "minimum clearance": "lower"}',
        '```json\n{"path_length": "higher", "minimum_clearance": "lower"}\n```',
        '{"higher": ["path length"], "lower": ["minimum clearance"]}',
        "path‑length：higher；min‑clearance：lower",
        "path\\_length: higher; min\\_clearance: lower",
        "ｐａｔｈ ｌｅｎｇｔｈ：ｈｉｇｈｅｒ\nminimum\u00a0clearance: lower",
        "<answer>path length: higher; minimum clearance: lower</answer>",
        "\\boxed{path length: higher, not lower; minimum clearance: lower}",
    ],
)
def test_directions_in_any_dress(answer):
    assert directions(answer) == {"path length": "higher", "minimum clearance": "lower"}


def test_a_denied_direction_is_none():
    assert (
        directions("path length: not higher")
        == {"path length": ""}
        == directions("The path length should not be longer")
    )
    assert directions("sharp turns: not relevant") == {"sharp turns": "none"}


def test_thoughts_before_an_answer_in_words_do_not_count():
    env = PathEvalEnv("abstract")
    accepts = accepted(env.mission)
    for seed in range(15):
        env.reset(seed=seed)
        right = env._expert()
        for thought in (
            "[THINK]{}[/THINK]",
            "◁think▷{}◁/think▷",
            "<reasoning>{}</reasoning>",
            "<|channel|>analysis<|message|>{}<|end|><|channel|>final<|message|>",
        ):
            reply = thought.format("maximum clearance: higher; sharp turns: higher; path length: lower") + right
            assert env.step(Lenient().parse(reply, Plain(), accepts).action)[1] == 1.0
            env.reset(seed=seed)


@pytest.mark.slow
def test_reading_is_linear():
    began = time.process_time()
    for text in MEGABYTES.values():
        numbers(text, PATHS)
        numbers(text, ("Path K7XQ", "Path B4CD"))
        directions(text)
    assert time.process_time() - began < 20
