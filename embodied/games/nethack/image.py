"""NetHack as a picture: the terminal, cell by cell, with tiles where the terminal shows the map.

Tiles are NetHack's own, read from the definitions that nle carries; text is drawn with a bitmap font of 16x16 pixels a
character (`data/font.png`, see `data/README.md`). Nothing is anti-aliased at run time, so a screen always gives the
same pixels.
"""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
import numpy.typing as npt
from nle import nethack
from PIL import Image

from embodied.errors import EnvironmentFailure, UsageError

CELL = 16
"""Width and height of a terminal cell, pixels: the size of NetHack's tiles."""
MAP_ROWS, MAP_COLUMNS = nethack.DUNGEON_SHAPE
ROWS, COLUMNS = nethack.OBSERVATION_DESC["tty_chars"]["shape"]
STYLES = ("full", "tiles")

_COLORS = 32  # 16 colors of the terminal, then the same 16 in reverse video (src/nle.c, vt_char_color_extract)
_CHARACTERS = 128  # NetHack's default symbol sets and all its text are ASCII
_PALETTE = np.array(
    # The usual terminal colors in NetHack's order (include/color.h); black and blue are lightened, they must be legible
    # on black.
    [
        (90, 90, 90), (205, 49, 49), (13, 188, 121), (170, 110, 40),
        (74, 124, 240), (188, 63, 188), (17, 168, 205), (204, 204, 204),
        (128, 128, 128), (255, 140, 0), (35, 230, 80), (245, 245, 67),
        (120, 160, 255), (255, 112, 255), (41, 220, 240), (255, 255, 255),
    ],
    np.uint8,
)  # fmt: skip
_CURSOR = np.array((255, 255, 255), np.uint8)


class Screen:
    """Draws what NetHack shows. Keeps the last picture and redraws only the cells that changed.

    Args:
        style: `"full"`, the whole terminal: message line, map, status lines, menus and the cursor, (384, 1280, 3); or
            `"tiles"`, the bare map as BALROG draws it, (336, 1264, 3).
        crop: Draws a square of the map with this many cells a side (an odd number) around the hero, (16 * crop,
            16 * crop, 3). What is outside of the map looks like what the hero has not seen.

    Raises:
        UsageError: Unknown style.
        EnvironmentFailure: The installed nle has no tiles (balrog-nle, nle below 1.3).
    """

    def __init__(self, style: str = "full", crop: int | None = None):
        if style not in STYLES:
            raise UsageError(f"There is no picture style {style!r} for NetHack: choose 'full' or 'tiles'.")
        self.style, self.crop = style, crop
        self._rows, self._columns = (ROWS, COLUMNS) if style == "full" else (MAP_ROWS, MAP_COLUMNS)
        if crop is not None:
            self._rows = self._columns = crop
        self._glyph_cells, self._glyph_chars, self._atlas = _tables()
        self._text_cells = len(self._atlas) - _COLORS * _CHARACTERS
        self._picture = np.zeros((self._rows * CELL, self._columns * CELL, 3), np.uint8)
        # The same memory, indexed by cell: (row, column, y, x, channel).
        self._cells = self._picture.reshape(self._rows, CELL, self._columns, CELL, 3).swapaxes(1, 2)
        self._shown = np.full((self._rows, self._columns), -1, np.intp)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the picture, pixels."""
        height, width, _ = self._picture.shape
        return height, width

    def draw(
        self,
        glyphs: npt.NDArray[np.int16],
        tty_chars: npt.NDArray[np.uint8],
        tty_colors: npt.NDArray[np.int8],
        tty_cursor: npt.NDArray[np.uint8],
        hero: tuple[int, int] = (MAP_ROWS // 2, MAP_COLUMNS // 2),
    ) -> np.ndarray:
        """Draws one screen.

        Args:
            glyphs: (21, 79) int16, NetHack glyphs of the map.
            tty_chars: (24, 80) uint8, ASCII.
            tty_colors: (24, 80) int8, 0 to 31 (16 and above: reverse video).
            tty_cursor: (2,) uint8, row and column.
            hero: Row and column of the map, for the middle of a crop.

        Returns:
            (H, W, 3) uint8, a fresh array.
        """
        if self.crop is not None:
            return self._draw_around(hero, glyphs, tty_chars, tty_colors, tty_cursor)
        cells = self._glyph_cells[glyphs] if self.style == "tiles" else self._compose(glyphs, tty_chars, tty_colors)
        rows, columns = np.nonzero(cells != self._shown)
        self._cells[rows, columns] = self._atlas[cells[rows, columns]]
        self._shown = cells
        picture = self._picture.copy()
        if self.style == "full":
            _frame(picture, int(tty_cursor[0]) * CELL, int(tty_cursor[1]) * CELL)
        return picture

    def box(self, row: int, column: int, hero: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Where the picture shows a place of the map: left, top, right, bottom in pixels; None where it does not."""
        if self.crop is None:
            row += self.style == "full"  # below the message
        else:
            row, column = row - hero[0] + self.crop // 2, column - hero[1] + self.crop // 2
        if not (0 <= row < self._rows and 0 <= column < self._columns):
            return None
        return column * CELL, row * CELL, (column + 1) * CELL, (row + 1) * CELL

    def _draw_around(
        self,
        hero: tuple[int, int],
        glyphs: npt.NDArray[np.int16],
        tty_chars: npt.NDArray[np.uint8],
        tty_colors: npt.NDArray[np.int8],
        tty_cursor: npt.NDArray[np.uint8],
    ) -> np.ndarray:
        """The square of the map with the hero in its middle."""
        side = self._rows
        top, left = hero[0] - side // 2, hero[1] - side // 2
        rows = slice(max(top, 0), min(top + side, MAP_ROWS))
        first, last = max(left, 0), min(left + side, MAP_COLUMNS)
        shown = np.full((side, side), self._glyph_cells[-1], np.intp)
        part = shown[rows.start - top : rows.stop - top, first - left : last - left]
        if self.style == "tiles":
            part[:] = self._glyph_cells[glyphs[rows, first:last]]
        else:  # what covers the map is found from the left edge on
            here = slice(rows.start + 1, rows.stop + 1), slice(0, last)
            cells = self._letters_of(tty_chars[here], tty_colors[here])
            self._lay_map(cells, glyphs[rows, :last], tty_chars[here])
            part[:] = cells[:, first:]
        picture = self._atlas[shown].swapaxes(1, 2).reshape(side * CELL, side * CELL, 3)
        row, column = int(tty_cursor[0]) - 1 - top, int(tty_cursor[1]) - left
        on_map = 1 <= tty_cursor[0] <= MAP_ROWS and row in range(side) and column in range(side)
        if self.style == "full" and on_map:
            _frame(picture, row * CELL, column * CELL)
        return picture

    def _compose(
        self, glyphs: npt.NDArray[np.int16], tty_chars: npt.NDArray[np.uint8], tty_colors: npt.NDArray[np.int8]
    ) -> np.ndarray:
        """Which picture of the atlas each terminal cell shows, (24, 80) intp."""
        cells = self._letters_of(tty_chars, tty_colors)
        over = cells[1 : 1 + MAP_ROWS, :MAP_COLUMNS]
        self._lay_map(over, glyphs, tty_chars[1 : 1 + MAP_ROWS, :MAP_COLUMNS])
        return cells

    def _letters_of(self, chars: npt.NDArray[np.uint8], colors: npt.NDArray[np.int8]) -> np.ndarray:
        """The picture of each character, of the arrays' shape, intp."""
        cells = (colors.astype(np.intp) & (_COLORS - 1)) * _CHARACTERS
        cells += chars & (_CHARACTERS - 1)
        cells += self._text_cells
        return cells

    def _lay_map(self, cells: np.ndarray, glyphs: npt.NDArray[np.int16], chars: npt.NDArray[np.uint8]) -> None:
        """Puts tiles into `cells` wherever these whole rows, or beginnings of rows, show the map.

        Menus, texts and long messages are written over the map and clear their rows up to the right edge: in each row,
        everything right of the first cell that differs from the map is text.
        """
        covered = np.logical_or.accumulate(chars != self._glyph_chars[glyphs], axis=1)
        np.copyto(cells, self._glyph_cells[glyphs], where=~covered)


def _frame(picture: np.ndarray, top: int, left: int) -> None:
    """Marks the cell at (top, left) as the terminal's cursor: a frame inside the cell, so that its content stays
    visible.
    """
    cell = picture[top : top + CELL, left : left + CELL]
    cell[0] = cell[-1] = _CURSOR
    cell[:, 0] = cell[:, -1] = _CURSOR


# --------------------------------------------------------------------------- tables, made once a process


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Glyph -> cell picture (n,) intp, glyph -> character (n,) uint8, and all cell pictures (m, 16, 16, 3) uint8:
    tiles, then text.
    """
    if not hasattr(nethack.Nethack, "setup_tiles"):
        raise EnvironmentFailure(
            "The installed nle has no tiles to draw pictures with: install nle 1.3 or ask for no image."
        )
    tiles_of = nethack.glyph2tile
    # NO_GLYPH (= MAX_GLYPH) marks places that were never drawn: solid stone.
    glyph_cells = np.append(np.array(tiles_of, np.intp), tiles_of[nethack.GLYPH_CMAP_OFF])
    glyph_chars = np.append(_glyph_characters(), ord(" ")).astype(np.uint8)
    return glyph_cells, glyph_chars, np.concatenate([_read_tiles(int(glyph_cells.max()) + 1), _letters()])


def _read_tiles(count: int) -> np.ndarray:
    """The first `count` tiles of nle, (count, 16, 16, 3) uint8. NetHack's own reader takes 15 ms for the 360 kB of
    definitions.
    """
    game = nethack.Nethack(observation_keys=(), ttyrec=None)
    try:
        game.setup_tiles()
        tiles = np.zeros((count * CELL, CELL, 3), np.uint8)
        game.get_tileset(tiles)
    finally:
        game.close()
    return tiles.reshape(count, CELL, CELL, 3)


def _letters() -> np.ndarray:
    """Each color's alphabet on black, then each color's in reverse video, (4096, 16, 16, 3) uint8."""
    with resources.files(__package__).joinpath("data/font.png").open("rb") as file, Image.open(file) as image:
        ink = np.asarray(image.convert("L"))
    rows, columns = ink.shape[0] // CELL, ink.shape[1] // CELL
    printable = ink.reshape(rows, CELL, columns, CELL).swapaxes(1, 2).reshape(rows * columns, CELL, CELL)
    ink = np.zeros((_CHARACTERS, CELL, CELL), np.uint16)
    ink[-len(printable) :] = printable  # the atlas ends with character 127
    plain = (ink[None, ..., None] * _PALETTE[:, None, None, None, :] // 255).astype(np.uint8)
    reverse = ((255 - ink)[None, ..., None] * _PALETTE[:, None, None, None, :] // 255).astype(np.uint8)
    return np.concatenate([plain, reverse]).reshape(-1, CELL, CELL, 3)


def _glyph_characters() -> np.ndarray:
    """The character NetHack shows for each glyph in its default symbol set, (MAX_GLYPH,) uint8 (src/mapglyph.c)."""
    n = nethack
    monsters = [ord(n.class_sym.from_mlet(n.permonst(i).mlet).sym) for i in range(n.NUMMONS)]
    objects = [ord(n.class_sym.from_oc_class(n.objclass(i).oc_class).sym) for i in range(n.NUM_OBJECTS)]
    symbols = [n.symdef.from_idx(i).sym for i in range(n.MAXPCHARS)]
    corpse = ord(n.class_sym.from_oc_class(chr(n.FOOD_CLASS)).sym)
    beam, swallow, explosion = 65, 79, 87  # S_vbeam, S_sw_tl, S_explode1 of include/rm.h
    return np.array(
        monsters  # GLYPH_MON_OFF
        + monsters  # GLYPH_PET_OFF
        + [ord("I")]  # GLYPH_INVIS_OFF
        + monsters  # GLYPH_DETECT_OFF
        + [corpse] * n.NUMMONS  # GLYPH_BODY_OFF
        + monsters  # GLYPH_RIDDEN_OFF
        + objects  # GLYPH_OBJ_OFF
        + symbols[:explosion]  # GLYPH_CMAP_OFF
        + [symbols[explosion + i % n.MAXEXPCHARS] for i in range(n.GLYPH_ZAP_OFF - n.GLYPH_EXPLODE_OFF)]
        + [symbols[beam + i % 4] for i in range(n.GLYPH_SWALLOW_OFF - n.GLYPH_ZAP_OFF)]
        + [symbols[swallow + i % 8] for i in range(n.GLYPH_WARNING_OFF - n.GLYPH_SWALLOW_OFF)]
        + [ord("0") + i for i in range(n.WARNCOUNT)]
        + monsters,  # GLYPH_STATUE_OFF: a statue looks like what it depicts
        np.uint8,
    )
