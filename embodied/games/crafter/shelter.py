"""Pockets in the rock where the expert sleeps: no zombie gets in, no arrow hits."""

from __future__ import annotations

from embodied.games.crafter.scene import FREE, HERE, MOVES, NEXT, OUTSIDE, Scene

_SOLID = ("stone", "coal", "iron", "diamond", "table", "furnace", "tree")
_CREATURES = ("zombie", "skeleton", "cow", "arrow")
_LARGEST = 4
"""Cells of a pocket."""


def enclosed(scene: Scene, stone: int | None = None) -> bool:
    """Whether the player stands in a small pocket without creatures.

    Args:
        scene: What the player sees.
        stone: A cell that is taken for stone.
    """
    pocket, edge = {HERE}, [HERE]
    # arrows fly over water and lava
    open_ = (*FREE, "water", "lava") if scene.sees("skeleton") else FREE
    while edge:
        cell = edge.pop()
        for move in MOVES:
            to = NEXT[move][cell]
            if to == stone or to in pocket:
                continue
            if to == OUTSIDE or scene.cells[to] in _CREATURES:
                return False
            if scene.cells[to] in open_:
                pocket.add(to)
                edge.append(to)
        if len(pocket) > _LARGEST:
            return False
    return True


def seal(scene: Scene) -> str | None:
    """How to close the pocket with one stone: puts it in front, or goes where it can be put. None if one is not enough.

    Who walks into a cell faces the next one; there is no other way to face free ground.
    """
    if scene.front in FREE and enclosed(scene, NEXT[scene.facing][HERE]):
        return "Place Stone"
    for move in MOVES:
        if scene.beside(move) in FREE and scene.beside(move, 2) in FREE and enclosed(scene, scene.cell(move, 2)):
            return move
    return None


def dig_in(scene: Scene) -> str | None:
    """The next action towards the inside of the rock."""
    return scene.approach([cell for cell in scene.sees("stone", within=5) if _deep(scene, cell)])


def _deep(scene: Scene, cell: int) -> bool:
    """Whether a cell in the rock is open on one side at most."""
    around = [NEXT[move][cell] for move in MOVES]
    return OUTSIDE not in around and sum(scene.cells[to] not in _SOLID and to != HERE for to in around) <= 1
