"""Vocabulary: shown exactly, found without guessing."""

from __future__ import annotations

import re
import string

import pytest

from embodied.agents.prompt import instruction
from embodied.agents.vocabulary import Commands, Vocabulary, unwrapped
from embodied.types import Mission
from tests.agents.play import DUNGEON, ROOM, STORY

_RANGE = re.compile(
    r"any (?:single (?:small letter|capital letter|digit)|(?P<digits>\d+)-digit number) from (?P<first>\S+) to"
    r" (?P<last>\S+)"
)


def expanded(name: str) -> list[str]:
    """The phrases that an entry of the list stands for, read as a person would."""
    match = _RANGE.fullmatch(name)
    if not match:
        return [name]
    first, last = match["first"], match["last"]
    if match["digits"]:
        return [f"{n:0{match['digits']}}" for n in range(int(first), int(last) + 1)]
    return [chr(c) for c in range(ord(first), ord(last) + 1)]


VOCABULARIES = [
    ROOM.actions,
    DUNGEON.actions,
    {f"{n:02}": "" for n in range(100)},
    dict.fromkeys("abcdeghi", ""),
    dict.fromkeys("xyzXYZ", ""),
    dict.fromkeys("0123456789", "answer a question for a number"),
    {**dict.fromkeys(string.ascii_letters + string.digits, ""), **{f"{n:02}": "" for n in range(100)}},
    {"a": "one thing", "b": "another", "c": "a third", "d": "a fourth"},
    {"99": "", "100": "", "101": "", "102": "", "103": ""},
]


@pytest.mark.parametrize("actions", VOCABULARIES, ids=range(len(VOCABULARIES)))
def test_the_list_shows_exactly_what_is_accepted(actions):
    assert [phrase for name, _ in Vocabulary(actions).lines() for phrase in expanded(name)] == list(actions)


def test_letters_and_digits_are_one_line_each():
    names = [name for name, _ in Vocabulary(DUNGEON.actions).lines()]
    assert names[-3:] == [
        "any single small letter from a to z",
        "any single capital letter from A to Z",
        "any single digit from 0 to 9",
    ]


def test_a_gloss_may_name_its_phrase():
    keys = {c: f"the key {c}: an item or a choice" for c in "abcdefg"}
    assert Vocabulary(keys).lines() == [("any single small letter from a to g", "the key itself: an item or a choice")]


def test_different_glosses_stay_on_lines_of_their_own():
    assert len(Vocabulary({"a": "one", "b": "two", "c": "three", "d": "four"}).lines()) == 4


def test_instruction_of_a_room():
    assert (
        instruction(ROOM)
        == "You are in a room.\n\nYour goal: Open the red door.\n\nThese are the actions, each followed by what it"
        " does. Only the words before the colon are the action:\n- turn left: turn a quarter to the left\n- turn"
        " right: turn a quarter to the right\n- go forward: take one step\n- toggle\n\nGood to know:\n- Face the"
        " door first.\n\nThe episode ends after 64 steps at the latest.\n\nWhat you have seen and done so far"
        " follows, ending with what you see now."
    )


def test_instruction_of_a_story():
    text = instruction(STORY)
    assert "You act by typing commands." in text
    assert "- take ...: take a thing you see\n" in text
    assert "in your own words" in instruction(Mission("Win.", free_text=True))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("go to the far northeast", ["far northeast"]),
        ("far north, then far east", ["far north", "far east"]),
        ("north north north", ["north"]),
        ("northern lights", []),
        ("pickup or up", ["pickup", "up"]),
        ("a door and I eat 3 apples", ["eat"]),
        ("FAR\nNORTH", ["far north"]),
        ("go north-east", ["northeast"]),
        ("pick up the e at once", ["pickup"]),
        ("that's u p, I'd e at", []),
        ("I choose 'up'.", ["up"]),
    ],
)
def test_mentions(text, found):
    assert list(Vocabulary(DUNGEON.actions).mentioned(text)) == found


def test_a_word_does_not_begin_behind_an_apostrophe():
    assert Vocabulary({"south": "", "reread": "", "do": ""}).mentioned("they're read; that's outh, don’t do") == ("do",)


def test_overlapping_mentions_are_both_seen():
    assert Vocabulary(dict.fromkeys(["go to bed", "bed room now", "bed"], "")).mentioned("go to bed room now") == (
        "go to bed",
        "bed room now",
    )


def test_letters_that_fold_strangely_do_no_harm():
    vocabulary = Vocabulary({"kick": "", "sit": ""})
    assert vocabulary.mentioned("please \N{KELVIN SIGN}ick it") == ("kick",)
    assert vocabulary.find("S\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}T down") in ((), ("sit",))
    assert vocabulary.mentioned("\N{LATIN SMALL LETTER LONG S}it down") == ("sit",)


def test_unwrapping_ends_for_anything():
    for text in (
        "",
        "''",
        "((((",
        '"' * 500,
        "- - - -",
        "1. 2. 3. x",
        "*" * 501,
        "\N{LEFT DOUBLE QUOTATION MARK}x\N{RIGHT DOUBLE QUOTATION MARK}.",
    ):
        forms = list(unwrapped(text))
        assert forms[0] == text and len(forms) <= len(text) + 1


def test_a_vocabulary_without_words_finds_nothing_in_a_sentence():
    assert Vocabulary(dict.fromkeys("ab", "")).find("a sentence about b") == ()
    assert Vocabulary({}).find("anything") == ()


def test_commands_list_their_patterns():
    assert Commands(STORY.actions).listing() == "go <dir>, take ..., look"


def test_what_tells_phrases_apart_is_enough_where_all_begin_alike():
    paths = Vocabulary({"Path 1": "the path on the left", "Path 2": "the path on the right"})
    assert (
        paths.find("2") == ("Path 2",)
        and paths.find("**1.**") == ("Path 1",)
        and paths.find("The better one is path 2, I think.") == ("Path 2",)
    )
    assert (
        paths.find("Path 1 is shorter than Path 2.") == ("Path 1", "Path 2")
        and paths.find("It has 2 turns.") == ()
        and paths.find("path") == ()
    )
    assert Vocabulary({"go north": "", "north": ""}).find("north") == ("north",)
    assert Vocabulary({"path 1": "", "replan": ""}).find("1") == ()
