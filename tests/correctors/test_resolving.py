"""What a correction names."""

from __future__ import annotations

import pytest

from embodied.agents.resolving import resolve
from embodied.agents.vocabulary import accepted
from embodied.correctors.oracle import WORDINGS
from embodied.types import Mission

ROOM = accepted(Mission("", dict.fromkeys(["turn left", "turn right", "go forward", "pick up", "drop", "toggle"], "")))
STORY = accepted(Mission("", {"go <dir>": "", "take <object>": "", "look": ""}, free_text=True))
ROAD = accepted(Mission("", {"1": "first", "2": "second", "stop": ""}))
PROSE = accepted(Mission("", free_text=True, prose=True))


@pytest.mark.parametrize(
    ("words", "action", "method"),
    [
        ("turn left", "turn left", "phrase"),
        ("Turn-Left!", "turn left", "alias"),
        ("left", "turn left", "alias"),
        ("to the left, please", "turn left", "alias"),
        ("No, turn left", "turn left", "grammar"),
        ("You should turn left now.", "turn left", "grammar"),
        ("Please do this: turn left", "turn left", "grammar"),
        ("not turn right, turn left", "turn left", "grammar"),
        ('Do "turn left" instead of "go forward".', "turn left", "grammar"),
        ("Instead of go forward, turn left", "turn left", "grammar"),
        ("turn left or turn right", "", ""),
        ("turn", "", ""),
        ("The door is red.", "", ""),
        ("", "", ""),
    ],
)
def test_words_of_a_list_of_actions(words, action, method):
    found = resolve(words, ROOM)
    assert (found.action, found.method) == (action, method)
    assert (found.score is None) == (not action)


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ("go north", "go north"),
        ("No, take the key", "take the key"),
        ("Do this instead: open chest", "open chest"),
        ('Type "unlock door with key".', "unlock door with key"),
        ("The key is in the kitchen.", ""),
    ],
)
def test_words_where_any_line_is_a_command(words, action):
    assert resolve(words, STORY).action == action


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize(
    ("accepts", "advice"),
    [*((ROOM, a) for a in ROOM.actions), (STORY, "go east"), (STORY, "look"), (ROAD, "2"), (ROAD, "stop")],
)
def test_every_wording_of_the_oracle_is_understood(wording, accepts, advice):
    assert resolve(wording.format_map({"advice": advice}), accepts).action == advice


def test_an_answer_in_sentences_is_found_behind_a_colon():
    answer = "A car stops ahead: wait. Do not overtake, the road is wet."
    assert resolve(f"Do this instead: {answer}", PROSE).action == answer
