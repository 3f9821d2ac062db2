"""What a run used is read from its record; old records give new ones, and nothing is deleted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from embodied.agents.memory.embedding import Query, embedding
from embodied.agents.memory.record import Links, Memory, Stats
from embodied.agents.memory.store import write_memories
from embodied.agents.memory.upkeep import flagged, merged, opposite, retired
from embodied.agents.memory.usage import counted, retrieval_note, retrieved, uses_of
from embodied.errors import UsageError
from embodied.store.run import Run, RunRecord
from embodied.types import Decision, Episode, EpisodeSpec, Note, Observation, Step, TaskSpec, Usage
from tests.agents.memory.examples import example, many


def step(number: int, *notes: Note) -> Step:
    decision = Decision("go forward", notes=notes)
    seen = Observation("a red ball", step=number)
    return Step(number, seen, decision, "go forward", True, 0.0, False, False, 0.0, {}, "0" * 64, 0.1, 0.1)


def test_a_note_says_which_were_found_and_why_and_is_read_back(tmp_path: Path):
    memories = write_memories(tmp_path / "m", many(100), embedding())
    hits = memories.search(Query("babyai", "go to the red ball", observation="a grey key"))
    note = retrieval_note(hits)
    assert note.text.startswith(f"Retrieved 5 memories: {hits[0].memory.id} {hits[0].score:.4f} (task 1.0000, obs")
    assert retrieved(step(0, note)) == [hit.memory.id for hit in hits]
    assert retrieved(step(0, retrieval_note([]))) == [] == retrieved(step(0, Note("text_dropped", note.text)))


def test_statistics_are_read_from_the_record_of_a_run(tmp_path: Path):
    memories = write_memories(tmp_path / "m", many(3), embedding())
    first, second, third = memories.records
    specs = tuple(EpisodeSpec(f"babyai-{n}", TaskSpec("babyai", "goto"), n, n, n) for n in range(4))
    run = Run.create(tmp_path / "run", RunRecord("id", {}, specs, {}, "2026-01-01T00:00:00+00:00", "suite"))
    ended = [("finished", True), ("limit", False), ("finished", None), ("model_failure", None)]
    for spec, (outcome, success) in zip(specs, ended, strict=True):
        writer = run.claim(spec)
        assert writer is not None
        with closing(writer):
            text = f"Retrieved 2 memories: {first.id} 0.9 (task 0.9), gone 0.1 (task 0.1)."
            for number in range(2):  # an episode counts once, however often it retrieved
                writer.append(step(number, Note("memories_retrieved", text)))
            if success is False:
                writer.append(step(2, Note("memories_retrieved", f"Retrieved 1 memories: {second.id} 0.9 (task 0.9).")))
            writer.finish(Episode(spec, outcome, 2, None, success, 0.0, 0, Usage(), 1.0))
    uses = uses_of(run)
    assert {(use.success, len(use.ids)) for use in uses} == {(True, 2), (False, 3), (None, 2)}
    before = first.stats
    after = counted(memories.records, uses)
    assert after[0].stats == Stats(
        retrieved=before.retrieved + 3, in_success=before.in_success + 1, in_failure=before.in_failure + 1
    )
    assert after[1].stats.in_failure == second.stats.in_failure + 1
    assert after[2] == third


def test_what_never_helps_is_retired_when_that_is_sure_enough():
    stats = [Stats(in_failure=40), Stats(in_failure=9), Stats(in_success=5, in_failure=20), Stats(in_success=20)]
    records = [example(raw=(str(n),), stats=given) for n, given in enumerate(stats)]
    assert [memory.status for memory in retired(records)] == ["retired", "verified", "verified", "verified"]
    assert [memory.status for memory in retired(records, least=0.3, uses=5)].count("retired") == 3
    candidate = example(stats=Stats(in_failure=40), status="candidate")
    assert retired([candidate]) == (candidate,)


def merge(*records: Memory) -> tuple[Memory, ...]:
    return merged(records, embedding().of_memories(records)["task"])


def test_near_duplicates_become_one_with_the_statistics_of_all():
    worse = example(actions=("turn left", "go forward"), stats=Stats(retrieved=3, in_success=1, in_failure=2))
    better = example(
        actions=("turn left", "go forward"),
        state="east",
        stats=Stats(retrieved=2, in_success=2),
        links=Links(supersedes=("older",)),
    )
    other_actions = example(actions=("turn right", "turn right"))
    other_goal = example(goal="open the grey door", actions=("turn left", "go forward"))
    other_task = example(task="pickup", actions=("turn left", "go forward"))
    candidate = example(actions=("turn left", "go forward"), status="candidate", state="west")
    records = (worse, better, other_actions, other_goal, other_task, candidate)
    found = merge(*records)
    assert [memory.status for memory in found[:2]] == ["retired", "verified"]
    assert found[1].stats == Stats(retrieved=5, in_success=3, in_failure=2)
    assert found[1].links.supersedes == ("older", worse.id)
    assert found[2:] == records[2:]
    assert merge(*found) == found
    assert merge(*reversed(records)) == tuple(reversed(found))


def test_the_same_action_in_another_state_is_another_example():
    here, elsewhere = example(), example(observation="a red ball 1 step right and 4 steps forward")
    assert merge(here, elsewhere) == (here, elsewhere)


def test_merging_needs_a_vector_for_each():
    with pytest.raises(UsageError, match="2 memories need as many vectors"):
        merged([example(), example(goal="x")], np.zeros((1, 4), np.float32))


def test_opposite_first_actions_in_one_state_are_flagged_and_the_flag_goes_with_its_cause():
    left, right = example(actions=("turn left",)), example(actions=("turn right", "go forward"))
    elsewhere = example(actions=("turn right",), observation="a wall")
    forward = example(actions=("go forward",))
    found = flagged([left, right, elsewhere, forward])
    assert found[0].links.conflicts == (right.id,) and found[1].links.conflicts == (left.id,)
    assert found[2:] == (elsewhere, forward)
    assert flagged(found) == found
    again = flagged(retired(found, least=1.0, uses=0)[1:2] + found[:1])
    assert [memory.links.conflicts for memory in again] == [(), ()]


@pytest.mark.parametrize(
    ("a", "b", "are"),
    [
        ("turn left", "Turn  right", True),
        ("open the door", "close the door", True),
        ("go north", "go east", False),
        ("open the red door", "close the blue door", False),
        ("turn left", "turn left", False),
        ("left", "turn right", False),
    ],
)
def test_opposites(a: str, b: str, are: bool):
    assert opposite(a, b) == opposite(b, a) == are
