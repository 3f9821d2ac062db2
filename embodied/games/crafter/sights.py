"""What the picture shows, for teachers and judges (`LanguageEnv.truth`)."""

from __future__ import annotations

from crafter import constants

from embodied.envs.truth import Sight
from embodied.games.crafter.game import PIXELS, Game
from embodied.games.crafter.picture import border
from embodied.games.crafter.view import names_in_view
from embodied.games.crafter.world import VIEW

_GROUND = ("", "grass", "sand", "player")
"""What is not worth a word."""
_WORDS = {"plant": "sapling", "ripe plant": "plant"}
_GIVES = {"tree": "wood", "water": "drink"}
"""What the achievements call what one gets from a thing."""
_GOALS = frozenset(name.partition("_")[2] for name in constants.achievements)


def sights(game: Game, pixels: int = PIXELS) -> tuple[Sight, ...]:
    """The cells in view that hold more than grass or sand, column by column.

    Args:
        game: Its present state.
        pixels: Along the side of a cell in the picture.
    """
    edge, found = border(pixels), []
    for cell, name in enumerate(names_in_view(game.world, game.player)):
        if name not in _GROUND:
            word = _WORDS.get(name, name)
            left, top = (edge + place * pixels for place in divmod(cell, VIEW[1]))
            box = (left, top, left + pixels, top + pixels)
            found.append(Sight(box, (word,), _GIVES.get(word, word) in _GOALS))
    return tuple(found)
