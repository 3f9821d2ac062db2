"""Exports, read back by the programs they are for."""

from __future__ import annotations

import csv
import json
import resource
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from embodied.blobs import put_frame
from embodied.errors import DiskFull, UsageError
from embodied.exchange import EXPORTS, Export
from embodied.store.run import Run
from embodied.types import Call, Message, Observation, Reply, Text, Usage
from tests.eval.runs import MISSION, ended, finish, make_run, spec, step


def add(run: Run, episode, steps=()) -> Run:
    run = Run.create(run.root, replace(run.record, planned=(*run.record.planned, episode.spec)))
    finish(run, episode, steps)
    return run


@pytest.fixture
def run(tmp_path) -> Run:
    """Three episodes: two of one seed (one wins, one does not), and one that failed. Answers quote, break lines, and go
    wrong.
    """
    empty = make_run(tmp_path / "run", {("a", "lost"): [None]})
    won = [
        step(0, "go", raw='I go.\nACTION: go, "now"'),
        step(1, "turn", text="a door", progress=0.5),
        step(2, "open", text="ajar", last=True, progress=1.0),
    ]
    lost = [
        step(0, "go", raw="go"),
        step(1, "wait", text="a door", raw="wait"),
        step(2, "fly", text="a door", valid=False, last=True),
    ]
    run = add(empty, ended(spec("a", "t", 5, 0), 1.0, steps=3, metrics={"depth": 2.0}, mission=MISSION), won)
    return add(run, ended(spec("a", "t", 5, 1), 0.25, steps=3, mission=MISSION), lost)


def export(run: Run, format_: str, out: Path, **options):
    ids = tuple(e.spec.id for e in run.episodes())
    return EXPORTS.get(format_)(Export(run, ids, format_, out, **options))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# --------------------------------------------------------------------------- tables


def test_csv(run, tmp_path):
    export(run, "csv", tmp_path / "out")
    with (tmp_path / "out/episodes.csv").open(newline="") as file:
        episodes = list(csv.DictReader(file))
    with (tmp_path / "out/steps.csv").open(newline="") as file:
        steps = list(csv.DictReader(file))
    assert [e["outcome"] for e in episodes] == ["infra_failure", "finished", "finished"]
    assert (
        episodes[1]["metric_depth"] == "2.0"
        and episodes[0]["progress"] == ""
        and float(episodes[2]["progress"]) == 0.25
    )
    assert len(steps) == 6 and steps[0]["reply"] == 'I go.\nACTION: go, "now"' and steps[5]["valid"] == "False"


def test_parquet_is_what_csv_is(run, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    export(run, "parquet", tmp_path)
    episodes, steps = (
        pq.read_table(tmp_path / "episodes.parquet").to_pylist(),
        pq.read_table(tmp_path / "steps.parquet").to_pylist(),
    )
    assert (
        episodes[1]["metrics"] == [("depth", 2.0)]
        and episodes[0]["progress"] is None
        and episodes[2]["success"] is False
    )
    export(run, "csv", tmp_path)
    with (tmp_path / "steps.csv").open(newline="") as file:
        assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in steps] == list(csv.DictReader(file))


def test_damaged_lines_are_left_out_and_counted(run, tmp_path):
    path = run.folder(run.record.planned[1].id) / "steps.jsonl"
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"{nonsense\n" + b"".join(rest))
    written = export(run, "csv", tmp_path / "out")
    assert "Damaged lines left out: 1" in written.notes[0]
    assert any("Damaged lines left out: 1" in note for note in export(run, "sft", tmp_path / "sft").notes)


# --------------------------------------------------------------------------- chat


def test_sft_is_the_prompt_as_sent_and_the_answer(run, tmp_path):
    written = export(run, "sft", tmp_path)
    rows = lines(tmp_path / "sft.jsonl")
    assert [r["messages"][-1]["content"] for r in rows] == ['I go.\nACTION: go, "now"', "turn", "open", "go", "wait"]
    assert [m["role"] for m in rows[0]["messages"]] == ["user", "user", "assistant"]
    assert rows[0]["messages"][1]["content"] == "Current Observation:\na room" and rows[0]["images"] == []
    assert any("not good enough: 1" in n for n in written.notes) and any(
        "1 steps are left out" in n for n in written.notes
    )


def test_sft_is_filtered(run, tmp_path):
    for options in ({"min_progress": 0.5}, {"success": True}):
        export(run, "sft", tmp_path, **options)
        assert {r["progress"] for r in lines(tmp_path / "sft.jsonl")} == {1.0}
    lost = Export(run, (run.record.planned[2].id,), "sft", tmp_path, success=True)
    with pytest.raises(UsageError, match="No episode"):
        EXPORTS.get("sft")(lost)


def test_sft_of_an_agent_without_a_model_is_told_as_naive_is_asked(tmp_path):
    run = make_run(tmp_path / "run", {})
    steps = [step(0, "go", calls=()), step(1, "wait", text="a door", calls=(), last=True)]
    run = add(run, ended(spec("a", "t", 1, 0), 1.0, steps=2, mission=MISSION), steps)
    export(run, "sft", tmp_path)
    rows = lines(tmp_path / "sft.jsonl")
    assert [r["messages"][-1]["content"] for r in rows] == ["go", "wait"]
    assert (
        "reach the goal" in rows[0]["messages"][0]["content"]
        and "Current Observation:\na door" in rows[1]["messages"][-2]["content"]
    )
    assert [m["role"] for m in rows[1]["messages"]] == ["user", "user", "assistant", "user", "assistant"]


def with_pictures(root: Path) -> Run:
    run = make_run(root, {})
    images = [put_frame(run.blobs, np.full((8, 8, 3), shade, np.uint8)) for shade in (10, 200)]
    steps = []
    for i, image in enumerate(images):
        prompt = (Message("user", (Text("Look."),)), Message("user", (Text("Current Observation:"), image)))
        observation = Observation("", image=image, step=i)
        steps.append(
            step(i, "go", observation=observation, calls=(Call(prompt, Reply("go", usage=Usage(9, 1))),), last=i == 1)
        )
    return add(
        run,
        ended(spec("a", "t", 1, 0), 1.0, steps=2, mission=MISSION, last=Observation("", image=images[0], step=2)),
        steps,
    )


def test_sft_with_pictures_is_read_by_a_transformers_processor(tmp_path):
    """A real processor of a (tiny) vision model reads lines and picture files as they are."""
    transformers = pytest.importorskip("transformers")
    from tests.models.tiny import llava

    export(with_pictures(tmp_path / "run"), "sft", tmp_path / "out")
    rows = lines(tmp_path / "out/sft.jsonl")
    assert len(list((tmp_path / "out/images").iterdir())) == 2
    processor = transformers.AutoProcessor.from_pretrained(llava(tmp_path / "model"))
    for row in rows:
        for message in row["messages"]:
            for part in message["content"]:
                if part["type"] == "image":
                    assert part["path"] == row["images"][0]
                    part["path"] = str(tmp_path / "out" / part["path"])
        read = processor.apply_chat_template(row["messages"], tokenize=True, return_dict=True, return_tensors="pt")
        assert read["pixel_values"].shape[0] == 1
        text = processor.tokenizer.decode(read["input_ids"][0])
        assert "Look." in text and text.rstrip("\n").endswith("go<|end|>")


def test_sft_is_read_by_a_transformers_tokenizer(run, tmp_path):
    pytest.importorskip("transformers")
    from tests.models.tiny import tokenizer

    export(run, "sft", tmp_path)
    row = lines(tmp_path / "sft.jsonl")[0]
    text = tokenizer().apply_chat_template(row["messages"], tokenize=False)
    assert 'ACTION: go, "now"' in text and text.count("<|start|>") == 3


# --------------------------------------------------------------------------- preferences


def test_dpo_from_a_better_and_a_worse_episode_of_one_seed(run, tmp_path):
    written = export(run, "dpo", tmp_path)
    (row,) = lines(tmp_path / "dpo.jsonl")
    assert (row["source"], row["step"], row["progress"]) == ("episode", 1, 1.0)
    assert row["chosen"] == [{"role": "assistant", "content": "turn"}] and row["rejected"] == [
        {"role": "assistant", "content": "wait"}
    ]
    assert row["prompt"][-1]["content"] == "Current Observation:\na door" and written.notes[0] == "1 pairs from episode"


def test_dpo_from_another_run_and_from_an_answer_asked_for_again(tmp_path):
    a, b = make_run(tmp_path / "a", {}), make_run(tmp_path / "b", {})
    prompt = (Message("user", (Text("first"),)),)
    twice = (Call(prompt, Reply("uh")), Call((*prompt, Message("user", (Text("again"),))), Reply("go")))
    a = add(
        a,
        ended(spec("a", "t", 5, 0), 1.0, steps=2),
        [step(0, "go", calls=twice), step(1, "open", text="other", last=True)],
    )
    b = add(b, ended(spec("a", "t", 5, 0), 0.0, steps=1), [step(0, "wait", last=True)])
    export(a, "dpo", tmp_path, against=(b,))
    reask, episode = lines(tmp_path / "dpo.jsonl")
    assert reask["source"] == "reask" and reask["prompt"] == [{"role": "user", "content": "first"}]
    assert (reask["chosen"][0]["content"], reask["rejected"][0]["content"]) == ("go", "uh")
    assert episode["source"] == "episode" and episode["rejected"][0]["content"] == "wait"


def test_dpo_without_a_pair(tmp_path):
    run = add(make_run(tmp_path / "run", {}), ended(spec("a", "t", 5, 0), 1.0, steps=1), [step(0, "go", last=True)])
    with pytest.raises(UsageError, match="no pair of a better and a worse answer"):
        export(run, "dpo", tmp_path / "out")
    assert not (tmp_path / "out/dpo.jsonl").exists()


def test_dpo_wants_the_same_seen_before(tmp_path):
    """Another observation at the same step: the histories differ, and the answers cannot be compared."""
    run = add(
        make_run(tmp_path / "run", {}),
        ended(spec("a", "t", 5, 0), 1.0, steps=1),
        [step(0, "go", text="here", last=True)],
    )
    run = add(run, ended(spec("a", "t", 5, 1), 0.0, steps=1), [step(0, "wait", text="there", last=True)])
    with pytest.raises(UsageError, match="no pair"):
        export(run, "dpo", tmp_path / "out")


# --------------------------------------------------------------------------- inspect


def test_inspect_log_is_read_by_inspect(tmp_path):
    """Runs where inspect_ai is installed (`make test-inspect`): it pins versions of packages that ours leave free."""
    log = pytest.importorskip("inspect_ai.log")
    run = with_pictures(tmp_path / "run")
    run = add(run, ended(spec("a", "t", 2, 1), None, "infra_failure", error="it died", steps=0))
    written = export(run, "inspect", tmp_path)
    read = log.read_eval_log(str(written.paths[0]))
    assert read.status == "success" and read.eval.model == "openai/gpt-4o" and read.results.completed_samples == 1
    assert read.results.scores[0].metrics["mean"].value == 1.0
    won, failed = read.samples
    assert (
        won.scores["progress"].value == 1.0
        and won.scores["success"].value == "C"
        and [m.role for m in won.messages].count("assistant") == 2
    )
    assert (
        any(part.type == "image" for part in won.messages[1].content)
        and failed.error.message == "it died"
        and failed.scores is None
    )
    assert len(log.read_eval_log(str(written.paths[0]), header_only=True).eval.dataset.sample_ids) == 2
    assert (
        lasted(read.stats) == max(s.total_time for s in read.samples)
        and won.total_time == run.episode(won.metadata["episode"]).seconds > 0
    )
    assert all(
        lasted(s) == pytest.approx(s.total_time, abs=1e-3) and 0 <= s.working_time <= s.total_time for s in read.samples
    )
    assert (read.stats.started_at, read.eval.created) == (won.started_at, won.started_at)


def lasted(part) -> float:
    """Seconds between the two times that inspect reads, which it takes to be ISO 8601 with a zone."""
    begun, done = (datetime.fromisoformat(time) for time in (part.started_at, part.completed_at))
    assert begun.tzinfo is not None and done.tzinfo is not None
    return (done - begun).total_seconds()


@pytest.mark.parametrize("created", ["", "2024-10-30", "2026-01-02T03:04:05+02:00", "last spring"])
def test_inspect_log_has_times_whatever_the_run_says_of_its_making(tmp_path, created):
    log = pytest.importorskip("inspect_ai.log")
    run = with_pictures(tmp_path / "run")
    run.record = replace(run.record, created=created)
    read = log.read_eval_log(str(export(run, "inspect", tmp_path).paths[0]))
    assert lasted(read.stats) == pytest.approx(read.samples[0].total_time, abs=1e-3)


def test_inspect_log_on_a_full_disk_is_a_sentence(tmp_path):
    pytest.importorskip("inspect_ai.log")
    run, limits = with_pictures(tmp_path / "run"), resource.getrlimit(resource.RLIMIT_FSIZE)
    export(run, "inspect", tmp_path / "room")  # imports all that is imported then
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(DiskFull, match="Free space"):
            export(run, "inspect", tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((tmp_path / "full").iterdir())


def test_every_format_is_registered():
    names = {"csv", "parquet", "sft", "dpo", "corrections", "lerobot", "inspect", "balrog", "gif", "mp4"}
    assert names <= set(EXPORTS.names())
