"""Signs, lights, cones, barriers, animals and all that lies or stands about."""

from __future__ import annotations

import numpy as np

from embodied.driving.scene.objects.paint import darker
from embodied.driving.scene.objects.vehicles import AMBER, DARK, GLASS, STEEL, TYRE, Builder
from embodied.raster import Mesh, box, cone, cylinder, frustum, sphere
from embodied.raster.mesh import Colour
from embodied.raster.triangulate import triangulate

SHEEN = 0.72
"""How bright signs are at least: they throw light back."""
BLACK, WHITE, RED = (26, 26, 28), (240, 240, 238), (208, 32, 28)


def _panel(polygon: list[tuple[float, float]], y: float, paint: Colour) -> Mesh:
    """A flat, upright figure that faces the ego car: points are (x, z)."""
    points = np.array(polygon)
    vertices = np.column_stack([points[:, 0], np.full(len(points), y), points[:, 1]])
    faces = triangulate(points)
    return Mesh(vertices, faces, np.tile(np.array(paint, dtype=np.uint8), (len(faces), 1)), two_sided=True)


def _round(x: float, z: float, radius: float, y: float, paint: Colour, sides: int = 20) -> Mesh:
    return cylinder((x, y, z), radius, 0.03, paint, axis="y", sides=sides)


def _post(height: float, radius: float = 0.04) -> Mesh:
    return cylinder((0, 0, 0), radius, height, STEEL, sides=8)


def warning_sign(paint: Colour, state: str, night: bool) -> list[Mesh]:
    back = _panel([(-0.56, 1.75), (0.56, 1.75), (0.0, 2.72)], -0.05, RED)
    front = _panel([(-0.42, 1.83), (0.42, 1.83), (0.0, 2.56)], -0.07, paint)
    mark = [box((0, -0.09, 2.2), (0.09, 0.02, 0.3), 0.0, BLACK), box((0, -0.09, 1.95), (0.09, 0.02, 0.09), 0.0, BLACK)]
    return [_post(2.4), back.lit(SHEEN), front.lit(SHEEN), *mark]


def traffic_sign(paint: Colour, state: str, night: bool) -> list[Mesh]:
    rim, face = _round(0, 2.3, 0.42, -0.05, WHITE), _round(0, 2.3, 0.38, -0.08, paint)
    if paint[0] > 150 and paint[2] < 100:  # red: no entry
        mark: list[Mesh] = [box((0, -0.11, 2.3), (0.54, 0.02, 0.13), 0.0, WHITE)]
    else:  # blue: an arrow ahead
        mark = [
            box((0, -0.11, 2.22), (0.1, 0.02, 0.34), 0.0, WHITE),
            _panel([(-0.18, 2.36), (0.18, 2.36), (0.0, 2.58)], -0.11, WHITE),
        ]
    return [_post(2.4), rim.lit(SHEEN), face.lit(SHEEN), *(m.lit(SHEEN) for m in mark)]


def traffic_light(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """On a mast beside the road, with an arm over it and three lamps."""
    mast = [_post(5.6, 0.09), box((-1.5, 0, 5.5), (3.0, 0.1, 0.1), 0.0, STEEL)]
    heads: list[Mesh] = []
    for x, z in ((-2.8, 5.0), (0.0, 3.2)):
        heads.append(box((x, -0.05, z), (0.42, 0.3, 1.15), 0.0, paint))
        for shown, dz, lit, dark in (
            ("red", 0.36, (255, 36, 28), (74, 18, 16)),
            ("yellow", 0.0, (255, 206, 40), (76, 62, 16)),
            ("green", -0.36, (40, 240, 110), (16, 62, 30)),
        ):
            lamp = _round(x, z + dz, 0.15, -0.22, lit if state == shown else dark, sides=14)
            heads.append(lamp.lit() if state == shown else lamp)
    return [*mast, *heads]


def traffic_cone(paint: Colour, state: str, night: bool) -> list[Mesh]:
    foot = box((0, 0, 0.03), (0.44, 0.44, 0.06), 0.0, (40, 40, 42))
    body = frustum((0, 0, 0.06), 0.19, 0.03, 0.72, paint, sides=12)
    bands = [frustum((0, 0, z), r, r - 0.035, 0.13, WHITE, sides=12) for z, r in ((0.26, 0.155), (0.5, 0.105))]
    return [foot, body, *bands]


def barrier(paint: Colour, state: str, night: bool) -> list[Mesh]:
    boards = []
    for k in range(8):
        for z in (0.95, 0.55):
            boards.append(box((-0.875 + 0.25 * k, -0.02, z), (0.25, 0.05, 0.24), 0.0, paint if k % 2 == 0 else WHITE))
    feet = [box((side * 0.8, 0, 0.5), (0.07, 0.08, 1.0), 0.0, STEEL) for side in (-1, 1)] + [
        box((side * 0.8, 0, 0.05), (0.1, 0.8, 0.1), 0.0, DARK) for side in (-1, 1)
    ]
    lamps = [cylinder((side * 0.8, -0.03, 1.12), 0.1, 0.18, AMBER, sides=8).lit() for side in (-1, 1)]
    return [*boards, *feet, *lamps]


def bollard(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return [
        cylinder((0, 0, 0), 0.11, 1.0, paint, sides=10),
        cylinder((0, 0, 0.68), 0.115, 0.14, BLACK, sides=10),
        sphere((0, 0, 1.0), (0.11, 0.11, 0.07), paint, sides=10),
    ]


def dog(paint: Colour, state: str, night: bool) -> list[Mesh]:
    body = sphere((0, 0, 0.52), (0.17, 0.46, 0.18), paint, sides=12)
    legs = [box((side * 0.1, y, 0.2), (0.08, 0.09, 0.42), 0.0, paint) for side in (-1, 1) for y in (-0.3, 0.3)]
    neck = sphere((0, 0.42, 0.68), (0.11, 0.14, 0.17), paint, sides=8)
    head = [
        sphere((0, 0.55, 0.82), (0.13, 0.17, 0.13), paint, sides=10),
        box((0, 0.73, 0.78), (0.1, 0.16, 0.09), 0.0, BLACK),
    ]
    ears = [cone((side * 0.08, 0.5, 0.9), 0.05, 0.13, paint, sides=5) for side in (-1, 1)]
    tail = box((0, -0.47, 0.66), (0.06, 0.07, 0.3), 0.0, paint)
    return [body, *legs, neck, *head, *ears, tail]


def cat(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """Low and long, a round head with upright ears, a tail that stands up."""
    body = sphere((0, 0, 0.3), (0.12, 0.3, 0.13), paint, sides=12)
    legs = [box((side * 0.07, y, 0.11), (0.06, 0.07, 0.24), 0.0, paint) for side in (-1, 1) for y in (-0.2, 0.2)]
    head = [
        sphere((0, 0.32, 0.42), (0.14, 0.12, 0.12), paint, sides=12),
        box((0, 0.43, 0.4), (0.08, 0.05, 0.05), 0.0, (226, 220, 210)),
    ]
    ears = [cone((side * 0.08, 0.3, 0.49), 0.055, 0.14, paint, sides=5) for side in (-1, 1)]
    eyes = [box((side * 0.05, 0.435, 0.45), (0.03, 0.02, 0.03), 0.0, (190, 220, 60)) for side in (-1, 1)]
    tail = [box((0, -0.31, 0.42), (0.06, 0.06, 0.4), 0.0, paint), box((0, -0.34, 0.62), (0.06, 0.14, 0.06), 0.0, paint)]
    return [body, *legs, *head, *ears, *eyes, *tail]


def sentry_box(paint: Colour, state: str, night: bool) -> list[Mesh]:
    walls = box((0, 0, 1.15), (1.4, 1.4, 2.3), 0.0, paint)
    windows = [
        box((0, -0.71, 1.5), (1.0, 0.03, 0.9), 0.0, GLASS),
        box((-0.71, 0, 1.5), (0.03, 1.0, 0.9), 0.0, GLASS),
        box((0.71, 0, 1.5), (0.03, 1.0, 0.9), 0.0, GLASS),
    ]
    roof = box((0, 0, 2.5), (1.8, 1.8, 0.5), 0.0, (50, 80, 150), taper=(0.2, 0.2))
    stripe = box((0, -0.71, 0.7), (1.4, 0.03, 0.3), 0.0, (50, 80, 150))
    return [walls, *windows, roof, stripe]


def traffic_box(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return [
        box((0, 0, 0.75), (0.9, 0.5, 1.4), 0.0, paint),
        box((0, 0, 1.48), (1.0, 0.6, 0.08), 0.0, DARK),
        box((0, -0.26, 0.75), (0.03, 0.02, 1.3), 0.0, DARK),
        _panel([(-0.34, 0.9), (-0.1, 0.9), (-0.22, 1.12)], -0.27, (250, 210, 30)),
        *[box((0.22, -0.26, 0.4 + 0.09 * k), (0.3, 0.02, 0.04), 0.0, DARK) for k in range(3)],
    ]


def traffic_island(paint: Colour, state: str, night: bool) -> list[Mesh]:
    kerb = box((0, 0, 0.1), (1.5, 4.0, 0.2), 0.0, paint, taper=(0.92, 0.97))
    top = box((0, 0, 0.22), (1.1, 3.6, 0.04), 0.0, (178, 90, 70))
    post = cylinder((0, -1.5, 0.2), 0.12, 1.0, WHITE, sides=10)
    disc = _round(0, 1.5, 0.32, -1.65, (36, 82, 176))
    arrow = [box((0.02, -1.69, 1.5), (0.08, 0.02, 0.4), 0.6, WHITE)]
    stripes = [box((x, -2.0, 0.12), (0.2, 0.03, 0.16), 0.0, (250, 210, 30)) for x in (-0.5, 0.0, 0.5)]
    return [kerb, top, post, disc, *arrow, *stripes]


def debris(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """Wreckage: broken boards, a bumper, shards."""
    pieces = [
        ((0.0, 0.0, 0.09), (1.3, 0.24, 0.07), 0.5),
        ((0.3, 0.3, 0.16), (0.9, 0.18, 0.06), -0.7),
        ((-0.5, 0.2, 0.1), (0.7, 0.34, 0.16), 1.1),
        ((0.55, -0.3, 0.07), (0.45, 0.4, 0.13), 0.2),
    ]
    colours = [(148, 116, 76), (128, 98, 62), paint, (170, 40, 36)]
    shards = [
        cone((x, y, 0.0), 0.12, 0.2, (90, 94, 98), sides=4)
        for x, y in ((-0.8, -0.2), (0.1, 0.55), (0.85, 0.1), (-0.2, -0.5))
    ]
    return [*(box(c, s, a, p) for (c, s, a), p in zip(pieces, colours, strict=True)), *shards]


def suitcase(paint: Colour, state: str, night: bool) -> list[Mesh]:
    shell = box((0, 0, 0.42), (0.56, 0.28, 0.74), 0.0, paint)
    ribs = [box((x, -0.145, 0.42), (0.03, 0.02, 0.66), 0.0, darker(paint, 50)) for x in (-0.16, 0.0, 0.16)]
    handle = [box((side * 0.14, 0, 0.94), (0.03, 0.03, 0.3), 0.0, STEEL) for side in (-1, 1)] + [
        box((0, 0, 1.08), (0.3, 0.04, 0.04), 0.0, BLACK)
    ]
    return [shell, *ribs, *handle, *(sphere((side * 0.2, 0, 0.04), 0.05, BLACK, sides=6) for side in (-1, 1))]


def dustbin(paint: Colour, state: str, night: bool) -> list[Mesh]:
    body = box((0, 0, 0.55), (0.5, 0.55, 0.96), 0.0, paint, taper=(1.2, 1.2))
    lid = box((0, 0, 1.09), (0.66, 0.74, 0.1), 0.0, darker(paint, 24))
    return [body, lid, *(cylinder((side * 0.26, -0.26, 0.1), 0.1, 0.06, BLACK, axis="x", sides=10) for side in (-1, 1))]


def concrete_block(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """With the red and white marks of a road barrier."""
    foot, top = (
        box((0, 0, 0.22), (1.8, 0.6, 0.44), 0.0, paint, taper=(1.0, 0.7)),
        box((0, 0, 0.6), (1.8, 0.32, 0.36), 0.0, paint, taper=(1.0, 0.7)),
    )
    marks = [box((-0.6 + 0.4 * k, -0.17, 0.6), (0.28, 0.04, 0.16), 0.0, RED if k % 2 == 0 else WHITE) for k in range(4)]
    return [foot, top, *(m.lit(0.5) for m in marks)]


def machinery(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """A wheeled compressor with its hose and a drill."""
    body = box((0, 0, 0.85), (1.3, 2.0, 0.8), 0.0, paint, taper=(0.9, 0.92))
    grill = [box((0, -1.01, 0.65 + 0.12 * k), (0.9, 0.02, 0.05), 0.0, BLACK) for k in range(4)]
    wheels = [cylinder((side * 0.66, -0.2, 0.32), 0.32, 0.2, TYRE, axis="x", sides=12) for side in (-1, 1)]
    pipe = cylinder((0.4, 0.4, 1.2), 0.07, 0.5, DARK, sides=8)
    drill = [
        box((-0.95, -0.5, 0.7), (0.12, 0.12, 1.2), 0.0, DARK),
        box((-0.95, -0.5, 1.3), (0.5, 0.1, 0.08), 0.0, DARK),
    ]
    return [body, *grill, *wheels, pipe, *drill, box((0, 1.5, 0.5), (0.1, 1.0, 0.1), 0.0, DARK)]


def chair(paint: Colour, state: str, night: bool) -> list[Mesh]:
    seat = [box((0, 0, 0.46), (0.48, 0.48, 0.06), 0.0, paint), box((0, 0.22, 0.78), (0.48, 0.05, 0.58), 0.0, paint)]
    return [
        *seat,
        *(box((sx * 0.2, sy * 0.2, 0.22), (0.05, 0.05, 0.44), 0.0, paint) for sx in (-1, 1) for sy in (-1, 1)),
    ]


def phone_booth(paint: Colour, state: str, night: bool) -> list[Mesh]:
    frame = [box((sx * 0.46, sy * 0.46, 1.2), (0.1, 0.1, 2.4), 0.0, paint) for sx in (-1, 1) for sy in (-1, 1)]
    panes = box((0, 0, 1.15), (0.88, 0.88, 2.0), 0.0, (150, 178, 190))
    bars = [box((0, -0.45, z), (0.9, 0.04, 0.06), 0.0, paint) for z in (0.3, 0.8, 1.3, 1.8)]
    head = [box((0, 0, 2.3), (1.04, 1.04, 0.3), 0.0, paint), box((0, -0.53, 2.3), (0.8, 0.02, 0.18), 0.0, WHITE)]
    return [*frame, panes, *bars, *head, sphere((0, 0, 2.45), (0.5, 0.5, 0.16), paint, sides=12)]


def basket(paint: Colour, state: str, night: bool) -> list[Mesh]:
    rings = [
        frustum(
            (0, 0, 0.14 * k),
            0.24 + 0.03 * k,
            0.27 + 0.03 * k,
            0.12,
            paint if k % 2 == 0 else darker(paint, 50),
            sides=12,
        )
        for k in range(3)
    ]
    fruit = [
        sphere((x, y, 0.46), 0.1, c, sides=8)
        for x, y, c in ((0.1, 0.05, (220, 50, 40)), (-0.1, 0.0, (240, 170, 30)), (0.0, -0.12, (90, 160, 50)))
    ]
    return [*rings, *fruit]


def _box_of_board(paint: Colour, size: float) -> list[Mesh]:
    tape = box((0, 0, 0.36), (0.1, 0.625, 0.73), 0.0, (214, 190, 140))
    return [box((0, 0, 0.36), (0.8, 0.62, 0.72), 0.0, paint), tape]


def carton(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return _box_of_board((178, 132, 82) if paint == (122, 82, 48) else paint, 1.0)


def cardboard(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """Flattened boxes in a heap."""
    tone = (190, 148, 98)
    return [
        box(
            (0.05 * k, 0.04 * k, 0.05 + 0.07 * k),
            (1.3 - 0.12 * k, 0.95 - 0.08 * k, 0.06),
            0.25 * k,
            darker(tone, 14 * (k % 2)),
        )
        for k in range(4)
    ]


def garbage(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """A heap of loose rubbish."""
    heap = [
        sphere((x, y, 0.1), (r, r, 0.24), c, sides=8)
        for x, y, r, c in ((0, 0, 0.45, paint), (0.4, 0.15, 0.3, (96, 106, 84)), (-0.4, -0.1, 0.32, (140, 130, 110)))
    ]
    scraps = [
        box((x, y, 0.28), (0.26, 0.2, 0.12), a, c)
        for x, y, a, c in (
            (0.1, -0.15, 0.4, (230, 230, 226)),
            (-0.25, 0.1, 1.0, (70, 120, 180)),
            (0.4, 0.1, 0.2, (210, 60, 50)),
        )
    ]
    return [*heap, *scraps, cylinder((0.0, 0.2, 0.32), 0.06, 0.24, (60, 150, 80), sides=8)]


def garbage_bag(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return [
        sphere((0, 0, 0.3), (0.34, 0.32, 0.32), paint, sides=10),
        cone((0, 0, 0.56), 0.12, 0.2, paint, sides=8),
        sphere((0, 0, 0.62), (0.1, 0.1, 0.04), (230, 60, 50), sides=8),
    ]


def plastic_bag(paint: Colour, state: str, night: bool) -> list[Mesh]:
    bag = sphere((0, 0, 0.3), (0.26, 0.16, 0.28), paint, sides=9)
    ears = [cone((side * 0.12, 0, 0.5), 0.06, 0.22, paint, sides=5) for side in (-1, 1)]
    return [bag, *ears, box((0, -0.155, 0.3), (0.2, 0.02, 0.1), 0.0, (220, 60, 60))]


def stone(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return [
        sphere((0, 0, 0.26), (0.5, 0.4, 0.32), paint, sides=7),
        sphere((0.35, 0.15, 0.14), (0.26, 0.22, 0.18), darker(paint, 20), sides=6),
    ]


def tire(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """Lying: a ring of rubber with a dark hole; upright by the state `standing`."""
    ring, hole = (
        cylinder((0, 0, 0), 0.42, 0.24, (30, 30, 32), sides=18),
        cylinder((0, 0, 0.005), 0.22, 0.245, (96, 98, 100), sides=14),
    )
    return [ring, hole]


def misc(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """A mattress, lost."""
    slab = box((0, 0, 0.14), (1.9, 1.1, 0.26), 0.0, paint)
    return [slab, *(box((-0.7 + 0.35 * k, 0, 0.145), (0.03, 1.11, 0.265), 0.0, (130, 150, 190)) for k in range(5))]


THINGS: dict[str, Builder] = {
    "warning_sign": warning_sign,
    "traffic_sign": traffic_sign,
    "traffic_light": traffic_light,
    "traffic_cone": traffic_cone,
    "barrier": barrier,
    "bollard": bollard,
    "dog": dog,
    "cat": cat,
    "sentry_box": sentry_box,
    "traffic_box": traffic_box,
    "traffic_island": traffic_island,
    "debris": debris,
    "suitcase": suitcase,
    "dustbin": dustbin,
    "concrete_block": concrete_block,
    "machinery": machinery,
    "chair": chair,
    "phone_booth": phone_booth,
    "basket": basket,
    "cardboard": cardboard,
    "carton": carton,
    "garbage": garbage,
    "garbage_bag": garbage_bag,
    "plastic_bag": plastic_bag,
    "stone": stone,
    "tire": tire,
    "misc": misc,
}
