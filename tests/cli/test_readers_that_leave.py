"""Every command that prints under `| head -1`: it finishes, without a traceback, with the exit code that it has when
all is read.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_cli import BABYAI

ROOT = Path(__file__).parents[2]
PLAY = ("eval", *BABYAI, "--agent", "random", "--steps", "3", "run.workers=1")
SERVERS = {"view", "play", "leaderboard --serve"}
"""Commands that end when a person ends them."""
COMMANDS = {
    "eval": (*PLAY, "--episodes", "3", "--out", "run"),
    "eval --dry-run": (*PLAY, "--dry-run", "--out", "never"),
    "ablate": ("ablate", *BABYAI, "--agent", "random"),
    "improve": ("improve", *BABYAI, "--agent", "random", "--learner", "null", "--dry-run"),
    "calibrate": ("calibrate", "run"),
    "resume": ("resume", "run", "run.workers=1"),
    "branch": ("branch", "run", "0", "2", "--say", "turn left", "run.workers=1"),
    "console": ("console",),
    "replay": ("replay", "run", "--workers", "1"),
    "merge": ("merge", "run", "--out", "merged"),
    "list envs": ("list", "envs"),
    "list tasks": ("list", "tasks"),
    "list agents": ("list", "agents"),
    "list correctors": ("list", "correctors"),
    "list learners": ("list", "learners"),
    "list models": ("list", "models"),
    "list suites": ("list", "suites"),
    "list runs": ("list", "runs", "."),
    "list metrics": ("list", "metrics"),
    "list exports": ("list", "exports"),
    "list listeners": ("list", "listeners"),
    "new": ("new", "agent", "my_own"),
    "check": ("check", "babyai"),
    "list options": ("list", "options"),
    "show": ("show", "babyai"),
    "score": ("score", "run", "other", "--episodes"),
    "score --json": ("score", "run", "--json"),
    "compare": ("compare", "run", "other"),
    "power": ("power", "--env", "babyai", "--difference", "0.1"),
    "floors": ("floors", "--env", "babyai"),
    "leaderboard": ("leaderboard", "run", "other", "--out", "site"),
    "report": ("report", "run", "--pages"),
    "export": ("export", "run", "--format", "csv"),
    "import balrog": ("import", "balrog", "submission", "--out", "imported"),
    "import corrections": ("import", "corrections", "nowhere", "--run", "run"),
    "codalm categories": ("codalm", "categories"),
    "codalm check": ("codalm", "check", "nowhere"),
    "codalm questions": ("codalm", "questions", "--out", "questions", "--split", "procedural"),
    "codalm score": ("codalm", "score", "run"),
    "codalm judge": ("codalm", "judge", "run"),
    "codalm submission": ("codalm", "submission", "run", "--out", "submission2"),
    "data patheval": ("data", "patheval", "--check", "nowhere"),
    "data codalm": ("data", "codalm", "--more", "1", "--out", "scenes"),
    "probe patheval": ("probe", "patheval", "--encoder", "nowhere"),
    "agents show": ("agents", "show", "nowhere"),
    "agents diff": ("agents", "diff", "nowhere", "neither"),
    "train tinyvlm": ("train", "tinyvlm", "--env", "nethack", "--out", "trained"),
    "demo": ("demo", "--out", "run"),
    "doctor": ("doctor",),
    "--help": ("--help",),
    "eval --help": ("eval", "--help"),
    "--version": ("--version",),
    "an unknown command": ("evla",),
    "an error": ("score", "nowhere"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with two runs, and one of BALROG's layout."""
    folder = tmp_path_factory.mktemp("heads")
    for seed, name in enumerate(("run", "other")):
        assert started(folder, *PLAY, "--episodes", "2", "--seed", str(seed), "--out", name).returncode == 0
    assert started(folder, "export", "run", "--format", "balrog", "--out", "submission").returncode == 0
    return folder


def started(folder: Path, *words: str, shell: str = "") -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "embodied", *words]
    if shell:
        command = ["bash", "-c", f'"$@" {shell}', "bash", *command]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=300)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_head_takes_one_line_and_the_command_finishes(place, name):
    words = COMMANDS[name]
    cut = started(place, *words, shell="| { head -1 > /dev/null; }; exit ${PIPESTATUS[0]}")
    assert "Traceback" not in cut.stderr and "Broken" not in cut.stderr and "Exception ignored" not in cut.stderr, (
        cut.stderr
    )
    for folder in ("merged", "imported", "site", "questions", "scenes", "my_own"):
        if folder in words:
            assert list((place / folder).iterdir()), "the work was not done"
            subprocess.run(["rm", "-r", place / folder], check=True)
    whole = started(place, *words)
    assert cut.returncode == whole.returncode, (cut.returncode, whole.returncode, cut.stderr, whole.stderr)
    assert cut.returncode in (0, 2, 3, 4, 5)


def test_no_command_is_left_out():
    from embodied import cli

    if not cli.app.registered_commands:
        cli._register()
    found = {command.name for command in cli.app.registered_commands}
    for group in cli.app.registered_groups:
        found |= {
            f"{group.name} {command.name or command.callback.__name__.strip('_')}"
            for command in group.typer_instance.registered_commands
        }
    assert found <= set(COMMANDS) | SERVERS
