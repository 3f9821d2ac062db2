"""Street scenes: the same bytes everywhere, all categories, boxes of what is seen, twins that differ in the hazard
alone, advice that fits.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from embodied.driving import schema
from embodied.driving.actions import ACTIONS, CONTRADICTIONS
from embodied.driving.categories import CATEGORIES
from embodied.driving.scene import sets
from embodied.driving.scene.annotate import annotation_of, facts_of, seen_in
from embodied.driving.scene.objects import BUILDERS, SIZES, build
from embodied.driving.scene.planner import advise
from embodied.driving.scene.render import frame
from embodied.driving.scene.spec import Actor, Road, SceneSpec, decode, encode
from embodied.driving.scene.templates import TEMPLATES
from embodied.errors import UnknownName, UsageError

SMALL = (320, 180)
FOUR = tuple(s for s in sets.specs() if s.name.endswith("_1"))[::6]


def digest(spec: SceneSpec) -> str:
    drawn = frame(spec, size=SMALL)
    return hashlib.sha256(drawn.color.tobytes() + drawn.depth.tobytes() + drawn.ids.tobytes()).hexdigest()


def test_pictures_are_the_same_in_another_process():
    code = "from tests.driving.scene.test_street_scenes import *\nprint(*map(digest, FOUR))"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert there == [digest(s) for s in FOUR] == [digest(s) for s in FOUR]


def test_the_embedded_set_is_what_its_recipe_makes():
    assert sets.specs() == sets.build()
    assert len(sets.specs()) == 48 and len(sets.twin_names()) == 24


@pytest.mark.parametrize("number", [0, 21, 37])
def test_shipped_facts_are_those_of_the_picture(number: int):
    assert facts_of(sets.specs()[number]) == sets.facts()[number]


def test_shipped_boxes_fit_the_objects_of_all_scenes():
    """In small pictures, quick enough for all of them: a solid reshaped after the facts were made shows."""
    for spec, known in zip(sets.specs(), sets.facts(), strict=True):
        ids = frame(spec, size=(640, 360)).ids
        for o in known.objects:
            rows, columns = np.nonzero(ids == o.id)
            found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            x, y, w, h = o.box
            assert np.abs(np.array((x, y, x + w, y + h)) / 2 - found).max() <= 2.5, (
                f"{spec.name}: {o.category} {o.id}; run scripts/make_driving_scenes.py"
            )


def test_what_night_hides_is_not_asked_about():
    day = street(Actor(1, "stone", 25, 45, colour="black"), surroundings="rural")
    assert set(seen_in(day, SMALL)) == {1} and not seen_in(replace(day, time="night"), SMALL)


def test_every_category_is_built_and_seen():
    assert set(BUILDERS) == set(CATEGORIES) == set(SIZES)
    assert {o.category for f in sets.facts() for o in f.objects} == set(CATEGORIES)


def test_templates_weather_and_light_are_covered():
    specs = sets.specs()
    assert len(TEMPLATES) >= 12 and {s.template for s in specs} == set(TEMPLATES)
    assert {s.weather for s in specs} == {"clear", "rain", "fog", "snow"} and {s.time for s in specs} == {
        "day",
        "dusk",
        "night",
    }


def test_twins_differ_in_the_hazard_alone():
    by_name = {s.name: s for s in sets.specs()}
    known = {f.image: f for f in sets.facts()}
    for present, absent in sets.twin_names():
        a, b = by_name[present], by_name[absent]
        assert b == replace(a, name=b.name, twin=a.name, actors=tuple(x for x in a.actors if not x.corner_case))
        assert any(o.corner_case for o in known[present].objects), f"the hazard of {present} cannot be seen"
        assert not any(o.corner_case for o in known[absent].objects)
        assert "stop" in known[absent].forbidden


def test_advice_is_of_known_actions_and_does_not_contradict_itself():
    for f in sets.facts():
        assert f.required and set(f.required) | set(f.forbidden) <= set(ACTIONS)
        assert not set(f.required) & set(f.forbidden)
        assert not any(b in CONTRADICTIONS.get(a, ()) for a in f.required for b in f.required)


def street(*actors: Actor, **road) -> SceneSpec:
    return SceneSpec("s", "obstacle", 1, Road(**road), actors=actors)


@pytest.mark.parametrize(
    ("spec", "required"),
    [
        (street(), ("proceed", "keep_lane")),
        (street(Actor(1, "stone", 0, 15, corner_case=True), lanes=2, ego_lane=0), ("slow_down", "change_lane_right")),
        (street(Actor(1, "stone", 0, 15, corner_case=True), lanes=2, ego_lane=1), ("slow_down", "change_lane_left")),
        (street(Actor(1, "stone", 0, 15, corner_case=True), lanes=1), ("stop",)),
        (street(Actor(1, "stone", 0, 15, corner_case=True), Actor(2, "car", 3.5, 17), lanes=2), ("stop",)),
        (street(Actor(1, "stone", 5, 15, corner_case=True), lanes=1), ("proceed", "keep_lane")),
        (street(Actor(1, "dog", 0.5, 15, state="crossing", corner_case=True)), ("stop", "yield")),
        (street(Actor(1, "plastic_bag", 0, 15, corner_case=True)), ("proceed", "keep_lane")),
        (replace(street(), light="red"), ("stop", "obey_light")),
        (
            replace(street(Actor(1, "pedestrian", 0, 15, state="directing", corner_case=True)), light="green"),
            ("stop", "watch"),
        ),
    ],
)
def test_what_a_careful_driver_does(spec: SceneSpec, required: tuple[str, ...]):
    assert advise(spec, [a.id for a in spec.actors]).required == required


def test_what_is_not_seen_is_not_asked_for():
    hidden = street(Actor(1, "dog", 0, 15, corner_case=True, state="crossing"))
    assert advise(hidden, []).required == ("proceed", "keep_lane")


def test_boxes_are_around_what_is_visible_and_hidden_things_have_none():
    wall, cat, car = Actor(1, "bus", 0, 14), Actor(2, "cat", 0, 25), Actor(3, "car", 4, 16)
    spec = street(wall, cat, car)
    boxes, ids = seen_in(spec, SMALL), frame(spec, size=SMALL).ids
    assert set(boxes) == {1, 3}
    for id_, (x, y, w, h) in boxes.items():
        rows, columns = np.nonzero(ids == id_)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x, y, x + w, y + h)


def test_an_overturned_one_lies_on_the_ground_and_is_lower():
    up, down = build(Actor(1, "truck", 0, 20)), build(Actor(1, "truck", 0, 20, state="overturned"))
    assert abs(down.vertices[:, 2].min()) < 1e-9 and down.vertices[:, 2].max() < up.vertices[:, 2].max()


def test_annotations_have_codalms_schema():
    for spec, known in list(zip(sets.specs(), sets.facts(), strict=True))[::7]:
        made = annotation_of(spec, known)
        assert schema.decode(msgspec.json.encode(schema.to_json(made)), spec.name) == made
        assert all(x >= 0 and y >= 0 and x + w <= 1280 and y + h <= 720 for x, y, w, h in (r.box for r in made.regions))


def test_more_by_seed():
    some = sets.more(15, 3)
    assert some == sets.more(15, 3) != sets.more(15, 4)
    assert {s.template for s in some} == set(TEMPLATES) and len({s.name for s in some}) == 30


def test_specifications_survive_and_bad_ones_are_refused():
    assert decode(encode(FOUR)) == FOUR
    one = FOUR[0]
    with pytest.raises(UsageError, match="unique"):
        decode(encode((replace(one, actors=(Actor(1, "car", 0, 9), Actor(1, "dog", 0, 9))),)))
    with pytest.raises(UnknownName, match="truck"):
        decode(encode((replace(one, actors=(Actor(1, "truc", 0, 9),)),)))
    with pytest.raises(UsageError, match="path"):
        decode(encode((replace(one, actors=(Actor(1, "car", 0, 9, motion="waypoints"),)),)))
    with pytest.raises(UsageError, match="lanes"):
        decode(encode((replace(one, road=Road(lanes=2, ego_lane=2)),)))
    with pytest.raises(UsageError, match="not a list of scenes"):
        decode(b"{")


def test_pictures_come_from_the_cache_and_a_damaged_one_is_drawn_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBODIED_CACHE", str(tmp_path))
    first = sets.picture(FOUR[0])
    (file,) = (tmp_path / "driving").glob("*.png")
    file.write_bytes(file.read_bytes()[:2000])
    assert np.array_equal(sets.picture(FOUR[0]), first) and first.shape == (720, 1280, 3)
