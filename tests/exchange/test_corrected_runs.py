"""What tables and training data say of runs in which somebody spoke to the agent or acted in its place. The runs are
real.
"""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import embodied
from embodied import correctors
from embodied.agents import AgentConfig
from embodied.correctors import CorrectorConfig
from embodied.errors import UsageError
from embodied.exchange import EXPORTS, Export, Exported
from embodied.rollout.channel import Channel
from embodied.rollout.control import Act, GiveBack, Speak, TakeOver
from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import TaskSpec
from tests.exchange.test_formats import lines
from tests.rollout.playing import TASK, Hashing, make_run, play
from tests.rollout.test_channel import Thinking, playing

ADVISED = TaskSpec(TASK.env, TASK.task, {**TASK.kwargs, "expert": True})
SAYS = "A person who watches you says: "
NEW = ("corrections", "taken_over", "superseded")


@pytest.fixture
def corrected(tmp_path) -> Run:
    """Two episodes of a model that the oracle corrects; it follows some of the words."""
    run, _ = make_run(tmp_path / "corrected", 2, ADVISED)
    record = json.loads((run.root / "run.json").read_text())
    record["config"]["corrector"] = {"name": "oracle"}
    (run.root / "run.json").write_text(json.dumps(record))
    return oracle_speaks(Run(run.root))


def oracle_speaks(run: Run, config: AgentConfig | None = None) -> Run:
    said = CorrectorConfig("oracle", silence=0.3)
    config = config or AgentConfig(policy="naive")
    play(run, run.record.planned, config, Hashing(), make_corrector=lambda spec: correctors.build(said, spec))
    return run


def a_person_plays(run: Run) -> Run:
    """A person says something in step 1, which counts for two steps, and plays steps 4 and 5."""
    channel = Channel()

    def at_step(steps: int) -> None:
        if steps == 1:
            channel.submit(Speak("turn right\nand look", by="person 1", lasts=2))
        if steps == 4:
            for command in (TakeOver("person 1"), Act("go forward"), Act("toggle"), GiveBack()):
                channel.submit(command)

    asyncio.run(playing(run, run.record.planned, channel, Hashing(), at_step))
    return run


def scripted(root: Path, script: Sequence[str], expert: bool = False) -> Run:
    """One episode of prepared actions; with `expert` the oracle speaks."""
    config = AgentConfig(policy="scripted", script=list(script))
    run, specs = make_run(root, 1, ADVISED)
    oracle = CorrectorConfig("oracle")
    play(run, specs, config, make_corrector=lambda spec: correctors.build(oracle, spec) if expert else None)
    return run


def export(run: Run, format_: str, out: Path, **options) -> Exported:
    ids = tuple(e.spec.id for e in run.episodes())
    return EXPORTS.get(format_)(Export(run, ids, format_, out, **options))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# --------------------------------------------------------------------------- tables


def test_steps_add_up_with_episodes(corrected, tmp_path):
    export(corrected, "csv", tmp_path / "out")
    episodes, steps = table(tmp_path / "out/episodes.csv"), table(tmp_path / "out/steps.csv")
    assert list(episodes[0])[-1] == "corrector" and {e["corrector"] for e in episodes} == {"oracle"}
    for e in episodes:
        mine = [s for s in steps if s["episode"] == e["episode"]]
        for tokens in ("input_tokens", "output_tokens"):
            assert sum(int(s[tokens]) for s in mine) == int(e[tokens]) > 0
        recorded = corrections(corrected.steps(e["episode"]))
        assert [s["corrections"] for s in mine if s["corrections"]] == [c.text for c in recorded]
        assert [s["superseded"] for s in mine if s["superseded"]] == [c.superseded.action for c in recorded]
        assert {s["calls"] for s in mine if s["corrections"]} == {"2"}
        assert all((s["taken_over"] == "False") == bool(s["corrections"]) for s in mine)


def test_a_takeover_in_the_tables(tmp_path):
    run = a_person_plays(make_run(tmp_path / "run", 1)[0])
    export(run, "csv", tmp_path)
    steps = table(tmp_path / "steps.csv")
    assert [s["step"] for s in steps if s["taken_over"] == "True"] == ["4", "5"]
    assert [s["step"] for s in steps if s["corrections"]] == ["1"], "spoken once, although it counts for two steps"


def test_a_call_that_was_broken_off_is_counted(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    model, channel = Thinking(held=True), Channel()

    async def person() -> None:
        await model.asked.wait()
        channel.submit(Speak("go forward"))
        model.go.set()

    async def both() -> None:
        await asyncio.gather(playing(run, specs, channel, model), person())

    asyncio.run(both())
    export(run, "csv", tmp_path)
    (episode,), steps = table(tmp_path / "episodes.csv"), table(tmp_path / "steps.csv")
    assert [s["calls"] for s in steps[:2]] == ["2", "1"] and steps[0]["corrections"] == "go forward"
    assert int(steps[0]["input_tokens"]) > 2 * int(steps[1]["input_tokens"])
    assert sum(int(s["input_tokens"]) for s in steps) == int(episode["input_tokens"])


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_run_without_events_has_empty_columns_at_the_end(tmp_path, format_):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs)
    if format_ == "parquet":
        pq = pytest.importorskip("pyarrow.parquet")
    export(run, format_, tmp_path)
    read = table if format_ == "csv" else lambda path: pq.read_table(path).to_pylist()
    steps, episodes = read(tmp_path / f"steps.{format_}"), read(tmp_path / f"episodes.{format_}")
    assert tuple(steps[0])[-4:] == ("env_seconds", *NEW) and list(episodes[0])[-1] == "corrector"
    assert not any(s[name] for s in steps for name in NEW) and not any(e["corrector"] for e in episodes)


def test_parquet_is_what_csv_is(corrected, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    export(corrected, "parquet", tmp_path)
    export(corrected, "csv", tmp_path)
    rows = pq.read_table(tmp_path / "steps.parquet").to_pylist()
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == table(tmp_path / "steps.csv")
    assert {e["corrector"] for e in pq.read_table(tmp_path / "episodes.parquet").to_pylist()} == {"oracle"}


# --------------------------------------------------------------------------- sft


def test_lines_of_corrected_steps_are_marked(corrected, tmp_path):
    notes = export(corrected, "sft", tmp_path).notes
    rows = lines(tmp_path / "sft.jsonl")
    for row in rows:
        now = row["messages"][-2]["content"]
        assert [text for text in row.get("corrections", []) if SAYS + text not in now] == []
        assert ("corrections" in row) == (SAYS in now)
    told = sum(any(SAYS in m["content"] for m in row["messages"]) for row in rows)
    assert any("corrections" in row for row in rows)
    (note,) = [n for n in notes if "in their prompt" in n]
    assert note.startswith(f"{told} lines contain a correction") and "--format corrections" in note


def test_steps_that_a_person_played_are_counted(tmp_path):
    run = a_person_plays(make_run(tmp_path / "run", 1)[0])
    notes = export(run, "sft", tmp_path).notes
    rows = lines(tmp_path / "sft.jsonl")
    assert not {4, 5} & {row["step"] for row in rows}
    (note,) = [n for n in notes if "left out" in n]
    (episode,) = run.episodes()
    assert note.startswith(f"{episode.steps - len(rows)} steps are left out: ")
    assert "2 in which somebody took over" in note
    marked = {row["step"]: row["corrections"] for row in rows if "corrections" in row}
    assert {step for step, texts in marked.items() if texts} <= {1, 2}


def test_steps_in_which_no_model_was_asked_are_counted(tmp_path):
    run = oracle_speaks(make_run(tmp_path / "run", 2, ADVISED)[0], AgentConfig(policy="naive", follow=True))
    notes = export(run, "sft", tmp_path).notes
    silent = sum(not s.decision.calls for e in run.episodes() for s in run.steps(e.spec.id))
    assert silent and any(f"{silent} in which no model was asked" in note for note in notes)


def test_an_agent_without_a_model_has_marked_lines_and_no_words_in_prompts(tmp_path):
    run = scripted(tmp_path / "run", ["drop"], expert=True)
    notes = export(run, "sft", tmp_path / "out").notes
    rows = lines(tmp_path / "out/sft.jsonl")
    (episode,) = run.episodes()
    spoken = [c.text for c in corrections(run.steps(episode.spec.id))]
    assert [text for row in rows for text in row.get("corrections", [])] == spoken != []
    assert not any("in their prompt" in n or "left out" in n for n in notes)
    plain = scripted(tmp_path / "plain", ["drop"])
    export(plain, "sft", tmp_path / "plain-out")
    assert not any("corrections" in row for row in lines(tmp_path / "plain-out/sft.jsonl"))


# --------------------------------------------------------------------------- dpo


def test_where_somebody_helped_two_episodes_give_no_pair(tmp_path):
    """An agent that the oracle leads to the goal, and the same agent alone: they part where the oracle speaks."""
    helped, alone = scripted(tmp_path / "helped", ["drop"], expert=True), scripted(tmp_path / "alone", ["drop"])
    (won,), (lost,) = helped.episodes(), alone.episodes()
    assert won.spec.seed == lost.spec.seed and won.progress > lost.progress
    notes = export(helped, "dpo", tmp_path / "a", against=(alone,)).notes
    assert {row["source"] for row in lines(tmp_path / "a/dpo.jsonl")} == {"correction"}
    assert any(note.startswith("Pairs of two episodes that are left out") and note.endswith(": 1.") for note in notes)
    with pytest.raises(UsageError, match=r"no pair.*somebody corrected the agent or took over where they part: 1\."):
        export(alone, "dpo", tmp_path / "b", against=(helped,))


def test_two_episodes_of_which_nobody_was_helped_give_a_pair(tmp_path):
    led = scripted(tmp_path / "led", ["drop"], expert=True)
    (episode,) = led.episodes()
    path = [step.executed for step in led.steps(episode.spec.id)]
    good, bad = scripted(tmp_path / "good", path), scripted(tmp_path / "bad", ["drop"])
    notes = export(good, "dpo", tmp_path / "out", against=(bad,)).notes
    (row,) = lines(tmp_path / "out/dpo.jsonl")
    assert (row["source"], row["chosen"][0]["content"]) == ("episode", path[0])
    assert not any("left out" in note for note in notes)


def test_a_spreadsheet_runs_nothing_that_an_agent_said(tmp_path):
    script = ["=HYPERLINK(1)", "+1", "@x", "turn left"]
    played = embodied.evaluate(
        "babyai", "scripted", task="goto", episodes=1, steps=4, out=tmp_path / "run", options={"agent.script": script}
    )
    EXPORTS.get("csv")(Export(played.run, (played.run.record.planned[0].id,), "csv", tmp_path / "data"))
    with (tmp_path / "data" / "steps.csv").open(newline="", encoding="utf-8") as file:
        actions = [row["action"] for row in csv.DictReader(file)]
    assert actions == ["'=HYPERLINK(1)", "'+1", "'@x", "turn left"]
