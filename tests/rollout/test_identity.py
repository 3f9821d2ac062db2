"""Runs of several environments: which are the same run, and what is looked at before one is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import embodied
from embodied.catalog import ENTRIES
from embodied.config import EvalConfig, env_defaults
from embodied.errors import StoreError, UsageError
from embodied.request import Request
from embodied.rollout.identity import deciding
from embodied.rollout.playing import Job
from embodied.session import prepare
from embodied.store.codec import encode
from embodied.store.run import Run


def job(*envs: str, out: str | None = None) -> Job:
    return prepare(Request("random", envs, episodes=1, out=out))


def test_other_environments_are_another_run_although_nobody_chose_an_option(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [("babyai", "crafter"), ("babyai", "nethack"), ("babyai", "crafter", "nethack")]
    assert len({job(*envs).record.identity for envs in names}) == 3
    assert job("crafter", "babyai").record.identity == job("babyai", "crafter").record.identity


def test_four_environments_whose_folders_begin_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    alike = ("babaisai", "minihack", "babyai")
    first, second = job(*alike, "crafter"), job(*alike, "nethack")
    Run.create(first.root, first.record)
    assert first.root != second.root == job(*alike, "nethack").root


def test_a_run_does_not_go_on_with_another_environment(tmp_path):
    out = str(tmp_path / "run")
    two = job("babyai", "crafter", out=out)
    Run.create(two.root, two.record)
    with pytest.raises(StoreError, match=r"nethack is not played there"):
        job("babyai", "crafter", "nethack", out=out)
    assert job("babyai", "crafter", out=out).record.planned == two.record.planned


def test_what_an_agent_lacks_for_one_environment_of_several_is_found_before_anything_is_written(tmp_path):
    shown = str(tmp_path / "shown")
    embodied.evaluate("gym:CartPole-v1", "random", episodes=2, seed=1, out=shown, run__workers=1)
    with pytest.raises(UsageError, match=r"gym:Acrobot-v1"):
        embodied.evaluate(
            ["gym:Acrobot-v1", "gym:CartPole-v1"],  # both have one task, which has no name
            "few_shot",
            "scripted/cycle",
            out=tmp_path / "out",
            options={"agent.demonstrations.runs": [shown], "model.script": ["ACTION: 0"], "run.workers": 1},
        )
    assert not (tmp_path / "out").exists()


DEFAULTS = Path(__file__).parents[1] / "golden/defaults.json"


def test_no_default_changes_unnoticed():
    """A run names no key that is younger than the run: such a key then means its default. So a default that changes
    continues an old run as another one, unless `BEFORE` in embodied/rollout/identity.py says what it was. A new key is
    added to the golden file.
    """
    now = {"keys": deciding(EvalConfig()), "env": {name: dict(env_defaults(name)) for name in sorted(ENTRIES.ours)}}
    assert json.loads(DEFAULTS.read_text()) == json.loads(encode(now))
