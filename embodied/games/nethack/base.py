"""What NetHack and MiniHack share: keys pressed as NLE and BALROG press them, sections of text, pictures.

A subclass starts the raw game in `_reset`, hands keys to `_send` in `_step`, and says in `_after_key` what a key was
worth and whether it ended the episode. Text, status and picture then come from here.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from embodied.arrays import Pixels
from embodied.envs.base import LanguageEnv
from embodied.envs.spaces import Choice
from embodied.envs.truth import Sight
from embodied.errors import UsageError
from embodied.games.nethack.raw import NetHack
from embodied.games.nethack.sight import sights
from embodied.games.nethack.text import MORE, Describer, sections
from embodied.registry import unknown

if TYPE_CHECKING:
    from embodied.games.nethack.image import Screen

RULES = ("embodied", "balrog")
TEXTS = ("hybrid", "language")
PICTURES = ("full", "tiles")
CROPS = range(3, 42, 2)
"""Sides of a square around the hero, in places of the map. The longest always holds all rows of the map."""
JOINERS = {"newline": "\n", "space": " "}

ESC, RETURN, SPACE = 27, 13, 32
_MOST_PAGES = 1000  # no message is that long: what the player writes or names can hold "--More--", too
_GAME_OVER = 0  # index in program_state
_QUESTION, _LINE, _PAGE = 1, 2, 3  # indices in internal: asked for a key, for a line of text, for a space


def check_option(what: str, value: str, known: tuple[str, ...]) -> str:
    """Returns `value` if it is one of `known`. Raises `UnknownName` with the nearest."""
    if value not in known:
        raise unknown(what, value, list(known), "embodied show nethack")
    return value


def check_crop(crop: int | None) -> int | None:
    """Returns `crop` if a picture can be cut so. Raises `UsageError`."""
    if crop is not None and (not isinstance(crop, int) or crop not in CROPS):
        raise UsageError(f"crop is an odd number from {CROPS[0]} to {CROPS[-1]}, or None, not {crop!r}.")
    return crop


class NetHackBase(LanguageEnv):
    """A `LanguageEnv` on `raw.NetHack`.

    Args:
        game: The raw game; the environment owns it and closes it.
        phrases: The action space, in order.
        default_action: Executed in place of an invalid phrase.
        max_steps: Steps after which the episode is truncated.
        image: Whether observations have a picture.
        text: `"hybrid"`: map as characters, no statistics; `"language"`: statistics, no map. None: hybrid without a
            picture, language with one, as BALROG.
        picture: `"full"`: terminal with tiles; `"tiles"`: the bare map.
        crop: The picture is a square of the map with this many places a side, the hero in the middle (one of `CROPS`).
        more_joiner: What joins the pages of a message: `"newline"` or `"space"`.
        original: Show texts that begin with a blank row as the original does (`text.message`).
        skip_more: Turns pages by itself and shows the joined message; `_turn_pages` does not depend on it.
        render_mode: None or `"rgb_array"`.
    """

    def __init__(
        self,
        game: NetHack,
        *,
        phrases: tuple[str, ...],
        default_action: str,
        max_steps: int | None,
        image: bool = False,
        text: str | None = None,
        picture: str = "full",
        more_joiner: str = "newline",
        skip_more: bool = True,
        original: bool = False,
        expert: bool | str = False,
        render_mode: str | None = None,
        crop: int | None = None,
    ):
        self.game = game
        self.text = check_option("text of NetHack", text or ("language" if image else "hybrid"), TEXTS)
        self._joiner = JOINERS[check_option("joiner of pages", more_joiner, tuple(JOINERS))]
        self._skip_more = skip_more
        self._describer = Describer(game, original=original)
        self._message = ""
        self._picture = check_option("picture of NetHack", picture, PICTURES)
        self._crop = check_crop(crop)
        self._screen: Screen | None = None
        shape = self._make_screen().shape if image else None
        super().__init__(
            action_space=Choice(phrases),
            default_action=default_action,
            max_steps=max_steps,
            image_shape=shape,
            status=True,
            expert=expert,
            render_mode=render_mode,
        )

    # ----------------------------------------------------------------- for subclasses

    @abstractmethod
    def _after_key(self) -> tuple[float, bool]:
        """What the key just pressed was worth, and whether it ended the episode. Called after every key, those that
        turn pages included.
        """

    def _look(self) -> None:
        """Takes the message of the present screen; call it at the end of `_reset`."""
        self._message = self._describer.message()

    def _send(self, keys: bytes) -> float:
        """Presses `keys`, turns the pages that follow, and keeps the joined message. Returns the sum of what the keys
        were worth.
        """
        total = 0.0
        for key in keys:
            worth, over = self._press(key)
            total += worth
            if over:
                break
        message, pages = self._describer.message(), 0
        while self._skip_more and MORE in message and not over and pages < _MOST_PAGES:
            pages += 1
            worth, over = self._press(RETURN)
            total += worth
            message = message.replace(MORE, self._joiner) + self._describer.message()
        self._message = message
        return total

    def _press(self, key: int) -> tuple[float, bool]:
        """One key as NLE presses it: after death, the screens that follow are passed."""
        self.game.press(key)
        if self.game.program_state[_GAME_OVER]:
            self._turn_pages()
        return self._after_key()

    def _turn_pages(self, *, decline: bool = False) -> None:
        """Turns pages until the game asks for something else, then leaves a line it asks for, and with `decline` a
        question, too.
        """
        game = self.game
        while not game.done:
            if game.internal[_PAGE]:
                game.press(SPACE)
                continue
            if game.internal[_LINE] or (decline and game.internal[_QUESTION]):
                game.press(ESC)
            return

    def _quit(self) -> None:
        """Ends the game by NetHack's own quit command."""
        self._turn_pages(decline=True)
        for key in (128 | ord("q"), ord("y")):
            if not self.game.done:
                self.game.press(key)
        self._turn_pages(decline=True)

    # ----------------------------------------------------------------- LanguageEnv

    def _text(self) -> str:
        d = self._describer
        if self.text == "language":
            return sections(("message", self._message), ("language observation", d.language()), ("cursor", d.cursor()))
        where = f"{d.cursor()}\n{d.cursor_position()}"
        return sections(
            ("message", self._message), ("language observation", d.language()), ("cursor", where), ("map", d.map())
        )

    def _status(self) -> str:
        d = self._describer
        if self.text == "language":
            return sections(("statistics", d.statistics()), ("inventory", d.inventory()))
        return sections(("inventory", d.inventory()))

    def _image(self) -> Pixels:
        g = self.game
        return self._make_screen().draw(g.glyphs, g.tty_chars, g.tty_colors, g.tty_cursor, self._hero())

    def _make_screen(self) -> Screen:
        if self._screen is None:
            from embodied.games.nethack.image import Screen

            self._screen = Screen(self._picture, self._crop)
        return self._screen

    def _hero(self) -> tuple[int, int]:
        """Row and column of the map where the hero stands."""
        column, row = self.game.blstats[:2].tolist()
        return row, column

    def truth(self) -> tuple[Sight, ...]:
        """Stairs, doors, creatures and the hero, boulders, fountains and lava: one word each."""
        screen, hero = self._make_screen(), self._hero()
        return sights(self.game.glyphs, hero, lambda row, column: screen.box(row, column, hero), self.mission.goal)

    def close(self) -> None:
        """Ends the game and deletes its folder."""
        self.game.close()


def check_rules(rules: str) -> str:
    """Returns `rules` if they are known. Raises `UsageError`."""
    if rules not in RULES:
        raise UsageError(f"rules is 'embodied' (defects repaired) or 'balrog' (as the original), not {rules!r}.")
    return rules
