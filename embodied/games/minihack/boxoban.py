"""Boxoban levels: a generator of our own, and a reader for the published ones.

A level is ten lines of ten characters, as in github.com/google-deepmind/boxoban-levels (Guez et al. 2018, "An
investigation of model-free planning"): `#` wall, space floor, `.` goal, `$` box, `@` player. The player walks in four
directions, pushes one box at a time, and has solved the level when a box stands on every goal.

Levels are made backwards. Rooms are carved by a random walk, the boxes are put on the goals, and a beam search *pulls*
them away: every pull is a push read backwards, so the way back is a solution and every level can be solved.
Measurements decide whether a level is kept:

- `bound`, pushes that no solution can do without: each box goes to a goal of its own, in the cheapest matching, as if
  it were alone;
- `runs`, how many times the solution found takes up a box: four would be one box after the other;
- `moves`, steps of the solution found: at most 90, so that a level fits in the 100 steps that BALROG allows.
"""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from embodied.errors import UsageError
from embodied.seeding import derive, generator

SIZE = 10
BOXES = 4
DIRECTIONS = {"north": -SIZE, "south": SIZE, "east": 1, "west": -1}
"""Step of the cell index (10 * row + column) in each direction."""

MAX_MOVES = 90


@dataclass(frozen=True)
class Band:
    """What a level must measure to belong to a difficulty."""

    bound: int
    """At least this many pushes in any solution."""
    runs: int
    """At least this many times the solution found takes up a box (four: one box after the other)."""


BANDS = {"medium": Band(bound=10, runs=4), "hard": Band(bound=15, runs=6)}
"""Our own scale: the published sets were sorted by what a trained network solved, which no generator can repeat."""

CELLS = SIZE * SIZE
"""Cells of a level; as a distance: out of reach."""
_STEPS = tuple(DIRECTIONS.values())
_NAMES = {step: name for name, step in DIRECTIONS.items()}
_INSIDE = sum(1 << (row * SIZE + column) for row in range(1, SIZE - 1) for column in range(1, SIZE - 1))

# The generator's own settings, found by trial: they decide speed and taste, not correctness.
_FLOOR = (28, 42)  # cells of floor
_BEAM = 8  # states kept at each depth of the search
_DEPTH = 30  # pulls


@dataclass(frozen=True)
class Level:
    """A level and where it comes from."""

    id: str
    """`generated/<difficulty>/<seed>` or `<file>#<number>`."""
    text: str
    """Ten lines of ten characters, without a final newline."""
    solution: tuple[str, ...] = ()
    """Directions that solve it; empty where none is known."""
    measures: dict[str, int] = field(default_factory=dict)
    """`bound`, `pushes`, `runs` and `moves` of a generated level."""


def generate(difficulty: str, seed: int) -> Level:
    """Makes the level that `seed` decides.

    Args:
        difficulty: `"medium"` or `"hard"` (see `BANDS`).
        seed: Any non-negative integer.

    Raises:
        UsageError: No such difficulty.
    """
    if difficulty not in BANDS:
        raise UsageError(f"There is no Boxoban difficulty {difficulty!r} to generate: choose {' or '.join(BANDS)}.")
    rng = generator(seed, "boxoban", difficulty)
    while (found := _attempt(rng, difficulty)) is None:
        pass
    return Level(f"generated/{difficulty}/{seed}", *found)


def read(folder: str | Path, subset: str, seed: int) -> Level:
    """Picks a published level: every byte of the set's files is equally likely, the level around it is taken.

    Args:
        folder: A copy of github.com/google-deepmind/boxoban-levels.
        subset: Folder within it, such as `"hard"` or `"medium/train"`.
        seed: Decides the level.

    Raises:
        UsageError: The folder has no such files, or one of them is not in the format.
    """
    files = _files(Path(folder), subset)
    offset = derive(seed, "boxoban", subset) % files[-1][0]
    end, path = next((end, path) for end, path in files if offset < end)
    start = end - path.stat().st_size
    levels = _parse(path)
    number = max(i for i, (at, _) in enumerate(levels) if at <= max(offset - start, levels[0][0]))
    return Level(f"{subset}/{path.name}#{number}", levels[number][1])


def check(text: str) -> str:
    """Returns `text`, normalised to ten lines of ten characters. Raises `UsageError` when it is not a Boxoban level."""
    lines = [line.ljust(SIZE) for line in text.strip("\n").split("\n")]
    cells = "".join(lines)
    if len(lines) != SIZE or len(cells) != CELLS or set(cells) - set("# .$@"):
        raise UsageError("A Boxoban level is ten lines of ten characters out of '#', ' ', '.', '$' and '@'.")
    if cells.count("@") != 1 or cells.count("$") != cells.count(".") or not cells.count("$"):
        raise UsageError("A Boxoban level has one player '@' and as many boxes '$' as goals '.'.")
    return "\n".join(lines)


# --------------------------------------------------------------------------- published levels


@functools.lru_cache(maxsize=8)
def _files(folder: Path, subset: str) -> list[tuple[int, Path]]:
    """Every level file of a subset in order of name, with the number of bytes up to its end."""
    paths = sorted(p for p in (folder / subset).glob("*.txt") if p.stat().st_size)
    if not paths:
        raise UsageError(
            f"No Boxoban levels in {folder / subset}: give `data` the folder that holds hard/ and medium/ of"
            " google-deepmind/boxoban-levels."
        )
    return list(zip(itertools.accumulate(p.stat().st_size for p in paths), paths, strict=True))


@functools.lru_cache(maxsize=16)
def _parse(path: Path) -> list[tuple[int, str]]:
    """The levels of a file, each with the byte at which it starts."""
    levels = []
    text = path.read_text(encoding="ascii", errors="replace")
    at = 0
    for block in text.split("; "):
        number, _, rows = block.partition("\n")
        if rows.strip():
            levels.append((at, check(rows)))
        elif number.strip():
            raise UsageError(f"{path} is not a file of Boxoban levels: a level starts with a line '; <number>'.")
        at += len(block) + 2
    return levels


# --------------------------------------------------------------------------- making levels (a set of cells is the bits
# of an integer)


class _State(NamedTuple):
    """Where a pull led to."""

    boxes: tuple[int, ...]
    mask: int
    """The cells of the boxes."""
    player: int
    box: int
    """The cell the box was pulled to: the player stood there and made one step away from it."""
    runs: int
    before: _State | None


def _attempt(rng: np.random.Generator, difficulty: str) -> tuple[str, tuple[str, ...], dict[str, int]] | None:
    """One floor, one choice of goals, one search: text, solution and measures, or None when no result belongs to the
    difficulty.
    """
    band = BANDS[difficulty]
    floor = _carve(rng)
    goals = sorted(int(c) for c in rng.choice(_cells(floor), BOXES, replace=False))
    distances = [push_distances(floor, goal) for goal in goals]
    nearest = [min(column) for column in zip(*distances, strict=True)]
    if sum(sorted(d for d in nearest if d < CELLS)[-BOXES:]) < band.bound:
        return None  # too narrow: even the farthest cells are too near
    for state in _search(rng, floor, goals, nearest):
        if state.runs < band.runs or set(state.boxes) & set(goals):
            continue
        bound = min(sum(distances[g][b] for g, b in enumerate(boxes)) for boxes in itertools.permutations(state.boxes))
        stands = _cells(_flood(1 << state.player, floor & ~state.mask) & ~sum(1 << g for g in goals))
        if bound < band.bound or not stands:
            continue
        player = stands[int(rng.integers(len(stands)))]
        solution, pushes = _solution(floor, state, player)
        if len(solution) > MAX_MOVES:
            return None  # more pulls only make it longer
        measures = {"bound": bound, "pushes": pushes, "runs": state.runs, "moves": len(solution)}
        return _draw(floor, goals, state.boxes, player), solution, measures
    return None


def _draw(floor: int, goals: list[int], boxes: tuple[int, ...], player: int) -> str:
    """The level as text."""
    signs = ["# "[floor >> c & 1] for c in range(CELLS)]
    for sign, cells in ((".", goals), ("$", boxes), ("@", (player,))):
        for cell in cells:
            signs[cell] = sign
    return "\n".join("".join(signs[at : at + SIZE]) for at in range(0, CELLS, SIZE))


def _carve(rng: np.random.Generator) -> int:
    """The floor: a random walk inside the outer wall that clears a small patch at each step, until there is room
    enough.
    """
    patches = ((0,), (0, 1), (0, SIZE), (0, 1, SIZE), (0, 1, SIZE, SIZE + 1))
    row, column = rng.integers(1, SIZE - 1, size=2).tolist()
    size = int(rng.integers(*_FLOOR))
    down, right = 0, 1
    floor = 0
    while floor.bit_count() < size:
        turn, heading, patch = rng.integers((10, 4, len(patches))).tolist()
        if turn < 4:
            down, right = ((-1, 0), (1, 0), (0, 1), (0, -1))[heading]
        row, column = min(max(row + down, 1), SIZE - 2), min(max(column + right, 1), SIZE - 2)
        for offset in patches[patch]:
            floor |= 1 << (row * SIZE + column + offset)
        floor &= _INSIDE
    return floor


def _cells(mask: int) -> list[int]:
    """The cells of a set, in order."""
    return [c for c in range(CELLS) if mask >> c & 1]


def _flood(start: int, free: int) -> int:
    """All cells of `free` that a walk from the cell set `start` reaches."""
    reached, grown = 0, start & free
    while grown != reached:
        reached = grown
        grown |= (reached << 1 | reached >> 1 | reached << SIZE | reached >> SIZE) & free
    return reached


def push_distances(floor: int, goal: int) -> list[int]:
    """How many pushes a box needs from each cell to `goal` if it were alone; `CELLS` where it cannot get there."""
    distances = [CELLS] * CELLS
    distances[goal] = 0
    queue = [goal]
    for cell in queue:
        for step in _STEPS:
            box = cell + step
            if floor >> box & 1 and floor >> (box + step) & 1 and distances[box] == CELLS:
                distances[box] = distances[cell] + 1
                queue.append(box)
    return distances


def _search(rng: np.random.Generator, floor: int, goals: list[int], nearest: list[int]) -> Iterator[_State]:
    """Pulls the boxes off their goals by beam search, far and by turns; yields the best state after each pull."""
    mask = sum(1 << g for g in goals)
    beam = []
    rest = floor & ~mask
    while rest:  # boxes on their goals may cut the floor into several parts; the player may end in any
        player = rest & -rest
        beam.append(_State(tuple(goals), mask, player.bit_length() - 1, -1, 0, None))
        rest &= ~_flood(player, rest)
    seen: set[tuple[int, int]] = set()
    for _ in range(_DEPTH):
        grown: dict[tuple[int, int], _State] = {}
        for state in beam:
            reach = _flood(1 << state.player, floor & ~state.mask)
            if (state.mask, reach) not in seen:
                seen.add((state.mask, reach))
                grown.update(((child.mask, child.player), child) for child in _pulls(floor, state, reach))
        if not grown:
            return
        noise = rng.random(len(grown)).tolist()
        merit = [
            sum(nearest[b] for b in s.boxes) + s.runs / 2 + 3 * x for s, x in zip(grown.values(), noise, strict=True)
        ]
        beam = [state for _, state in heapq.nlargest(_BEAM, zip(merit, grown.values(), strict=True), key=itemgetter(0))]
        yield beam[0]


def _pulls(floor: int, state: _State, reach: int) -> Iterator[_State]:
    """Every state one pull away from `state`, in which the player can be anywhere in `reach`."""
    free = floor & ~state.mask
    for i, box in enumerate(state.boxes):
        for step in _STEPS:
            to, player = box + step, box + 2 * step
            if reach >> to & 1 and free >> player & 1:
                boxes = (*state.boxes[:i], to, *state.boxes[i + 1 :])
                yield _State(
                    boxes, state.mask ^ (1 << box | 1 << to), player, to, state.runs + (box != state.box), state
                )


def _solution(floor: int, state: _State, player: int) -> tuple[tuple[str, ...], int]:
    """The pulls undone, last first, with the shortest walks between them: the directions and how many of them are
    pushes.
    """
    moves: list[int] = []
    pushes = 0
    while state.before is not None:
        moves += _walk(floor & ~state.mask, player, state.player)
        moves.append(state.box - state.player)
        pushes += 1
        player, state = state.box, state.before
    return tuple(_NAMES[m] for m in moves), pushes


def _walk(free: int, start: int, end: int) -> list[int]:
    """The steps of a shortest walk within `free`; there must be one."""
    came = {start: 0}
    queue = [start]
    for cell in queue:
        for step in _STEPS:
            if free >> (cell + step) & 1 and cell + step not in came:
                came[cell + step] = step
                queue.append(cell + step)
    steps = []
    while end != start:
        steps.append(came[end])
        end -= came[end]
    return steps[::-1]
