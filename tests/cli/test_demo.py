"""`embodied demo`: what it plays, and that it goes on where it was stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embodied.agents.folders import shipped
from embodied.cli.demo import plays
from embodied.cli.demo.figures import GAMES, READING, games, reading
from embodied.cli.demo.films import best_first
from embodied.store.run import Run

ROOT = Path(__file__).parents[2]


def started(*words: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "embodied", "demo", *words],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_what_is_played_is_paired():
    """The learner, its controls and the bot play the same episodes; the games are the suite's."""
    wanted = plays.learners(3)
    assert {play.count for play in wanted} == {15} and len({play.name for play in wanted}) == 4
    assert len({play.options["env.distractors"] for play in wanted}) == 1
    experts, text = plays.games()
    assert set(experts.envs) <= set(text.envs) and len(text.envs) == text.count


def test_a_run_is_no_place_for_it(call, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    code, _, err = call("demo", "--out", tmp_path)
    assert code == 2 and "name another folder with --out" in err


def test_what_cannot_be_played_says_why(tmp_path):
    """Rows that were not played have as many cells as the others."""
    learner, *_ = plays.learners(1)
    experts, _ = plays.games()
    shown = [plays.Shown(learner, None, "There are no weights."), plays.Shown(experts, None, "It is missing.")]
    first, blind, random = reading(shown)
    assert first.note == "tinyvlm: There are no weights." and first.cells[1] == "not played"
    assert len(first.cells) == len(blind.cells) == len(random.cells) == len(READING)
    (row,) = games(shown)
    assert len(row.cells) == len(GAMES) and row.note == "expert: It is missing."


def test_films_show_what_was_solved(tmp_path):
    bot = plays.learners(1)[3]
    found = plays.play(bot, tmp_path, lambda n: None)
    assert found.result is not None
    order = [e.spec.task.task.rpartition("/")[2] for e in best_first(found.result.episodes)]
    assert order == ["putnext", "pick_up_seq_go_to", "open", "pickup", "goto"]


@pytest.mark.slow
def test_stopped_and_gone_on(tmp_path):
    """The first impression from end to end, with an interrupt on the way."""
    first = started("--out", str(tmp_path / "demo"), "--episodes", "1")
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("demo/*/episodes/*/episode.json")) and time.monotonic() < deadline:
        time.sleep(0.2)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=120)
    assert first.returncode == 130 and "The same command goes on" in err and "Traceback" not in err, err
    ended = {path: path.read_bytes() for path in tmp_path.glob("demo/*/episodes/*/episode.json")}
    before = {path: data for path, data in ended.items() if b'"cancelled"' not in data}  # those are played again

    again = started("--out", str(tmp_path / "demo"), "--episodes", "1")
    out, err = again.communicate(timeout=1800)
    assert again.returncode == 0, err
    assert before and all(path.read_bytes() == data for path, data in before.items())
    page = (tmp_path / "demo/index.html").read_text(encoding="utf-8")
    names = ["bot", "experts", "smollm2"]
    names += ["tinyvlm", "tinyvlm-black-picture", "tinyvlm-shuffled-instruction"] if "tinyvlm" in shipped() else []
    for name in names:
        run = Run(tmp_path / "demo" / name)
        assert run.record.planned and all(run.scored(spec.id) for spec in run.record.planned)
    assert page.count("data:image/gif;base64,") == len(list(tmp_path.glob("demo/films/*.gif"))) >= 6
    for title in ("minigrid&#x27;s bot, an expert", "a walker that never reads", "SmolLM2-135M, a text model"):
        assert title in page
    assert "BabyAI: does it look, does it read?" in out and str(tmp_path / "demo/index.html") in out
