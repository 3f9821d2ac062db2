"""People, what they ride and what they push."""

from __future__ import annotations

from embodied.driving.scene.objects.vehicles import DARK, HEAD, RED_LAMP, STEEL, TYRE, Builder
from embodied.raster import Mesh, box, cylinder, sphere
from embodied.raster.mesh import Colour

SKIN, HAIR, TROUSERS, VEST = (220, 172, 140), (58, 42, 32), (52, 56, 72), (255, 232, 60)


def _person(
    paint: Colour, state: str = "standing", at: tuple[float, float] = (0.0, 0.0), scale: float = 1.0, foot: float = 0.0
) -> list[Mesh]:
    """Someone upright: legs apart when walking, arms out when directing traffic, a vest and helmet when working."""
    x, y = at
    stride = 0.24 if state in ("walking", "crossing", "moving") else 0.0
    legs = [
        box(
            (x + side * 0.1 * scale, y + side * stride * scale, foot + 0.41 * scale),
            (0.16 * scale, 0.18 * scale, 0.82 * scale),
            0.0,
            TROUSERS,
        )
        for side in (-1, 1)
    ]
    torso = box((x, y, foot + 1.12 * scale), (0.46 * scale, 0.28 * scale, 0.62 * scale), 0.0, paint, taper=(1.08, 1.0))
    head = sphere((x, y, foot + 1.6 * scale), 0.14 * scale, SKIN, sides=10)
    hair = sphere(
        (x, y - 0.02 * scale, foot + 1.66 * scale), (0.145 * scale, 0.145 * scale, 0.11 * scale), HAIR, sides=10
    )
    if state in ("directing", "working"):
        hair = sphere(
            (x, y, foot + 1.68 * scale),
            (0.17 * scale, 0.17 * scale, 0.13 * scale),
            (250, 250, 250) if state == "directing" else (250, 200, 20),
            sides=10,
        )
    arms = [
        box(
            (x + side * 0.29 * scale, y - side * stride * 0.6 * scale, foot + 1.1 * scale),
            (0.12 * scale, 0.14 * scale, 0.62 * scale),
            0.0,
            paint,
        )
        for side in (-1, 1)
    ]
    if state == "directing":
        arms = [
            box(
                (x + side * 0.52 * scale, y, foot + 1.34 * scale), (0.62 * scale, 0.14 * scale, 0.14 * scale), 0.0, VEST
            )
            for side in (-1, 1)
        ]
        arms += [
            sphere((x + side * 0.86 * scale, y, foot + 1.34 * scale), 0.09 * scale, (250, 250, 250), sides=8)
            for side in (-1, 1)
        ]
        arms.append(cylinder((x + 0.9 * scale, y, foot + 1.36 * scale), 0.05, 0.5, (255, 40, 30), sides=6).lit())
    bands = (
        [
            box((x, y, foot + z * scale), (0.49 * scale, 0.31 * scale, 0.07 * scale), 0.0, (244, 246, 236))
            for z in (1.0, 1.2)
        ]
        if state in ("directing", "working")
        else []
    )
    return [*legs, torso, head, hair, *arms, *bands]


def pedestrian(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return _person(paint, state)


def _bike(paint: Colour, y: float = 0.0) -> list[Mesh]:
    wheels = [cylinder((0, y + dy, 0.35), 0.35, 0.05, TYRE, axis="x", sides=16) for dy in (-0.55, 0.55)]
    hubs = [cylinder((0, y + dy, 0.35), 0.26, 0.07, (200, 204, 206), axis="x", sides=16) for dy in (-0.55, 0.55)]
    frame = [
        box((0, y, 0.62), (0.05, 1.0, 0.06), 0.0, paint),
        box((0, y - 0.18, 0.72), (0.05, 0.06, 0.42), 0.0, paint),
        box((0, y + 0.45, 0.78), (0.05, 0.06, 0.5), 0.0, paint),
    ]
    parts = [
        box((0, y - 0.2, 0.95), (0.14, 0.26, 0.06), 0.0, DARK),
        box((0, y + 0.45, 1.04), (0.52, 0.05, 0.05), 0.0, DARK),
    ]
    return [*wheels, *hubs, *frame, *parts]


def bicycle(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return _bike(paint)


def _rider(paint: Colour, seat: float, y: float, helmet: Colour) -> list[Mesh]:
    legs = [box((side * 0.13, y + 0.15, seat - 0.2), (0.15, 0.4, 0.5), 0.0, TROUSERS) for side in (-1, 1)]
    torso = box((0, y + 0.02, seat + 0.32), (0.44, 0.3, 0.62), 0.0, paint)
    arms = [box((side * 0.26, y + 0.3, seat + 0.42), (0.11, 0.56, 0.12), 0.0, paint) for side in (-1, 1)]
    return [
        *legs,
        torso,
        *arms,
        sphere((0, y + 0.06, seat + 0.78), 0.15, helmet, sides=10),
        box((0, y + 0.17, seat + 0.75), (0.18, 0.08, 0.12), 0.0, SKIN),
    ]


def cyclist(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return [*_bike((180, 36, 40)), *_rider(paint, 1.0, -0.2, (236, 236, 240))]


def _powered(paint: Colour, long: float, tall: float, wheel: float, night: bool) -> list[Mesh]:
    wheels = [
        cylinder((0, dy, wheel), wheel, 0.13, TYRE, axis="x", sides=14) for dy in (-long / 2 + wheel, long / 2 - wheel)
    ]
    tail = box((0, -long / 2 + 0.1, tall - 0.15), (0.16, 0.06, 0.1), 0.0, (255, 40, 30) if night else RED_LAMP)
    head = box((0, long / 2 - 0.3, tall + 0.05), (0.2, 0.08, 0.18), 0.0, HEAD)
    bars = box((0, long / 2 - 0.45, tall + 0.25), (0.66, 0.06, 0.05), 0.0, DARK)
    return [*wheels, tail.lit() if night else tail, head.lit() if night else head, bars]


def motorcycle(paint: Colour, state: str, night: bool) -> list[Mesh]:
    tank = box((0, 0.15, 0.84), (0.34, 0.62, 0.3), 0.0, paint, taper=(0.7, 0.9))
    engine = box((0, 0.05, 0.52), (0.36, 0.7, 0.4), 0.0, STEEL)
    seat = box((0, -0.5, 0.82), (0.28, 0.72, 0.12), 0.0, (30, 30, 34))
    fork = box((0, 0.7, 0.7), (0.12, 0.1, 0.7), 0.0, DARK)
    pipe = cylinder((0.22, -0.55, 0.42), 0.07, 0.8, STEEL, axis="y", sides=8)
    rider = _rider((44, 44, 52), 0.9, -0.25, (206, 40, 40)) if state == "moving" else []
    return [*_powered(paint, 2.1, 0.85, 0.32, night), tank, engine, seat, fork, pipe, *rider]


def moped(paint: Colour, state: str, night: bool) -> list[Mesh]:
    shield = box((0, 0.5, 0.72), (0.42, 0.12, 0.66), 0.0, paint)
    floor = box((0, 0.12, 0.34), (0.34, 0.6, 0.1), 0.0, DARK)
    body = box((0, -0.45, 0.58), (0.36, 0.7, 0.44), 0.0, paint)
    seat = box((0, -0.4, 0.84), (0.3, 0.7, 0.1), 0.0, (30, 30, 34))
    crate = box((0, -0.86, 1.1), (0.48, 0.44, 0.46), 0.0, (240, 150, 20))
    rider = _rider((40, 120, 190), 0.92, -0.22, (236, 210, 60)) if state in ("moving", "crossing") else []
    return [*_powered(paint, 1.75, 0.8, 0.24, night), shield, floor, body, seat, crate, *rider]


def stroller(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """A pushchair and, while it moves, a person who pushes it."""
    tub = box((0, 0.25, 0.66), (0.5, 0.8, 0.3), 0.0, paint)
    hood = sphere((0, 0.02, 0.88), (0.27, 0.3, 0.32), paint, sides=12)
    legs = [box((side * 0.22, 0.25, 0.34), (0.05, 0.7, 0.05), 0.0, STEEL) for side in (-1, 1)]
    wheels = [
        cylinder((side * 0.25, y, 0.16), 0.16, 0.06, TYRE, axis="x", sides=12) for side in (-1, 1) for y in (-0.05, 0.6)
    ]
    handle = [box((side * 0.22, -0.3, 0.85), (0.04, 0.5, 0.05), 0.0, STEEL) for side in (-1, 1)] + [
        box((0, -0.52, 0.95), (0.5, 0.05, 0.05), 0.0, DARK)
    ]
    baby = sphere((0, 0.2, 0.9), 0.1, SKIN, sides=8)
    pusher = _person((150, 60, 120), "walking", at=(0.0, -0.85)) if state in ("crossing", "moving") else []
    return [tub, hood, *legs, *wheels, *handle, baby, *pusher]


def wheelchair(paint: Colour, state: str, night: bool) -> list[Mesh]:
    wheels = [cylinder((side * 0.32, -0.1, 0.32), 0.32, 0.05, TYRE, axis="x", sides=16) for side in (-1, 1)]
    rims = [cylinder((side * 0.36, -0.1, 0.32), 0.25, 0.02, STEEL, axis="x", sides=16) for side in (-1, 1)]
    casters = [cylinder((side * 0.26, 0.42, 0.1), 0.1, 0.05, TYRE, axis="x", sides=10) for side in (-1, 1)]
    seat = [box((0, 0.05, 0.52), (0.52, 0.5, 0.08), 0.0, paint), box((0, -0.24, 0.82), (0.52, 0.07, 0.62), 0.0, paint)]
    handles = [box((side * 0.24, -0.36, 1.02), (0.05, 0.22, 0.05), 0.0, DARK) for side in (-1, 1)]
    legs = [box((side * 0.11, 0.4, 0.45), (0.15, 0.5, 0.14), 0.0, TROUSERS) for side in (-1, 1)] + [
        box((side * 0.11, 0.6, 0.22), (0.14, 0.14, 0.4), 0.0, TROUSERS) for side in (-1, 1)
    ]
    body = [
        box((0, -0.1, 0.86), (0.42, 0.26, 0.56), 0.0, (60, 130, 150)),
        sphere((0, -0.06, 1.28), 0.13, SKIN, sides=10),
        sphere((0, -0.08, 1.34), (0.135, 0.135, 0.1), (190, 190, 190), sides=10),
    ]
    return [*wheels, *rims, *casters, *seat, *handles, *legs, *body]


def cart(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """A handcart with a load and, while it moves, a person who pulls it."""
    bed = box((0, -0.1, 0.55), (1.0, 1.7, 0.12), 0.0, paint)
    sides = [box((side * 0.48, -0.1, 0.78), (0.05, 1.7, 0.36), 0.0, paint) for side in (-1, 1)]
    load = [
        box((-0.15, -0.4, 0.9), (0.6, 0.7, 0.6), 0.0, (182, 150, 96)),
        box((0.1, 0.35, 0.82), (0.65, 0.6, 0.45), 0.0, (120, 140, 90)),
    ]
    wheels = [cylinder((side * 0.56, -0.15, 0.38), 0.38, 0.09, TYRE, axis="x", sides=14) for side in (-1, 1)]
    bars = [box((side * 0.3, 1.15, 0.68), (0.05, 0.9, 0.05), 0.0, DARK) for side in (-1, 1)]
    puller = _person((128, 96, 60), "walking", at=(0.0, 1.45)) if state in ("crossing", "moving") else []
    return [bed, *sides, *load, *wheels, *bars, *puller]


def child(paint: Colour, state: str, night: bool) -> list[Mesh]:
    """A small pedestrian with a ball, by the state `playing`."""
    return [*_person(paint, "walking", scale=0.68), sphere((0.45, 0.3, 0.14), 0.14, (236, 60, 40), sides=10)]


def _pedestrian(paint: Colour, state: str, night: bool) -> list[Mesh]:
    return child(paint, state, night) if state == "playing" else pedestrian(paint, state, night)


PEOPLE: dict[str, Builder] = {
    "pedestrian": _pedestrian,
    "cyclist": cyclist,
    "bicycle": bicycle,
    "moped": moped,
    "motorcycle": motorcycle,
    "stroller": stroller,
    "wheelchair": wheelchair,
    "cart": cart,
}
