"""The annotation of a picture: boxes from visible pixels, facts, and texts in the schema of CODA-LM's annotations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodied.driving.categories import CATEGORIES, GROUPS, label
from embodied.driving.facts import Distance, ObjectFact, SceneFacts, Side
from embodied.driving.records import Annotation, ListedObject, Region
from embodied.driving.scene.objects import build, colour_of
from embodied.driving.scene.planner import Recommendation, advise
from embodied.driving.scene.render import SIZE, camera, frame
from embodied.driving.scene.spec import Actor, SceneSpec
from embodied.raster import render

SMALLEST = 30
"""Pixels that must be seen of an object, of a picture of 1280 x 720."""
SHARE = 0.25
"""Share of an object that must be seen."""
FAINT = 20
"""Levels of 255 by which a tenth of an object's pixels must differ from the same picture without actors: what night or
fog hides is not asked about.
"""
NEAR, MIDDLE = 15.0, 35.0
"""Metres: up to here an object is near, up to there at middle distance."""
REGIONS = 3
"""Regions asked about in a scene without a corner case, and at most as many others beside those of one."""

_SAYS = {
    "stop": "stop",
    "slow_down": "slow down",
    "keep_distance": "keep your distance",
    "yield": "yield",
    "keep_lane": "keep your lane",
    "change_lane_left": "change to the left lane",
    "change_lane_right": "change to the right lane",
    "proceed": "proceed at an even speed",
    "obey_light": "obey the traffic light",
    "watch": "watch closely what happens",
}


def seen_in(spec: SceneSpec, size: tuple[int, int] = SIZE) -> dict[int, tuple[float, float, float, float]]:
    """Id -> box (x, y, width, height in pixels) of every actor that can be seen well enough: from the picture's
    instance ids and colours.
    """
    drawn, empty = frame(spec, size=size), frame(spec, actors=(), size=size)
    ids, contrast = drawn.ids, np.abs(drawn.color.astype(np.int16) - empty.color).max(axis=2)
    scale = (SIZE[0] / size[0]) * (SIZE[1] / size[1])
    found = {}
    for actor in spec.actors:
        rows, columns = np.nonzero(ids == actor.id)
        if len(rows) * scale < SMALLEST:
            continue
        alone = int((render([build(actor)], camera(size=size)).ids == actor.id).sum())
        if len(rows) < SHARE * alone or np.sort(contrast[rows, columns])[len(rows) * 9 // 10] < FAINT:
            continue
        x, y = int(columns.min()), int(rows.min())
        found[actor.id] = (float(x), float(y), float(columns.max() - x + 1), float(rows.max() - y + 1))
    return found


def facts_of(spec: SceneSpec, size: tuple[int, int] = SIZE) -> SceneFacts:
    """The facts of a scene's picture."""
    boxes = seen_in(spec, size)
    objects = tuple(_fact(spec, actor, boxes[actor.id]) for actor in spec.actors if actor.id in boxes)
    advice = advise(spec, boxes)
    return SceneFacts(spec.name, *size, objects, advice.required, advice.forbidden, spec.weather, spec.time, spec.light)


def _fact(spec: SceneSpec, actor: Actor, box: tuple[float, float, float, float]) -> ObjectFact:
    half = spec.road.lane_width / 2
    side: Side = "ahead" if abs(actor.x) < half else "left" if actor.x < 0 else "right"
    distance: Distance = "near" if actor.y <= NEAR else "middle" if actor.y <= MIDDLE else "far"
    group = CATEGORIES[actor.category]
    return ObjectFact(
        actor.id,
        actor.category,
        group,
        box,
        side,
        distance,
        round(actor.y, 1),
        colour_of(actor),
        actor.state,
        actor.corner_case,
    )


# --------------------------------------------------------------------------- texts


def annotation_of(spec: SceneSpec, facts: SceneFacts) -> Annotation:
    """The facts as sentences, in the form of an annotation of CODA-LM."""
    advice = advise(spec, [o.id for o in facts.objects])
    ordered = sorted(facts.objects, key=lambda o: (not o.corner_case, o.metres))
    mentions = tuple(
        ListedObject(group, described(o), explained(o)) for group in GROUPS for o in ordered if o.group == group
    )
    shown = [o for o in ordered if o.corner_case]
    others = [o for o in ordered if not o.corner_case][: REGIONS if not shown else max(0, REGIONS - len(shown))]
    regions = tuple(
        Region(str(k), o.box, o.category, f"{described(o)} {explained(o)}") for k, o in enumerate([*shown, *others], 1)
    )
    return Annotation(spec.name, mentions, _summary(spec, ordered), regions, suggestion(advice))


def described(o: ObjectFact) -> str:
    """An object in a sentence: what, how and where."""
    name = {"playing": "child with a ball", "directing": "officer directing traffic", "working": "worker"}.get(
        o.state, label(o.category)
    )
    doing = {
        "": "",
        "playing": "stepping out",
        "working": "at work",
        "directing": "with raised arms",
        "red": "showing red",
        "green": "showing green",
        "yellow": "showing yellow",
    }
    words = " ".join(w for w in (o.colour, name) if w)
    state = doing.get(o.state, o.state)
    where = {"left": "to the left of our lane", "ahead": "in our lane", "right": "to the right of our lane"}[o.side]
    return (
        f"{'An' if words[0] in 'aeiou' else 'A'} {words}{f', {state},' if state else ''} {where}, about {o.metres:.0f}"
        " m ahead."
    )


def explained(o: ObjectFact) -> str:
    """Why an object matters to the driver."""
    if o.corner_case and o.category == "plastic_bag":
        return "It is light and does no harm; there is no need to brake."
    if o.corner_case:
        moving = o.state in ("crossing", "moving", "oncoming", "playing")
        return (
            "It may enter or stay in our way: the ego car must react to it now."
            if moving
            else "It is in the way of the ego car, which must not drive on as it is."
        )
    return {
        "vehicle": (
            "It comes towards us in its own lane."
            if o.state == "oncoming"
            else "The ego car keeps its distance from it."
        ),
        "vru": "It may come onto the road, so the ego car watches it.",
        "traffic_sign": "It tells the ego car what to expect or what is allowed.",
        "traffic_light": "The ego car obeys it.",
        "traffic_cone": "It marks where not to drive.",
        "barrier": "It marks where not to drive.",
        "miscellaneous": "It stands beside the road and does not hinder the ego car.",
    }[o.group]


def suggestion(advice: Recommendation) -> str:
    """Advice in two sentences."""
    parts = [_SAYS[a] for a in advice.required if a in _SAYS]
    said = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{said[0].upper()}{said[1:]}: {advice.reason}."


def _summary(spec: SceneSpec, ordered: Sequence[ObjectFact]) -> str:
    place = {
        "city": "a city street",
        "suburb": "a street with houses",
        "rural": "a country road",
        "motorway": "a motorway",
    }[spec.road.surroundings]
    weather = {"clear": "clear weather", "rain": "rain", "fog": "fog", "snow": "snow"}[spec.weather]
    head = (
        f"The ego car drives on {place} with {spec.road.lanes} lanes in its direction, in {weather}, at"
        f" {'night' if spec.time == 'night' else spec.time}."
    )
    return " ".join([head, *(described(o) for o in ordered)])
