"""Grounding3D: names that fit one object, boxes that enclose what is seen, answers measured, kept apart where they
cannot be read.
"""

from collections import Counter

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodied import envs
from embodied.driving.facts import ObjectFact
from embodied.driving.grounding3d.boxes import Box3D
from embodied.driving.grounding3d.env import Grounding3DEnv
from embodied.driving.grounding3d.items import box_of, items, phrases
from embodied.driving.scene.render import camera
from embodied.driving.scene.sets import specs
from embodied.driving.scene.spec import Actor
from embodied.envs.check import EnvContract
from embodied.errors import UnknownName, UsageError

SEEDS = range(40)


class TestContract(EnvContract):
    def make(self, **options):
        return Grounding3DEnv(**options)


class TestContractOfAChain(EnvContract):
    def make(self, **options):
        return Grounding3DEnv(chain="box_first", **options)


def test_gymnasium_accepts_it():
    check_env(envs.make("grounding3d", image=True).unwrapped, skip_render_check=True)


# --------------------------------------------------------------------------- items


def test_items_take_turns_among_the_scenes_and_their_names_fit_one_object():
    found = items()
    scenes = Counter(item.scene for item in found)
    first = [item.scene for item in found[: len(scenes)]]
    assert len(set(first)) == len(scenes) and len(scenes) >= 40
    assert (
        len({(item.scene, item.phrase) for item in found})
        == len(found)
        == len({(item.scene, item.id) for item in found})
    )
    assert len({item.group for item in found}) == 7


def test_what_is_seen_of_an_object_lies_within_its_box():
    """The eight corners, projected, enclose the annotator's box; where nothing hides it, closely."""
    view = camera()
    tight = 0
    for item in items():
        corners = np.array([(x, z, 1.5 - y) for x, y, z in item.box.corners()])  # the world has y ahead and z up
        local = view.into(corners)
        if (local[:, 2] < 0.5).any():
            continue
        u, v = np.clip(view.pixels(local).T, [[0], [0]], [[view.width], [view.height]])
        left, top, right, bottom = item.box_2d
        assert u.min() <= left + 3 and v.min() <= top + 3 and u.max() >= right - 3 and v.max() >= bottom - 3, item
        seen, whole = (right - left) * (bottom - top), (u.max() - u.min()) * (v.max() - v.min())
        tight += seen > 0.6 * whole
    assert tight > 0.5 * len(items())


def test_a_box_is_where_the_actor_stands():
    box = box_of(Actor(1, "car", 3.0, 20.0, yaw=270.0))
    assert (box.x, box.z, box.yaw) == (pytest.approx(3, abs=0.1), pytest.approx(20, abs=0.1), -90.0)
    assert box.y + box.h / 2 == pytest.approx(1.5, abs=0.05), "it stands on the road, below the camera"
    assert box.l > 2 * box.w
    assert [box_of(Actor(1, "car", 0, 20, yaw=yaw)).yaw for yaw in (180.0, -180.0, 190.0, 360.0, -10.0)] == [
        180,
        180,
        -170,
        0,
        -10,
    ]
    fallen = box_of(Actor(1, "truck", 3.0, 20.0, state="overturned"))
    assert fallen.w > fallen.h and fallen.y + fallen.h / 2 == pytest.approx(1.5, abs=0.05)


def fact(id: int, category: str, left: float, colour: str = "") -> ObjectFact:
    return ObjectFact(id, category, "vehicle", (left, 0.0, 10.0, 10.0), "ahead", colour=colour)


def test_phrases_fit_one_object_each():
    objects = [
        fact(1, "car", 500, "red"),
        fact(2, "car", 100, "blue"),
        fact(3, "car", 300, "blue"),
        fact(4, "traffic_cone", 0, "orange"),
    ]
    assert phrases([fact(1, "misc", 0, "beige")]) == {1: "the beige object"}
    dressed = [fact(1, "pedestrian", 0, "red"), fact(2, "pedestrian", 9, "green")]
    assert phrases(dressed) == {1: "the pedestrian in red", 2: "the pedestrian in green"}
    assert phrases(objects) == {
        1: "the red car",
        2: "the first car from the left, of 3",
        3: "the second car from the left, of 3",
        4: "the traffic cone",
    }


# --------------------------------------------------------------------------- episodes


@pytest.mark.parametrize("options", [{}, {"hint": "box"}, {"chain": "box_first"}, {"chain": "point_first"}])
def test_the_oracle_is_right(options):
    env = Grounding3DEnv(expert="oracle", **options)
    for seed in SEEDS:
        observation, info = env.reset(seed=seed)
        assert info["phrase"] in env.mission.goal
        over = False
        while not over:
            observation, reward, over, _, info = env.step(observation["expert"])
            assert info["valid"]
        metrics = info["metrics"]
        assert info["success"] and reward == info["progress"] == 1.0 and info["end_reason"] == "answered"
        assert metrics["centre_distance"] < 0.02 and metrics["yaw_error"] < 0.01
        assert metrics["iou_bev"] > 0.9 and metrics.get("first_iou", 1) == metrics.get("first_inside", 1) == 1


def test_answers_are_measured():
    env = Grounding3DEnv()
    for off, progress, success in (
        (0.4, 1.0, True),
        (0.9, 0.75, True),
        (1.9, 0.5, True),
        (3.9, 0.25, False),
        (9.0, 0.0, False),
    ):
        _, reset = env.reset(seed=5)
        x, y, z, w, h, length, yaw = reset["box"]
        _, reward, over, _, info = env.step(f"[{x + off}, {y}, {z}, {w}, {h}, {length}, {yaw}] confidence 0.6")
        assert over and info["progress"] == reward == progress and info["success"] is success
        assert info["metrics"]["centre_distance"] == pytest.approx(off) and info["confidence"] == 0.6
        assert info["answer"] == [x + off, y, z, w, h, length, yaw]


@pytest.mark.parametrize("answer", ["", "I cannot see it.", "[1, 2, 3]"])
def test_what_cannot_be_read_is_kept_apart(answer):
    env = Grounding3DEnv()
    env.reset(seed=0)
    observation, reward, over, _, info = env.step(answer)
    assert over and reward == 0 and info["end_reason"] == "unparsed" and not info["valid"] and info["answer"] is None
    assert info["metrics"] == {"parsed": 0.0} and "could not be read" in observation["text"]


def test_a_chain_goes_on_after_a_first_answer_that_is_wrong_or_cannot_be_read():
    env = Grounding3DEnv(chain="box_first")
    for first, iou, parsed in (("[0, 0, 5, 5]", 0.0, 1.0), ("over there", 0.0, 0.0)):
        observation, reset = env.reset(seed=3)
        assert "First answer" in observation["text"]
        observation, reward, over, _, info = env.step(first)
        assert not over and reward == 0 and info["valid"] is bool(parsed) and "Now the 3D box" in observation["text"]
        *_, over, _, info = env.step(str(reset["box"]))
        assert (
            over
            and info["success"]
            and info["metrics"]["first_iou"] == iou
            and info["metrics"]["first_parsed"] == parsed
        )


def test_the_prompt_says_what_one_must_know():
    """Camera, convention and form; the hint only where it was asked for; without a picture not a word of one."""
    plain, hinted = Grounding3DEnv(), Grounding3DEnv(hint="box")
    (observation, _), (told, info) = plain.reset(seed=1), hinted.reset(seed=1)
    focal = camera().focal
    assert (
        f"{focal:.1f}" in observation["text"]
        and "1280" in observation["text"]
        and "1.50 m above" in observation["text"]
        and "2.3 degrees" in observation["text"]
    )
    box = "[" + ", ".join(f"{n:g}" for n in info["box_2d"]) + "]"
    assert box in told["text"] and box not in observation["text"]
    words = " ".join(plain.mission.tips)
    assert "x points right, y down" in words and "yaw is in degrees" in words and "picture" not in plain.mission.intro
    assert "You see a street" in Grounding3DEnv(image=True).mission.intro and "image" not in observation


def test_the_same_seed_shows_the_same_picture():
    a, b = (Grounding3DEnv(image=True).reset(seed=7)[0]["image"] for _ in range(2))
    assert a.shape == (720, 1280, 3) and np.array_equal(a, b) and a.std() > 10


def test_options_that_make_no_sense():
    with pytest.raises(UnknownName, match="box_first"):
        Grounding3DEnv(chain="box_frist")
    with pytest.raises(UnknownName, match="none"):
        Grounding3DEnv(hint="non")
    with pytest.raises(UnknownName, match="oracle"):
        Grounding3DEnv(expert="oracel")
    with pytest.raises(UsageError, match="Leave one of them out"):
        Grounding3DEnv(chain="box_first", hint="box")
    with pytest.raises(UsageError, match="at least 2"):
        Grounding3DEnv(chain="point_first", max_steps=1)


def test_every_listed_object_is_one_of_the_specification():
    actors = {spec.name: {a.id: a for a in spec.actors} for spec in specs()}
    for item in items():
        assert actors[item.scene][item.id].category == item.category and isinstance(item.box, Box3D)
        assert item.box.z + item.box.l > 0
