"""One Ctrl-C (or the terminal's end) stops a run within seconds, whatever hangs; and nothing that it started outlives
it.
"""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from embodied.store.run import SCORED, Run
from tests.rollout.playing import FAULTY

ROOT = Path(__file__).parents[2]
BOUND = 5.0
"""Seconds from the signal to the end of the process."""


def hang(messages, settings) -> str:
    """A scripted model that hangs in the process of the run, its event loop included."""
    time.sleep(3600)
    return ""


def start(out: Path, *words: str, agent: str = "random", **options) -> subprocess.Popen:
    command = [
        sys.executable,
        "-m",
        "embodied",
        "eval",
        "--env",
        FAULTY,
        "--agent",
        agent,
        "--episodes",
        "2",
        "--out",
        str(out),
    ]
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([*command, "run.workers=1", "run.concurrency=2", *words], cwd=ROOT, text=True, **options)


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=50)) as listening:
        yield listening.getsockname()[1]


HANGING = {
    "a server": ("naive", ("model.provider=compatible", "model.name=x", "model.base_url=http://127.0.0.1:{port}/v1")),
    "a model in this process": (
        "naive",
        ("model.provider=scripted", "model.name=cycle", "model.script=tests.cli.test_interrupt:hang"),
    ),
    "a step": ("random", ("+env.fault=hang", "+env.at=0")),
    "a reset": ("random", ("+env.fault=hang", "+env.where=reset")),
    "the making of an environment": ("random", ("+env.fault=hang", "+env.where=making", "+env.spared=1")),
    "the making of the first environment": ("random", ("+env.fault=hang", "+env.where=making")),
}
UNWRITTEN = "the making of the first environment"
"""It is made before anything is written."""


@pytest.mark.slow
def test_one_interrupt_ends_whatever_hangs(tmp_path, silent_server):
    started = {}
    for number, (what, (agent, words)) in enumerate(HANGING.items()):
        started[what] = start(tmp_path / str(number), *(word.format(port=silent_server) for word in words), agent=agent)
    deadline = time.monotonic() + 120
    planned = (len(HANGING) - 1) * 2
    while len(list(tmp_path.glob("*/episodes/*/steps.jsonl"))) < planned and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(6)  # until all hang, on a busy machine too
    took = {}
    for what, process in started.items():
        assert process.poll() is None, (what, process.stderr.read())
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        took[what] = time.monotonic() - begun
        said = "Stopped before anything was recorded" if what == UNWRITTEN else "continues from here"
        assert process.returncode == 130 and said in err and "Traceback" not in err, (what, err)
    assert all(seconds < BOUND for seconds in took.values()), took
    for number, what in enumerate(HANGING):
        if what == UNWRITTEN:
            assert not (tmp_path / str(number)).exists()
            continue
        assert {e.outcome for e in Run(tmp_path / str(number)).episodes()} <= {"cancelled"}


LOADS = ("model.provider=scripted", "model.name=cycle", "model.script=tests.cli.slow_to_load:answer")


@pytest.mark.slow
@pytest.mark.parametrize("desk", [True, False])
def test_a_start_that_loads_for_long_is_stopped_in_plain_words(tmp_path, desk):
    """Nothing hangs: a library is being imported. Beside a desk nobody waits for it."""
    loading, words = tmp_path / "loading", (*LOADS, *(["--console"] if desk else []))
    process = start(tmp_path / "run", *words, agent="naive", env={**os.environ, "LOADING": str(loading)})
    _wait(loading.exists)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "hangs" not in err and "Traceback" not in err, err
    assert ("Stopped before anything was recorded" if desk else "were being loaded") in err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_like_an_interrupt_and_the_run_goes_on(tmp_path, number):
    process = start(tmp_path / "run", "+env.seconds=0.3")
    _wait(lambda: sum(p.stat().st_size > 0 for p in tmp_path.glob("run/episodes/*/steps.jsonl")) == 2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "embodied resume" in err and "Traceback" not in err, err
    assert [e.outcome for e in Run(tmp_path / "run").episodes()] == ["cancelled", "cancelled"]
    again = subprocess.run(
        [sys.executable, "-m", "embodied", "resume", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert again.returncode == 0 and {e.outcome for e in Run(tmp_path / "run").episodes()} <= set(SCORED), again.stderr


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_the_run_in_good_order(tmp_path):
    ours, theirs = pty.openpty()
    terminal = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    process = start(tmp_path / "run", "+env.seconds=0.3", **terminal)
    os.close(theirs)
    _wait(
        lambda: sum(p.stat().st_size > 0 for p in tmp_path.glob("run/episodes/*/steps.jsonl")) == 2,
        lambda: os.read(ours, 65_536),
    )
    os.close(ours)
    process.send_signal(signal.SIGHUP)  # what the shell does
    assert process.wait(30) == 130
    assert [e.outcome for e in Run(tmp_path / "run").episodes()] == ["cancelled", "cancelled"]


@pytest.mark.slow
def test_a_hangup_that_is_ignored_stays_ignored(tmp_path):
    """What `nohup` does."""
    process = start(
        tmp_path / "run", "+env.seconds=0.2", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    _wait(lambda: sum(p.stat().st_size > 0 for p in tmp_path.glob("run/episodes/*/steps.jsonl")) == 2)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["", "hang"])
def test_nothing_outlives_a_killed_run(tmp_path, fault):
    """Not even the processes that an environment started, while a step hangs."""
    child = tmp_path / "child"
    process = start(
        tmp_path / "run", f"+env.child={child}", f"+env.fault={fault or 'none'}", "+env.at=1", "+env.seconds=0.3"
    )
    _wait(lambda: any(p.stat().st_size > 0 for p in tmp_path.glob("run/episodes/*/steps.jsonl")) and child.exists())
    time.sleep(1)
    family = _descendants(process.pid)
    process.kill()
    process.wait()
    assert int(child.read_text()) in family and len(family) >= 2
    _wait(lambda: not any(map(_alive, family)), seconds=10)


def _wait(until, meanwhile=lambda: time.sleep(0.05), seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        meanwhile()


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *_descendants(child)]
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
