"""The rules of motion: a pure function from a state and an action to the next state.

Only the top piece of a cell is seen, pushed, moved or turned; a covered one waits until it is uncovered. One turn:

1. Every YOU piece takes a step. A piece ahead of it that is PUSH (every rule block is) is pushed first, and so is a
   PUSH piece ahead of that.
2. A YOU piece that ends on a WIN piece wins; on a LOSE piece it loses. WIN counts before LOSE.
3. The rules are read again, then objects turn into what the rules say.
4. Where nothing is YOU any more, the game is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embodied.games.babaisai.pieces import BITS, TOP, set_of
from embodied.games.babaisai.rules import Rules, read

Outcome = Literal["", "won", "lost"]

DIRECTIONS = {"up": (0, -1), "right": (1, 0), "down": (0, 1), "left": (-1, 0)}
"""Action -> step in columns and rows."""


@dataclass(frozen=True, slots=True)
class State:
    """A position. Immutable: keeping one costs nothing, and its `cells` are its identity."""

    cells: tuple[int, ...]
    """Row by row (see `pieces`). The outermost cells hold the border, which nothing enters or leaves."""
    width: int
    rules: Rules
    you: tuple[int, ...]
    """Cells the player moves, in reading order."""

    @classmethod
    def of(cls, cells: Sequence[int], width: int, rules: Rules | None = None) -> State:
        """The state of a board; `rules` where they are known already."""
        rules = rules or read(cells, width)
        return cls(tuple(cells), width, rules, tuple(_where(cells, rules.you)))


def step(state: State, action: str, *, original: bool = False) -> tuple[State, Outcome]:
    """Takes one turn.

    Args:
        state: Any state; it is not changed.
        action: A key of `DIRECTIONS`. Any other phrase waits: nothing happens.
        original: Keep what BALROG's simulator does with several YOU pieces and with "X is Y" (see `BabaIsAIEnv`,
            Defects of BALROG repaired here).
    """
    if action not in DIRECTIONS:
        return state, ""
    dx, dy = DIRECTIONS[action]
    cells, rules, ahead = list(state.cells), state.rules, dx + dy * state.width
    pushed, met, entered = False, 0, set()
    # Front first, so that none walks onto one that has yet to move. The original goes in reading order and lets only
    # the last one's step count.
    for at in state.you if original or ahead < 0 else reversed(state.you):
        mover = cells[at] & TOP
        if original and (at in entered or not rules.you >> mover & 1):
            continue
        pushed |= bool(rules.push >> (cells[at + ahead] & TOP) & 1)
        if shove(cells, at, ahead, rules):
            entered.add(at + ahead)
            touched = 1 << (cells[at + ahead] >> BITS & TOP)
        else:
            touched = 1 << mover
        met = touched if original else met | touched | 1 << mover
    outcome: Outcome = "won" if met & rules.win else "lost" if met & rules.lose else ""
    if pushed:
        rules = read(cells, state.width)
    for turning, into in rules.turns:
        for at in _where(cells, turning):
            cells[at] = (cells[at] if original else cells[at] >> BITS) << BITS | into
    after = State.of(cells, state.width, rules)
    if not outcome and not original and not after.you:
        outcome = "lost"
    return after, outcome


def shove(cells: list[int], at: int, ahead: int, rules: Rules) -> bool:
    """Moves the top piece of cell `at` by `ahead` cells, pushing what can be pushed. Returns whether it moved."""
    goal = at + ahead
    if rules.push >> (cells[goal] & TOP) & 1:
        shove(cells, goal, ahead, rules)
    if rules.solid >> (cells[goal] & TOP) & 1:
        return False
    cells[goal] = cells[goal] << BITS | cells[at] & TOP
    cells[at] >>= BITS
    return True


def focus(state: State, *, original: bool = False) -> int | None:
    """The cell that positions are relative to: that of the first YOU piece in reading order, or None.

    Args:
        state: Any state.
        original: Look, as BALROG's wrapper does, only for objects that the last "is you" rule names.
    """
    if not original:
        return state.you[0] if state.you else None
    subjects = [subject for subject, predicate in state.rules.listed if predicate == "you"]
    return next(iter(_where(state.cells, set_of("object", word=subjects[-1]))), None) if subjects else None


def _where(cells: Sequence[int], pieces: int) -> list[int]:
    return [at for at, cell in enumerate(cells) if pieces >> (cell & TOP) & 1]
