"""Boxoban levels: solvable, as hard as said, the same everywhere; the published files are read right."""

from __future__ import annotations

import hashlib
import heapq
import itertools
from pathlib import Path

import pytest

from embodied.errors import UsageError
from embodied.games.minihack import boxoban

SAMPLE = [boxoban.generate(difficulty, seed) for difficulty in boxoban.BANDS for seed in range(15)]


def places(text: str, sign: str) -> frozenset[int]:
    return frozenset(i for i, c in enumerate(text.replace("\n", "")) if c == sign)


def push(floor: frozenset[int], boxes: frozenset[int], player: int, step: int) -> tuple[frozenset[int], int] | None:
    """The rules of the game, written a second time: the boxes and the player after a step, or None
    where it is blocked.
    """
    to = player + step
    if to in boxes:
        if to + step not in floor or to + step in boxes:
            return None
        boxes = boxes - {to} | {to + step}
    return (boxes, to) if to in floor else None


def fewest_pushes(text: str) -> int:
    """An exhaustive search (A* over pushes; a box's distance to its nearest goal never overestimates)."""
    floor, goals = frozenset(range(100)) - places(text, "#"), places(text, ".")
    far = {c: min(abs(c // 10 - g // 10) + abs(c % 10 - g % 10) for g in goals) for c in floor}
    (start,) = places(text, "@")
    queue = [(0, 0, 0, places(text, "$"), start)]
    tie = itertools.count(1)
    seen = set()
    while queue:
        _, pushes, _, boxes, player = heapq.heappop(queue)
        if boxes == goals:
            return pushes
        reach, frontier = {player}, [player]
        for cell in frontier:
            new = {cell + s for s in boxoban.DIRECTIONS.values()} & floor - boxes - reach
            reach |= new
            frontier += sorted(new)
        if (boxes, min(reach)) in seen:
            continue
        seen.add((boxes, min(reach)))
        for cell in reach:
            for step in boxoban.DIRECTIONS.values():
                if cell + step in boxes and (after := push(floor, boxes, cell, step)):
                    heapq.heappush(queue, (pushes + 1 + sum(far[b] for b in after[0]), pushes + 1, next(tie), *after))
    raise AssertionError("no solution")


@pytest.mark.parametrize("level", SAMPLE, ids=lambda level: level.id)
def test_the_solution_solves_it(level: boxoban.Level):
    assert boxoban.check(level.text) == level.text
    assert len(places(level.text, "$")) == len(places(level.text, ".")) == boxoban.BOXES
    floor, boxes = frozenset(range(100)) - places(level.text, "#"), places(level.text, "$")
    (player,) = places(level.text, "@")
    pushes = 0
    for direction in level.solution:
        after = push(floor, boxes, player, boxoban.DIRECTIONS[direction])
        assert after is not None
        pushes += after[0] != boxes
        boxes, player = after
    assert boxes == places(level.text, ".")
    assert (len(level.solution), pushes) == (level.measures["moves"], level.measures["pushes"])
    band = boxoban.BANDS[level.id.split("/")[1]]
    assert (
        level.measures["bound"] >= band.bound
        and level.measures["runs"] >= band.runs
        and level.measures["moves"] <= boxoban.MAX_MOVES
    )


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_no_solution_has_fewer_pushes_than_the_bound(seed: int):
    level = boxoban.generate("medium", seed)
    assert level.measures["bound"] <= fewest_pushes(level.text) <= level.measures["pushes"]


def test_the_seed_decides():
    assert len({level.text for level in SAMPLE}) == len(SAMPLE)
    assert boxoban.generate("hard", 3) == boxoban.generate("hard", 3)
    digest = hashlib.sha256("".join(level.text for level in SAMPLE).encode()).hexdigest()
    # the same levels in every process and on every machine
    assert digest == "953cfc0a46ceeac5fd951646de13fc39acedc8813a9f0393c422e6367cf9fac9"


def test_published_levels_are_read(tmp_path: Path):
    (tmp_path / "hard").mkdir()
    levels = [level.text for level in SAMPLE[:5]]
    (tmp_path / "hard/000.txt").write_text("".join(f"; {i}\n{text}\n\n" for i, text in enumerate(levels[:3])))
    (tmp_path / "hard/001.txt").write_text("".join(f"; {i}\n{text}\n\n" for i, text in enumerate(levels[3:])))
    found = {level.id: level.text for level in (boxoban.read(tmp_path, "hard", seed) for seed in range(60))}
    assert found == {f"hard/00{i // 3}.txt#{i % 3}": text for i, text in enumerate(levels)}, (
        "each of them, the last of a file too"
    )


def test_bad_levels_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="No Boxoban levels in"):
        boxoban.read(tmp_path, "hard", 0)
    (tmp_path / "hard").mkdir()
    (tmp_path / "hard/000.txt").write_text("hello\n")
    with pytest.raises(UsageError, match="not a file of Boxoban levels"):
        boxoban.read(tmp_path, "hard", 0)
    with pytest.raises(UsageError, match="ten lines"):
        boxoban.check("#####\n#@$.#\n#####")
    with pytest.raises(UsageError, match="one player"):
        boxoban.check("\n".join(["#" * 10] * 10))
    with pytest.raises(UsageError, match="difficulty"):
        boxoban.generate("easy", 0)
