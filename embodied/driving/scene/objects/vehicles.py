"""Vehicles, two or more tracks wide."""

from __future__ import annotations

from collections.abc import Callable

from embodied.driving.scene.objects.paint import darker
from embodied.raster import Mesh, box, cylinder, frustum, sphere
from embodied.raster.mesh import Colour

Builder = Callable[[Colour, str, bool], list[Mesh]]

GLASS, TYRE, STEEL, DARK = (42, 52, 64), (24, 24, 26), (150, 154, 158), (52, 54, 58)
RED_LAMP, RED_LIT, AMBER, HEAD = (120, 20, 20), (255, 36, 28), (255, 160, 20), (255, 250, 224)


def _wheels(width: float, places: tuple[float, ...], radius: float) -> list[Mesh]:
    return [
        cylinder((side * (width / 2 - 0.1), y, radius), radius, 0.24, TYRE, axis="x", sides=12)
        for y in places
        for side in (-1, 1)
    ]


def _lamps(width: float, length: float, height: float, state: str, night: bool) -> list[Mesh]:
    """Head lamps in front, tail lamps behind; hazard lights at all corners of a vehicle that has broken down."""
    broken, braking = state == "broken down", state in ("braking", "stopped")
    meshes = []
    for side in (-1, 1):
        x = side * (width / 2 - 0.2)
        tail = box(
            (x, -length / 2 - 0.02, height),
            (0.3, 0.06, 0.22),
            0.0,
            AMBER if broken else RED_LIT if braking else RED_LAMP,
        )
        head = box((x, length / 2 + 0.02, height - 0.05), (0.34, 0.06, 0.2), 0.0, AMBER if broken else HEAD)
        meshes += [tail.lit() if broken or braking or night else tail, head.lit() if broken or night else head]
    return meshes


def _plate(length: float, height: float) -> Mesh:
    return box((0.0, -length / 2 - 0.02, height), (0.5, 0.04, 0.14), 0.0, (236, 236, 230))


def car(paint: Colour, state: str, night: bool) -> list[Mesh]:
    body = box((0, 0, 0.58), (1.8, 4.4, 0.62), 0.0, paint, taper=(0.96, 0.97))
    cabin = box((0, -0.25, 1.17), (1.66, 2.5, 0.56), 0.0, GLASS, taper=(0.8, 0.62))
    roof = box((0, -0.25, 1.47), (1.34, 1.56, 0.06), 0.0, paint)
    bumper = box((0, -2.2, 0.42), (1.7, 0.1, 0.2), 0.0, DARK)
    triangle = [frustum((0, -2.26, 0.9), 0.3, 0.0, 0.5, (220, 30, 20), sides=3)] if state == "broken down" else []
    return [
        body,
        cabin,
        roof,
        bumper,
        _plate(4.4, 0.62),
        *_wheels(1.8, (-1.35, 1.4), 0.33),
        *_lamps(1.8, 4.4, 0.74, state, night),
        *triangle,
    ]


def truck(paint: Colour, state: str, night: bool) -> list[Mesh]:
    cargo = box((0, -1.0, 2.15), (2.5, 5.6, 2.6), 0.0, paint)
    doors = [box((x, -3.82, 2.15), (1.16, 0.04, 2.4), 0.0, darker(paint, 26)) for x in (-0.6, 0.6)]
    bars = [box((x, -3.86, 2.15), (0.05, 0.05, 2.3), 0.0, STEEL) for x in (-0.2, 0.2)]
    cab = box((0, 2.95, 1.65), (2.4, 2.0, 2.0), 0.0, (66, 92, 150))
    glass = box((0, 3.9, 2.15), (2.2, 0.16, 0.8), 0.0, GLASS)
    bed = box((0, 0, 0.72), (0.9, 7.6, 0.3), 0.0, DARK)
    axles = [cylinder((0, y, 0.5), 0.12, 2.2, STEEL, axis="x", sides=8) for y in (-2.7, -1.5, 2.6)]
    tank = cylinder((0.85, 0.6, 0.66), 0.28, 1.2, STEEL, axis="y", sides=10)
    stripe = box((0, -3.86, 0.86), (2.4, 0.04, 0.16), 0.0, (214, 40, 32))
    return [
        cargo,
        *doors,
        *bars,
        cab,
        glass,
        bed,
        *axles,
        tank,
        stripe,
        _plate(7.8, 0.7),
        *_wheels(2.5, (-2.7, -1.5, 2.6), 0.5),
        *_lamps(2.4, 7.8, 0.62, state, night),
    ]


def bus(paint: Colour, state: str, night: bool) -> list[Mesh]:
    body = box((0, 0, 1.75), (2.5, 11.0, 2.7), 0.0, paint)
    band = [box((side * 1.26, 0, 2.25), (0.04, 10.2, 0.95), 0.0, GLASS) for side in (-1, 1)]
    ends = [box((0, y, 2.2), (2.2, 0.06, 1.1), 0.0, GLASS) for y in (-5.5, 5.5)]
    number = box((0, -5.54, 2.93), (1.2, 0.04, 0.26), 0.0, (250, 190, 60)).lit(0.8)
    doors = [box((1.27, y, 1.35), (0.05, 1.2, 2.0), 0.0, (70, 82, 96)) for y in (4.2, -0.4)]
    return [
        body,
        *band,
        *ends,
        number,
        *doors,
        _plate(11.0, 0.6),
        *_wheels(2.5, (-3.3, 3.5), 0.5),
        *_lamps(2.5, 11.0, 0.95, state, night),
    ]


def tram(paint: Colour, state: str, night: bool) -> list[Mesh]:
    body = box((0, 0, 1.9), (2.6, 18.0, 2.9), 0.0, paint, taper=(0.94, 0.98))
    skirt = box((0, 0, 0.35), (2.5, 17.4, 0.5), 0.0, DARK)
    band = [box((side * 1.29, 0, 2.3), (0.04, 17.0, 1.0), 0.0, GLASS) for side in (-1, 1)]
    ends = [box((0, y, 2.3), (2.2, 0.2, 1.3), 0.0, GLASS) for y in (-8.95, 8.95)]
    bow = [box((0, -2.0, 4.0), (1.4, 0.1, 0.08), 0.0, DARK), box((0, -2.4, 3.7), (0.08, 0.08, 0.7), 0.0, DARK)]
    return [body, skirt, *band, *ends, *bow, *_lamps(2.4, 18.0, 0.95, state, night)]


def tricycle(paint: Colour, state: str, night: bool) -> list[Mesh]:
    bed = box((0, -0.65, 0.62), (1.1, 1.5, 0.1), 0.0, paint)
    rails = [box((side * 0.53, -0.65, 0.82), (0.05, 1.5, 0.34), 0.0, paint) for side in (-1, 1)] + [
        box((0, -1.38, 0.82), (1.1, 0.05, 0.34), 0.0, paint)
    ]
    load = box((0, -0.65, 1.0), (0.8, 1.1, 0.62), 0.0, (196, 176, 130))
    frame = box((0, 0.55, 0.62), (0.1, 1.2, 0.1), 0.0, DARK)
    bars = box((0, 1.0, 1.08), (0.66, 0.06, 0.06), 0.0, DARK)
    rider = [
        box((0, 0.35, 1.22), (0.42, 0.28, 0.62), 0.0, (52, 76, 120)),
        sphere((0, 0.38, 1.68), 0.13, (214, 168, 136), sides=8),
    ]
    legs = [box((side * 0.13, 0.55, 0.8), (0.14, 0.5, 0.16), 0.0, (54, 54, 64)) for side in (-1, 1)]
    wheels = [*_wheels(1.1, (-0.85,), 0.32), cylinder((0, 1.15, 0.32), 0.32, 0.08, TYRE, axis="x", sides=12)]
    return [bed, *rails, load, frame, bars, *rider, *legs, *wheels]


def trailer(paint: Colour, state: str, night: bool) -> list[Mesh]:
    bed = box((0, 0, 0.95), (2.4, 7.0, 0.22), 0.0, DARK)
    load = box((0, 0, 1.85), (3.1, 6.2, 1.6), 0.0, paint)
    straps = [box((0, y, 1.86), (3.14, 0.1, 1.64), 0.0, (40, 44, 52)) for y in (-1.8, 1.8)]
    signs = [box((side * 1.4, -3.14, 1.4), (0.3, 0.04, 0.9), 0.0, (236, 60, 40)) for side in (-1, 1)]
    bar = box((0, 4.2, 0.7), (0.16, 1.6, 0.14), 0.0, DARK)
    beacon = frustum((0, -2.8, 2.65), 0.12, 0.1, 0.22, AMBER, sides=8).lit()
    return [
        bed,
        load,
        *straps,
        *signs,
        bar,
        beacon,
        *_wheels(2.4, (-1.6, -0.5), 0.42),
        *_lamps(2.4, 7.0, 0.75, state, night),
    ]


def construction_vehicle(paint: Colour, state: str, night: bool) -> list[Mesh]:
    tracks = [box((side * 1.05, 0, 0.45), (0.55, 3.6, 0.9), 0.0, (40, 40, 42), taper=(1.0, 0.86)) for side in (-1, 1)]
    house = box((0.1, -0.5, 1.55), (2.3, 2.5, 1.2), 0.0, paint)
    cab = box((-0.7, 0.55, 2.1), (0.95, 1.3, 1.6), 0.0, GLASS, taper=(0.9, 0.85))
    boom = box((0, 0, 0), (0.36, 3.4, 0.45), 0.0, paint).tilted(pitch=0.75).moved(0.45, 1.9, 2.9)
    stick = box((0, 0, 0), (0.3, 2.5, 0.35), 0.0, paint).tilted(pitch=-1.05).moved(0.45, 3.7, 2.9)
    bucket = box((0.45, 4.25, 1.55), (0.95, 0.7, 0.7), 0.0, DARK, taper=(1.0, 0.6))
    beacon = frustum((-0.7, 0.4, 2.95), 0.12, 0.1, 0.22, AMBER, sides=8).lit()
    stripes = [box((x, -1.77, 1.35), (0.34, 0.03, 0.5), 0.0, (24, 24, 24)) for x in (-0.7, 0.1, 0.9)]
    return [*tracks, house, cab, boom, stick, bucket, beacon, *stripes]


def recreational_vehicle(paint: Colour, state: str, night: bool) -> list[Mesh]:
    body = box((0, -0.5, 1.7), (2.3, 5.0, 2.1), 0.0, paint)
    alcove = box((0, 1.9, 2.4), (2.2, 1.3, 0.8), 0.0, paint)
    cab = box((0, 2.5, 1.05), (2.0, 1.9, 1.0), 0.0, paint)
    glass = box((0, 2.5, 1.75), (1.9, 1.5, 0.5), 0.0, GLASS, taper=(0.9, 0.5))
    windows = [box((side * 1.16, y, 1.95), (0.04, 0.9, 0.55), 0.0, GLASS) for side in (-1, 1) for y in (-1.8, 0.1)]
    rear = box((0, -3.02, 2.0), (1.2, 0.04, 0.6), 0.0, GLASS)
    stripe = [box((side * 1.16, -0.5, 1.3), (0.04, 4.9, 0.16), 0.0, (170, 90, 40)) for side in (-1, 1)]
    stripe.append(box((0, -3.02, 1.3), (2.2, 0.04, 0.16), 0.0, (170, 90, 40)))
    return [
        body,
        alcove,
        cab,
        glass,
        *windows,
        rear,
        *stripe,
        _plate(6.0, 0.62),
        *_wheels(2.2, (-1.7, 2.3), 0.36),
        *_lamps(2.2, 6.0, 0.8, state, night),
    ]


VEHICLES: dict[str, Builder] = {
    "car": car,
    "truck": truck,
    "bus": bus,
    "tram": tram,
    "tricycle": tricycle,
    "trailer": trailer,
    "construction_vehicle": construction_vehicle,
    "recreational_vehicle": recreational_vehicle,
}
