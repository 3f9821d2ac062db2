"""Keys stay in this process: out of workers, records, logs and tracebacks."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from embodied import secrets
from embodied.errors import StoreError
from embodied.rollout.worlds import workers
from embodied.types import TaskSpec
from tests.rollout.playing import FAULTY, make_run, play

KEY = "sk-proj/se+cr et=1234567890"


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "DB_PASSWORD",
        "MY_KEY",
        "APIKEY",
        "api_key",
        "CLIENT_SECRET",
    ],
)
def test_names_of_secrets(name):
    assert secrets.is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "KEYBOARD",
        "MONKEY",
        "TOKENIZERS_PARALLELISM",
        "HOME",
        "SSH_AUTH_SOCK",
        "LANG",
        "OMP_NUM_THREADS",
        "SECRETARY",
    ],
)
def test_names_of_other_things(name):
    assert not secrets.is_secret(name)


def test_a_secret_is_taken_out_under_every_name_and_stays_where_it_is_allowed():
    environment = {"PATH": "/bin", "MY_TOKEN": KEY, "COPY": KEY, "HF_TOKEN": "another-secret-1"}
    assert secrets.without(environment, ["HF_TOKEN"]) == {"PATH": "/bin", "HF_TOKEN": "another-secret-1"}


@pytest.mark.parametrize("before", ["", "u:", "us:", "use:", "user:"])
@pytest.mark.parametrize(
    "form",
    [str, quote, quote_plus, lambda t: quote(t, safe=""), json.dumps, lambda t: base64.b64encode(t.encode()).decode()],
)
def test_a_secret_is_masked_in_every_dress(monkeypatch, before, form):
    monkeypatch.setenv("MY_TOKEN", KEY)
    said = secrets.mask(f"401 for {form(before + KEY)} at the door")
    assert secrets.MASK in said and "at the door" in said
    assert form(KEY).strip('"') not in said and KEY[4:-4] not in said


def test_short_stand_ins_and_paths_are_no_secrets(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    assert secrets.mask(f"EMPTY {tmp_path}") == f"EMPTY {tmp_path}"


@pytest.mark.parametrize("allowed", [(), ("MY_TOKEN",)])
def test_workers_inherit_no_keys_but_those_that_are_named_and_no_error_shows_them(tmp_path, monkeypatch, allowed):
    monkeypatch.setenv("MY_TOKEN", KEY)
    monkeypatch.setenv("PLAIN", "visible")
    run, specs = make_run(tmp_path / "run", 1, TaskSpec(FAULTY, "", {"fault": "tell"}))
    play(run, specs, launch=lambda: workers.ProcessWorker.launch(allowed))
    error = run.episode(specs[0].id).error
    assert "PLAIN=visible" in error and ("MY_TOKEN=[key]" in error) == bool(allowed)
    assert not any(KEY.encode() in path.read_bytes() for path in run.root.rglob("*") if path.is_file())


def test_a_traceback_that_ends_the_command_shows_no_key():
    code = (
        "from embodied.secrets import mask_tracebacks; import os; mask_tracebacks(); raise"
        " RuntimeError(os.environ['MY_TOKEN'])"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env={**os.environ, "MY_TOKEN": KEY}, capture_output=True, text=True
    )
    assert "RuntimeError: [key]" in done.stderr and KEY not in done.stderr


def test_an_error_of_ours_that_ends_the_command_shows_no_key(monkeypatch, capsys):
    from embodied import cli

    monkeypatch.setenv("MY_TOKEN", KEY)
    with pytest.raises(SystemExit) as ended:
        cli.main(["score", f"/nowhere/{KEY}"])
    assert ended.value.code == StoreError.exit_code and KEY not in capsys.readouterr().err
