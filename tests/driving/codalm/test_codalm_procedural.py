"""CodaLM-v0 on the embedded scenes: named as what they are, answerable, never taken for the real ones."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from embodied import envs
from embodied.catalog import ENTRIES
from embodied.driving import schema
from embodied.driving.codalm import sources
from embodied.driving.codalm.env import CodaLMEnv
from embodied.driving.codalm.load import faults
from embodied.driving.records import TASKS
from tests.transcripts import again, golden


@pytest.mark.parametrize("task", TASKS)
def test_who_states_the_facts_is_right_and_who_says_nothing_is_not(task: str) -> None:
    env = CodaLMEnv(task, expert=True)
    n = len(sources.procedural().questions(task))  # type: ignore[arg-type]
    for least, most, answer in ((0.95, 1.0, None), (0.0, 0.0, "")):
        values = []
        for seed in range(n):
            observation, info = env.reset(seed=seed)
            assert info["dataset"] == "codalm-procedural" and info["image"].startswith("procedural/")
            values.append(env.step(observation["expert"] if answer is None else answer)[1])
        assert least <= np.mean(values) <= most


def test_there_are_48_scenes_without_a_fault_in_codalms_own_schema() -> None:
    scenes = sources.procedural().scenes
    assert len(scenes) == 48 and [s.name for s in scenes] == sorted(s.name for s in scenes)
    for scene in scenes:
        assert not list(faults(scene.annotation, scene.width, scene.height)), scene.name
        assert schema.decode(json.dumps(schema.to_json(scene.annotation)), scene.name) == scene.annotation


@pytest.mark.parametrize("episode", golden("codalm"), ids=lambda e: f"{e['task']} {e['seed']}")
def test_golden_transcripts(episode: dict) -> None:
    assert json.loads(json.dumps(again("codalm", episode))) == episode


def test_a_picture_with_its_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBODIED_CACHE", str(tmp_path))
    env = CodaLMEnv("region_perception", image=True, zoom=1)
    observation, info = env.reset(seed=0)
    x, y, w, h = (int(n) for n in info["box"])
    assert observation["image"].shape == (720, 1280, 3) and (observation["image"][y, x : x + w] == (255, 0, 0)).all()
    near = env.step(f"zoom({x}, {y}, {max(w, 16)}, {max(h, 16)})")[0]["image"]
    assert env.observation_space["image"].contains(near) and (near != observation["image"]).any()
    assert (env.reset(seed=0)[0]["image"] == observation["image"]).all()


def test_a_run_of_them_is_scored_under_their_name_and_is_no_submission(call, tmp_path: Path) -> None:
    assert (
        call(
            "eval",
            "--env",
            "codalm",
            "--agent",
            "oracle",
            "--task",
            "driving_suggestion",
            "--episodes",
            3,
            "--out",
            "run",
            "run.workers=1",
        )[0]
        == 0
    )
    code, out, _ = call("codalm", "score", "run")
    assert code == 0 and "codalm-procedural/grounded-v1" in out and "3 of the 48 questions" in out
    code, _, err = call("codalm", "submission", "run", "--out", "sub")
    assert code == 2 and "a submission is for the real CODA-LM" in err
    code, out, _ = call("codalm", "judge", "run", "--model", "openai/gpt-4o", "--dry-run")
    assert code == 0 and out.startswith("codalm-procedural/judge:openai/gpt-4o@")


def test_gymnasium_shows_the_picture_by_default_where_questions_are_about_pictures():
    for entry in (e for e in ENTRIES.values() if e.seen):
        env = gymnasium.make(entry.id)
        assert "image" in env.observation_space.spaces, entry.id
        env.close()
    blind = gymnasium.make("embodied/CodaLM-v0", image=False)
    assert "image" not in blind.observation_space.spaces


def test_the_mission_of_a_text_only_variant_does_not_speak_of_an_image():
    for name in ("codalm", "grounding3d", "patheval", "patheval_loop", "corner_case_drive"):
        for task in envs.entry(name).tasks:
            env = envs.make(name, task)
            env.reset(seed=0)
            mission = env.mission
            said = " ".join([mission.goal, mission.intro, *mission.tips]).lower()
            assert not any(word in said for word in ("image", "picture")), (name, task, said)
