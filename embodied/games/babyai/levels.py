"""The level behind BALROG's five BabyAI tasks, MixedTrainLocal, on minigrid 3.

Minigrid does not ship it: it is a level of Carta et al. 2023 (Grounding Large Language Models in Interactive
Environments with Online Reinforcement Learning) that lives in a fork. The order of the random draws below is the
fork's, so a seed gives the level that BALROG's records were made on.
"""

from __future__ import annotations

import os
from typing import Any

# minigrid imports pygame, which otherwise greets on standard output
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

from minigrid.core.roomgrid import RoomGrid
from minigrid.core.world_object import WorldObj
from minigrid.envs.babyai.core.roomgrid_level import RejectSampling, RoomGridLevel
from minigrid.envs.babyai.core.verifier import (
    AfterInstr,
    BeforeInstr,
    GoToInstr,
    Instr,
    ObjDesc,
    OpenInstr,
    PickupInstr,
    PutNextInstr,
)

KINDS = ("goto", "pickup", "open", "putnext", "pick_up_seq_go_to")
ROOM_SIZE = 8
"""Cells along a room's side, walls included."""

_HELD_OUT = ("yellow box", "red key", "red door", "green ball", "grey door")
"""Phrases no instruction of the training levels contains."""
_DOOR_COLORS = ("yellow", "green", "blue", "purple")


class MixedTrainLevel(RoomGridLevel):
    """One room (two with a locked door between them for `open`), the objects the instruction needs, and distractors.

    Args:
        kind: One of `KINDS`.
        distractors: Objects besides those the instruction needs; BALROG has none.
        max_steps: Step limit, also the denominator of the reward; None for BabyAI's own: 64 a room and a walk, that is
            64 for goto and pickup, 128 for the others.
    """

    def __init__(self, kind: str, *, distractors: int = 0, max_steps: int | None = None):
        self.kind = kind
        self.distractors = distractors
        super().__init__(room_size=ROOM_SIZE, num_rows=1, num_cols=2 if kind == "open" else 1, max_steps=max_steps)

    def gen_obs(self) -> dict[str, Any]:
        """Nothing: text and picture are made from the grid, and minigrid's encoding would cost more than the step
        itself.
        """
        return {}

    def _gen_grid(self, width: int, height: int) -> None:
        # Minigrid's own loop prints a line for every draw it rejects.
        while True:
            try:
                RoomGrid._gen_grid(self, width, height)
                self.gen_mission()
                RoomGridLevel.validate_instrs(self, self.instrs)
            except (RecursionError, RejectSampling):
                continue
            break
        self.surface = self.mission = self.instrs.surface(self)

    def gen_mission(self) -> None:
        """Draws rooms, objects and an instruction until all objects can be reached and the instruction holds nothing
        held out.
        """
        while True:
            RoomGrid._gen_grid(self, self.width, self.height)
            self.instrs = self._two_rooms() if self.kind == "open" else self._one_room()
            words = self.instrs.surface(self)
            reachable = RoomGridLevel.check_objs_reachable(self, raise_exc=False)
            if reachable and not any(phrase in words for phrase in _HELD_OUT):
                return

    def _one_room(self) -> Instr:
        self.place_agent()
        needed = 1 if self.kind in ("goto", "pickup") else 2
        objects = self.add_distractors(num_distractors=self.distractors + needed, all_unique=False)
        if self.kind == "goto":
            return GoToInstr(_describe(self._rand_elem(objects)))
        if self.kind == "pickup":
            return PickupInstr(_describe(self._rand_elem(objects)))
        first, second = self._pair(objects)
        if self.kind == "putnext":
            return PutNextInstr(_describe(first), _describe(second))
        pick, go = PickupInstr(_describe(first)), GoToInstr(_describe(second))
        return BeforeInstr(pick, go) if self._rand_elem(("before", "after")) == "before" else AfterInstr(go, pick)

    def _pair(self, objects: list[WorldObj]) -> tuple[WorldObj, WorldObj]:
        """Two objects. They look the same only if the level has two that do."""
        first, second = self._rand_elem(objects), self._rand_elem(objects)
        if sum(_same(first, other) for other in objects) < 2:
            while _same(first, second):
                second = self._rand_elem(objects)
        return first, second

    def _two_rooms(self) -> Instr:
        color = self._rand_elem(_DOOR_COLORS)
        locked = self._lock(color)
        for i in range(self.num_cols):
            if self.get_room(i, 0) is not locked:
                self.add_distractors(i, 0, num_distractors=self.distractors, all_unique=False)
        self.place_agent()
        while self.room_from_pos(*self.agent_pos) is locked:
            self.place_agent()
        return OpenInstr(ObjDesc("door", self._rand_elem((None, color))))

    def _lock(self, color: str) -> Any:
        """Puts a locked door between the rooms and its key into the open one; returns the locked room."""
        while True:
            i, j, side = self._rand_int(0, self.num_cols), self._rand_int(0, self.num_rows), self._rand_int(0, 4)
            locked = self.get_room(i, j)
            if locked.neighbors[side] is not None:
                break
        self.add_door(i, j, side, color=color, locked=True)
        while True:
            i, j = self._rand_int(0, self.num_cols), self._rand_int(0, self.num_rows)
            if self.get_room(i, j) is not locked:
                self.add_object(i, j, "key", color)
                return locked


def _describe(thing: WorldObj) -> ObjDesc:
    return ObjDesc(thing.type, thing.color)


def _same(a: WorldObj, b: WorldObj) -> bool:
    return (a.type, a.color) == (b.type, b.color)
