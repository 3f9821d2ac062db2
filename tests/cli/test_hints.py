"""Commands that messages tell the user to run: copied to a shell, they do what is said, whatever the folder's name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from embodied.terminal import shell_word
from tests.console.recorded import new_run, record
from tests.eval.runs import make_run

ROOT = Path(__file__).parents[2]
NAMES = ["plain", "a b", "it's", '-odd "name"', "$HOME;*"]
FOLDERS = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def shell(call, tmp_path, tmp_path_factory):
    """Runs a command in a shell in which `embodied` is this package."""
    programs = tmp_path_factory.mktemp("programs")
    program = "import sys; sys.argv[0] = 'embodied'; from embodied.cli import main; main()"
    (programs / "embodied").write_text(f"#!{sys.executable}\n{program}\n")
    (programs / "embodied").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def start(command: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        words = ["sh", "-c", f"exec {command}"]
        return subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True)

    return start


def hints(text: str, command: str) -> list[str]:
    """The hints in a text that run `embodied <command>`."""
    return [hint for hint in re.findall(r"`(embodied [^`]+)`", text) if hint.split()[1] == command]


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_path_is_one_word():
    assert [shell_word(n) for n in ("runs/a", "a b", "-x", Path("-x/y"))] == ["runs/a", "'a b'", "./-x", "./-x/y"]


@FOLDERS
def test_the_list_of_episodes(call, shell, name):
    make_run(Path(name), {("babyai", "x"): [1.0]})
    _, _, err = call("view", "--episode", "nothing", "--", name)
    (hint,) = hints(err, "score")
    code, out, err = finished(shell(hint))
    assert code == 0 and "babyai" in out, err


@FOLDERS
def test_how_many_episodes_it_takes(call, shell, name):
    for one, values in ((name, [0.5, 0.1, 0.9]), (f"{name}2", [0.4, 0.2, 0.8])):
        make_run(Path(one), {("babyai", "x"): values})
    (hint,) = hints(call("compare", "--", name, f"{name}2")[1], "power")
    code, out, err = finished(shell(hint))
    assert code == 0 and "A difference of" in out, err


@FOLDERS
def test_a_run_is_resumed_and_viewed(call, shell, name):
    for one, ended in ((f"{name}1", True), (f"{name}2", False)):
        run = new_run(Path(one), {"hall": 1})
        record(run, run.record.planned[0], 3, end=ended)
    _, out, _ = call("merge", "--out", name, "--", f"{name}2")
    (hint,) = hints(out, "resume")
    _, _, err = finished(shell(hint))
    assert "cellar" in err and "not a run folder" not in err, "it is this run that is looked at"
    viewer = shell(f"embodied view {shell_word(f'{name}1')}")
    try:
        assert viewer.stdout is not None and viewer.stdout.readline().startswith("http://127.0.0.1:")
    finally:
        viewer.kill()
        viewer.communicate()


@pytest.mark.parametrize("name", ["a b", "-odd"])
def test_what_eval_says_in_the_end(call, shell, name):
    words = ("--env", "crafter", "--agent", "random", "--episodes", 1, "--steps", 1, f"--out={name}")
    code, out, err = call("eval", *words, "run.workers=1")
    assert code == 0, err
    (view,), (export,) = hints(out, "view"), hints(out, "export")
    assert export.endswith("--format gif")
    assert finished(shell(export.replace("gif", "csv")))[0] == 0
    viewer = shell(view)
    try:
        assert viewer.stdout is not None and viewer.stdout.readline().startswith("http://127.0.0.1:")
    finally:
        viewer.kill()
        viewer.communicate()


def test_no_hint_is_made_with_a_bare_path():
    """Hints in the source that put a path into a command go through `shell_word`."""
    bare = re.compile(r"`embodied [^`]*\{(?!shell_word|shlex|folder\b)[^}]*(root|path|folder|out|run|d\.[ab])\b[^}]*\}")
    for path in (ROOT / "embodied").rglob("*.py"):
        text = re.sub(r'"\n\s*f?"', "", path.read_text(encoding="utf-8"))
        assert not bare.search(text), f"{path}: {bare.search(text)}"
