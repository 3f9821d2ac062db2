"""A scripted player of Crafter: rules in order of urgency; the first that has something to say decides.

It plans anew at every step and remembers nothing. What `settler` says is a function of what the picture shows: the 9 x
7 cells in view, the inventory, where the player looks, and the light. Only where its way is blocked does the number of
steps played break ties, so that it never runs in circles for good. `surveyor` follows the same rules, but where nothing
that it needs is in view, it heads for the closest such thing in the whole world.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from crafter import constants

from embodied.games.crafter.game import DUSK, Game
from embodied.games.crafter.scene import FREE, MOVES, Scene, scene_of
from embodied.games.crafter.shelter import dig_in, enclosed, seal

EXPERTS = ("settler", "surveyor")

_FOES = ("zombie", "skeleton")
_FULL = 9
"""Of health, food, drink and energy."""
_TOOLS = ("wood_pickaxe", "wood_sword", "stone_pickaxe", "stone_sword", "iron_pickaxe", "iron_sword")
"""In the order in which they are made."""
_TABLE: int = constants.place["table"]["uses"]["wood"]
_FURNACE: int = constants.place["furnace"]["uses"]["stone"]
_MEADOW = ("grass", "sand", "cow", "tree", "water")
"""Ground on which cows, trees and water are found; the next is for the rest."""
_ROCK = ("stone", "path", "coal", "iron", "diamond", "lava", "table", "furnace")
_BACK = {"Move West": "Move East", "Move East": "Move West", "Move North": "Move South", "Move South": "Move North"}
_TURN = 12
"""Cells of the right ground by which the view to a side must exceed the view ahead before the player turns there."""


def advise(game: Game, name: str = "settler") -> str:
    """The phrase that an expert would say in the present state of a game.

    Args:
        game: Any state of it; it is left as it is.
        name: One of `EXPERTS`.
    """
    scene = scene_of(game, surveys=name == "surveyor")
    for rule in _RULES:
        if action := rule(scene):
            return action
    return "Noop"


# --------------------------------------------------------------------------- staying alive


def _sleep_on(scene: Scene) -> str | None:
    """Who sleeps cannot act before energy is full."""
    return "Sleep" if scene.sleeping and scene.inventory["energy"] < _FULL else None


def _fight(scene: Scene) -> str | None:
    """Strikes a foe that stands beside the player."""
    if scene.front in _FOES:
        return "Do"
    return next((move for move in MOVES if scene.beside(move) in _FOES), None)


def _eat(scene: Scene) -> str | None:
    """Eats a ripe plant, or a cow when hungry; in its first days also a cow close by when not full."""
    if ripe := scene.sees("ripe plant"):
        return scene.approach(ripe)
    food = scene.inventory["food"]
    if food <= 6:
        return scene.approach(scene.sees("cow"), dig=False)
    if food < _FULL and not scene.inventory["stone_pickaxe"]:
        return scene.approach(scene.sees("cow", within=4), dig=False)
    return None


def _drink(scene: Scene) -> str | None:
    """Goes to water when thirsty, and drinks its fill."""
    drink = scene.inventory["drink"]
    if scene.front == "water" and drink < _FULL:
        return "Do"
    return scene.approach(scene.sees("water")) if drink <= 6 else None


def _hunt(scene: Scene) -> str | None:
    """Goes for a zombie close by, and with a good sword for a skeleton; not when weak, later on not by night."""
    health = scene.inventory["health"]
    if health < 5 or (scene.light < DUSK and scene.inventory["stone_pickaxe"]):
        return None
    foes = scene.sees("zombie", within=4)
    if health >= 7 and (scene.inventory["stone_sword"] or scene.inventory["iron_sword"]):
        foes += scene.sees("skeleton", within=4)
    return scene.approach(foes, dig=False)


def _shelter(scene: Scene) -> str | None:
    """Tired, hurt or in the dark: digs into the rock, closes the pocket that it stands in, and sleeps or waits."""
    inventory = scene.inventory
    hurt, dark = inventory["health"] <= 4, scene.light < DUSK
    if not _fed(scene) or not (hurt or dark or inventory["energy"] <= 6):
        return None
    if enclosed(scene):
        return "Sleep" if inventory["energy"] < _FULL else "Noop"
    if not inventory["stone"] or not inventory["wood_pickaxe"]:
        return None
    return seal(scene) or (dig_in(scene) if hurt or dark else None)


def _nap(scene: Scene) -> str | None:
    """Sleeps in the open where no foe is in sight: by day when tired, or not yet settled; at any time when it must."""
    energy = scene.inventory["energy"]
    if energy == _FULL or not _fed(scene) or scene.sees(*_FOES):
        return None
    by_day = scene.light > 0.85 and (energy <= 5 or not scene.inventory["stone_pickaxe"])
    return "Sleep" if energy <= 2 or by_day else None


def _fed(scene: Scene) -> bool:
    """Whether time heals; without food or drink it kills."""
    return scene.has({"food": 1, "drink": 1})


# --------------------------------------------------------------------------- making things


def _make(scene: Scene) -> str | None:
    """Makes the next tool that the materials suffice for; sets up, or goes to, the table and the furnace for it."""
    for tool in _TOOLS:
        recipe = constants.make[tool]
        if scene.inventory[tool] or not scene.has(recipe["uses"]):
            continue
        if all(scene.near(station) for station in recipe["nearby"]):
            return f"Make {tool.replace('_', ' ').title()}"
        if action := _set_up(scene, recipe):
            return action
    return None


def _set_up(scene: Scene, recipe: Mapping[str, Any]) -> str | None:
    """What brings the player next to the table, and to a furnace beside it; None if materials for them are wanting."""
    furnace = "furnace" in recipe["nearby"]
    if furnace and scene.inventory["stone"] < _FURNACE and not scene.sees("furnace"):
        return None
    if scene.near("table"):
        return _put(scene, "Place Furnace") if scene.inventory["stone"] >= _FURNACE else None
    if tables := scene.sees("table"):
        return scene.approach(tables, "Noop")
    return _put(scene, "Place Table") if scene.inventory["wood"] >= _TABLE + recipe["uses"]["wood"] else None


def _furnish(scene: Scene) -> str | None:
    """Puts a furnace beside a table in view as soon as there is stone for it."""
    if not scene.has({"stone_pickaxe": 1, "stone": _FURNACE}) or scene.sees("furnace"):
        return None
    return _put(scene, "Place Furnace") if scene.near("table") else scene.approach(scene.sees("table"), "Noop")


def _plant(scene: Scene) -> str | None:
    """Puts a plant beside the first table, with a sapling from the grass; not under fire."""
    inventory = scene.inventory
    settled = inventory["wood_sword"] and not inventory["stone"] and not inventory["stone_pickaxe"]
    if not settled or not scene.sees("table") or scene.sees("plant", "ripe plant", "skeleton"):
        return None
    return _put(scene, "Place Plant" if inventory["sapling"] else "Do", ("grass",))


def _put(scene: Scene, act: str, ground: Collection[str] = FREE) -> str | None:
    """Does `act` when the player faces `ground`; else makes room, or moves so that it faces some."""
    if scene.front in ground:
        return act
    if scene.front in scene.diggable:
        return "Do"
    free = [move for move in MOVES if scene.beside(move) in FREE]
    rock = [move for move in MOVES if scene.beside(move) in scene.diggable]
    return next(iter([move for move in free if scene.beside(move, 2) in ground] + rock + free), None)


# --------------------------------------------------------------------------- gathering


def _needs(scene: Scene) -> Iterator[tuple[str, bool]]:
    """What to gather, most urgent first, and whether to look for it when none is in view."""
    inventory = scene.inventory
    missing = [tool for tool in _TOOLS if not inventory[tool]]
    iron_tools = sum(tool.startswith("iron") for tool in missing)
    if inventory["drink"] <= 3:
        yield "water", True
    if inventory["food"] <= 3:
        yield "cow", True
    if inventory["wood_pickaxe"] and inventory["coal"] < iron_tools:
        yield "coal", False
    if inventory["stone_pickaxe"] and inventory["iron"] < iron_tools:
        yield "iron", False
    if inventory["iron_pickaxe"] and not inventory["diamond"]:
        yield "diamond", False
    if not inventory["wood_pickaxe"] or not inventory["wood_sword"]:
        yield "tree", True  # `_make` takes over as soon as there is enough
    elif missing:
        if inventory["wood"] < min(_FULL, len(missing) + 3):
            yield "tree", inventory["wood"] < _TABLE + 2
        if inventory["stone"] < _FURNACE + 4:
            yield "stone", inventory["stone"] < 2
    if inventory["wood_pickaxe"] and inventory["stone"] < 3:
        yield "stone", True
    if inventory["stone_pickaxe"] and missing:
        yield ("iron" if inventory["coal"] else "coal"), True
    yield ("diamond" if inventory["iron_pickaxe"] else "stone"), True


def _gather(scene: Scene) -> str | None:
    """Goes to the closest thing that it needs and can see; else explores."""
    for kind, must in _needs(scene):
        if action := scene.approach(scene.sees(kind)):
            return action
        if must:
            return _explore(scene, kind)
    return None


def _explore(scene: Scene, kind: str) -> str | None:
    """Keeps its direction, unless it is blocked or the view to a side shows much more of the ground on which `kind` is
    found. The surveyor heads for the closest `kind` in the world.
    """
    ground = _MEADOW if kind in _MEADOW else _ROCK
    bonus = {scene.facing: _TURN, _BACK[scene.facing]: -_TURN}
    turns = [*MOVES]
    shift = scene.clock // 16 % len(turns)
    order = sorted(
        turns[shift:] + turns[:shift], key=lambda move: scene.count(move, ground) + bonus.get(move, 0), reverse=True
    )
    if goal := scene.toward(kind):
        order.insert(0, goal)
    return next((action for move in order if (action := _advance(scene, move))), None)


def _advance(scene: Scene, move: str) -> str | None:
    """One cell on: walks or digs, and paves water and lava with stone. It never turns towards lava: that would be a
    step into it.
    """
    if action := scene.go(move):
        return action
    ahead = scene.beside(move)
    if ahead not in ("water", "lava") or scene.inventory["stone"] < 2:
        return None
    if scene.facing == move:
        return "Place Stone"
    return move if ahead == "water" else None


_RULES: tuple[Callable[[Scene], str | None], ...] = (
    _sleep_on,
    _fight,
    _eat,
    _drink,
    _hunt,
    _shelter,
    _nap,
    _make,
    _furnish,
    _plant,
    _gather,
)
"""Most urgent first."""
