"""A damaged record keeps all that stands before the damage: what was said there, and the calls of it."""

from __future__ import annotations

from dataclasses import replace

from embodied.types import Call, Correction, Decision, Message, Reply, Text, Usage
from tests.eval.runs import ended, finish, step
from tests.store.hostile import good_run


def test_steps_with_calls_of_corrections_are_kept(tmp_path):
    run = good_run(tmp_path / "run")
    spec = run.record.planned[0]
    folder = run.folder(spec.id)
    for name in ("episode.json", "steps.jsonl", "messages.jsonl"):
        (folder / name).unlink()
    call = Call((Message("user", (Text("What do you do?"),)),), Reply("wait", usage=Usage(7, 1)))
    said = Correction(text="go", how="typed", by="person", superseded=Decision("wait", calls=(call,)))
    steps = [replace(step(0, "go"), events=(said,)), step(1, "go"), step(2, "go")]
    finish(run, ended(spec, 1.0, steps=3), steps)
    (folder / "episode.json").unlink()
    lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "steps.jsonl").write_bytes(lines[0] + lines[1] + b"garbage\n")
    run.claim(spec).close()
    assert list(run.steps(spec.id)) == steps[:2]
