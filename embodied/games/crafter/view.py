"""What the player sees, in BALROG's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crafter import objects

from embodied.games.crafter.world import VIEW, World
from embodied.games.crafter.worldgen import MATERIALS

_KINDS = (objects.Player, objects.Cow, objects.Zombie, objects.Skeleton, objects.Arrow, objects.Plant)
_NAMES = (*MATERIALS, *(kind.__name__.lower() for kind in _KINDS))
"""Number -> name of all that a cell can show, as the package's semantic view numbers it; 0 is outside the world."""
_NUMBER = {kind: number for number, kind in enumerate(_KINDS, start=len(MATERIALS))}
_VITALS = ("health", "food", "drink", "energy")
_OUTSIDE = bytes(VIEW[0] * VIEW[1])
MIDDLE = (VIEW[0] // 2, VIEW[1] // 2)


@dataclass(frozen=True)
class Wording:
    """BALROG's wordings over time."""

    one_step: str = "step"
    """The word after a 1."""
    by_number: bool = False
    """Things in the order of the package's numbers, else in the order in which the view is scanned, column by column.
    """
    transposed: bool = False
    """Names the cell that is faced when rows and columns are mixed up."""


WORDINGS = {
    "2025-08": Wording(),
    "2025-04": Wording("steps", by_number=True),
    "2024-11": Wording("steps", by_number=True, transposed=True),
}
"""Since BALROG #55, since #50, and before, by the month of the change. Two columns of #50 at the edges of the world are
not brought back: facing off the eastern one it crashed, and in the southernmost two rows it faced "nothing" too
often."""


def _places(one_step: str) -> Iterator[str]:
    for i in range(VIEW[0]):
        for j in range(VIEW[1]):
            x, y = i - MIDDLE[0], j - MIDDLE[1]
            names = [
                name for name, there in (("north", y < 0), ("south", y > 0), ("west", x < 0), ("east", x > 0)) if there
            ]
            distance = abs(x) + abs(y)
            yield f"{distance} {one_step if distance == 1 else 'steps'} to your {'-'.join(names)}"


_PLACES = {word: tuple(_places(word)) for word in ("step", "steps")}
"""For each cell of the flattened view: where it is."""
_NEAREST_FIRST = sorted(
    range(len(_OUTSIDE)), key=lambda cell: abs(cell // VIEW[1] - MIDDLE[0]) + abs(cell % VIEW[1] - MIDDLE[1])
)


def look(world: World, player: objects.Player) -> bytes:
    """What each cell of the player's view shows, column by column, as numbers of `_NAMES`."""
    materials, things = world.window(player.pos)
    cells = bytearray(materials.tobytes())
    for cell, thing in things:
        cells[cell] = _NUMBER[type(thing)]
    return bytes(cells)


def names_in_view(world: World, player: objects.Player) -> list[str]:
    """What each cell of the player's view shows, column by column, in words; a ripe plant is a `ripe plant`, and what
    lies outside the world is empty.
    """
    names = [_NAMES[number] or "" for number in look(world, player)]
    for cell, thing in world.window(player.pos)[1]:
        if isinstance(thing, objects.Plant) and thing.ripe:
            names[cell] = "ripe plant"
    return names


def describe(
    world: World, player: objects.Player, *, wording: Wording = WORDINGS["2025-08"], original: bool = False
) -> str:
    """BALROG's text: asleep or dead, the closest thing of every kind, and the thing in front.

    Args:
        world: Where the player is.
        player: Who looks.
        wording: BALROG's wording of some month.
        original: As in BALROG, the text names nothing near the world's western and northern edges, and says of a player
            who died asleep that it sleeps.
    """
    x, y = player.pos.tolist()
    # there BALROG's slice begins with a negative number and is empty
    blind = original and (x < MIDDLE[0] or y < MIDDLE[1])
    cells = _OUTSIDE if blind else look(world, player)
    facing = (MIDDLE[0] + player.facing[0], MIDDLE[1] + player.facing[1])
    i, j = facing[::-1] if wording.transposed else facing
    front = _NAMES[cells[i * VIEW[1] + j]] or "nothing"
    return f"{_condition(player, original)}{_surroundings(cells, wording)}\n\nYou face {front} at your front."


def describe_status(player: objects.Player) -> str:
    """BALROG's short-term text: vital signs, out of 9, and what is carried."""
    inventory = player.inventory
    vitals = "\n".join(f"- {name}: {inventory[name]}/9" for name in _VITALS)
    carried = "\n".join(f"- {name}: {amount}" for name, amount in inventory.items() if amount and name not in _VITALS)
    return f"Your status:\n{vitals}\n\n" + (
        f"Your inventory:\n{carried}" if carried else "You have nothing in your inventory."
    )


def _condition(player: objects.Player, original: bool) -> str:
    dead = player.health <= 0
    if player.sleeping and (original or not dead):
        return "You are sleeping, and will not be able take actions until energy is full.\n\n\n\n"
    return "You died.\n\n\n\n" if dead else ""


def _surroundings(cells: bytes, wording: Wording) -> str:
    places = _PLACES[wording.one_step]
    nearest = bytes(cells[cell] for cell in _NEAREST_FIRST)
    seen = sorted(set(cells)) if wording.by_number else dict.fromkeys(cells)
    others = [number for number in seen if number not in (0, _NUMBER[objects.Player])]
    lines = [f"- {_NAMES[number]} {places[_NEAREST_FIRST[nearest.index(number)]]}" for number in others]
    return "\n".join(["You see:", *lines]) if lines else "You see nothing away from you."
