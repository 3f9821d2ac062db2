"""CodaLM-v0 on a folder of CODA-LM: the questions, the box, looks from near, what is scored and what is said to have no
score.
"""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import embodied  # noqa: F401
from embodied.driving.codalm import pictures, vqa
from embodied.driving.codalm.env import CodaLMEnv
from embodied.envs.check import check
from embodied.errors import UnknownName, UsageError
from tests.driving.codalm.coda_folder import add, annotation, build


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("coda"), 5)


def make(root: Path, task: str = "region_perception", **options: object) -> CodaLMEnv:
    return CodaLMEnv(task, data=str(root), split="mini", **options)  # type: ignore[arg-type]


def test_gymnasiums_own_checker(root: Path) -> None:
    check_env(
        gymnasium.make("embodied/CodaLM-v0", data=str(root), split="mini", image=True, zoom=1).unwrapped,
        skip_render_check=True,
    )


def test_the_contract(root: Path) -> None:
    for options in ({}, {"image": True, "zoom": 2}, {"expert": True, "box": "text"}):
        report = check(lambda options=options, **more: make(root, **{**options, **more}))
        assert report.ok, report


def test_seeds_walk_the_list(root: Path) -> None:
    env = make(root)
    seen = [env.reset(seed=70 + i)[1]["question_id"] for i in range(7)]
    assert sorted(seen) == list(range(7)) and env.reset(seed=70 + 7)[1]["question_id"] == seen[0]


def test_an_answer_ends_the_episode_and_is_scored(root: Path) -> None:
    env = make(root, "region_perception")
    _, info = env.reset(options={"scene": "test_0002", "region": "3"})
    assert (info["dataset"], info["split"], info["category"], info["box"], info["image"]) == (
        "codalm", "mini", "truck", [80, 10, 30, 30], "test/images_w_boxes/0002_object_3.jpg",
    )  # fmt: skip
    _, reward, terminated, truncated, info = env.step("The object is a truck.\nIt blocks the lane.")
    assert (reward, terminated, truncated, info["progress"], info["success"]) == (1.0, True, False, 1.0, None)
    assert (
        info["answer"] == "The object is a truck.\nIt blocks the lane."
        and info["metrics"]["category_hit"] == 1.0
        and info["end_reason"] == "answered"
    )
    for answer, least, most in (("It is not a truck, it is a dog.", 0, 0), ("", 0, 0), ("A bus.", 0.5, 0.5)):
        env.reset(options={"scene": "test_0002", "region": "3"})
        assert least <= env.step(answer)[1] <= most


@pytest.mark.parametrize("task", ["general_perception", "driving_suggestion"])
def test_the_reference_beats_an_empty_answer(root: Path, task: str) -> None:
    env = make(root, task, expert=True)
    observation, _ = env.reset(seed=0)
    assert env.step(observation["expert"])[1] >= 0.75
    env.reset(seed=0)
    asked = " ".join(vqa.QUESTIONS[task].split())
    assert env.step("")[1] == 0.0 and env.mission.goal == asked.split(". ", 1)[1], (
        "no image is shown, so none is spoken of"
    )
    assert make(root, task, image=True).mission.goal == asked


def test_the_box_is_drawn_red_and_two_pixels_wide(root: Path) -> None:
    drawn = make(root, image=True).reset(seed=0)[0]["image"].astype(int)
    plain = make(root, image=True, box="text").reset(seed=0)[0]["image"].astype(int)
    x, y, w, h = (int(n) for n in make(root).reset(seed=0)[1]["box"])
    changed = (drawn != plain).any(2)
    outline = np.zeros_like(changed)
    outline[y : y + h + 1, x : x + w + 1] = True
    outline[y + 2 : y + h - 1, x + 2 : x + w - 1] = False
    assert (changed == outline).all() and (drawn[changed] == (255, 0, 0)).all()


@pytest.mark.parametrize(
    "box", [(-10, -10, 400, 400), (100, 10, 60, 20), (5, 5, 0, -3), (1e300, 1e300, 1e300, 1e300), (500, 500, 9, 9)]
)
def test_a_box_that_reaches_out_is_drawn_as_far_as_it_is_seen(box: tuple[float, ...]) -> None:
    plain = np.zeros((72, 128, 3), np.uint8)
    drawn = pictures.boxed(plain, box)
    assert drawn.shape == plain.shape and not plain.any()
    x, y, w, h = box
    seen = (x < 128 and y < 72 and x + w >= 0 and y + h >= 0) and not (x < -2 and y < -2 and x + w > 130 and y + h > 74)
    assert drawn.any() == seen


def test_the_box_in_words(root: Path) -> None:
    for options in ({"box": "text", "image": True}, {"box": "both", "image": True}, {}):
        env = make(root, **options)
        text = env.reset(options={"scene": "test_0002", "region": "3"})[0]["text"]
        assert "upper left corner (80, 10), lower right corner (110, 40), of 128 x 72 pixels" in text
        assert ("red rectangle" in env.mission.goal) == (options.get("box") == "both")
    assert "corner" not in make(root, image=True).reset(seed=0)[0]["text"]
    assert "No picture is shown" in make(root).reset(seed=0)[0]["text"]


def test_looks_from_near(root: Path) -> None:
    env = make(root, image=True, zoom=2, box="text")
    whole = env.reset(seed=0)[0]["image"]
    observation, reward, terminated, _, info = env.step("zoom(40, 18, 32, 18)")
    assert (reward, terminated, info["metrics"]) == (0.0, False, {"zooms": 1.0}) and "1 more looks" in observation[
        "text"
    ]
    assert (
        observation["image"].shape == whole.shape
        and (observation["image"] == pictures.zoomed(whole, (40, 18, 32, 18))).all()
    )
    for words, said in (
        ("zoom(500, 1, 50, 50)", "outside"),
        ("`zoom(0, 0, 128, 72)`", "0 more looks"),
        ("ZOOM(0,0,64,36)", "as often as you may"),
    ):
        observation, _, terminated, _, _ = env.step(words)
        assert said in observation["text"] and not terminated
    assert (observation["image"] == whole).all()
    *_, info = env.step("I would zoom(1, 2, 3, 4) again. A traffic cone.")
    assert info["metrics"]["zooms"] == 2.0 and info["metrics"]["group_hit"] >= 0
    env = make(root, image=True, zoom=1, max_steps=2)
    env.reset(seed=0)
    env.step("zoom(0, 0, 64, 36)")
    _, reward, terminated, truncated, info = env.step("zoom(0, 0, 64, 36)")
    assert (reward, terminated, truncated, info["end_reason"]) == (
        0.0,
        False,
        True,
        "step limit",
    ) and "answer" not in info


def test_without_looks_a_command_is_an_answer(root: Path) -> None:
    env = make(root)
    env.reset(seed=0)
    assert env.step("zoom(0, 0, 64, 36)")[2] and env.mission.actions == {} and env.mission.prose


def test_the_observation_space_has_the_size_of_the_picture(tmp_path: Path) -> None:
    root = build(tmp_path, 1)
    add(root, "Mini", "test_0009", annotation({"1": ([1, 1, 20, 20], "dog", "A dog.")}), size=(96, 72))
    env = make(root, image=True)
    for scene, width in (("test_0001", 128), ("test_0009", 96)):
        observation, info = env.reset(options={"scene": scene})
        assert (
            observation["image"].shape == (72, width, 3)
            and env.observation_space.contains(observation)
            and info["width"] == width
        )


def test_what_has_no_reference_has_no_score(tmp_path: Path) -> None:
    root = build(tmp_path, 1)
    add(
        root,
        "Mini",
        "test_0005",
        annotation({"1": ([1, 1, 20, 20], "hovercraft", "A hovercraft."), "2": ([1, 1, 20, 20], "dog", "")}),
    )
    env = make(root, partial=True)
    for region in "12":
        _, info = env.reset(options={"scene": "test_0005", "region": region})
        assert info["faults"] == ["region 1: 'hovercraft' is none of the 43 categories", "region 2 has no text"]
        _, reward, _, _, info = env.step("A dog.")
        assert reward == 0.0 and info["progress"] is None


def test_an_answer_in_another_language_is_said_to_be_unreadable(root: Path) -> None:
    env = make(root)
    env.reset(seed=0)
    *_, info = env.step("Это грузовик, который перекрывает полосу движения.")
    assert info["progress"] == 0.0 and info["metrics"]["unreadable"] == 1.0


def test_chinese_is_asked_for_and_read(tmp_path: Path) -> None:
    root = build(tmp_path, 1)
    add(
        root,
        "Mini",
        "test_0001",
        annotation({"1": ([40, 28, 20, 24], "traffic_cone", "这是一个交通锥。")}),
        language="CODA-LM-chinese",
    )
    env = CodaLMEnv("region_perception", data=str(root), split="mini", language="chinese")
    env.reset(seed=0)
    assert "Answer in Chinese." in env.mission.tips and env.step("这是一个交通锥。")[1] == 1.0


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"box": "round"}, UnknownName, "'round'"),
        ({"zoom": 2}, UsageError, "zoom needs a picture"),
        ({"zoom": 16, "image": True}, UsageError, "from 0 to max_steps - 1"),
        ({"max_steps": 0}, UsageError, "at least 1"),
        ({"language": "latin"}, UnknownName, "'latin'"),
        ({"task": "regional_perception"}, UnknownName, "Did you mean 'region_perception'"),
    ],
)
def test_what_makes_no_sense(root: Path, options: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        make(root, **options)


def test_reset_names_a_scene_that_is_there(root: Path) -> None:
    env = make(root)
    for options in (
        {"scene": "test_9999"},
        {"scene": "test_0001", "region": "7"},
        {"scene": "test_0001", "colour": "red"},
    ):
        with pytest.raises(UsageError, match="names none"):
            env.reset(options=options)


def test_a_look_is_offered_as_long_as_it_can_be_used(root: Path) -> None:
    look = ("zoom(x, y, w, h)",)
    env = make(root, image=True, zoom=2, max_steps=None)
    assert env.reset(seed=0)[0]["actions"] == look and tuple(env.mission.actions) == look
    said = [env.step(words)[0] for words in ("zoom(0, 0, 64, 36)", "zoom(500, 1, 50, 50)", "zoom(0, 0, 64, 36)")]
    assert [observation["actions"] for observation in said] == [look, look, ()]


def test_the_last_step_is_for_the_answer(root: Path) -> None:
    env = make(root, image=True, zoom=3, max_steps=4)
    env.reset(seed=0)
    texts = []
    for words, offered in (("zoom(500, 1, 50, 50)", True), ("zoom(0, 0, 64, 36)", True), ("zoom(9, 9, 64, 36)", False)):
        observation = env.step(words)[0]
        assert bool(observation["actions"]) == offered
        texts.append(observation["text"].splitlines()[-1])
    assert "outside" in texts[0] and " 1 more looks " in texts[1] and " 0 more looks " in texts[2]
    assert [text.endswith("The next step is the last: give your answer.") for text in texts] == [False, False, True]
    observation, *_, truncated, info = env.step("zoom(0, 0, 64, 36)")
    assert truncated and info["metrics"] == {"zooms": 2.0} and "The last step was for" in observation["text"]


def test_without_looks_observations_are_those_of_v0(root: Path) -> None:
    assert set(make(root, image=True).reset(seed=0)[0]) == {"text", "image"}


def test_a_run_with_looks_of_before_is_read_and_not_continued(call, root: Path, tmp_path: Path) -> None:
    asked = ("--env", "codalm", "--task", "general_perception", "--agent", "constant", "--image", "--data", root)
    common = (*asked, "--episodes", "1", "env.split=mini", "agent.script=[A car.]", "run.workers=1")
    for name, options, version in (("plain", (), None), ("zoomed", ("env.zoom=1",), "v0.1")):
        folder = tmp_path / name
        code, _, err = call("eval", *common, *options, "--out", folder)
        record = json.loads((folder / "run.json").read_text())
        assert code == 0 and record["versions"].get("embodied/CodaLM") == version, err
    record["versions"].pop("embodied/CodaLM")  # as it was recorded before
    (folder / "run.json").write_text(json.dumps(record))
    code, _, err = call("resume", folder)
    assert code == 4 and err.count("\n") == 1
    assert "an older version of the environment, codalm v0 (here v0.1), and can only be read" in err
    code, out, err = call("score", folder)
    assert code == 0 and "codalm" in out and "1/1" in out, err
    code, out, _ = call("replay", folder, "--workers", "1")
    assert "Recorded with an older version of the environment: codalm v0 (here v0.1)." in out
    code, _, err = call("eval", *common, "env.zoom=1", "--out", folder)
    assert code == 4 and "embodied/CodaLM is 'v0' there and 'v0.1' here" in err, err
    assert call("resume", tmp_path / "plain")[0] == 0
