"""A run folder from a stranger decides nothing on this machine until its user says so; one's own runs are never asked
about.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from embodied.store.ours import fingerprint, is_ours, remember
from embodied.store.run import Run, RunRecord
from embodied.trust import deeds
from embodied.types import EpisodeSpec, TaskSpec

PLAY = (
    "eval",
    "--env",
    "babyai",
    "--task",
    "BabyAI-MixedTrainLocal-v0/goto",
    "--agent",
    "scripted",
    "--steps",
    "2",
    "--out",
    "mine",
    "run.workers=1",
)


@pytest.fixture(autouse=True)
def state(monkeypatch, tmp_path) -> Path:
    """The user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def stranger(
    root: Path,
    *,
    env: str = "babyai",
    agent: dict | None = None,
    model: dict | None = None,
    run: dict | None = None,
    corrector: dict | None = None,
    **kwargs,
) -> Run:
    """A run folder that nobody here made."""
    spec = EpisodeSpec("x-000-1", TaskSpec(env, "", kwargs), 1, 0, 0)
    config = {"agent": agent or {"policy": "random"}, "model": model or {}, "run": run or {}}
    config |= {"corrector": corrector} if corrector else {}
    return Run.create(root, RunRecord("i", config, (spec,)))


HARM = {
    "server and key": (
        {
            "agent": {"policy": "naive"},
            "model": {
                "provider": "compatible",
                "name": "m",
                "base_url": "http://evil.example/v1",
                "api_key_env": "AWS_SECRET",
            },
        },
        ("evil.example", "AWS_SECRET"),
    ),
    "a provider's own server": (
        {"agent": {"policy": "naive"}, "model": {"provider": "openai", "name": "gpt-4o"}},
        ("openai/gpt-4o", "your key"),
    ),
    "a corrector's server": (
        {
            "corrector": {
                "name": "critic",
                "model": {
                    "provider": "compatible",
                    "name": "m",
                    "base_url": "http://evil.example",
                    "api_key_env": "AWS",
                },
            }
        },
        ("evil.example", "AWS"),
    ),
    "a corrector's script": (
        {"corrector": {"name": "critic", "model": {"provider": "scripted", "name": "x", "script": "evil_module:say"}}},
        ("evil_module:say",),
    ),
    "an environment's module": ({"env": "gym:evil_module:Evil-v0"}, ("evil_module",)),
    "an environment of no module": ({"env": "gym:Evil-v0"}, ("Evil-v0",)),
    "a model's script": (
        {"agent": {"policy": "naive"}, "model": {"provider": "scripted", "name": "x", "script": "evil_module:reply"}},
        ("evil_module:reply",),
    ),
    "an agent's script": ({"agent": {"policy": "scripted", "script": ["go forward"]}}, ("script",)),
    "a model's file": (
        {"agent": {"policy": "naive"}, "model": {"provider": "gguf", "name": "x", "path": "/tmp/evil.gguf"}},
        ("/tmp/evil.gguf",),
    ),
    "demonstrations": (
        {"agent": {"policy": "few_shot", "demonstrations": {"runs": ["/home/you/secret"]}}},
        ("/home/you/secret",),
    ),
    "a cluster": ({"run": {"ray": "evil.example:10001"}}, ("evil.example:10001",)),
    "a variable in an option": (
        {"agent": {"policy": "naive", "script": [], "expert": "${oc.env:AWS_SECRET}"}},
        ("oc.env:AWS_SECRET",),
    ),
    "a variable for the environment": ({"rules": "${oc.env:AWS_SECRET}"}, ("oc.env:AWS_SECRET",)),
    "a variable for the workers": ({"run": {"worker_variables": ["AWS_SECRET"]}}, ("AWS_SECRET",)),
    "a folder of data": ({"env": "textworld", "data": "/etc"}, ("/etc",)),
}


@pytest.mark.parametrize("kind", HARM)
def test_resume_refuses_what_a_stranger_decided(call, tmp_path, kind):
    made, words = HARM[kind]
    root = stranger(tmp_path / "run", **made).root
    code, _, err = call("resume", root)
    assert code == 4 and err.count("\n") == 1 and "--trust" in err and all(word in err for word in words)
    _, _, err = call("resume", root, "--trust")
    assert "--trust" not in err, "it goes on, and fails at what is not there"
    assert is_ours(Run(root).record), "embodied asks once"


@pytest.mark.parametrize("command", ["replay", "export"])
def test_replaying_imports_nothing_that_a_stranger_named(call, tmp_path, monkeypatch, command):
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    run = stranger(tmp_path / "run", env="gym:evil_module:Evil-v0")
    folder = run.folder("x-000-1")
    folder.mkdir()
    (folder / "steps.jsonl").write_text("")
    result = {
        "spec": {
            "id": "x-000-1",
            "task": {"env": "gym:evil_module:Evil-v0", "task": ""},
            "seed": 1,
            "index": 0,
            "agent_seed": 0,
        }
    }
    result |= {
        "outcome": "finished",
        "steps": 0,
        "progress": 0.0,
        "success": False,
        "return_": 0.0,
        "invalid_actions": 0,
        "usage": {},
        "seconds": 0.0,
    }
    (folder / "episode.json").write_text(json.dumps(result))
    code, _, err = call(command, run.root)
    assert code == 4 and "evil_module" in err and "--trust" in err and not (tmp_path / "owned").exists()


def test_one_s_own_run_is_never_asked_about(call, tmp_path, state):
    assert call(*PLAY, "agent.script=[turn left]", "--episodes", "1")[0] in (0, 5)
    assert call("resume", "mine")[0] in (0, 5)
    shutil.copytree("mine", "elsewhere")
    assert call("resume", "elsewhere")[0] in (0, 5), "a copy does the same"
    shutil.rmtree(state)
    code, _, err = call("resume", "mine")
    assert code == 4 and "--trust" in err, "runs of before are asked about once"
    assert call("resume", "mine", "--trust")[0] in (0, 5)
    assert call("resume", "mine")[0] in (0, 5)


def test_nothing_in_a_folder_vouches_for_it(tmp_path):
    mine = stranger(tmp_path / "mine", agent={"policy": "naive"}, model={"provider": "openai", "name": "m"}).record
    remember(mine)
    assert is_ours(mine)
    for changed in ({"base_url": "http://evil.example"}, {"api_key_env": "OTHER"}, {"name": "n"}):
        theirs = replace(mine, config={**mine.config, "model": {**mine.config["model"], **changed}})
        assert not is_ours(theirs) and fingerprint(theirs) != fingerprint(mine)
    world = replace(mine.planned[0], task=TaskSpec("gym:evil:E-v0", ""))
    assert not is_ours(replace(mine, planned=(*mine.planned, world)))
    more = replace(mine, planned=(*mine.planned, replace(mine.planned[0], id="x-001-1", index=1, seed=2)))
    assert is_ours(more), "more episodes of the same are the same"


def test_a_random_agent_on_a_shipped_environment_can_do_nothing(tmp_path):
    assert not deeds(stranger(tmp_path / "run").record, play=True)


def test_the_question_has_no_control_characters(tmp_path):
    model = {"provider": "openai", "name": "m", "base_url": "http://x/\x1b[2J"}
    assert "\x1b" not in str(
        deeds(stranger(tmp_path / "run", agent={"policy": "naive"}, model=model).record, play=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [PLAY, ("list", "envs"), ("list", "options"), ("show", "babyai"), ("score", "mine", "--json", "--episodes")],
)
def test_a_reader_that_leaves_stops_nothing(tmp_path, command):
    """`| head`: the pipe is closed before the first line is read."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}

    def started(*words: str) -> tuple[int, str]:
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as closed:
            done = subprocess.run(
                [sys.executable, "-m", "embodied", *words],
                stdout=closed,
                stderr=subprocess.PIPE,
                text=True,
                cwd=tmp_path,
                env=environment,
            )
        return done.returncode, done.stderr

    if command[0] == "score":
        started(*PLAY, "--episodes", "1")
    code, err = started(*command, *(("--episodes", "2") if command == PLAY else ()))
    assert code in (0, 5) and "Traceback" not in err and "Broken" not in err, err
    if command == PLAY:
        assert len(Run(tmp_path / "mine").episodes()) == 2


def test_what_cannot_be_written_is_said_before_work_begins(call, tmp_path):
    run = stranger(tmp_path / "run").root
    (tmp_path / "file").write_text("")
    for words in (
        ("show", "babyai", "--picture", "missing/x.png"),
        ("show", "babyai", "--picture", "."),
        ("leaderboard", run, "--serve", "--votes", "file/votes.jsonl"),
        ("leaderboard", run, "--serve", "--votes", "."),
        ("leaderboard", run, "--out", "file/site"),
        ("data", "patheval", "--out", "file/x"),
        ("data", "codalm", "--out", "file/x"),
        ("codalm", "questions", "--split", "mini", "--out", "file/x"),
        ("codalm", "submission", run, "--out", "file"),
        ("report", run, "--out", "file/x.html"),
        ("show", "babyai", "--picture", "x.nothing"),
    ):
        code, out, err = call(*words)
        assert code in (2, 4) and not out and err.startswith("error: ") and err.count("\n") == 1, (words, err)
