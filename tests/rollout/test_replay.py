"""Replay: every environment of the suite does again what is recorded, and a record that says otherwise is found out."""

from __future__ import annotations

import asyncio
import json

import pytest

from embodied.catalog import ENTRIES
from embodied.rollout.replay import Verdict, replay_all
from embodied.store.run import Run
from embodied.types import TaskSpec
from tests.rollout.playing import FAULTY, make_run, play, stop_at

TASKS = {e.name: (e.tasks[0], e.tasks[-1]) for e in ENTRIES.values()}


HEAVY = ("highway", "patheval_loop", "corner_case_drive")


def verdicts(run: Run, workers: int = 1) -> list[Verdict]:
    found: list[Verdict] = []
    asyncio.run(replay_all(run, run.record.planned, workers, found.append))
    return sorted(found, key=lambda verdict: verdict.spec.index)


@pytest.mark.parametrize("image", [False, True], ids=["text", "image"])
@pytest.mark.parametrize(
    "env", [pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in ENTRIES]
)
def test_every_environment_does_again_what_is_recorded(tmp_path, env, image):
    if image and not ENTRIES[env].picture:
        pytest.skip(f"{env} has no picture")
    for task in dict.fromkeys(TASKS[env]):
        run, specs = make_run(
            tmp_path / task.replace("/", "-"),
            1,
            TaskSpec(env, task, {"max_steps": 25, **({"image": True} if image else {})}),
        )
        play(run, specs)
        assert run.episode(specs[0].id).steps > 0
        assert verdicts(run) == [Verdict(specs[0], run.episode(specs[0].id).steps)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"reward":0.0,"terminated"', '"reward":0.5,"terminated"', "reward (0.5 is recorded, 0.0 came)"),
        ('"truncated":false', '"truncated":true', "truncated (True is recorded, False came)"),
        ('"next_hash":"', '"next_hash":"0', "observation"),
    ],
)
def test_what_is_recorded_otherwise_is_named(tmp_path, old, new, words):
    run, specs = make_run(tmp_path / "run", 2)
    play(run, specs)
    path = run.folder(specs[1].id) / "steps.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:4], lines[4].replace(old, new), *lines[5:]]))
    same, other = verdicts(run)
    assert not same.difference and other.steps == 4
    assert other.difference == f"step 4: another {words}"


def test_an_environment_that_is_never_the_same_is_found_out(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, TaskSpec(FAULTY, "", {"fault": "drift", "at": 2}))
    play(run, specs)
    assert verdicts(run)[0].difference == "step 2: another observation"


def test_a_failing_or_unfinished_episode_is_replayed_as_far_as_it_goes(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs, at_step=stop_at(5))
    assert verdicts(run) == [Verdict(specs[0], 5)]
    run, specs = make_run(tmp_path / "failing", 1, TaskSpec(FAULTY, "", {"fault": "raise", "at": 3}))
    play(run, specs)
    assert verdicts(run) == [Verdict(specs[0], 3)]


def test_another_reset_is_found_out(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs)
    path = run.folder(specs[0].id) / "episode.json"
    result = {**json.loads(path.read_text()), "first_hash": "0" * 64}
    del result["checksum"]  # as an earlier version wrote it
    path.write_text(json.dumps(result))
    assert verdicts(run)[0].difference == "reset: another observation"


def test_a_damaged_record_is_said_and_the_others_are_replayed(tmp_path):
    run, specs = make_run(tmp_path / "run", 2)
    play(run, specs)
    path = run.folder(specs[0].id) / "steps.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    said = {verdict.spec.id: verdict.difference for verdict in verdicts(run)}
    assert "damaged" in said[specs[0].id] and "steps.jsonl, line 1" in said[specs[0].id] and said[specs[1].id] == ""


def test_a_damaged_or_missing_part_of_a_record_is_named(tmp_path, call):
    run, specs = make_run(tmp_path / "run", 3)
    play(run, specs)
    result, steps = run.folder(specs[0].id) / "episode.json", run.folder(specs[1].id) / "steps.jsonl"
    result.write_bytes(result.read_bytes().replace(b'"steps":', b'"stops":'))
    steps.unlink()
    lines = (run.folder(specs[2].id) / "steps.jsonl").read_bytes().splitlines(keepends=True)
    (run.folder(specs[2].id) / "steps.jsonl").write_bytes(b"".join(lines[:-1]))
    code, out, err = call("replay", run.root, "--workers", 1, "--trust")
    said = {line.split("  ")[0]: line for line in out.splitlines() if "  " in line}
    assert code == 6 and "0 of 3 episodes agree" in out, out + err
    assert (
        "damaged" in said[specs[0].id]
        and str(result) in said[specs[0].id]
        and f"{len(lines)} steps agree" in said[specs[0].id]
    )
    assert "0 steps agree" in said[specs[1].id] and "counts" in said[specs[1].id]
    assert f"counts {len(lines)} steps" in said[specs[2].id]
