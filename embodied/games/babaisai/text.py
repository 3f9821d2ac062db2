"""The text of an observation: the active rules, and where everything is, relative to a YOU piece."""

from __future__ import annotations

from functools import lru_cache

from embodied.envs.words import side
from embodied.games.babaisai.engine import State, focus
from embodied.games.babaisai.pieces import BLOCKS, OBJECTS, PIECES, PROPERTIES, TOP, set_of

_NAMES = tuple(f"rule `{p.word}`" if BLOCKS >> i & 1 else p.word for i, p in enumerate(PIECES))
_LISTED = BLOCKS | OBJECTS
_LISTED_BY_BALROG = _LISTED & ~set_of("object", word="baba")


def describe(state: State) -> str:
    """BALROG's text with its defects repaired; `BabaIsAIEnv` lists them."""
    rules = "\n".join(f"{subject} is {predicate}" for subject, predicate in state.rules.listed)
    if not state.you:
        return f"Active rules:\n{rules}\n\nNothing on the map is `you` any more: the game is over."
    here = state.you[0]
    several = len(state.you) > 1
    lines = []
    for at, cell in enumerate(state.cells):
        piece = cell & TOP
        if _LISTED >> piece & 1 and at != here:
            mark = " (you)" if several and state.rules.you >> piece & 1 else ""
            lines.append(
                f"{_NAMES[piece]}"
                f" {_steps(at % state.width - here % state.width, at // state.width - here // state.width)}{mark}"
            )
    name = _NAMES[state.cells[here] & TOP]
    told = ""
    if several:
        told = (
            f"You control {len(state.you)} objects at once. Positions are relative to the first of them, the {name}.\n"
        )
    elif name != "baba":
        told = f"You control the {name}. Positions are relative to it.\n"
    return f"Active rules:\n{rules}\n\n{told}Objects on the map:\n" + "\n".join(lines)


def describe_as_balrog(state: State) -> str:
    """BALROG's text. `focus(state, original=True)` must not be None."""
    here = focus(state, original=True)
    assert here is not None
    lines = []
    for at, cell in enumerate(state.cells):
        piece = cell & TOP
        if _LISTED_BY_BALROG >> piece & 1:
            steps = _steps(at % state.width - here % state.width, at // state.width - here // state.width, signed=True)
            lines.append(f"{_NAMES[piece]} {steps}" if steps else "")
    return f"Active rules:\n{_balrog_rules(state)}\n\nObjects on the map:\n" + "\n".join(lines)


def describe_swap(broken: State, level: State) -> str:
    """What BALROG's wrapper shows when it has drawn `level` because in `broken` nothing was YOU: the repr of a whole
    observation.

    The memory addresses in it, which differ from run to run, are written as `0x...`.
    """
    observation = {"long_term_context": describe_as_balrog(level), "short_term_context": ""}
    size = f"{32 * level.width}x{32 * len(level.cells) // level.width}"
    return (
        f"[...] IS YOU rule was broken, environment resetActive rules:\n{_balrog_rules(broken)}\n\nObjects on the"
        " map:\ndefaultdict(<function BabaIsAIWrapper.textworld_process_obsv.<locals>.<lambda> at 0x...>, {'text':"
        f" {observation!r}, 'image': <PIL.Image.Image image mode=RGB size={size} at 0x...>}})"
    )


def _balrog_rules(state: State) -> str:
    """The rules as BALROG lists them: without "X is Y"."""
    return "\n".join(
        f"{subject} is {predicate}" for subject, predicate in state.rules.listed if predicate in PROPERTIES
    )


@lru_cache(maxsize=4096)
def _steps(dx: int, dy: int, signed: bool = False) -> str:
    """How to get there: `2 steps to the left and 1 step up`. `signed`: BALROG's plural, which left
    and up never have.
    """

    def steps(n: int) -> str:
        return f"{abs(n)} steps" if (n if signed else abs(n)) > 1 else f"{abs(n)} step"

    across = f"{steps(dx)} to the {side(dx)}" if dx else ""
    down = f"{steps(dy)} {'down' if dy > 0 else 'up'}" if dy else ""
    return " and ".join(part for part in (across, down) if part)
