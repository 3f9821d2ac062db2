"""Baba Is AI's rule engine and text, on boards drawn by hand."""

from __future__ import annotations

import pytest

from embodied.games.babaisai.engine import focus, step
from embodied.games.babaisai.pieces import PIECES
from embodied.games.babaisai.text import describe, describe_as_balrog
from tests.baba_boards import BLOCKS, board, drawn


def after(drawing: str, *actions: str, original: bool = False) -> tuple[str, str]:
    """The board after `actions`, and the outcome of the last."""
    state, outcome = board(drawing), ""
    for action in actions:
        assert outcome == ""
        state, outcome = step(state, action, original=original)
    return drawn(state), outcome


def same(left: str, right: str) -> bool:
    return left.split() == right.split()


# --------------------------------------------------------------------------- rules


def test_rules_are_read_across_and_down_in_the_order_of_their_is():
    state = board("""
        BABA IS  YOU  .
        .    .   KEY  .
        BALL IS  IS   .
        .    .   WIN  .
        DOOR IS  WALL .
    """)
    assert state.rules.listed == (("baba", "you"), ("key", "win"), ("door", "wall"))


@pytest.mark.parametrize(
    "row",
    [
        "BABA . IS YOU",
        "YOU IS BABA .",
        "IS BABA YOU .",
        "BABA IS IS YOU",
        "baba IS YOU .",
        "BABA IS baba .",
        "BABA IS+ball YOU .",
    ],
)
def test_what_is_no_rule(row: str):
    assert board(row).rules.listed == ()


def test_a_block_uncovered_spells_again():
    start = """
        .        .  .
        BABA+KEY IS YOU
        key      .  baba
    """
    assert board(start).rules.listed == (("key", "you"),)
    state, outcome = step(board(start), "up")
    assert same(drawn(state), "KEY . .\nBABA IS YOU\nkey . baba")
    assert (state.rules.listed, outcome) == ((("baba", "you"),), "")


def test_properties_fall_on_every_color():
    rules = board("BALL IS STOP\nKEY IS WIN").rules
    assert _words(rules.win) == ["key", "key", "key"]
    assert _words(rules.solid) == ["border", "ball", "ball", "ball", *(PIECES[p].word for p in BLOCKS.values())]


def _words(pieces: int) -> list[str]:
    return [piece.word for p, piece in enumerate(PIECES) if pieces >> p & 1]


# --------------------------------------------------------------------------- motion

YOU = "BABA IS YOU . ."


def test_a_line_of_blocks_is_pushed_and_stops_at_the_border():
    drawing, _ = after(f"{YOU}\n. . . . .\nbaba KEY IS . .", "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. baba KEY IS .")
    drawing, _ = after(f"{YOU}\n. . . . .\nbaba KEY IS . .", "right", "right", "right", "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. . baba KEY IS")


def test_stop_blocks_and_its_absence_does_not():
    free = f"{YOU}\n. . . . .\nbaba wall . . ."
    drawing, _ = after(free, "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. wall+baba . . .")
    stopped = f"{YOU}\nWALL IS STOP . .\nbaba wall . . ."
    assert same(after(stopped, "right")[0], stopped)
    pushing = f"{YOU}\nWALL IS STOP . .\nbaba KEY wall . ."
    assert same(after(pushing, "right")[0], pushing)


def test_a_block_goes_over_objects_that_are_not_stop():
    drawing, _ = after(f"{YOU}\n. . . . .\nbaba KEY ball . .", "right", "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. . ball+baba KEY .")


def test_breaking_stop_opens_the_way():
    start = """
        BABA IS  YOU .
        .    .   .   .
        WALL IS  STOP .
        .    .   baba wall
    """
    assert same(after(start, "right")[0], start)
    drawing, _ = after(start, "up", "down", "right")
    assert same(drawing, "BABA IS YOU .\n. . STOP .\nWALL IS . .\n. . . wall+baba")


def test_making_a_rule_and_going_there_wins():
    start = """
        BABA IS   YOU .  .
        .    .    .   .  .
        baba BALL .   IS WIN
        .    .    .   .  ball
    """
    assert after(start, "down", "right", "right", "right", "right")[1] == ""
    assert after(start, "right", "down", "right", "right", "right")[1] == "won"


@pytest.mark.parametrize("original", [False, True])
def test_a_rule_made_this_turn_counts_from_the_next(original: bool):
    start = f"{YOU}\n. . . . .\nbaba ball+BALL . IS WIN"
    drawing, outcome = after(start, "right", original=original)
    assert same(drawing, f"{YOU}\n. . . . .\n. ball+baba BALL IS WIN") and outcome == ""
    assert after(start, "right", "left", "right", original=original)[1] == "won"


def test_losing_you_loses():
    start = ". BABA .\n. IS .\nbaba YOU .\n. . ."
    drawing, outcome = after(start, "right")
    assert same(drawing, ". BABA .\n. IS .\n. baba YOU\n. . .")
    assert outcome == "lost"
    assert after(start, "right", original=True)[1] == ""


def test_a_win_counts_even_where_you_is_lost_with_it():
    start = """
        . BABA     .    BALL
        . IS       .    IS
        . ball+YOU baba WIN
    """
    drawing, outcome = after(start, "left")
    assert same(drawing, ". BABA . BALL\n. IS . IS\nYOU ball+baba . WIN")
    assert outcome == "won"


def test_lose_loses_and_win_comes_first():
    assert after("BABA IS YOU\nBALL IS LOSE\nbaba ball .", "right")[1] == "lost"
    assert after("BABA IS YOU .\nBALL IS LOSE .\nBALL IS WIN .\nbaba ball . .", "right")[1] == "won"


def test_an_object_that_is_push_is_pushed():
    start = "BABA IS YOU .\nBALL IS PUSH .\nbaba ball . ."
    assert same(after(start, "right")[0], "BABA IS YOU .\nBALL IS PUSH .\n. baba ball .")
    assert same(after(start, *["right"] * 4)[0], "BABA IS YOU .\nBALL IS PUSH .\n. . baba ball")


def test_waiting_changes_nothing():
    state = board(f"{YOU}\nBALL IS KEY . .\nbaba ball . . .")
    assert step(state, "idle") == (state, "")


def test_a_state_is_never_changed():
    state = board(f"{YOU}\n. . . . .\nbaba KEY . . .")
    cells = state.cells
    step(state, "right")
    assert state.cells is cells and drawn(state) == drawn(board(drawn(state)))


# --------------------------------------------------------------------------- several YOU, and X is Y: mended

BOTH = "BABA IS YOU .\nKEY IS YOU .\nBALL IS WIN ."


def test_any_you_wins():
    start = f"{BOTH}\nbaba ball . .\nkey . . ."
    assert after(start, "right")[1] == "won"
    assert after(start, "right", original=True)[1] == ""
    last = f"{BOTH}\nkey . . .\nbaba ball . ."
    assert after(last, "right")[1] == after(last, "right", original=True)[1] == "won"


def test_you_that_is_win_wins_by_any_step():
    start = "BABA IS YOU .\nBABA IS WIN .\n. baba . ."
    assert after(start, "down")[1] == "won"
    assert after(start, "right")[1] == "won"
    assert after(start, "right", original=True)[1] == ""
    assert after(start, "down", original=True)[1] == "won"


def test_the_foremost_you_goes_first():
    start = f"{BOTH}\nbaba key . ."
    assert same(after(start, "right")[0], f"{BOTH}\n. baba key .")
    assert same(after(start, "right", original=True)[0], f"{BOTH}\n. key+baba . .")
    assert same(after(f"{BOTH}\n. . baba key", "left")[0], f"{BOTH}\n. baba key .")
    down = f"{BOTH}\nbaba . . .\nkey . . .\n. . . ."
    assert same(after(down, "down")[0], f"{BOTH}\n. . . .\nbaba . . .\nkey . . .")


def test_x_is_y_turns_x_into_y():
    rules = "BABA IS YOU .\nBALL IS KEY ."
    start = f"{rules}\n. . . .\nbaba . ball ball"
    assert same(after(start, "up")[0], f"{rules}\nbaba . . .\n. . key key")
    assert same(after(start, "up", original=True)[0], f"{rules}\nbaba . . .\n. . ball+key ball+key")


def test_you_can_turn_into_something_else():
    start = "BABA IS YOU .\nKEY IS YOU .\nBABA IS KEY .\n. . . .\n. . . baba"
    drawing, outcome = after(start, "up")
    assert same(drawing, "BABA IS YOU .\nKEY IS YOU .\nBABA IS KEY .\n. . . key\n. . . .") and outcome == ""
    assert after("BABA IS YOU\nBABA IS KEY\n. . baba\n. . .", "down")[1] == "lost"


def test_x_is_x_turns_nothing():
    start = "BABA IS YOU .\nBALL IS BALL .\nbaba . ball ."
    assert same(after(start, "right", original=True)[0], "BABA IS YOU .\nBALL IS BALL .\n. baba ball .")


# --------------------------------------------------------------------------- text


def test_the_text_of_one_you_is_balrogs_with_its_plurals_mended():
    state = board("BABA IS YOU .\n. . . key\n. . baba .\nball . . .")
    assert (
        describe(state)
        == "Active rules:\nbaba is you\n\nObjects on the map:\nrule `baba` 2 steps to the left and 2 steps up\nrule"
        " `is` 1 step to the left and 2 steps up\nrule `you` 2 steps up\nkey 1 step to the right and 1 step up\nball"
        " 2 steps to the left and 1 step down"
    )
    assert describe_as_balrog(state) == describe(state).replace("2 steps to the left", "2 step to the left").replace(
        "2 steps up", "2 step up"
    )


def test_further_you_objects_are_named():
    state = board("BABA IS YOU\nKEY IS YOU\nkey . baba\n. . .")
    told = describe(state).split("\n\n")[1]
    assert told.startswith(
        "You control 2 objects at once. Positions are relative to the first of them, the key.\nObjects on the map:\n"
    )
    assert told.endswith("\nbaba 2 steps to the right (you)")
    original = describe_as_balrog(state)
    assert "baba 2" not in original and "\n\n\n" not in original
    assert original.endswith("rule `you` 2 steps to the right and 1 step up\n")  # the empty line is the key itself


def test_you_that_is_not_baba_is_named():
    told = describe(board("KEY IS YOU\nkey . baba\n. . .")).split("\n\n")[1]
    assert told.startswith("You control the key. Positions are relative to it.\nObjects on the map:\n")
    assert told.endswith("\nbaba 2 steps to the right")


def test_rules_of_objects_are_listed():
    state = board("BABA IS YOU\nBALL IS KEY\nbaba . .")
    assert describe(state).startswith("Active rules:\nbaba is you\nball is key\n\n")
    assert describe_as_balrog(state).startswith("Active rules:\nbaba is you\n\n")


def test_all_you_objects_count_not_only_those_of_the_last_rule():
    state = board("BABA IS YOU\nKEY IS YOU\n. . baba")
    assert focus(state) is not None and focus(state, original=True) is None
