"""The index of long episodes: what it holds, and that it agrees with the strict reader."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from embodied import agents
from embodied.agents.config import AgentConfig, HistoryConfig
from embodied.errors import StoreError
from embodied.models.config import ModelConfig
from embodied.models.scripted import Scripted
from embodied.seeding import generator
from embodied.store.index import CORRECTED, ERROR, INVALID, EpisodeIndex, light_steps
from embodied.store.run import Run
from embodied.types import Mission, Observation
from tests.console.recorded import new_run, record


@pytest.fixture
def run(tmp_path) -> Run:
    made = new_run(tmp_path / "run", {"hall": 1})
    record(made, made.record.planned[0], 120)
    return made


def folder(run: Run) -> Path:
    return run.folder(run.record.planned[0].id)


def damage(run: Run, **lines: bytes) -> None:
    """Replaces lines (`line_5=...`, counted from 1) of the steps."""
    path = folder(run) / "steps.jsonl"
    all_ = path.read_bytes().splitlines(keepends=True)
    for name, text in lines.items():
        all_[int(name.removeprefix("line_")) - 1] = text + b"\n"
    path.write_bytes(b"".join(all_))


def test_rows_are_the_recorded_steps(run):
    index = EpisodeIndex(folder(run))
    steps = list(run.steps(run.record.planned[0].id))
    assert [(r.index, r.action, r.reward, r.progress) for r in index.rows] == [
        (s.index, s.executed, s.reward, s.progress) for s in steps
    ]
    assert index.damaged == [] and len(steps) == 120
    assert [r.index for r in index.rows if r.flags & INVALID] == [
        s.index for s in steps if not (s.valid and s.decision.parsed)
    ]
    assert [r.index for r in index.rows if r.flags & ERROR] == [39, 79, 119]
    assert [
        (r.index, [e.text for e in r.events if e.kind == "correction"]) for r in index.rows if r.flags & CORRECTED
    ] == [(99, ["look behind the barrel, number 99"])]
    assert [s.executed for s in light_steps(folder(run) / "steps.jsonl")] == [s.executed for s in steps]


def test_lines_and_messages_by_place(run):
    index = EpisodeIndex(folder(run))
    lines = (folder(run) / "steps.jsonl").read_bytes().splitlines()
    assert index.lines(7, 11) == lines[7:11] and index.lines(118, 500) == lines[118:] and index.lines(120, 140) == []
    messages = (folder(run) / "messages.jsonl").read_bytes().splitlines()
    assert index.messages(["no such id"]) == {}
    id_ = messages[3][len(b'{"id":"') :][:16].decode()
    assert index.messages([id_, "nothing"]) == {id_: messages[3]}


def test_grows_with_the_file_and_starts_anew_with_another_one(run):
    path = folder(run) / "steps.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    index = EpisodeIndex(folder(run))
    assert len(index.rows) == 119, "the torn last line is left out"
    with path.open("ab") as f:
        f.write(whole[-200:])
    index.refresh()
    assert len(index.rows) == 120 and index.damaged == [] and index.lines(119, 120) == [whole.splitlines()[-1]]
    (folder(run) / "episode.json").unlink()
    record(run, run.record.planned[0], 30)  # another attempt
    index.refresh()
    assert len(index.rows) == 30
    path.unlink()
    index.refresh()
    assert index.rows == []


def test_damaged_lines_are_counted_and_passed_over(run):
    damage(run, line_5=b"garbage", line_6=b'{"index": 5}', line_50=b"", line_60=b"[1, 2]", line_61=b"\xff\xfe\x00")
    index = EpisodeIndex(folder(run))
    assert index.damaged == [5, 6, 50, 60, 61] and len(index.rows) == 115
    assert [(r.index, e.text) for r in index.rows for e in r.events if e.kind == "damaged"] == [
        (6, "2 damaged lines before this step could not be read."),
        (50, "1 damaged line before this step could not be read."),
        (61, "2 damaged lines before this step could not be read."),
    ]
    id_ = run.record.planned[0].id
    with pytest.raises(StoreError, match="line 5"):
        list(run.steps(id_))
    damaged: list[str] = []
    assert [s.index for s in run.steps(id_, damaged)] == [r.index for r in index.rows]
    assert len(damaged) == 5 and all("steps.jsonl" in sentence and "damaged" in sentence for sentence in damaged)


def test_a_damaged_message_damages_the_steps_that_need_it(run):
    path = folder(run) / "messages.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:-1], b"{\n"]))
    damaged: list[str] = []
    assert len(list(run.steps(run.record.planned[0].id, damaged))) == 119
    assert any("messages.jsonl" in sentence for sentence in damaged) and any(
        "line 120" in sentence for sentence in damaged
    )
    assert len(EpisodeIndex(folder(run)).rows) == 120, "the viewer shows the step all the same"


def test_a_number_that_is_none_is_kept_as_such(tmp_path):
    made = new_run(tmp_path / "run", {"hall": 1})
    record(
        made, made.record.planned[0], 5, alter=lambda n, step: replace(step, reward=float("nan")) if n == 2 else step
    )
    assert [r.reward for r in EpisodeIndex(folder(made)).rows] == [0.0, 0.0, None, 0.0, 0.0]


@pytest.mark.parametrize("history", ["window", "blocks"])
def test_sees_a_correction_as_a_model_agent_writes_it(tmp_path, history):
    """The note's wording is the agent's: this holds the two together."""
    made = new_run(tmp_path / "run", {"hall": 1})
    model = Scripted(ModelConfig(provider="scripted", name="cycle", script=["go"]), made.blobs)
    agent = agents.build(
        AgentConfig(policy="naive", history=HistoryConfig(history)),
        model,
        spec=made.record.planned[0],
        blobs=made.blobs,
    )
    agent.begin(Mission("leave", {"go": "walks"}, default_action="go"), generator(0))
    agent.hear("turn <b>left</b>")
    decision = asyncio.run(agent.act(Observation("a hall\nA person who watches you says: lies")))
    record(made, made.record.planned[0], 2, alter=lambda n, step: replace(step, decision=decision) if n == 1 else step)
    assert [[e.text for e in r.events if e.kind == "correction"] for r in EpisodeIndex(folder(made)).rows] == [
        [],
        ["turn <b>left</b>"],
    ]
