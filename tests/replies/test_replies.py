"""Replies as models write them: the action that each states, or none; and replies that are nothing but size.

`stated.jsonl`: one of each kind. `families.jsonl`: in the styles of model families, written before the reader was tried
on them. A reply that the reader does not understand is marked `missed`: it must read it as none, never as another
action. None is at present.
"""

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
ACCEPTED["babyai"] = Vocabulary(
    dict.fromkeys(("turn left", "turn right", "go forward", "pick up", "drop", "toggle"), "")
)
WAYS = (
    "north",
    "south",
    "east",
    "west",
    "northeast",
    "northwest",
    "far north",
    "far east",
    "far west",
    "far northeast",
    "up",
    "down",
)
ACCEPTED["nethack"] = Vocabulary(dict.fromkeys((*WAYS, "pickup", "y", "n", "search", "open", "kick"), ""))
FOLDER = Path(__file__).parent
REPLIES = [
    json.loads(line)
    for name in ("stated", "families")
    for line in (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_the_corpus_is_large_and_little_of_it_is_missed():
    families = [reply for reply in REPLIES if "family" in reply]
    assert len(REPLIES) >= 300 and len({reply["family"] for reply in families}) >= 40
    assert not any("missed" in reply for reply in REPLIES)


@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
def test_the_stated_action_or_none(reply):
    right = None if "missed" in reply else reply["action"]
    assert Lenient().parse(reply["text"], FORMATS[reply["format"]], ACCEPTED[reply["accepted"]]).action == right


@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
def test_no_form_and_no_policy_reads_another_action(reply):
    accepts, right = ACCEPTED[reply["accepted"]], reply["action"]
    for form in FORMATS.values():
        for policy in ("strict", "lenient", "reask"):
            found = PARSERS[policy]().parse(reply["text"], form, accepts).action
            if accepts.prose or (policy == "strict" and form.wrap("") == "" and not accepts.finite):
                continue  # all of the reply is the form asked for
            assert found in (right, None)


@pytest.mark.parametrize("reply", [r for r in REPLIES if ACCEPTED[r["accepted"]].finite], ids=lambda r: r["text"][:30])
def test_in_a_text_game_too_no_other_action_is_taken_from_it(reply):
    """The same reply where any command is taken: it may come to a command of its own, but never to a phrase that it
    does not choose.
    """
    others = set(ACCEPTED[reply["accepted"]].actions) - {reply["action"]}
    for form in FORMATS.values():
        for policy in ("strict", "lenient", "reask"):
            found = PARSERS[policy]().parse(reply["text"], form, ACCEPTED["story"])
            # of several commands the first, and it is said
            assert found.action not in others or (reply["action"] is None and found.notes)


@pytest.mark.parametrize(
    "reply", [r for r in REPLIES if "think" in r["text"].lower() and r["action"]], ids=lambda r: r["text"][:30]
)
def test_an_answer_in_prose_holds_no_thought(reply):
    for form in FORMATS.values():
        answer = Lenient().parse(reply["text"], form, ACCEPTED["prose"]).action or ""
        assert "think" not in answer.lower().replace("i think", "").replace("let me think", "")


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
    assert (
        Balrog().parse("ACTION: turn left\nObservation: x\nACTION: turn right.", Marked(), ACCEPTED["room"]).action
        == "turn right"
    )
    assert Balrog().parse("**turn left**", Plain(), ACCEPTED["room"]).action == "turn left"
    assert Balrog().parse("Turn left", Plain(), ACCEPTED["room"]).action is None


PATTERNS = (
    "\n",
    " ",
    "<think>",
    "ACTION: ",
    '{"[',
    "`",
    "```\n",
    "-",
    "((",
    "\\",
    '"',
    "Observation: ",
    "</think>",
    "\\boxed{",
    "far ",
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_megabyte_of_anything_costs_seconds_at_most(pattern):
    text = pattern * (1_000_000 // len(pattern))
    start = time.process_time()
    for accepts in (ACCEPTED["room"], ACCEPTED["story"], ACCEPTED["prose"]):
        for policy in ("strict", "lenient"):
            PARSERS[policy]().parse(text, Marked(), accepts)
    assert time.process_time() - start < 30
