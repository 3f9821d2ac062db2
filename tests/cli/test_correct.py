"""`--corrector` from the command line: who spoke is said everywhere, and a killed run loses no word."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import embodied
from embodied.cli import main
from embodied.errors import StoreError, UsageError
from embodied.eval.leaderboard.board import boards
from embodied.eval.results import read
from embodied.rollout.identity import difference
from embodied.store.events import corrections
from embodied.store.index import CORRECTED, EpisodeIndex
from embodied.store.merge import merge
from embodied.store.run import Run
from tests.rollout.playing import content

ROOT = Path(__file__).parents[2]
WORDS = ("turn left", "turn right", "go forward", "pick up", "nothing that is an action")


def by_prompt(messages, settings) -> str:
    """A reply that depends on every word of the prompt and on the seed."""
    time.sleep(0.01)
    digest = hashlib.sha256(repr((tuple(messages), settings)).encode()).digest()
    return WORDS[digest[0] % len(WORDS)]


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Path:
    """Three runs of the same episodes: alone, corrected, and corrected by a script of the second."""
    folder = tmp_path_factory.mktemp("runs")
    for name, more in {
        "alone": {},
        "corrected": {"corrector": "oracle", "options": {"corrector.silence": 0.3}},
        "again": {"corrector": "script", "options": {"corrector.run": str(folder / "corrected")}},
    }.items():
        embodied.evaluate("babyai", "random", task="goto", episodes=2, steps=30, out=folder / name, **more)
    return folder


def test_the_episodes_are_the_same_ones(played):
    seeds = [[s.seed for s in Run(played / name).record.planned] for name in ("alone", "corrected", "again")]
    assert seeds[0] == seeds[1] == seeds[2]


def test_a_script_says_again_what_was_said(played):
    def said(name):
        run = Run(played / name)
        return [(c.opened, c.text) for s in run.record.planned for c in corrections(run.steps(s.id))]

    assert said("again") == said("corrected") != []


def test_scores_with_and_without_help_are_never_mixed(played):
    alone, corrected = Run(played / "alone"), Run(played / "corrected")
    assert (alone.record.format, corrected.record.format) == (1, 2)
    with pytest.raises(UsageError, match=r"the corrector oracle \(silence 0\.3\) spoke to the agent"):
        boards([read(alone), read(corrected)])
    twice = [read(corrected), replace(read(corrected), record=_silent(corrected.record))]
    with pytest.raises(UsageError, match="not in every other run"):
        boards(twice)
    with pytest.raises(StoreError, match=r"corrector\.name is '' there and 'oracle' here|corrector\.name is 'oracle'"):
        merge([corrected, alone], played / "merged", difference)
    assert not (played / "merged").exists()


def _silent(record):
    """The same run with an oracle that is silent more often."""
    return replace(record, config={**record.config, "corrector": {**record.config["corrector"], "silence": 0.9}})


def test_the_command_line_says_who_spoke(played, capfd):
    for words, expected in (
        (("compare", played / "corrected", played / "alone"), "Who spoke to the agent: oracle (silence 0.3) ("),
        (("list", "runs", played), "corrected by"),
        (("score", played / "corrected"), "Not played alone: "),
        (("list", "correctors"), "oracle speaks for the environment's expert"),
        (("list", "correctors"), "critic asks a model of its own"),
        (("list", "correctors"), "person you, at this terminal"),
        (("list", "envs"), "(no expert)"),
    ):
        with pytest.raises(SystemExit):
            main([str(word) for word in words])
        assert expected in " ".join(capfd.readouterr().out.split())


def test_the_viewer_finds_the_corrections(played):
    run = Run(played / "corrected")
    for spec in run.record.planned:
        rows = EpisodeIndex(run.folder(spec.id)).rows
        spoken = [event for row in rows if row.flags & CORRECTED for event in row.events if event.kind == "correction"]
        assert len(spoken) == len(corrections(run.steps(spec.id)))
        assert all("(the agent had decided: " in event.text for event in spoken)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--env", "nethack", "--corrector", "oracle"), "nethack has no expert"),
        (("--env", "gym:CartPole-v1", "--corrector", "oracle"), "gym:CartPole-v1 has no expert"),
        (("--env", "babyai", "--corrector", "orcle"), "Did you mean 'oracle'?"),
        (("--env", "babyai", "--corrector", "script"), "--corrector script corrector.run=RUN"),
        (("--env", "babyai", "--corrector", "oracle", "corrector.wrong=2"), "a share between 0 and 1"),
        (("--env", "babyai", "--corrector", "critic"), "add corrector.model.provider=PROVIDER corrector.model.name"),
        (("--env", "babyai", "--corrector", "oracle", "--corrector", "script"), "One corrector speaks in a run"),
        (("--env", "babyai", "--corrector", "oracle", "corrector.silense=1"), "oracle has silence, wrong, delay"),
        (("--env", "babyai", "--corrector", "oracle", "corrector.history=1"), "Its options are: silence, wrong"),
        (("--env", "babyai", "corrector.silence=1"), "nobody speaks: name who with --corrector NAME"),
        (("--env", "babyai", "--corrector", "person", "run.concurrency=2"), "one episode at a time, not 2"),
    ],
)
def test_bad_input_is_one_sentence(words, sentence, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["eval", "--agent", "random", *words])
    err = capfd.readouterr().err
    assert sentence in err and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_estimate_says_what_it_leaves_out(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    critic = ("--corrector", "critic", "corrector.model.provider=openai", "corrector.model.name=gpt-4o")
    for agent in ("random", "gpt4o"):
        with pytest.raises(SystemExit):
            main(["eval", "--env", "babyai", "--task", "goto", "--agent", agent, *critic, "--dry-run", "run.workers=1"])
        out = capfd.readouterr().out
        assert "Not estimated: the corrector critic asks openai/gpt-4o once in each step" in out
        assert "nothing is spent" not in out


@pytest.mark.slow
def test_a_killed_run_loses_and_doubles_no_correction(tmp_path):
    """Kills a run at random moments, and resumes it each time."""

    def start(out: Path) -> subprocess.Popen[bytes]:
        command = "eval --env babyai --task goto --agent naive --model scripted/cycle --corrector oracle --episodes 3"
        words = ["model.script=tests.cli.test_correct:by_prompt", "corrector.lasts=3", "corrector.silence=0.4"]
        more = ["--steps", "25", "--out", str(out), "run.workers=1", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "embodied", *command.split(), *more], cwd=ROOT, env=environment, **quiet
        )

    def size(out: Path) -> int:
        return sum(path.stat().st_size for path in out.glob("episodes/*/steps.jsonl"))

    assert start(tmp_path / "whole").wait() == 0
    draws, kills = random.Random(7), 0
    while kills < 10:
        process, before = start(tmp_path / "broken"), size(tmp_path / "broken")
        while process.poll() is None and size(tmp_path / "broken") == before:
            time.sleep(0.002)
        time.sleep(draws.uniform(0, 0.05))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
    assert kills > 3
    assert start(tmp_path / "broken").wait() == 0
    assert content(tmp_path / "broken") == content(tmp_path / "whole")
    run = Run(tmp_path / "broken")
    spoken = [c for s in run.record.planned for c in corrections(run.steps(s.id))]
    assert spoken and all(c.status in ("committed", "superseded") and c.why for c in spoken)


def _played(folder: Path) -> dict[str, object]:
    """Everything but what the run says of itself."""
    return {name: what for name, what in content(folder).items() if name != "run.json"}


def _without_a_value(folder: Path) -> None:
    """Makes the record one of before `agent.corrections` existed."""
    body = json.loads((folder / "run.json").read_text())
    del body["config"]["agent"]["corrections"]
    (folder / "run.json").write_text(json.dumps(body))


def _cut(folder: Path, steps: int) -> None:
    """Leaves so many steps of the only episode, as a kill does."""
    (episode,) = (folder / "episodes").iterdir()
    (episode / "episode.json").unlink()
    lines = (episode / "steps.jsonl").read_text().splitlines(keepends=True)
    (episode / "steps.jsonl").write_text("".join(lines[:steps]))


def test_an_older_run_goes_on_with_the_words_as_a_paragraph(call, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = ("--env", "babyai", "--task", "goto", "--agent", "naive", "--model", "scripted/cycle", "--episodes", 1)
    words = (*words, "--steps", 8, "model.script=tests.cli.test_correct:by_prompt", "--corrector", "oracle")
    words = (*words, "corrector.lasts=3", "run.workers=1", "--out", tmp_path / "run")
    assert call("eval", *words, "agent.corrections=paragraph")[0] == 0
    whole = _played(tmp_path / "run")
    assert any("A person who watches you says: " in str(part) for part in whole.values())
    _without_a_value(tmp_path / "run")
    _cut(tmp_path / "run", 3)
    code, _, err = call("eval", *words)
    assert code == 4 and "agent.corrections is 'paragraph' there and 'message' here" in err
    code, _, err = call("resume", tmp_path / "run", "--trust", "run.workers=1")
    assert code == 0, err
    assert _played(tmp_path / "run") == whole


def test_an_older_run_in_which_nobody_speaks_goes_on(call, tmp_path):
    words = ("--env", "babyai", "--task", "goto", "--agent", "random", "--episodes", 1, "--steps", 8)
    words = (*words, "run.workers=1", "--out", tmp_path / "run")
    assert call("eval", *words)[0] == 0
    whole = _played(tmp_path / "run")
    _without_a_value(tmp_path / "run")
    _cut(tmp_path / "run", 3)
    assert call("eval", *words)[0] == 0
    assert _played(tmp_path / "run") == whole
