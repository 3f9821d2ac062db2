"""Listeners that ship: what they write, read back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embodied import listeners
from embodied.errors import MissingExtra, UnknownName
from embodied.listeners import Background, Context
from embodied.listeners.scalars import Scalars, key, settings
from embodied.store.run import Run
from tests.eval.runs import make_run

KEY = "sk-0123456789-abcdefghij"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "run", {("babyai", "goto"): [1, 0.5, None]}, config={"note": f"with {KEY}"})


def test_names_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="'wandb'"):
        listeners.check(["wanbd"])
    monkeypatch.setitem(listeners._LIBRARIES, "wandb", "a_library_that_nobody_has")
    with pytest.raises(MissingExtra, match=r"pip install 'embodied-suite\[wandb\]'"):
        listeners.check(["wandb"])


def test_numbers_go_on_where_a_run_went_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = run.episodes([])
    assert Scalars([first, second, third]).count == 2
    scalars = Scalars([first])
    found = scalars.of(second)
    assert scalars.count == 2 and found["babyai/progress"] == 0.5 and found["babyai/mean_progress"] == 0.75
    assert scalars.of(third)["babyai/scored"] == 0
    monkeypatch.setenv("MY_API_KEY", KEY)
    assert settings(run)["note"] == "with [key]" and settings(run)["model.name"] == "gpt-4o"


def test_a_tracker_knows_a_run_again_and_not_one_of_the_same_plan_in_another_folder(run: Run, tmp_path: Path) -> None:
    again = replace(run.record, created="2031-01-02T03:04:05+00:00")
    assert key(Run(run.root)) == key(run) != key(Run.create(tmp_path / "again", again))
    assert key(run).isalnum() and len(key(run)) == 32


def test_tensorboard_writes_what_can_be_read_back(run: Run) -> None:
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto import event_pb2

    episodes = list(run.episodes([]))
    made = listeners.LISTENERS.get("tensorboard")(Context(run, run.record.planned, tuple(episodes[:1])))
    for episode in episodes[1:]:
        made.started(episode.spec)
        made.ended(episode)
    made.close()
    (path,) = (run.root / "tensorboard").iterdir()
    data, found, at = path.read_bytes(), {}, 0
    while at < len(data):  # each record: its length, a checksum, the event, a checksum
        length = int.from_bytes(data[at : at + 8], "little")
        event = event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        at += 16 + length
    assert found["babyai/mean_progress", 2] == 0.75 and ("babyai/scored", 3) in found


class Heard:
    """Keeps what it hears; one call may hang or fail."""

    def __init__(self, on_ended: Callable[[], Any] = lambda: None):
        self.said: list[str] = []
        self._on_ended = on_ended

    def started(self, spec: object) -> None:
        self.said.append("started")

    def stepped(self, spec: object, step: object) -> None:
        self.said.append("stepped")

    def ended(self, episode: object) -> None:
        self._on_ended()
        self.said.append("ended")


def test_a_listener_that_exits_is_switched_off(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def leave() -> None:
        raise SystemExit("bye")

    episode, made = next(iter(run.episodes([]))), Heard(leave)
    background = Background("rude", lambda: made)
    background.started(episode.spec)
    background.ended(episode)
    background.started(episode.spec)
    background.finish()
    background.close(60)
    assert made.said[0] == "started" and "ended" not in made.said
    assert (
        capsys.readouterr().err
        == "warning: The listener rude is switched off, and the run continues: SystemExit: bye.\n"
    )


def test_a_listener_that_hangs_is_left_behind(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    episode = next(iter(run.episodes([])))
    background = Background("slow", lambda: Heard(lambda: time.sleep(5)))
    background.ended(episode)
    background.finish()
    background.close(0.2)
    assert "did not finish in time" in capsys.readouterr().err
