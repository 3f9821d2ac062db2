"""Runs from the command line: shards, merge, resume, replay, Ctrl-C, lines for machines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embodied.store import Run
from embodied.store.run import SCORED
from tests.cli.test_cli import BABYAI, cli  # noqa: F401
from tests.rollout.playing import FAULTY, content

ROOT = Path(__file__).parents[2]
EVAL = ("eval", *BABYAI, "--agent", "random", "--steps", 6, "run.workers=1")


def test_shards_in_folders_of_their_own_merge_into_the_run(cli):  # noqa: F811
    assert cli(*EVAL, "--episodes", 5, "--out", "whole")[0] == 0
    for part in (1, 2):
        code, out, _ = cli(*EVAL, "--episodes", 5, "--shard", f"{part}/2", "--out", f"part{part}")
        assert code == 0 and f"{4 - part} episodes in" in out
    code, out, _ = cli("merge", "part1", "part2", "--out", "merged")
    assert code == 0 and "5/5" in out
    assert content(Path("merged")) == content(Path("whole"))
    code, out, _ = cli("merge", "part1", "--out", "half")
    assert code == 5 and "2 episodes have no score" in out
    assert cli("merge", "half", "part2", "--out", "half")[0] == 0 and content(Path("half")) == content(Path("whole"))
    assert cli("merge", "merged", "part1", "--out", "merged")[0] == 0 and content(Path("merged")) == content(
        Path("whole")
    )


def test_shards_in_one_folder_are_the_run(cli):  # noqa: F811
    assert cli(*EVAL, "--episodes", 5, "--out", "whole")[0] == 0
    for part in ("2/2", "1/2"):
        assert cli(*EVAL, "--episodes", 5, "--shard", part, "--out", "shared")[0] == 0
    assert content(Path("shared")) == content(Path("whole"))


def test_runs_of_different_plans_do_not_merge(cli):  # noqa: F811
    assert cli(*EVAL, "--episodes", 1, "--out", "one")[0] == 0
    assert cli(*EVAL, "--episodes", 1, "--seed", 3, "--out", "two")[0] == 0
    code, _, err = cli("merge", "one", "two", "--out", "merged")
    assert code == 4 and "run.seed is 0 there and 3 here" in err and not Path("merged").exists()


def test_merge_prefers_a_score_and_keeps_what_was_there(cli):  # noqa: F811
    for name in ("one", "two"):
        assert cli(*EVAL, "--episodes", 1, "--out", name)[0] == 0
    run = Run("one")
    folder = run.folder(run.record.planned[0].id)
    (folder / "episode.json").unlink()
    assert cli("merge", "one", "two", "--out", "one")[0] == 0
    assert content(Path("one")) == content(Path("two")) and (folder / "attempt-1/steps.jsonl").exists()


def test_resume_needs_only_the_folder(cli):  # noqa: F811
    assert cli(*EVAL, "--episodes", 3, "--out", "whole")[0] == 0
    assert cli(*EVAL, "--episodes", 3, "--shard", "1/3", "--out", "run")[0] == 0
    code, out, _ = cli("resume", "run", "run.workers=1", "run.concurrency=3")
    assert code == 0 and "3/3" in out and "1 episode was already scored" in out
    assert content(Path("run")) == content(Path("whole"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("agent.history.text=3",), 4, ["agent.history.text is 16 there and 3 here", "--out"]),
        (("run.seed=1",), 4, ["run.seed is 0 there and 1 here"]),
        (("run.wrokers=1",), 2, ["run.workers"]),
        (("run.workers=many",), 2, ["run.workers", "many"]),
        (("run.workers=0",), 2, ["run.workers"]),
        (("run.step_seconds=nan",), 2, ["run.step_seconds must be above 0"]),
        (("run.concurrency=0",), 2, ["run.concurrency"]),
        (("nonsense",), 2, ["nonsense", "key=value"]),
        (("--shard", "3/2"), 2, ["3/2"]),
    ],
)
def test_resume_with_another_plan_or_nonsense(cli, words, code, said):  # noqa: F811
    assert cli(*EVAL, "--episodes", 1, "--out", "run")[0] == 0
    before = content(Path("run"))
    got, out, err = cli("resume", "run", *words)
    assert got == code and all(word in err for word in said), out + err
    assert content(Path("run")) == before


def test_a_run_of_another_version_is_named(cli):  # noqa: F811
    assert cli(*EVAL, "--episodes", 1, "--out", "run")[0] == 0
    path = Path("run/run.json")
    body = json.loads(path.read_text())
    body["identity"] = "0" * 64
    body["versions"]["minigrid"] = "1.0.0"
    path.write_text(json.dumps(body))
    code, _, err = cli("resume", "run")
    assert code == 4 and "version.minigrid is '1.0.0' there and '3.2.0' here" in err
    code, out, _ = cli("replay", "run")
    assert code == 0 and "Recorded with minigrid 1.0.0 (here 3.2.0)." in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run.workers=0",), "run.workers"),
        (("run.concurrency=0",), "run.concurrency"),
        (("run.step_seconds=0",), "run.step_seconds"),
        (("--shard", "0/2"), "0/2"),
        (("--shard", "three"), "three"),
    ],
)
def test_numbers_that_make_no_sense_leave_nothing_behind(cli, words, said):  # noqa: F811
    code, _, err = cli(*EVAL, "--episodes", 1, "--out", "run", *words)
    assert code == 2 and said in err and not Path("run").exists()


def test_replay_says_whether_all_agrees(cli):  # noqa: F811
    assert cli(*EVAL, "--episodes", 2, "--out", "run")[0] == 0
    code, out, _ = cli("replay", "run")
    assert code == 0 and "2 of 2 episodes agree" in out
    path = Run("run").folder(Run("run").record.planned[1].id) / "steps.jsonl"
    path.write_text(path.read_text().replace('"next_hash":"', '"next_hash":"f'))
    code, out, _ = cli("replay", "run")
    assert code == 6 and "1 of 2 episodes agree" in out and "step 0: another observation" in out
    assert cli("replay", "run", "0")[0] == 0
    assert cli("replay", "run", "1")[0] == 6
    assert cli("replay", "nowhere")[0] == 4


def test_what_reads_an_environment_variable_is_recorded_as_it_stands_and_resumed(cli, monkeypatch):  # noqa: F811
    monkeypatch.setenv("DOOR_TOKEN", "none-of-your-business")
    monkeypatch.setenv("SERVER", "http://127.0.0.1:9/v1")
    words = [
        "++env.once=${oc.env:DOOR_TOKEN}",
        "model.provider=compatible",
        "model.name=x",
        "model.base_url=${oc.env:SERVER}",
    ]
    command = ["eval", "--env", FAULTY, "--agent", "random", "--out", "run", *words]
    assert cli(*command, "--episodes", 1)[0] == 0
    record = Run("run").record
    assert (
        record.config["model"]["base_url"] == "${oc.env:SERVER}"
        and record.planned[0].task.kwargs["once"] == "${oc.env:DOOR_TOKEN}"
    )
    for path in Path("run").rglob("*"):
        assert path.is_dir() or not any(
            word in path.read_bytes() for word in (b"none-of-your-business", b"127.0.0.1:9")
        ), path
    monkeypatch.setenv("SERVER", "http://127.0.0.1:10/v1")
    assert cli(*command, "--episodes", 2)[0] == 0 and cli("resume", "run")[0] == 0 and cli("replay", "run")[0] == 0
    assert Run("run").record.identity == record.identity and len(Run("run").episodes()) == 2
    monkeypatch.delenv("DOOR_TOKEN")
    Path("run/episodes", record.planned[0].id, "episode.json").unlink()
    code, _, err = cli("resume", "run")
    assert code == 2 and "DOOR_TOKEN" in err


def test_json_lines(cli):  # noqa: F811
    code, out, err = cli(*EVAL, "--episodes", 2, "--out", "run", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and err == ""
    kinds = [event["event"] for event in events]
    assert kinds[0] == "run" and kinds.count("started") == kinds.count("ended") == 2 and kinds[-1] == "status"
    assert (
        events[-1]["environments"][0] | {"scored": 2, "planned": 2, "failed": 0, "running": 0}
        == events[-1]["environments"][0]
    )


@pytest.mark.parametrize("times", [1, 2])
def test_interrupt_in_the_midst_of_steps(tmp_path, times):
    """Once: the steps in flight end and are saved. Twice: they are not waited for. The rest is played by `resume`."""
    command = [
        sys.executable,
        "-m",
        "embodied",
        "eval",
        "--env",
        FAULTY,
        "--agent",
        "random",
        "--episodes",
        "2",
        "--out",
        str(tmp_path / "run"),
    ]
    words = ["run.concurrency=2", "run.workers=2", "+env.seconds=0.7" if times == 1 else "+env.seconds=30"]
    process = subprocess.Popen(
        [*command, *words], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("run/episodes/*/steps.jsonl"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.2 if times == 1 else 6)  # until the steps are under way, on a busy machine too
    process.send_signal(signal.SIGINT)
    if times == 2:
        time.sleep(0.5)
        assert process.poll() is None, "a step of 30 seconds is in flight"
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "embodied resume" in err and "Traceback" not in err, err
    run = Run(tmp_path / "run")
    assert [e.outcome for e in run.episodes()] == ["cancelled", "cancelled"]
    steps = [e.steps for e in run.episodes()]
    assert (min(steps) >= 1) if times == 1 else (steps == [0, 0])
    if times == 1:
        again = subprocess.run(
            [sys.executable, "-m", "embodied", "resume", str(tmp_path / "run")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert again.returncode == 0, again.stderr
        assert all(e.outcome in SCORED and e.steps == 6 for e in run.episodes())


def test_live_table_on_a_terminal(tmp_path):
    pty = pytest.importorskip("pty")
    main, other = pty.openpty()
    command = [sys.executable, "-m", "embodied", *map(str, EVAL), "--episodes", "2", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=other,
        stderr=other,
        stdin=other,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "160"},
    )
    os.close(other)
    shown = b""
    while True:
        try:
            data = os.read(main, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    assert process.wait() == 0
    text = shown.decode(errors="replace")
    assert "running" in text and "steps/s" in text and "2/2" in text and "limit  6 steps" in text
