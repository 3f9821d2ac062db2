"""Sets of labelled items: the ones that ship, making others, splits by map."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from embodied.envs import make as make_env
from embodied.errors import EnvironmentFailure, MissingExtra, UnknownName, UsageError
from embodied.planning.descriptors import NAMES
from embodied.planning.items import EMBEDDED, ItemSet, MapKey, check, drawn, embedded
from embodied.planning.making import PARAMETERS, Recipe, keys, make, pairs_on, select
from embodied.planning.pairs import labels
from embodied.planning.scenarios import SCENARIOS, WEIGHTS
from tests.planning.scribbles import scribbled
from tests.transcripts import again, golden

SIZES = {"test": 70, "dev": 20}


@pytest.mark.parametrize("split", EMBEDDED)
def test_the_shipped_sets_are_even(split: str):
    items = embedded(split)
    count = Counter((item.scenario.number, item.label) for item in items.items)
    assert count == {(s.number, label): SIZES[split] // 2 for s in SCENARIOS for label in (1, 2)}
    assert all(
        [item.scenario.number for item in items.items[at : at + 15]] == list(range(1, 16))
        for at in range(0, len(items.items), 15)
    )
    assert len({item.id for item in items.items}) == len(items.items)
    assert {pair.map.family for pair in items.pairs} == set(PARAMETERS)


@pytest.mark.parametrize("split", EMBEDDED)
def test_every_shipped_label_follows_from_the_descriptors(split: str):
    items = embedded(split)
    for which in ("paper", "dense"):
        first, second = np.array([pair.descriptors(which) for pair in items.pairs]).swapaxes(0, 1)
        rule = dict(zip(items.pairs, labels(first, second, WEIGHTS), strict=True))
        assert all(rule[item.pair][item.scenario.number - 1] == item.label for item in items.items)


def test_shipped_descriptors_follow_from_the_paths_and_paths_are_free():
    for item in embedded("test").items[::60]:
        check(item)
        for path, radius in zip(item.pair.paths, item.pair.radii, strict=True):
            assert (
                0.5 <= radius <= 1.5 and drawn(item.pair.map).obstacles.clear(path[:-1], path[1:], radius - 2e-4).all()
            )
            assert (
                np.abs(path).max() <= 40
                and path[0].tolist() == [-36.6031, -36.4332]
                and path[-1].tolist() == [36.0982, 36.363]
            )


def test_the_recipe_gives_the_shipped_pairs():
    items = embedded("dev")
    assert {pair.map for pair in items.pairs} <= set(keys(Recipe(**items.recipe)))
    key = next(pair.map for pair in items.pairs if pair.map.family == "random")
    made, _ = pairs_on(key, items.recipe["paths"], items.recipe["pairs"], items.recipe["planner"])
    by_name = {pair.name: pair for pair in made}
    for pair in items.pairs:
        if pair.map == key:
            assert pair.radii == by_name[pair.name].radii
            for one, other in zip(pair.paths, by_name[pair.name].paths, strict=True):
                np.testing.assert_array_equal(one, other)


def test_splits_share_no_map():
    made = {
        split: set(keys(Recipe(split=split, seed=seed, maps=60))) for seed, split in enumerate(("train", "dev", "test"))
    }
    made = {
        split: found | {pair.map for pair in embedded(split).pairs} if split in EMBEDDED else found
        for split, found in made.items()
    }
    assert not made["train"] & made["test"] and not made["train"] & made["dev"] and not made["dev"] & made["test"]
    assert all(key.split == split for split, found in made.items() for key in found)
    shares = Counter(MapKey("maze", 12, seed).split for seed in range(2000))
    assert shares["train"] == pytest.approx(1400, abs=80) and shares["test"] == pytest.approx(400, abs=60)


def test_a_set_is_the_same_on_any_number_of_processes_and_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = Recipe(split="train", seed=3, maps=2, paths=3, pairs=1)
    digests = []
    for folder, workers in (("a", 1), ("b", 2), ("b", 1)):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / folder))
        made = make(recipe, workers)
        digests.append(made.digest)
    assert (
        len(set(digests)) == 1
        and made.counts["maps"] == 2
        and made.counts["paths"] + made.counts["paths not found"] == 6
    )
    for file in (tmp_path / "b/embodied/patheval").iterdir():
        file.write_text(file.read_text()[:-5])  # harmed: made anew
    assert make(recipe, 1).digest == digests[0]
    assert make(Recipe(split="train", seed=4, maps=2, paths=3, pairs=1), 1).digest != digests[0]
    for item in made.items:
        check(item)


def test_families_take_turns_and_parameters_stay_in_range():
    found = keys(Recipe(seed=5, maps=40))
    assert [key.family for key in found[:8]] == [*PARAMETERS] * 2 and len(set(found)) == 40
    assert all(PARAMETERS[key.family][0] <= key.parameter <= PARAMETERS[key.family][1] for key in found)


def test_an_infeasible_map_is_skipped_and_counted():
    assert pairs_on(MapKey("random", 45, 0), 3, 1, "rrt") == ([], {"infeasible maps": 1})


def test_a_planner_that_is_not_installed_is_named_out_of_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if importlib.util.find_spec("ompl") is not None:
        pytest.skip("OMPL is installed")
    with pytest.raises(MissingExtra, match=r"pip install 'embodied-suite\[ompl\]'"):
        make(Recipe(maps=2, paths=2, pairs=1, planner="ompl"), 2)


def test_scarce_scenarios_are_named():
    with pytest.raises(
        UsageError, match=r"4 maps give fewer than 500 items for some scenarios \(truck: \d+.*Ask for more maps"
    ):
        scribbled(each=500)


def test_an_even_choice_has_as_many_of_each():
    odd = select(Recipe(split="dev", maps=80, each=3), embedded("dev").pairs, {})
    count = Counter(item.scenario.name for item in odd.items)
    assert set(count.values()) == {3} and len(count) == 15
    assert {abs(2 * sum(item.label == 1 for item in odd.items if item.scenario is s) - 3) for s in SCENARIOS} == {1}


def test_json_and_back(tmp_path: Path):
    items = scribbled()
    text = json.dumps(items.to_json())
    again_ = ItemSet.from_json(json.loads(text))
    assert again_.digest == items.digest and json.dumps(again_.to_json()) == text
    np.testing.assert_array_equal(again_.pairs[0].paths[0], items.pairs[0].paths[0])


def test_unknown_sets_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'test'"):
        embedded("tests")


def test_a_changed_number_is_noticed():
    item = embedded("dev").items[0]
    values = item.pair.dense.copy()
    values[0, NAMES.index("Average clearance")] += 0.001
    pair = type(item.pair)(item.pair.paper, values, item.pair.map, item.pair.paths, item.pair.radii, item.pair.name)
    with pytest.raises(EnvironmentFailure, match=r"the dense average clearance of path 1 is .* on this machine"):
        check(type(item)(item.id, pair, item.scenario, item.label))


def test_the_test_set_is_walked_through_once():
    env = make_env("patheval")
    ids = [env._pick(seed)[0].id for seed in range(1050)]
    assert len(set(ids)) == 1050 and env._pick(1050)[0].id == ids[0]


@pytest.mark.parametrize("episode", golden("patheval"), ids=lambda episode: f"{episode['task']}-{episode['seed']}")
def test_golden_transcripts(episode):
    assert again("patheval", episode) == episode
