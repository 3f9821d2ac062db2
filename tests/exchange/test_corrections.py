"""Corrections as training data, and edited files that come back. The runs are real."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

import embodied
from embodied import agents, correctors
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig
from embodied.correctors import CorrectorConfig
from embodied.errors import StoreError, UsageError
from embodied.exchange import EXPORTS, Export, Exported
from embodied.exchange.corrections import read_corrections
from embodied.rollout.channel import Channel
from embodied.rollout.control import Act, GiveBack, GoOn, Pause, Speak, TakeOver
from embodied.rollout.lessons import unsaid
from embodied.rollout.runner import run_all
from embodied.rollout.worlds.workers import Pool
from embodied.store.amendments import amend, corrections_of
from embodied.store.run import Run
from embodied.types import TaskSpec
from tests.rollout.playing import TASK, Hashing, Quiet, make_run, play

ADVISED = TaskSpec(TASK.env, TASK.task, {**TASK.kwargs, "expert": True})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """Two episodes of the train split, in which random follows the oracle."""
    out = tmp_path_factory.mktemp("runs") / "corrected"
    embodied.evaluate("babyai", "random", task="goto", episodes=2, steps=30, split="train", corrector="oracle", out=out)
    return out


@pytest.fixture
def run(recorded, tmp_path) -> Run:
    shutil.copytree(recorded, tmp_path / "run")
    return Run(tmp_path / "run")


def export(run: Run, format_: str, out: Path, **options) -> Exported:
    ids = tuple(e.spec.id for e in run.episodes())
    return EXPORTS.get(format_)(Export(run, ids, format_, out, **options))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# --------------------------------------------------------------------------- what is written


def test_a_line_is_what_the_person_wanted_at_that_prompt(run, tmp_path):
    written = export(run, "corrections", tmp_path)
    rows, corrected = lines(tmp_path / "corrections.jsonl"), corrections_of(run)
    assert [path.name for path in written.paths] == ["corrections.jsonl"] and written.notes == []
    assert len(rows) == len(corrected)
    for row, a in zip(rows, corrected, strict=True):
        assert row["messages"][-1] == {"role": "assistant", "content": a.event.resolved}
        asked = row["messages"][-2]["content"]
        assert asked.startswith("Current Observation:\n" + a.step.observation.text) and a.text not in asked
        known = (a.text, "oracle", "oracle", "committed", "done", a.step.executed, a.event.superseded.action)
        assert tuple(row[k] for k in ("text", "how", "by", "status", "why", "resolved", "superseded")) == known
        assert (row["episode"], row["step"], row["id"], row["followed"], row["asked"]) == (
            a.episode,
            a.place,
            a.id,
            True,
            "naive",
        )


def test_dpo_pairs_what_was_executed_with_what_was_not(run, tmp_path):
    first, second, *rest = corrections_of(run)
    amend(run, first.episode, first.id, excluded=True, by="anna")
    amend(run, second.episode, second.id, text="drop", by="anna")
    written = export(run, "dpo", tmp_path)
    rows = lines(tmp_path / "dpo.jsonl")
    assert {row["source"] for row in rows} == {"correction"}
    assert [row["chosen"][0]["content"] for row in rows] == [a.step.executed for a in rest]
    assert [row["rejected"][0]["content"] for row in rows] == [a.event.superseded.action for a in rest]
    assert written.notes == [
        f"{len(rest)} pairs from correction",
        "Corrections left out: 1 excluded.",
        "Corrections that give no pair, mostly because they were not followed: 1.",
    ]


def test_edited_words_are_what_the_person_wanted(run, tmp_path):
    first, second, third, *_ = corrections_of(run)
    amend(run, first.episode, first.id, text="Please drop it", by="anna")
    amend(run, second.episode, second.id, text="Mind the wall!", by="anna")
    amend(run, third.episode, third.id, excluded=True, by="anna")
    written = export(run, "corrections", tmp_path)
    row = lines(tmp_path / "corrections.jsonl")[0]
    assert (row["messages"][-1]["content"], row["followed"], row["said"]) == ("drop", False, first.event.text)
    left = lines(tmp_path / "left-out.jsonl")
    assert [(r["id"], r["left_out"]) for r in left] == [
        (second.id, "whose words name no action"),
        (third.id, "excluded"),
    ]
    assert "Corrections left out: 1 whose words name no action, 1 excluded." in written.notes
    amend(run, second.episode, second.id, text=second.text, by="anna")
    amend(run, third.episode, third.id, excluded=False, by="anna")
    export(run, "corrections", tmp_path)
    assert not (tmp_path / "left-out.jsonl").exists()


@pytest.mark.parametrize("format_", ["sft", "dpo", "corrections"])
def test_a_run_of_the_test_split_says_that_it_must_teach_nobody(recorded, tmp_path, format_):
    out = tmp_path / "run"
    options = {"corrector.wrong": 0.2}
    embodied.evaluate(
        "babyai", "random", task="goto", episodes=1, steps=9, corrector="oracle", options=options, out=out
    )
    notes = export(Run(out), format_, tmp_path / "out").notes
    assert any("train no agent on them" in note for note in notes)
    assert any("corrector.wrong=0.2" in note for note in notes) == (format_ != "sft")
    assert not any("train no agent" in n for n in export(Run(recorded), format_, tmp_path / "train").notes)


def test_without_a_correction_there_is_one_sentence(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs)
    with pytest.raises(UsageError, match="Nobody corrected the agent"):
        export(run, "corrections", tmp_path / "out")
    assert not (tmp_path / "out/corrections.jsonl").exists()


@pytest.mark.parametrize(
    ("config", "form"),
    [
        (AgentConfig(policy="naive", history=HistoryConfig(text=3)), "{}"),
        (AgentConfig(policy="cot", history=HistoryConfig(policy="blocks", text=6, block=3)), "ACTION: {}"),
        (AgentConfig(policy="naive", corrections="paragraph"), "{}"),
    ],
    ids=["naive", "cot", "paragraph"],
)
def test_the_prompt_is_the_one_before_the_words(tmp_path, config, form):
    run, specs = make_run(tmp_path / "run", 2, ADVISED)
    run = replace_config(run, config)
    oracle = CorrectorConfig("oracle", silence=0.3, wrong=0.3)
    play(run, specs, config, Hashing(), make_corrector=lambda spec: correctors.build(oracle, spec))
    export(run, "corrections", tmp_path)
    rows = {(row["episode"], row["step"]): row for row in lines(tmp_path / "corrections.jsonl")}
    seen = set()
    for spec in specs:
        for step in run.steps(spec.id):
            for event in step.events:
                row = rows[spec.id, step.index]
                before = event.superseded.calls[0].messages
                assert [m["content"] for m in row["messages"][:-1]] == [m.parts[0].text for m in before]
                assert unsaid(step.decision.calls[0].messages, event.text) == before
                answer = step.decision.calls[-1].reply.text if row["followed"] else form.format(event.resolved)
                assert row["messages"][-1]["content"] == answer and row["asked"] == "recorded"
                seen.add(row["followed"])
    assert False in seen


def replace_config(run: Run, config: AgentConfig) -> Run:
    """The run, with the agent's policy in its record."""
    record = json.loads((run.root / "run.json").read_text())
    record["config"]["agent"] = {"policy": config.policy}
    (run.root / "run.json").write_text(json.dumps(record))
    return Run(run.root)


def test_a_person_who_types_and_takes_over(tmp_path):
    """Words before the agent was asked, and two steps that the person plays."""
    run, specs = make_run(tmp_path / "run", 1)
    channel = Channel()

    class Person(Quiet):
        def stepped(self, spec, step) -> None:
            if step.index == 0:
                channel.submit(Pause())
                channel.submit(Speak("turn right", by="person 1"))
                channel.submit(GoOn())
            if step.index == 2:
                channel.submit(TakeOver("person 2"))
                channel.submit(Act("go forward"))
                channel.submit(Act("toggle"))
                channel.submit(GiveBack())

    async def playing() -> None:
        config = AgentConfig(policy="naive")
        async with Pool(1) as pool:
            await run_all(
                run,
                specs,
                lambda spec: agents.build(config, Hashing(), spec=spec, blobs=run.blobs),
                pool,
                Person(),
                1,
                None,
                channels=lambda spec: channel,
            )

    asyncio.run(playing())
    export(run, "corrections", tmp_path)
    spoken, *taken = lines(tmp_path / "corrections.jsonl")
    assert (spoken["step"], spoken["by"], spoken["how"], spoken["resolved"]) == (1, "person 1", "typed", "turn right")
    assert spoken["superseded"] is None and spoken["asked"] == "recorded"
    assert "A person who" not in json.dumps(spoken["messages"]) and spoken["messages"][-1]["content"] == "turn right"
    assert [(t["kind"], t["step"], t["by"], t["resolved"], t["asked"]) for t in taken] == [
        ("takeover", 3, "person 2", "go forward", "naive"),
        ("takeover", 4, "person 2", "toggle", "naive"),
    ]
    assert [t["messages"][-1]["content"] for t in taken] == ["go forward", "toggle"]


EVENTS = [
    {"kind": "correction", "text": "go", "how": "typed", "by": "b", "id": "1", "applied": 10**30, "opened": -(10**30)},
    {"kind": "correction", "text": "go", "how": "typed", "by": "b", "id": "", "applied": -5, "ended": 10**30},
    {"kind": "correction", "text": "\x1b[2J" * 9999, "how": "typed", "by": "\n" * 99, "id": "\x07", "applied": 0},
    {"kind": "correction", "text": "", "how": "typed", "by": "", "id": "../..", "applied": 0, "resolved": "x" * 9999},
    {"kind": "takeover", "by": "", "action": "\x00", "superseded": {"action": "", "calls": []}},
    {"kind": "takeover", "by": "b", "action": ""},
    {"kind": "branch", "by": "b", "episode": "../../x"},
    {"kind": "interrupt", "by": "b", "calls": []},
]


@pytest.mark.parametrize("number", range(len(EVENTS)))
@pytest.mark.parametrize("format_", ["corrections", "dpo", "lerobot"])
def test_whatever_a_record_says_happened(run, tmp_path, format_, number):
    if format_ == "lerobot":
        pytest.importorskip("pyarrow")
    for spec in run.record.planned:
        path = run.folder(spec.id) / "steps.jsonl"
        steps = lines(path)
        for step in steps:
            step["events"] = [*step.get("events", ()), EVENTS[number], EVENTS[number]]
        write(path, steps)
    export(run, format_, tmp_path / "out")
    if format_ == "corrections":
        found = corrections_of(run)
        assert len(found) > 8 or number > 5
        path = tmp_path / "out/corrections.jsonl"
        assert not read_corrections(run, path, "anna").edited


# --------------------------------------------------------------------------- what comes back


def test_export_edit_import_export(run, tmp_path):
    export(run, "corrections", tmp_path / "a")
    path = tmp_path / "a/corrections.jsonl"
    rows = lines(path)
    rows[0]["text"] = "Lass es fallen: drop 🧺"
    rows[1]["excluded"] = True
    del rows[2]
    done = read_corrections(run, write(path, rows), "anna")
    assert (done.edited, done.excluded, done.included, done.unchanged) == (1, 1, 0, len(rows) - 2)
    assert done.problems == []
    export(run, "corrections", tmp_path / "b")
    again = lines(tmp_path / "b/corrections.jsonl")
    assert [row["id"] for row in again[:2]] == [rows[0]["id"], "2-1"], "a line that is missing changes nothing"
    assert (again[0]["text"], again[0]["messages"][-1]["content"], again[0]["changed_by"]) == (
        "Lass es fallen: drop 🧺",
        "drop",
        "anna",
    )
    (left,) = lines(tmp_path / "b/left-out.jsonl")
    done = read_corrections(run, write(tmp_path / "b/left-out.jsonl", [{**left, "excluded": False}]), "ben")
    assert done.included == 1
    assert read_corrections(run, write(path, again), "anna").unchanged == len(again)
    export(run, "corrections", tmp_path / "c")
    assert len(lines(tmp_path / "c/corrections.jsonl")) == len(rows) + 1


def test_preference_pairs_come_back_alike(run, tmp_path):
    export(run, "dpo", tmp_path / "a")
    path = tmp_path / "a/dpo.jsonl"
    rows = lines(path)
    assert len(rows) >= 2 and all(row["text"] == row["said"] and row["excluded"] is False for row in rows)
    first, second = rows[:2]
    edited = [{**first, "text": "drop it"}, {**second, "excluded": True}, {**second, "source": "episode", "text": "no"}]
    nameless = {name: value for name, value in first.items() if name != "id"}
    done = read_corrections(run, write(path, [*edited, nameless, {**first, "id": "99-1"}]), "anna")
    assert (done.edited, done.excluded, done.included, done.unchanged) == (1, 1, 0, 0)
    assert [("line 4" in problem, "line 5" in problem) for problem in done.problems] == [(True, False), (False, True)]
    assert "Export it again" in done.problems[0]
    export(run, "corrections", tmp_path / "b")
    texts = {(row["episode"], row["id"]): row["text"] for row in lines(tmp_path / "b/corrections.jsonl")}
    assert texts[first["episode"], first["id"]] == "drop it" and (second["episode"], second["id"]) not in texts


def test_hostile_lines_change_nothing_and_are_named(run, tmp_path):
    first = corrections_of(run)[0]
    place = {"episode": first.episode, "id": first.id}
    said = json.dumps({**place, "text": "go forward"})
    hostile = [
        b"nonsense",
        b"\xff\xfe\x00",
        b"[]",
        b"{" * 50_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        json.dumps({**place, "id": "99-1"}).encode(),
        json.dumps({**place, "episode": "../../etc/passwd"}).encode(),
        json.dumps({**place, "text": 7}).encode(),
        json.dumps({**place, "excluded": "yes"}).encode(),
        json.dumps({**place, "text": "x" * 10_000_000}).encode(),
        json.dumps({**place, "text": "\x1b]0;owned\x07"}).encode(),
        json.dumps({**place, "text": ""}).encode(),
        json.dumps({**place, "text": "\ud800"}).encode(),
        json.dumps({**place, "said": "other words"}).encode(),
    ]
    for number, line in enumerate(hostile):
        path = tmp_path / "edited.jsonl"
        path.write_bytes(line + b"\n")
        done = read_corrections(run, path, "anna")
        assert len(done.problems) == 1 and len(done.problems[0]) < 1_000, number
        assert "line 1, changes nothing: " in done.problems[0]
    assert corrections_of(run) == corrections_of(Run(run.root)) and not (run.root / "amendments.jsonl").exists()
    path.write_bytes(b"\xef\xbb\xbf" + said.encode() + b"\r\n\n" + b"\n".join([*hostile, said.encode()]))
    done = read_corrections(run, path, "anna")
    assert done.edited == 1 and len(done.problems) == len(hostile) + 1
    assert corrections_of(run)[0].text == "go forward"


def test_the_command_line_names_what_it_left(run, tmp_path, call):
    code, out, _ = call("export", run.root, "--format", "corrections", "--out", tmp_path / "out")
    assert code == 0 and "corrections.jsonl" in out
    path = tmp_path / "out/corrections.jsonl"
    rows = lines(path)
    rows[0]["text"] = "drop"
    write(path, rows)
    with path.open("a") as file:
        file.write("\x1b[2Jnonsense\n" * 30)
    code, out, err = call("import", "corrections", path, "--run", run.root, "--by", "anna")
    assert code == 2 and "\x1b" not in out + err
    assert f"1 texts edited, 0 excluded, 0 included again, {len(rows) - 1} unchanged" in out
    assert out.count("changes nothing") == 20 and "30 lines" in err
    code, _, err = call("import", "corrections", tmp_path / "nothing.jsonl", "--run", run.root)
    assert code != 0 and "Cannot read" in err and len(err.splitlines()) == 1


def test_a_folder_in_place_of_the_file_is_one_sentence(run, tmp_path):
    with pytest.raises(StoreError, match="Cannot read"):
        read_corrections(run, tmp_path, "anna")
