"""Pictures of the closed loop: the map with what was seen, the paths offered, what was driven."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw

from embodied.arrays import Floats, Pixels
from embodied.planning import views
from embodied.planning.planners.space import HALF
from embodied.planning.world import MOVER, State, World, seen_movers

_DRIVEN, _MOVING, _ROBOT = (130, 130, 130), (255, 165, 0), (200, 0, 0)
_FINE = 3


def picture(world: World, state: State, paths: Sequence[Floats], view: str = "2d") -> Pixels:
    """One moment with the paths offered in it, (H, W, 3) uint8 of `views.shapes(view, "overlay", ..., labels=True)`."""
    crates = [_round(crate[:2], crate[2]) for k, crate in enumerate(world.crates) if k in state.seen]
    movers = seen_movers(world, state)
    if view == "3d":
        crates += [_round(place, MOVER) for place in movers[0]]
    field = replace(world.field, polygons=(*world.field.polygons, *crates))
    labels = [f"path {k + 1}" for k in range(len(paths))] or [""]
    panel = views.overlay(field, paths, view=view, labels=labels, start=state.place)
    return panel if view == "3d" else _marked(panel, world, state, movers)


def _marked(panel: Pixels, world: World, state: State, movers: Floats) -> Pixels:
    """With what was driven, the robot at its size, and what moves."""
    size = panel.shape[1]
    scale = size * _FINE / (2 * HALF)
    board = Image.fromarray(panel[-size:]).resize((size * _FINE,) * 2, Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(board)

    def at(place: Floats) -> tuple[float, float]:
        return (float(place[0]) + HALF) * scale, (HALF - float(place[1])) * scale

    if len(state.track) > 1:
        pen.line([at(place) for place in state.track], fill=_DRIVEN, width=2 * _FINE, joint="curve")
    for now, soon in movers[[0, -1]].swapaxes(0, 1):
        pen.line([at(now), at(soon)], fill=_MOVING, width=_FINE)
        _disc(pen, at(now), MOVER * scale, fill=_MOVING)
    _disc(pen, at(state.place), world.radius * scale, fill=_ROBOT)
    x, y = at(state.place)
    tip = world.radius * scale * math.cos(state.heading), world.radius * scale * math.sin(state.heading)
    pen.line([(x, y), (x + tip[0], y - tip[1])], fill="white", width=_FINE)
    return np.concatenate([panel[:-size], np.array(board.reduce(_FINE))])


def _disc(pen: ImageDraw.ImageDraw, middle: tuple[float, float], radius: float, fill: tuple[int, int, int]) -> None:
    (x, y), r = middle, radius
    pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _round(middle: Floats, radius: float, sides: int = 16) -> Floats:
    turn = 2 * math.pi * np.arange(sides) / sides
    return middle + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
