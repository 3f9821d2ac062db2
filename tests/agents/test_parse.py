"""Parsing policies: a table of replies, and what cannot be a reply."""

from __future__ import annotations

import random
import time

import pytest

from embodied.agents.formats import Marked, Plain, Tagged
from embodied.agents.parse import PARSERS, Lenient, Strict, shorten
from embodied.agents.vocabulary import LONGEST_COMMAND, accepted
from tests.agents.play import DUNGEON, ROOM, STORY

FORMATS = {"plain": Plain(), "marked": Marked(), "tagged": Tagged(thinks=False), "tagged thought": Tagged(thinks=True)}
MISSIONS = {"room": accepted(ROOM), "dungeon": accepted(DUNGEON), "story": accepted(STORY)}
N = None


def check(mission: str, form: str, reply: str, strict: str | None, lenient: str | None) -> None:
    for parser, expected in ((Strict(), strict), (Lenient(), lenient)):
        parsed = parser.parse(reply, FORMATS[form], MISSIONS[mission])
        assert parsed.action == expected, type(parser).__name__
        assert bool(parsed.problem) == (expected is None)


@pytest.mark.parametrize(
    ("reply", "strict", "lenient"),
    [
        # the phrase itself
        ("turn left", "turn left", "turn left"),
        (" turn left\n", "turn left", "turn left"),
        ("Turn Left", N, "turn left"),
        ("TURN LEFT", N, "turn left"),
        ("turn  left", N, "turn left"),
        ("turn_left", N, "turn left"),
        ("turn-left", N, "turn left"),
        ("turn\nleft", N, "turn left"),
        ("turnleft", N, "turn left"),
        # wrapping
        ("'turn left'", N, "turn left"),
        ('"turn left"', N, "turn left"),
        ("`turn left`", N, "turn left"),
        ("**turn left**", N, "turn left"),
        ("**Turn left.**", N, "turn left"),
        ("“turn left”", N, "turn left"),
        ("‘turn left’.", N, "turn left"),
        ("«turn left»", N, "turn left"),
        ("「turn left」。", N, "turn left"),
        ("[turn left]", N, "turn left"),
        ("<turn left>", N, "turn left"),
        ("(turn left)", N, "turn left"),
        ("turn left.", N, "turn left"),
        ("turn left!!", N, "turn left"),
        ("- turn left", N, "turn left"),
        ("1. turn left", N, "turn left"),
        ("> turn left", N, "turn left"),
        ('"`turn left`."', N, "turn left"),
        ("```\nturn left\n```", N, "turn left"),
        ("```text\nturn left\n```", N, "turn left"),
        ("```turn left```", N, "turn left"),
        # labels
        ("Action: turn left", N, "turn left"),
        ("ACTION: turn left", N, "turn left"),
        ("action = turn left", N, "turn left"),
        ("**Action:** turn left", N, "turn left"),
        ("Action:\nturn left", N, "turn left"),
        ("Action:\n```\nturn left\n```", N, "turn left"),
        ("The answer: 'turn left'", N, "turn left"),
        ('{"action": "turn left"}', N, "turn left"),
        ('{"thought": "left or right?", "action": "turn left"}', N, "turn left"),
        ("Action: go forward\nNo. Action: turn left", N, "turn left"),
        ("Action: turn left\nThis turns me away from go forward.", N, "turn left"),
        ("turn left\nAction:", N, "turn left"),
        # lines
        ("I look at the door.\nturn left", N, "turn left"),
        ("turn left\n\nBecause I cannot go forward.", N, "turn left"),
        ("turn left\nturn left", N, "turn left"),
        ("turn left: turn a quarter to the left", N, "turn left"),
        ("- turn left: turn a quarter to the left.", N, "turn left"),
        ("toggle: ", N, "toggle"),
        # in passing
        ("I will turn left now.", N, "turn left"),
        ("Let me turn left, and turn left again", N, "turn left"),
        ("I choose `go forward`!", N, "go forward"),
        # never a guess
        ("turn left\nturn right", N, N),
        ("turn left, then turn right", N, N),
        ("turn left or go forward", N, N),
        ("Action: turn left or turn right", N, N),
        ("turn", N, N),
        ("left", N, N),
        ("toggled", N, N),
        ("untoggle", N, N),
        ("jump", N, N),
        ("", N, N),
        ("   \n\n", N, N),
        ("...", N, N),
        ("```\n```", N, N),
        ("\x00\x01\xff", N, N),
        ("\ud800", N, N),
        ("🙂", N, N),
        ("gehe vorwärts", N, N),
        ("🙂 go forward 🙂", N, "go forward"),
        ("ｇo forward", N, "go forward"),
        ("go\u00a0forward", N, "go forward"),
    ],
)
def test_plain(reply, strict, lenient):
    check("room", "plain", reply, strict, lenient)


@pytest.mark.parametrize(
    ("reply", "strict", "lenient"),
    [
        ("a", "a", "a"),
        ("A", "A", "A"),
        ("'A'", N, "A"),
        ("a.", N, "a"),
        ("Action: A", N, "A"),
        ('{"action": "b"}', N, "b"),
        ("I", "I", "I"),
        ("I go north", N, "north"),
        ("eat a", N, "eat"),
        ("5", "5", "5"),
        ("5.", N, "5"),
        ("55", N, N),
        ("wait 5 turns", N, N),
        ("-", "-", "-"),
        ("'-'", N, "-"),
        (" ", " ", " "),
        ("North", N, "north"),
        ("N", "N", "N"),
        ("northeast", "northeast", "northeast"),
        ("far northeast", "far northeast", "far northeast"),
        ("Far-Northeast", N, "far northeast"),
        ("go far north", N, "far north"),
        ("far north, not north", N, "far north"),
        ("north\neast", N, N),
        ("north - east", N, N),
        ("north, east", N, N),
        ("I go north\neast is a wall", N, N),
        ("north east", N, "northeast"),
        ("---", N, N),
        ("a\n\nA", N, N),
        ("a\n \n", "a", "a"),
        ("north-east", N, "northeast"),
        ("go north-east", N, "northeast"),
        ("pick up", N, "pickup"),
        ("I pick up the sword", N, "pickup"),
        ("á", N, N),
    ],
)
def test_letters_digits_and_signs(reply, strict, lenient):
    check("dungeon", "plain", reply, strict, lenient)


def test_case_is_folded_only_where_nothing_else_could_be_meant():
    both, one = accepted(type(ROOM)("", {"Do": "", "do": "", "x": ""})), accepted(type(ROOM)("", {"x": ""}))
    assert Lenient().parse("Do", Plain(), both).action == "Do"
    assert Lenient().parse("DO", Plain(), both).action is None
    assert "could mean several actions (Do, do)" in Lenient().parse("DO", Plain(), both).problem
    assert Lenient().parse("X", Plain(), one).action == "x"


@pytest.mark.parametrize(
    ("reply", "strict", "lenient"),
    [
        ("ACTION: toggle", "toggle", "toggle"),
        ("The door is closed.\nACTION: toggle", "toggle", "toggle"),
        ("The door is closed. ACTION: toggle\n", "toggle", "toggle"),
        ("ACTION: go forward would be wrong.\nACTION: toggle", "toggle", "toggle"),
        ("Action: toggle", N, "toggle"),
        ("ACTION: `toggle`", N, "toggle"),
        ("ACTION: <toggle>", N, "toggle"),
        ("**ACTION: toggle**", N, "toggle"),
        ("**ACTION:** toggle", N, "toggle"),
        ("I could turn left or turn right.\n\nACTION: go forward.", N, "go forward"),
        ("Left or right?\n\nACTION: go forward\n\nThis avoids the need to toggle.", N, "go forward"),
        ("toggle", N, "toggle"),
        ("I turn left first.\ntoggle", N, "toggle"),
        ("I should toggle it.", N, "toggle"),
        ("I could turn left or turn right.", N, N),
        ("ACTION: toggle or turn left", N, N),
        ("ACTION: dance", N, N),
        ("Let me toggle.\nACTION: dance", N, N),
        ("ACTION:", N, N),
    ],
)
def test_marked(reply, strict, lenient):
    check("room", "marked", reply, strict, lenient)


@pytest.mark.parametrize(
    ("reply", "strict", "lenient"),
    [
        ("<|ACTION|>toggle<|END|>", "toggle", "toggle"),
        ("<|ACTION|> toggle <|END|>", "toggle", "toggle"),
        ("I think so.\n<|ACTION|>\ntoggle\n<|END|>\n", "toggle", "toggle"),
        ("It must be <|ACTION|>x<|END|>, so <|ACTION|>toggle<|END|>", "toggle", "toggle"),
        ("<|ACTION|>Toggle<|END|>", N, "toggle"),
        ("<|ACTION|>toggle", N, "toggle"),
        ("<|ACTION|>toggle<|END", N, "toggle"),
        ("turn left? turn right? <|ACTION|>toggle", N, "toggle"),
        ("toggle", N, "toggle"),
        ("ACTION: toggle", N, "toggle"),
        ("toggle<|END|>", N, "toggle"),
        ("<|ACTION|><|END|>", N, N),
        ("<|ACTION|>dance<|END|>", N, N),
        ("<|ACTION|>turn left, turn right<|END|>", N, N),
    ],
)
@pytest.mark.parametrize("form", ["tagged", "tagged thought"])
def test_tagged(form, reply, strict, lenient):
    check("room", form, reply, strict, lenient)


@pytest.mark.parametrize(
    ("reply", "strict", "lenient"),
    [
        ("take non-euclidean keycard", "take non-euclidean keycard", "take non-euclidean keycard"),
        ("examine Henderson's key", "examine Henderson's key", "examine Henderson's key"),
        ("'examine Henderson's key'", "'examine Henderson's key'", "'examine Henderson's key'"),
        ('"examine Henderson\'s key"', '"examine Henderson\'s key"', "examine Henderson's key"),
        ("put type 2 box on shelf 3", "put type 2 box on shelf 3", "put type 2 box on shelf 3"),
        ("Go North", "Go North", "Go North"),
        ("go north.", "go north.", "go north."),
        ("`go north`", "`go north`", "go north"),
        ("**go north**", "**go north**", "go north"),
        ("> go north", "> go north", "go north"),
        ("\n\n  go north  \nI go north because the door is open.", N, "go north"),
        ("```\ngo north\n```", N, "go north"),
        ("```go north```", "```go north```", "go north"),
        ("Command: go north", "Command: go north", "go north"),
        ("Action: 'go north'", "Action: 'go north'", "go north"),
        ('say "hello" and "bye"', 'say "hello" and "bye"', 'say "hello" and "bye"'),
        ("nimm den Schlüssel", "nimm den Schlüssel", "nimm den Schlüssel"),
        ("go\x00 north\x07", N, "go north"),
        ("x" * LONGEST_COMMAND, "x" * LONGEST_COMMAND, "x" * LONGEST_COMMAND),
        ("x" * (LONGEST_COMMAND + 1), N, N),
        ("", N, N),
        ("\x00\x01\x02", N, N),
        ("```\n```", N, N),
        ("''", "''", N),
    ],
)
def test_free_text(reply, strict, lenient):
    check("story", "plain", reply, strict, lenient)


@pytest.mark.parametrize(
    ("form", "reply", "strict", "lenient"),
    [
        ("marked", "The key fits.\nACTION: take Henderson's key", "take Henderson's key", "take Henderson's key"),
        ("marked", "The key fits.\nAction: `take key`", N, "take key"),
        ("marked", "First I should look around.\ntake key", N, N),  # no telling thought from command
        ("tagged", "<|ACTION|>take key<|END|>", "take key", "take key"),
        ("tagged", "take key", N, "take key"),
        ("tagged thought", "Hm. <|ACTION|>take key", N, "take key"),
        ("tagged thought", "Hm, take key", N, N),
    ],
)
def test_free_text_in_other_forms(form, reply, strict, lenient):
    check("story", form, reply, strict, lenient)


@pytest.mark.parametrize(
    ("form", "reply", "thought"),
    [
        ("plain", "Because.\nAction: toggle", "Because."),
        ("plain", "I will toggle it", ""),
        ("marked", "  A wall.\n\nA door.\nACTION: toggle", "A wall.\n\nA door."),
        ("marked", "**Thought:** a door.\n\n**ACTION:** toggle", "**Thought:** a door."),
        ("marked", "I should toggle it.", "I should toggle it."),
        ("marked", "Nothing to do here.", "Nothing to do here."),
        ("tagged thought", "A door. <|ACTION|>toggle<|END|> Done.", "A door."),
    ],
)
def test_thought_is_apart_from_the_action(form, reply, thought):
    assert Lenient().parse(reply, FORMATS[form], MISSIONS["room"]).thought == thought


@pytest.mark.parametrize(
    ("parser", "reply", "problem"),
    [
        (Lenient(), "", "Your answer was empty."),
        (Lenient(), "dance", "Your answer names none of the actions."),
        (
            Lenient(),
            "turn left, turn right",
            "Your answer could mean several actions (turn left, turn right), and only one can be taken.",
        ),
        (Strict(), "dance", "Your answer is not one of the actions."),
    ],
)
def test_the_problem_is_said(parser, reply, problem):
    assert parser.parse(reply, Plain(), MISSIONS["room"]).problem == problem


def test_problems_of_form():
    assert (
        Strict().parse("toggle", Tagged(thinks=False), MISSIONS["room"]).problem
        == "Your answer is not in the form asked for."
    )
    assert (
        Lenient().parse("Hm.", Marked(), MISSIONS["story"]).problem
        == "Your answer has no command that can be told from the rest."
    )
    assert Strict().parse("a\nb", Plain(), MISSIONS["story"]).problem == "Your answer is not one command on one line."


def _huge(characters: int) -> list[str]:
    """Replies of `characters` characters and a little more or less."""
    return [
        "north " * (characters * 17 // 100),
        "x" * characters,
        '"' * characters,
        "'" * (characters // 2 + 1) + "\n" * (characters // 2),
        "- " * (characters // 2),
        "ACTION: " * (characters // 8),
        "action" * (characters * 17 // 100),
        "<|ACTION|>" * (characters // 10),
        "<|ACTION|>" + "\x00" * characters,
        "\n" * characters,
        " " * characters,
        "far " * (characters // 4),
        "``` \n" * (characters // 5),
        "".join(map(chr, range(1, 0x3000))) * (characters // 12_500),
        "\ud800" * characters,
    ]


@pytest.mark.parametrize("number", range(15))
@pytest.mark.parametrize("characters", [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_huge_replies_cost_little(number, characters):
    reply = _huge(characters)[number]
    start = time.process_time()
    for parser in PARSERS.values():
        for form in FORMATS.values():
            for mission in MISSIONS.values():
                parser().parse(reply, form, mission)
    # 36 parses, a few milliseconds each; a quadratic step would take hours
    assert time.process_time() - start < 20


def test_any_reply_gives_an_accepted_action_or_a_problem():
    rng = random.Random(0)
    pieces = [
        *ROOM.actions,
        *DUNGEON.actions,
        "\n",
        " ",
        '"',
        "'",
        "`",
        "```",
        "ACTION:",
        "Action:",
        "<|ACTION|>",
        "<|END|>",
        ".",
        "\x00",
        "é",
        "İ",
        "🙂",
        "{",
        "}",
    ]
    for _ in range(3000):
        reply = "".join(rng.choice(pieces) + rng.choice(["", " "]) for _ in range(rng.randrange(8)))
        for parser in (Strict(), Lenient()):
            for form in FORMATS.values():
                for name, mission in (("room", ROOM), ("dungeon", DUNGEON)):
                    parsed = parser.parse(reply, form, MISSIONS[name])
                    assert (parsed.action in mission.actions) if parsed.action is not None else parsed.problem


def test_what_strict_accepts_lenient_reads_alike():
    for form in FORMATS.values():
        for mission in (ROOM, DUNGEON):
            for phrase in filter(str.strip, mission.actions):  # a blank alone is no answer behind a mark
                for parser in (Strict(), Lenient()):
                    assert parser.parse(form.wrap(phrase), form, accepted(mission)).action == phrase


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("north", "north"),
        ("x" * 201, "x" * 199 + "…"),
        ("x" * 200, "x" * 200),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_shorten(text, short):
    assert shorten(text) == short
