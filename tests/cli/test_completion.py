"""What shells are offered, asked as bash and zsh ask: through environment variables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eval.runs import make_run

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys; sys.argv[0] = 'embodied'; from embodied.cli import main; main()"


def asked(shell: str, line: str, folder: Path, **variables: str) -> list[str]:
    """What a shell is offered at the end of `line`."""
    words = line.split(" ")
    how = (
        {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
        if shell == "bash"
        else {"_TYPER_COMPLETE_ARGS": line}
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "_EMBODIED_COMPLETE": f"complete_{shell}", **how, **variables}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    if shell == "bash":
        return done.stdout.split()
    return [row.split('"')[1].replace(r"\\:", ":") for row in done.stdout.splitlines() if '"' in row]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("completion")
    for name in ("runs/night", "runs/a b", "runs/$(touch pwned)", "elsewhere/day"):
        make_run(place / name, {("babyai", "x"): [1.0]})
    (place / "conf/agent").mkdir(parents=True)
    (place / "conf/agent/mine.yaml").write_text("agent: {policy: cot}\n")
    return place


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("embodied eval --env ba", ["babyai", "babaisai"]),
        ("embodied eval --env babyai,ba", ["babyai,babaisai"]),
        ("embodied eval --env textworld --task ", ["treasure_hunter", "the_cooking_game", "coin_collector"]),
        ("embodied eval --suite ba", ["balrog"]),
        ("embodied eval --agent gpt4o", ["gpt4o", "gpt4o-mini"]),
        ("embodied eval --model gg", ["gguf/", "gguf/smollm2"]),
        ("embodied list runs --agent smo", ["smollm2"]),
        ("embodied show nethac", ["nethack"]),
        ("embodied score elsewhere/", ["elsewhere/day"]),
        ("embodied resume runs/ni", ["runs/night"]),
        ("embodied compare runs/night else", ["elsewhere/day"]),
        ("embodied view --env cra", ["crafter"]),
    ],
)
def test_values_are_offered(folder, line, offered):
    assert asked("bash", line, folder) == offered


def test_zsh_is_offered_the_same(folder):
    assert asked("zsh", "embodied eval --env babyai,ba", folder) == ["babyai,babaisai"]
    assert asked("zsh", "embodied eval --model gg", folder) == ["gguf/", "gguf/smollm2"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_keys_are_offered_behind_the_options(folder, shell):
    assert asked(shell, "embodied eval --env babyai agent.history.te", folder) == [
        "agent.history.text=",
        "agent.history.text=16",
    ]
    assert "env.distractors=" in asked(shell, "embodied eval --env babyai env.", folder)
    assert asked(shell, "embodied resume runs/night run.worker_", folder) == [
        "run.worker_variables=",
        "run.worker_variables=null",
    ]
    assert "--env" in asked(shell, "embodied eval --en", folder), "options as before"


def test_presets_of_the_users_own_are_offered(folder):
    assert asked("bash", "embodied eval --agent mi", folder, EMBODIED_CONF="conf") == ["mine"]
    assert "gpt4o" in asked("bash", "embodied eval --agent gp", folder, EMBODIED_CONF="/nowhere"), "no error, no help"


def test_a_folder_that_a_shell_would_obey_is_not_offered(folder):
    for shell in ("bash", "zsh"):
        assert asked(shell, "embodied score runs/", folder) == ["runs/night"]
    assert not (folder / "pwned").exists()


def test_bash_completes_with_what_is_installed(folder, tmp_path):
    """`--install-completion` writes a script; bash is driven through it."""
    if not shutil.which("bash"):
        pytest.skip("there is no bash here")
    (tmp_path / "embodied").write_text(f"#!{sys.executable}\n{PROGRAM}\n")
    (tmp_path / "embodied").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": path}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)

    # Typer asks which shell it was called from: here bash, also when `make` called the tests through sh.
    installed = run("bash", "-c", "embodied --install-completion; code=$?; exit $code")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    (script,) = (tmp_path / ".bash_completions").iterdir()
    typed = "COMP_WORDS=(embodied eval --env neth); COMP_CWORD=3"
    done = run("bash", "-c", f"source {script}; {typed}; _embodied_completion embodied; echo ${{COMPREPLY[@]}}")
    assert done.stdout.strip() == "nethack", done.stderr


def test_completion_imports_nothing_heavy(folder):
    code = (
        "import sys; from embodied.cli import _register, app, completion; _register(); completion.environments('');"
        " completion.models(''); completion.agents(''); completion.runs('');"
        " print([m for m in ('hydra', 'omegaconf', 'torch', 'rich.table', 'starlette', 'openai') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
