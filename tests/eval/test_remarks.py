"""What is said below a table of the replies behind a score."""

from __future__ import annotations

from embodied.agents import notes
from embodied.eval.remarks import remarks
from embodied.eval.score import Score
from embodied.rollout import counts
from embodied.rollout.counts import of_decision
from embodied.types import Call, Decision, Note, Reply, Usage


def _score(**more) -> Score:
    return Score("babyai", 2, 2, 0.5, None, None, **more)


def test_a_whole_reply_of_one_model_needs_no_remark():
    assert remarks(_score(counts={counts.REPLIES: 9}, models=("m",))) == []


def test_replies_are_counted_with_what_to_do_about_them():
    found = {
        counts.REPLIES: 9,
        counts.EMPTY: 1,
        counts.CUT: 2,
        counts.CACHED: 3,
        counts.ESTIMATED: 4,
        notes.SHORTENED: 5,
    }
    said = "\n".join(remarks(_score(counts=found, usage=Usage(input=80, output=20, estimated=100))))
    assert (
        "1 of 9 replies was empty" in said
        and "2 of 9 replies were cut at the limit of tokens: raise model.max_tokens" in said
    )
    assert "3 of 9 replies were taken from the cache" in said and "100 tokens are estimated" in said
    assert "5 times the prompt was too long" in said


def test_a_model_that_changes_its_name_and_refusals_are_said():
    said = " ".join(remarks(_score(models=("gpt-4o-05", "gpt-4o-08"), refusals={"filtered": 2})))
    assert (
        "under 2 names: gpt-4o-05, gpt-4o-08" in said
        and "2 episodes ended because their prompts were refused (2 filtered)" in said
    )


def test_a_decision_is_counted_once_for_each_thing_in_it():
    calls = (
        Call((), Reply("")),
        Call((), Reply("go", stop="length", cached=True)),
        Call((), Reply("go", usage=Usage(3, 1, estimated=4))),
    )
    found = list(of_decision(Decision("go", calls=calls, notes=(Note(notes.DROPPED, "x"),))))
    assert {name: found.count(name) for name in set(found)} == {
        notes.DROPPED: 1,
        counts.REPLIES: 3,
        counts.EMPTY: 1,
        counts.CUT: 1,
        counts.CACHED: 1,
        counts.ESTIMATED: 1,
    }
