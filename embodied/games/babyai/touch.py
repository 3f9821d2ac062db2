"""Whether the first object that an agent touches is one that the instruction names: an agent that does not read cannot
know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minigrid.core.world_object import WorldObj
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel
from minigrid.envs.babyai.core.verifier import Instr, ObjDesc


class FirstTouch:
    """Watches an episode. To touch is to walk into an object or door, to toggle a door or box, to pick something up, or
    to fulfil the instruction.
    """

    def __init__(self, level: RoomGridLevel):
        self._level = level
        instruction: Any = vars(level)["instrs"]  # minigrid does not declare it
        self._named = tuple(_described(instruction))
        self._front: WorldObj | None = None
        self.named: bool | None = None
        """Whether the first object was a named one (or the key of a named door); None until something is touched."""

    def names(self, thing: WorldObj) -> bool:
        """Whether the instruction speaks of `thing` (or of the door that this key opens)."""
        return any(_fits(thing, desc) for desc in self._named)

    def before(self) -> None:
        """Called before an action is executed."""
        self._front = self._level.grid.get(*self._level.front_pos)

    def after(self, phrase: str, fulfilled: bool) -> None:
        """Called after the action was executed."""
        thing = self._front
        if self.named is not None:
            return
        if thing is not None and _is_touched(thing, phrase, self._level.carrying):
            self.named = self.names(thing)
        elif fulfilled:
            self.named = True


def _is_touched(thing: WorldObj, phrase: str, carried: WorldObj | None) -> bool:
    if thing.type == "wall":
        return False
    if phrase == "go forward":
        return not thing.can_overlap()
    return (phrase == "toggle" and thing.type in ("door", "box")) or (phrase == "pick up" and carried is thing)


def _described(instruction: Instr) -> Iterator[ObjDesc]:
    for name, part in vars(instruction).items():
        if isinstance(part, ObjDesc):
            yield part
        elif isinstance(part, Instr) and name in ("instr_a", "instr_b"):
            yield from _described(part)


def _fits(thing: WorldObj, desc: ObjDesc) -> bool:
    kinds = (desc.type, "key") if desc.type == "door" else (desc.type,)
    return (desc.type is None or thing.type in kinds) and desc.color in (None, thing.color)
