"""What an agent is told of each task: goal, command patterns, tips."""

from __future__ import annotations

from embodied.types import Mission

_LOOK = {"look": "describe the room you are in"}
_GO = {"go <north|south|east|west>": "walk through an exit or an open door on that side"}
_GOAL = {"goal": "say what you are here for"}
_THINGS = {
    "inventory": "list what you carry",
    "examine <thing>": "look closely at something",
    "open <door or container>": "open something that is closed and not locked",
    "close <door or container>": "close something",
    "take <thing>": "pick up something that lies on the floor",
    "take <thing> from <container or supporter>": "take something out of, or off, something else",
    "drop <thing>": "put something you carry on the floor",
    "put <thing> on <supporter>": "put something you carry on a table, a shelf, ...",
    "insert <thing> into <container>": "put something you carry into an open container",
    "lock <door or container> with <key>": "lock something that is closed",
    "unlock <door or container> with <key>": "unlock something, which stays closed until you open it",
}
_FOOD = {
    "eat <food>": "eat something edible",
    "cook <food> with <stove|oven|BBQ>": "fry on the stove, roast in the oven, grill on the BBQ",
    "slice <food> with <sharp thing>": "cut into slices",
    "chop <food> with <sharp thing>": "cut into pieces",
    "dice <food> with <sharp thing>": "cut into cubes",
    "prepare meal": "make the meal out of the ingredients you carry; only in the kitchen",
}

_INTRO = "You play a text adventure: you walk through rooms, read what is there and type commands."
_ONE_COMMAND = "Type one command a step: of several, only the first is carried out."

_TASKS: dict[str, tuple[str, str, dict[str, str], tuple[str, ...]]] = {
    "treasure_hunter": (
        (
            "Find the treasure, one particular object somewhere in this maze of rooms, and take it. Taking the wrong"
            " object loses the game."
        ),
        (
            "Find the {target}, which is somewhere in this maze of rooms, and take it. There is a wrong object too:"
            " taking it loses the game."
        ),
        _LOOK | _GOAL | _GO | _THINGS,
        (
            "What you look for may be inside something that is closed or locked.",
            (
                "A key fits the lock of the same name: a rusty key opens the rusty gate. It may lie in another room, or"
                " be locked away itself."
            ),
            "Take every key you see.",
            "Use the full names of things, as they are printed.",
        ),
    ),
    "the_cooking_game": (
        (
            "Find the cookbook in the kitchen, read the recipe, gather and prepare the ingredients as it says, prepare"
            " the meal and eat it."
        ),
        "",
        _LOOK | _GOAL | _GO | _THINGS | _FOOD,
        (
            "Examine the cookbook to read the recipe.",
            (
                "An ingredient that is cut or cooked in another way than the recipe says, cooked twice, or eaten, loses"
                " the game."
            ),
            (
                "To cook or cut an ingredient, carry it; to cut, also carry a knife; to cook, stand where the"
                " appliance is."
            ),
            "Where the recipe names a color or a kind, only that one will do.",
            (
                "Ingredients are in the fridge, in cupboards, in the garden, in the shop: look around, and open doors"
                " before you walk through."
            ),
            "Once every ingredient is ready and carried, type prepare meal in the kitchen, then eat meal.",
        ),
    ),
    "coin_collector": (
        "Find the coin, which is somewhere in this maze of rooms, and take it.",
        "",
        _LOOK | _GOAL | _GO | {"take coin": "take the coin, when it is in the room"},
        ("Walking and taking the coin is all there is to do here.", "Remember where you have been."),
    ),
}
"""Task -> (goal, goal that names the target, commands, tips)."""


def mission(task: str, target: str, default_action: str, max_steps: int | None, *, one_command: bool) -> Mission:
    """The mission of a task. With a `target` the goal may name it; `one_command` says that a step
    carries out no more.
    """
    goal, named, commands, tips = _TASKS[task]
    return Mission(
        goal=named.format(target=target) if target and named else goal,
        actions=commands,
        intro=_INTRO,
        tips=(
            *tips,
            *((_ONE_COMMAND,) if one_command else ()),
            "A command that is not understood costs a step like any other.",
        ),
        default_action=default_action,
        free_text=True,
        max_steps=max_steps,
    )
