"""The agents of the package: what they weigh, which bytes they are, what they know and how well they play."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import embodied
from embodied.agents.folders import SHIPPED, shipped
from embodied.agents.versions import AgentRecord, load, write
from embodied.errors import StoreError, UsageError
from embodied.request import Request, planned
from embodied.versions import find, settings, view

HASHES = {
    "tinyvlm": "529de16f421c",
    "tinyvlm-babaisai": "62291f027f9b",
    "tinyvlm-base": "939051964854",
    "tinyvlm-minihack": "5236877f70f3",
}
"""Whoever trains them anew writes the new hashes here, and the new scores into their cards."""
MOST = 2 << 20
"""Bytes of all together."""


def test_they_are_the_bytes_that_were_measured():
    assert {name: load(folder).hash[:12] for name, folder in shipped().items()} == HASHES


def test_they_weigh_little_and_say_what_they_are():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST
    for name, folder in shipped().items():
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert card.startswith(f"# {name}\n")
        for section in ("Data", "Scores", "Limits", "Licence", "Made with"):
            assert f"\n## {section}\n" in card, (name, section)
        assert load(folder).record.name == name


@pytest.mark.parametrize(
    ("env", "episodes", "least", "most"),
    [("babyai", 3, 0.8, 1.0), ("babaisai", 2, 0.6, 1.0), ("minihack", 5, 0.3, 0.9)],
)
def test_they_play_in_their_bands(env: str, episodes: int, least: float, most: float, tmp_path: Path):
    done = embodied.evaluate(env, agent="tinyvlm", episodes=episodes, out=tmp_path / "run")
    assert done.progress is not None and least <= done.progress <= most


def test_a_world_it_does_not_know_is_refused_before_the_run(tmp_path: Path):
    with pytest.raises(UsageError, match=r"tinyvlm was made for babyai, .*and does not know nethack"):
        embodied.evaluate("nethack", agent="tinyvlm", out=tmp_path / "run")
    with pytest.raises(UsageError, match="tinyvlm plays one world in a run"):
        embodied.evaluate(["babyai", "babaisai"], agent="tinyvlm", out=tmp_path / "run")
    with pytest.raises(UsageError, match="was made to see pictures: leave out --text"):
        embodied.evaluate("babyai", agent="tinyvlm", image=False, out=tmp_path / "run")
    with pytest.raises(UsageError, match="was not made for env/two_room-goto_win of babaisai"):
        embodied.evaluate("babaisai", agent="tinyvlm", task="env/two_room-goto_win", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_family_has_one_for_each_world():
    for env in ("babyai", "babaisai", "minihack"):
        version = Request(agent="tinyvlm", version=find("tinyvlm"), env=(env,)).version
        assert version is not None and version.record.worlds == (env,)


def test_it_gets_the_tasks_and_the_pictures_that_it_was_made_for():
    request = Request(agent="tinyvlm", version=find("tinyvlm"), env=("minihack",))
    _, tasks = planned(request, lambda text: None)
    assert {spec.task for spec, _ in tasks} == {
        f"MiniHack-{n}-v0" for n in ("MazeWalk-9x9", "MazeWalk-15x15", "Corridor-R3")
    }
    assert all(spec.kwargs["crop"] == 9 and spec.kwargs["image"] for spec, _ in tasks)
    with pytest.raises(UsageError, match=r"was made for the pictures of env\.crop=9, not of 11"):
        planned(replace(request, words=("env.crop=11",)), lambda text: None)


def test_a_version_may_set_how_pictures_are_drawn_and_nothing_else(tmp_path: Path):
    for number, (env, options) in enumerate([("minihack", {"max_steps": 10**6}), ("babyai", {"distractors": 0})]):
        version = write(tmp_path / str(number), AgentRecord("easy", view={env: options}), {})
        with pytest.raises(StoreError, match=f"sets the option '{next(iter(options))}' of {env}"):
            view(version, env)


def test_a_key_that_is_not_known_is_named(tmp_path: Path):
    folder = write(tmp_path / "agent", AgentRecord("mine", worlds=("babyai",)), {}).folder
    for said, sentence in (({"view_": {}}, "view_"), ({"tasks": {"babyai": []}}, "names tasks of 'babyai'")):
        agent = {"format": 1, "name": "mine", "worlds": ["babyai"], **said}
        (folder / "agent.json").write_text(json.dumps(agent))
        with pytest.raises(StoreError, match=sentence):
            load(folder)


def test_a_version_brings_no_expert_no_script_and_no_exam_of_its_own(tmp_path: Path):
    cases = [
        (AgentRecord("genius", {"agent.policy": "expert"}), "not the version's own"),
        (AgentRecord("sweeper", {"agent.policy": "scripted", "agent.script": ["up"]}), "not the version's own"),
        (
            AgentRecord("easy", worlds=("minihack",), tasks={"minihack": ("MiniHack-Room-5x5-v0",)}),
            "which minihack does not list",
        ),
    ]
    for number, (record, sentence) in enumerate(cases):
        with pytest.raises(StoreError, match=sentence):
            settings(write(tmp_path / str(number), record, {}))
