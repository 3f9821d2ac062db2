"""Replies as models write them (`stated.jsonl`): the action that each states, or none; and replies that are nothing but size."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from embodied.agents import notes
from embodied.agents.formats import Marked, Plain, Tagged
from embodied.agents.parse import PARSERS, Balrog, Lenient, Strict
from embodied.agents.vocabulary import Vocabulary, accepted
from embodied.types import Mission
from tests.agents.play import DUNGEON, ROOM, STORY

FORMATS = {"plain": Plain(), "marked": Marked(), "tagged": Tagged(False)}
ACCEPTED = {
    "room": accepted(ROOM),
    "dungeon": accepted(DUNGEON),
    "story": accepted(STORY),
    "paths": Vocabulary({"Path 1": "", "Path 2": ""}),
    "maze": Vocabulary({"north": "", "east": "", "up": ""}),
    "prose": accepted(Mission("Describe it.", {}, free_text=True, prose=True)),
}
REPLIES = [json.loads(line) for line in (Path(__file__).parent / "stated.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
def test_the_stated_action_or_none(reply):
    assert Lenient().parse(reply["text"], FORMATS[reply["format"]], ACCEPTED[reply["accepted"]]).action == reply["action"]


@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
def test_no_form_and_no_policy_reads_another_action(reply):
    accepts = ACCEPTED[reply["accepted"]]
    if accepts.finite:
        for form in FORMATS.values():
            for policy in ("strict", "lenient", "reask"):
                assert PARSERS[policy]().parse(reply["text"], form, accepts).action in (reply["action"], None)


def test_what_is_dropped_and_what_is_unknown_is_said():
    dropped = Lenient().parse("east. south. take coin", Plain(), ACCEPTED["story"])
    assert dropped.action == "east" and [note.kind for note in dropped.notes] == [notes.DROPPED]
    unknown = Lenient().parse("<musing>turn left", Plain(), ACCEPTED["room"])
    assert unknown.action is None and [note.kind for note in unknown.notes] == [notes.UNKNOWN_MARKER]


def test_strict_takes_nothing_behind_an_imagined_observation_and_one_command_alone():
    reply = "ACTION: turn left\nObservation: you see a wall\nACTION: turn right"
    assert Strict().parse(reply, Marked(), ACCEPTED["room"]).action == "turn left"
    assert Strict().parse("east. south.", Plain(), ACCEPTED["story"]).action is None


def test_balrog_reads_as_balrog_does():
    assert Balrog().parse("ACTION: turn left\nObservation: x\nACTION: turn right.", Marked(), ACCEPTED["room"]).action == "turn right"
    assert Balrog().parse("**turn left**", Plain(), ACCEPTED["room"]).action == "turn left"
    assert Balrog().parse("Turn left", Plain(), ACCEPTED["room"]).action is None


PATTERNS = ("\n", " ", "<think>", "ACTION: ", '{"[', "`", "```\n", "-", "((", "\\", '"', "Observation: ", "</think>", "\\boxed{", "far ")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_megabyte_of_anything_costs_seconds_at_most(pattern):
    text = pattern * (1_000_000 // len(pattern))
    start = time.process_time()
    for accepts in (ACCEPTED["room"], ACCEPTED["story"], ACCEPTED["prose"]):
        for policy in ("strict", "lenient"):
            PARSERS[policy]().parse(text, Marked(), accepts)
    assert time.process_time() - start < 30
