"""Boxes out of replies: every usual form is read alike, and what cannot be read is no answer."""

import time

import pytest

from embodied.driving.grounding3d.boxes import Box3D
from embodied.driving.grounding3d.parse import read_box, read_box_2d, read_point
from tests.hostile_text import MEGABYTES

WANT = Box3D(1.2, 0.8, 14.5, 1.8, 1.5, 4.4, 12.0)
FORMS = [
    "[1.2, 0.8, 14.5, 1.8, 1.5, 4.4, 12]",
    "[1.2 0.8 14.5 1.8 1.5 4.4 12]",
    "(1.20, .8, 14.5, 1.8, 1.5, 4.4, 12.0)",
    "1.2; 0.8; 14.5; 1.8; 1.5; 4.4; 12",
    "It is about 14 m away, at pixel [640, 360].\n\nThe box is **[1.2 m, 0.8 m, 14.5 m, 1.8 m, 1.5 m, 4.4 m, 12°]**.",
    "First guess [0, 1, 10, 2, 1, 4, 0]; corrected: [1.2, 0.8, 14.5, 1.8, 1.5, 4.4, 12]",
    '```json\n{"bbox_3d": [1.2, 0.8, 14.5, 1.8, 1.5, 4.4, 12]}\n```',
    '{"x": 1.2, "y": 0.8, "z": 14.5, "w": 1.8, "h": 1.5, "l": 4.4, "yaw": 12}',
    '{"yaw": "12", "l": "4.4", "h": "1.5", "w": "1.8", "z": "14.5", "y": "0.8", "x": "1.2"}',
    "x = 1.2 m, y = 0.8 m, z = 14.5 m, width = 1.8 m, height = 1.5 m, length = 4.4 m, yaw = 12 degrees",
    '{"center": [1.2, 0.8, 14.5], "size": [1.8, 1.5, 4.4], "yaw": 12}',
    "**Center** (x, y, z): (1.2, 0.8, 14.5)\n**Dimensions** (w, h, l): (1.8, 1.5, 4.4)\n**Yaw**: 12°",
    "[1.2, 0.8, 14.5, 1.8, 1.5, 4.4, 0.20943951 rad]",
    "［１.２，０.８，１４．５，１.８，１.５，４.４，１２］",
    "x：1.2，y：0.8，z：14.5，w：1.8，h：1.5，l：4.4，yaw：12",
    "【1.2、0.8、14.5、1.8、1.5、4.4、12】",
    "\\boxed{[1.2, 0.8, 14.5, 1.8, 1.5, 4.4, 12]}",
    "<answer>[1.2, 0.8, 14.5, 1.8, 1.5, 4.4, 12]</answer>",
]


@pytest.mark.parametrize("reply", FORMS)
def test_every_form_is_read_alike(reply):
    answer = read_box(reply)
    assert answer is not None and answer.confidence is None
    assert answer.box.numbers() == pytest.approx(WANT.numbers(), abs=1e-6)


@pytest.mark.parametrize("reply", FORMS)
@pytest.mark.parametrize(
    ("ending", "confidence"), [("\nConfidence: 0.7", 0.7), (" (confidence 70%)", 0.7), ("; confidence=7", 1.0)]
)
def test_a_confidence_is_no_part_of_the_box(reply, ending, confidence):
    answer = read_box(reply + ending)
    assert answer is not None and answer.confidence == pytest.approx(confidence)
    assert answer.box.numbers() == pytest.approx(WANT.numbers(), abs=1e-6)


def test_without_a_yaw_it_is_zero():
    assert (
        read_box("[1.2, 0.8, 14.5, 1.8, 1.5, 4.4]").box.yaw == 0
        and read_box("x=1, y=2, z=-3.5, w=1, h=1, l=1").box.z == -3.5
    )


@pytest.mark.parametrize("minus", "-−‐‑‒–－﹣")
def test_signs_that_look_like_a_minus_are_one(minus):
    assert read_box(f"[{minus}1.2, {minus}0.8, 1.45e1, 1.8, 1.5, 4.4]").box.numbers()[:3] == (-1.2, -0.8, 14.5)
    assert read_box(f"x = {minus}1.2, y: {minus}0.8, z=14.5, w=1.8, h=1.5, l=4.4").box.numbers()[:3] == (
        -1.2,
        -0.8,
        14.5,
    )


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I cannot tell where it is.",
        "It is 14.5 m ahead and 1.2 m to the right.",
        "[1.2, 0.8, 14.5]",
        "[1.2, 0.8, 14.5, 0, 1.5, 4.4, 12]",
        "[1.2, 0.8, 14.5, -1.8, 1.5, 4.4, 12]",
        "[1.2, 0.8, 14.5, 1.8, 1.5, 440, 12]",
        "[1e9, 0.8, 14.5, 1.8, 1.5, 4.4, 12]",
        "[100, 200, 300, 400]",
        "[1, 2, 3, 4, 5, 6, 7, 8, 9]",
        "x=1.2, y=0.8, z=14.5",
        "[" * 10_000,
        "1," * 10_000,
    ],
)
def test_what_cannot_be_read_is_no_answer(reply):
    assert read_box(reply) is None


def test_boxes_and_points_in_the_picture():
    assert read_box_2d("about [10, 20, 30, 40]") == (10, 20, 30, 40) == read_box_2d('{"bbox_2d": [10, 20, 30, 40]} px')
    assert read_box_2d("first [0, 0, 9, 9], no: (10 px, 20 px, 30 px, 40 px)") == (10, 20, 30, 40)
    assert read_box_2d("[30, 20, 10, 40]") is None is read_box_2d("left")
    assert read_point("(640.5, 380)") == (640.5, 380) and read_point("[1, 2, 3]") is None
    assert read_point("（６４０，３８０）") == (640, 380) and read_box_2d("【10，20，30，40】") == (10, 20, 30, 40)


def test_reading_is_linear():
    began = time.process_time()
    for text in MEGABYTES.values():
        for read in (read_box, read_box_2d, read_point):
            read(text)
    assert time.process_time() - began < 20
