"""What the player sees, as the package draws it, pixel for pixel: cells, light, sleep, and the inventory below.

Arrays are planar, (3, H, W), until the picture is done: colors last would make every inner loop three long.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from crafter import constants, engine

from embodied.arrays import Floats, Ints, Pixels
from embodied.games.crafter.game import DUSK, PIXELS, Game
from embodied.games.crafter.world import VIEW
from embodied.games.crafter.worldgen import MATERIALS

_SIZE = 256
"""Pixels along the side of BALROG's picture, whose cells have PIXELS: they leave a black border."""
_ITEM_ROWS = 2
_UNKNOWN = 127
"""Grey of what lies outside the world."""
_NIGHT_TINT, _SLEEP_TINT = (np.reshape(tint, (3, 1, 1)) for tint in ((0, 16, 64), (0, 0, 16)))
_VIGNETTE = 0.5
"""Standard deviation, in half views, of the clear spot around the player at night."""


def size(pixels: int = PIXELS) -> int:
    """Pixels along the side of the picture whose cells have `pixels`: 9 cells, and BALROG's border at BALROG's size."""
    return _SIZE if pixels == PIXELS else VIEW[0] * pixels


def border(pixels: int = PIXELS) -> int:
    """Pixels between the picture's rim and its cells."""
    return (size(pixels) - VIEW[0] * pixels) // 2


def draw(game: Game, pixels: int = PIXELS) -> Pixels:
    """The picture of the present state.

    Args:
        game: What is drawn.
        pixels: Along the side of a cell, at most PIXELS.

    Returns:
        (`size`, `size`, 3) uint8.
    """
    canvas = np.zeros((size(pixels), size(pixels), 3), np.uint8)
    top = left = border(pixels)
    for part in (_surroundings(game, pixels), _inventory(game.player.inventory, pixels)):
        _, height, width = part.shape
        canvas[top : top + height, left : left + width] = part.transpose(1, 2, 0)
        top += height
    return canvas


def _surroundings(game: Game, pixels: int) -> Pixels:
    """The cells around the player: (3, 7 * pixels, 9 * pixels) uint8."""
    player, daylight = game.player, game.world.daylight
    materials, things = game.world.window(player.pos)
    textures: list[str | None] = [None] * materials.size
    for cell, thing in things:
        textures[cell] = thing.texture
    looks = list(zip(materials.ravel().tolist(), textures, strict=True))
    distinct = {look: number for number, look in enumerate(dict.fromkeys(looks))}
    tiles = np.stack([_cell(*look, pixels) for look in distinct])
    placed = np.array([distinct[look] for look in looks]).reshape(VIEW)
    if daylight >= DUSK:  # each pixel's light depends on the pixel alone: as well before the tiles are laid out
        return _lay(_light(tiles, daylight, player.sleeping), placed)
    canvas = _lay(tiles, placed)
    noise = game.noise(pixels).T
    night, vignette = 2 * (DUSK - daylight), _vignette(*noise.shape)
    # arrays of a band stay in the cache; those of the whole canvas take four times as long
    for top in range(0, len(noise), pixels):
        band = slice(top, top + pixels)
        canvas[:, band] = _light(canvas[:, band], daylight, player.sleeping, (night * vignette[band], noise[band]))
    return canvas


def _lay(tiles: Pixels, placed: Ints) -> Pixels:
    """Lays `tiles` (n, 3, side, side) out by their numbers in `placed` (columns, rows)."""
    columns, rows = placed.shape
    side = tiles.shape[-1]
    laid: Pixels = tiles[placed.T].transpose(2, 0, 3, 1, 4).reshape(3, rows * side, columns * side)
    return laid


def _light(pixels: Pixels, daylight: float, sleeping: bool, speckles: tuple[Floats, Floats] | None = None) -> Pixels:
    """Light of the hour and of sleep.

    Args:
        pixels: (..., 3, H, W) uint8.
        daylight: In [0, 1].
        sleeping: Whether the player is.
        speckles: None by day; by night the noise, (H, W) float64, after how much it covers, (H, W) float64 in [0, 1].

    Returns:
        uint8, of the shape of `pixels`. The steps and where they round are those of `crafter.engine.LocalView`.
    """
    dark = pixels
    if speckles is not None:
        mask, noise = speckles
        dark = ((1 - mask) * pixels + mask * noise).astype(np.uint8)
    tinted = 0.5 * _saturate(dark, 0.4) + 0.5 * _NIGHT_TINT
    lit: Pixels = (daylight * pixels + (1 - daylight) * tinted).astype(np.uint8)
    if sleeping:
        lit = (0.5 * _saturate(lit, 0.0) + 0.5 * _SLEEP_TINT).astype(np.uint8)
    return lit


def _saturate(pixels: Pixels, amount: float) -> Pixels:
    """Pillow's `ImageEnhance.Color` on (..., 3, H, W) uint8: the colors blended with their grey,
    in single precision.
    """
    red, green, blue = (pixels[..., channel : channel + 1, :, :].astype(np.uint32) for channel in range(3))
    grey = ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.float32)
    return (grey + np.float32(amount) * (pixels - grey)).astype(np.uint8)


@lru_cache(4)
def _vignette(height: int, width: int) -> Floats:
    """How much the night hides: 0 at the player, towards 1 at the rim."""
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return 1 - np.exp(-0.5 * (x**2 + y**2) / _VIGNETTE**2)


def _inventory(inventory: dict[str, int], pixels: int) -> Pixels:
    """The items carried and how many of each: (3, 2 * pixels, 9 * pixels) uint8."""
    tiles = [_item(name, amount, pixels) for name, amount in inventory.items()]
    tiles += [_item("", 0, pixels)] * (VIEW[0] * _ITEM_ROWS - len(tiles))
    return _lay(np.stack(tiles), np.arange(len(tiles)).reshape(_ITEM_ROWS, VIEW[0]).T)


@lru_cache(1)
def _textures() -> engine.Textures:
    return engine.Textures(constants.root / "assets")


@lru_cache(None)
def _cell(material: int, texture: str | None, pixels: int) -> Pixels:
    """A cell of the world by day: (3, pixels, pixels) uint8."""
    tile = np.full((3, pixels, pixels), _UNKNOWN, np.uint8)
    if material:
        tile[:] = _texture(str(MATERIALS[material]), pixels)[:3]
    if texture:
        _blend(tile, 0, _texture(texture, pixels))
    return tile


@lru_cache(None)
def _item(name: str, amount: int, pixels: int) -> Pixels:
    """A cell of the inventory: (3, pixels, pixels) uint8, black where there is none."""
    tile = np.zeros((3, pixels, pixels), np.uint8)
    if amount > 0:
        _blend(tile, int(0.1 * pixels), _texture(name, 0.8 * pixels))
        _blend(tile, int(0.4 * pixels), _texture(str(amount), 0.6 * pixels))
    return tile


def _texture(name: str, side: float) -> Pixels:
    """A texture of the package: (3 or 4, side, side) uint8, colors and perhaps opacity. The package's own order is [x,
    y, color].
    """
    texture: Pixels = _textures().get(name, (side, side)).T
    return texture


def _blend(tile: Pixels, corner: int, texture: Pixels) -> None:
    """Draws a texture onto a tile, `corner` pixels from its upper and left rim, as
    `crafter.engine._draw_alpha` does.
    """
    color, (height, width) = texture[:3], texture.shape[1:]
    part = tile[:, corner : corner + height, corner : corner + width]
    if len(texture) == 4:
        alpha, above, below = (values.astype(np.float32) / 255 for values in (texture[3], color, part))
        color = (255 * (alpha * above + (1 - alpha) * below)).astype(np.uint8)
    part[:] = color
