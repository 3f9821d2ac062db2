"""Pictures as shapes: exact measures of known drawings, and how they reach a model."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.agents.perception.perception import LONGEST, described, vector
from embodied.agents.perception.shapes import Shape, shapes
from embodied.agents.perception.strokes import reduced, sharpened, strokes, thinned
from embodied.blobs import MemoryBlobs, put_frame
from embodied.cli import main
from embodied.errors import UnknownName, UsageError
from embodied.types import Image, Observation, Text
from tests.agents.play import ROOM, Replies, act

RED, BLUE, BLACK, GREEN = (255, 0, 0), (0, 0, 255), (0, 0, 0), (0, 150, 40)


def canvas(width: int = 480, height: int = 480) -> tuple[Pillow.Image, ImageDraw.ImageDraw]:
    image = Pillow.new("RGB", (width, height), "white")
    return image, ImageDraw.Draw(image)


def found(image: Pillow.Image, kind: str, colour: str) -> list[Shape]:
    return [s for s in shapes(np.array(image)).shapes if (s.kind, s.colour) == (kind, colour)]


def test_circles_have_their_centres_and_radii():
    image, pen = canvas()
    for x, y, r, colour in ((100, 120, 40, BLUE), (300, 80, 7, BLUE), (240, 300, 90, GREEN)):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    big, small = found(image, "circle", "blue")
    assert big.centre == pytest.approx((100.5, 120.5), abs=1) and big.size == pytest.approx((81, 81), abs=1.5)
    assert big.area == pytest.approx(math.pi * 40.5**2, rel=0.03)
    assert small.centre == pytest.approx((300.5, 80.5), abs=1) and small.size == pytest.approx((15, 15), abs=1.5)
    (green,) = found(image, "circle", "green")
    assert green.size[0] == pytest.approx(181, abs=1.5)


@pytest.mark.parametrize(
    "corners",
    [
        [(50, 60), (210, 60), (210, 140), (50, 140)],
        [(100, 300), (250, 420), (60, 440)],
        [(240, 40), (300, 75), (300, 145), (240, 180), (180, 145), (180, 75)],
    ],
)
def test_polygons_have_their_corners_and_no_others(corners):
    image, pen = canvas()
    pen.polygon(corners, fill=BLACK)
    (shape,) = found(image, "polygon", "black")
    assert len(shape.corners) == len(corners)
    for corner in corners:
        assert np.sqrt(((shape.corners - corner) ** 2).sum(axis=1)).min() < 3
    ring = np.array([*corners, corners[0]], dtype=float)
    assert shape.area == pytest.approx(
        abs((ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]).sum()) / 2, rel=0.04
    )


def test_a_line_has_its_length_corners_and_turns():
    points = [(60, 60), (260, 60), (260, 210), (110, 360)]
    image, pen = canvas()
    pen.line(points, fill=RED, width=3)
    (line,) = found(image, "line", "red")
    assert line.length == pytest.approx(200 + 150 + 150 * math.sqrt(2), rel=0.02)
    corners = line.corners if abs(line.corners[0][0] - 60) < 5 else line.corners[::-1]
    assert len(corners) == 4 and np.abs(corners - points).max() < 4
    assert line.turning == pytest.approx((135, 90), abs=4)
    assert not line.closed


def test_a_line_that_crosses_itself_stays_one_and_a_ring_is_closed():
    image, pen = canvas()
    pen.line([(60, 60), (300, 60), (300, 300), (180, 300), (180, 20)], fill=RED, width=3)
    pen.rectangle((20, 350, 220, 450), outline=BLACK, width=3)
    (line,) = found(image, "line", "red")
    assert line.length == pytest.approx(240 + 240 + 120 + 280, rel=0.03)
    assert line.turning == pytest.approx((270, 90), abs=8)
    (ring,) = found(image, "line", "black")
    assert ring.closed and ring.length == pytest.approx(2 * (198 + 98), rel=0.02)


def test_what_a_stroke_crosses_and_what_a_stroke_ends_in_are_told_apart():
    image, pen = canvas()
    pen.ellipse((90, 90, 110, 110), fill=BLUE)
    pen.ellipse((390, 390, 410, 410), fill=RED)
    pen.line([(100, 100), (400, 400)], fill=RED, width=3)
    assert [s.centre for s in found(image, "circle", "blue")] == [pytest.approx((100.5, 100.5), abs=1.5)]
    assert [s.centre for s in found(image, "circle", "red")] == [pytest.approx((400.5, 400.5), abs=1.5)]
    (line,) = found(image, "line", "red")
    assert 390 * math.sqrt(2) > line.length > 280 * math.sqrt(2)


def test_soft_edges_are_no_colours_and_an_empty_picture_has_no_shapes():
    image, pen = canvas(960, 960)
    pen.ellipse((200, 200, 600, 600), fill=RED)
    drawing = shapes(np.array(image.reduce(2)))
    assert [(s.kind, s.colour) for s in drawing.shapes] == [("circle", "red")] and drawing.background == "white"
    nothing = shapes(np.full((30, 40, 3), 128, dtype=np.uint8))
    assert nothing.shapes == () and nothing.background == "grey"
    assert described(nothing).endswith("- nothing else")


def test_noise_and_tiny_pictures_are_borne():
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3)).astype(np.uint8)
    assert len(described(shapes(noise))) <= LONGEST
    for size in ((1, 1), (2, 5), (9, 3)):
        assert shapes(np.zeros((*size, 3), dtype=np.uint8)).width == size[1]


def test_thinning_leaves_one_pixel_and_short_strokes_are_nothing():
    bar = np.zeros((20, 60), dtype=bool)
    bar[8:13, 5:55] = True
    middle = thinned(bar)
    assert middle.any(axis=0).sum() >= 44 and middle.sum(axis=0).max() == 1
    ((line, closed),) = strokes(bar, 9)
    assert not closed and set(line[:, 1]) == {10.0}
    bar[:, 12:] = False
    assert list(strokes(bar, 9)) == []
    assert reduced(np.array([(0.0, 0), (5, 0.4), (10, 0)]), 1.0).tolist() == [[0, 0], [10, 0]]


def test_patheval_paths_have_the_length_they_have_on_the_map():
    from embodied.planning.env import PathEvalEnv

    off = []
    for family in ("rings", "waves", "random"):
        env = PathEvalEnv("decide", image=True, family=family)
        observation, info = env.reset(seed=3)
        lines = [
            s for s in shapes(observation["image"]).shapes if (s.kind, s.colour) == ("line", "red") and s.length > 100
        ]
        lines.sort(key=lambda s: s.centre[0])
        assert len(lines) == 2
        # Without the start's dot of 1.2 units, at 6 pixels a unit.
        off += [
            line.length / 6 + 1.2 - d["Path length"]
            for line, d in zip(lines, info["descriptors"]["dense"], strict=True)
        ]
    assert np.abs(off).max() < 3


# --------------------------------------------------------------------------- in a prompt


def seeing(perception: str = "vector", policy: str = "naive", **config):
    """An agent, its model, and an observation with a picture of a red line."""
    image, pen = canvas(200, 100)
    pen.line([(20, 50), (180, 50)], fill=RED, width=2)
    blobs = MemoryBlobs()
    picture = put_frame(blobs, np.array(image))
    model = Replies("turn left", "turn left")
    agent = agents.build(AgentConfig(policy=policy, perception=perception, **config), model, blobs=blobs)
    agent.begin(ROOM, np.random.default_rng(0))
    return agent, model, Observation("You see a door.", "HP 9", picture)


def parts(model: Replies, call: int = -1):
    last = [part for message in model.asked[call][0] for part in message.parts]
    return "\n".join(p.text for p in last if isinstance(p, Text)), [p for p in last if isinstance(p, Image)]


def test_the_text_stands_in_place_of_the_picture_and_is_recorded():
    agent, model, observation = seeing(history=HistoryConfig(image=1))
    decision = act(agent, observation)
    text, pictures = parts(model)
    assert (
        "red line: from (" in text
        and "length 15" in text
        and "HP 9" in text
        and not pictures
        and "image observation" not in text.lower()
    )
    assert decision.calls[0].messages == model.asked[0][0]
    act(agent, Observation("Now a window.", step=1))
    assert "red line" not in parts(model)[0] and "You see a door." in parts(model)[0]  # only of the current observation


def test_the_picture_can_be_kept_and_perception_can_be_off():
    agent, model, observation = seeing(perception_keep_image=True, history=HistoryConfig(image=1))
    act(agent, observation)
    assert "red line" in parts(model)[0] and len(parts(model)[1]) == 1
    agent, model, observation = seeing("none", history=HistoryConfig(image=1))
    act(agent, observation)
    assert "red line" not in parts(model)[0] and len(parts(model)[1]) == 1


def test_several_pictures_share_the_room():
    image, pen = canvas()
    for k in range(220):
        pen.line(
            [(5 + 2 * k, 20), (5 + 2 * k, 20 + k)] if k % 3 else [(400 - k, 470), (400 - k, 300)],
            fill=BLACK if k % 2 else RED,
            width=1,
        )
    for x in range(8):
        for y in range(8):
            pen.rectangle((x * 60, y * 60, x * 60 + 20, y * 60 + 30), fill=BLUE)
    blobs = MemoryBlobs()
    pictures = [put_frame(blobs, np.array(image)), put_frame(blobs, np.array(image.rotate(90)))]
    text = vector(pictures, blobs)
    assert LONGEST * 0.9 < len(text) <= LONGEST and "Picture 2" in text and "more shapes, left out" in text


@pytest.mark.parametrize(
    ("config", "error", "says"),
    [
        ({"perception": "vectr"}, UnknownName, "Did you mean 'vector'"),
        ({"perception_keep_image": True}, UsageError, "add agent.perception=vector"),
        ({"perception": "vector", "policy": "random"}, UsageError, "ask a model"),
        ({"perception": "vector", "history": HistoryConfig(text=0, image=1)}, UsageError, "history.text"),
        ({"perception": "vector"}, UsageError, "blobs"),
    ],
)
def test_what_makes_no_sense_is_refused(config, error, says):
    with pytest.raises(error, match=says):
        agents.build(AgentConfig(**config), Replies())


def test_without_vtracer_the_pip_line_is_said():
    code = (
        "import sys; sys.modules['vtracer'] = None\nimport numpy as np\nfrom embodied.agents.perception.shapes import"
        " shapes\nfrom embodied.errors import MissingExtra\np = np.full((60, 60, 3), 255, np.uint8); p[20:40, 20:40] ="
        " 0\ntry:\n    shapes(p)\nexcept MissingExtra as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'embodied-suite[perception]'" in done.stdout


def test_a_blunted_corner_is_made_sharp_again():
    blunt = np.array([(0.0, 0), (97, 0), (99, 3), (40, 60)])
    made = sharpened(blunt, 4.5)
    assert len(made) == 3 and np.abs(made[1] - (101, 0)).max() < 3
    straight = np.array([(0.0, 0), (50, 0), (50, 50), (100, 50)])
    assert sharpened(straight, 4.5).tolist() == straight.tolist()
    image, pen = canvas()
    pen.line([(60, 400), (400, 200), (60, 120)], fill=RED, width=3)
    (line,) = found(image, "line", "red")
    assert len(line.corners) == 3 and line.turning[1] == pytest.approx(180 - 30.5 - 13.2, abs=4)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--image", "agent.perception=vector"), 0, ""),
        (("--image", "agent.perception=vector", "agent.perception_keep_image=true"), 2, "reads no images"),
        (("--text", "agent.perception=vector"), 2, "add --image"),
        (("--image", "agent.perception=vectors"), 2, "Did you mean 'vector'"),
    ],
)
def test_a_model_that_reads_no_pictures_can_be_asked_about_them(words, code, says, capsys, tmp_path):
    asked = [
        "eval",
        "--env",
        "patheval",
        "--task",
        "decide",
        "--agent",
        "smollm2",
        "--episodes",
        "1",
        "--dry-run",
        "--out",
        str(tmp_path / "run"),
    ]
    with pytest.raises(SystemExit) as done:
        main([*asked, *words])
    assert done.value.code == code and says in capsys.readouterr().err
