"""PathEval-v0: what is asked and answered, options, order, names, pictures, published data in and
out, and its tables.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embodied.agents.formats import Plain
from embodied.agents.parse import Lenient
from embodied.agents.vocabulary import accepted
from embodied.cli import main
from embodied.envs import make
from embodied.envs.check import check as keeps_the_contract
from embodied.errors import EnvironmentFailure, UnknownName, UsageError
from embodied.planning import published
from embodied.planning.analysis import tables
from embodied.planning.descriptors import NAMES
from embodied.planning.env import PathEvalEnv
from embodied.planning.items import Item, ItemSet
from embodied.planning.items import check as check_item
from embodied.planning.questions import directions, numbers
from embodied.planning.scenarios import SCENARIOS
from embodied.planning.shortcuts import SHORTCUTS, answers
from embodied.types import Episode, EpisodeSpec, TaskSpec, Usage
from tests.planning.scribbles import scribbled

N = len(SCENARIOS)


@pytest.fixture(scope="module")
def items() -> ItemSet:
    return scribbled()


@pytest.fixture(scope="module")
def folder(items: ItemSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our format, in 2D."""
    out = tmp_path_factory.mktemp("patheval")
    published.write(out, [items], ["2d"])
    return out


@pytest.fixture(scope="module")
def bare(folder: Path, items: ItemSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As PathEval publishes it: no paths. The first 45 records, as the test split."""
    out = tmp_path_factory.mktemp("published")
    (out / "2D/combined_images").mkdir(parents=True)
    records = json.loads((folder / "2D/dev_set_2D.json").read_text())[:45]
    for record in records:
        del record["embodied"]
        (out / "2D" / record["image"]).write_bytes((folder / "2D" / record["image"]).read_bytes())
    (out / "2D/test_dataset_2D.json").write_text(json.dumps(records))
    return out


def _make(folder: Path, task: str = "decide", **options):
    return make("patheval", task, data=str(folder), **{"split": "dev", **options})


# --------------------------------------------------------------------------- the episode


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("decide", {"ids": "random", "swap": "both", "layout": "separate"}),
        ("perceive", {"answer": "value"}),
        ("abstract", {}),
    ],
)
def test_options_keep_the_contract(folder: Path, task: str, options: dict):
    report = keeps_the_contract(partial(_make, folder, task, expert=True, **options), steps=2)
    assert report.ok, report


@pytest.mark.parametrize("task", ["decide", "perceive", "abstract", "integrate"])
def test_the_oracle_is_right_and_the_answer_is_told_at_the_end(folder: Path, task: str):
    env = _make(folder, task, expert="oracle")
    for seed in range(20):
        first, start = env.reset(seed=seed)
        assert env.mission.goal and start["item"]
        last, reward, terminated, truncated, info = env.step(first["expert"])
        assert (reward, terminated, truncated, info["success"], info["progress"], info["end_reason"]) == (
            1.0,
            True,
            False,
            True,
            1.0,
            "right",
        )
        assert (
            last["text"].startswith(first["text"])
            and "The right answer" in last["text"]
            and "The right answer" not in first["text"]
        )


def test_a_wrong_answer_and_none_are_kept_apart(folder: Path):
    env = _make(folder)
    _, info = env.reset(seed=2)
    *_, wrong = env.step(info["names"][2 - info["answer"]])
    assert (wrong["success"], wrong["end_reason"]) == (False, "wrong")
    assert wrong["metrics"] == {
        "correct": 0.0,
        "unparsed": 0.0,
        "chosen": 3.0 - info["answer"],
        "answer": float(info["answer"]),
    }
    env.reset(seed=2)
    *_, none = env.step("Path 1 or Path 2")
    assert (
        none["valid"],
        none["executed"],
        none["end_reason"],
        none["metrics"]["unparsed"],
        none["metrics"]["chosen"],
    ) == (
        False,
        "no answer",
        "unparsed",
        1.0,
        0.0,
    )


@pytest.mark.parametrize(
    "reply",
    [
        "Path 2",
        "2",
        "**Path 2.**",
        "Answer: Path 2.\nExplanation: Path 1 is longer.",
        "The second one is better: Path 2",
        "path_2",
    ],
)
def test_agents_read_a_path_out_of_replies(folder: Path, reply: str):
    env = _make(folder)
    env.reset(seed=0)
    assert Lenient().parse(reply, Plain(), accepted(env.mission)).action == "Path 2"


@pytest.mark.parametrize("reply", ["Path 1 and Path 2 are alike.", "I cannot tell.", "", "Path 3", "no answer"])
def test_agents_read_nothing_out_of_others(folder: Path, reply: str):
    env = _make(folder)
    env.reset(seed=0)
    assert Lenient().parse(reply, Plain(), accepted(env.mission)).action is None


def test_scenarios_take_turns_and_filters_hold(folder: Path, items: ItemSet):
    env = _make(folder)
    seen = [env.reset(seed=seed)[1] for seed in range(2 * N)]
    assert Counter(info["scenario"] for info in seen) == {s.name: 2 for s in SCENARIOS}
    assert env.reset(seed=len(items.items))[1]["item"] == seen[0]["item"]
    env = _make(folder, scenario="soil_monitor", family="rings")
    infos = [env.reset(seed=seed)[1] for seed in range(9)]
    assert {(info["scenario_number"], info["map"]["family"]) for info in infos} == {(14, "rings")}


def test_perceive_asks_of_pairs_that_differ(folder: Path):
    env = _make(folder, "perceive")
    infos = [env.reset(seed=seed)[1] for seed in range(40)]
    assert all(abs(info["margins"][info["descriptor"]]) >= 1 for info in infos)
    assert len({info["descriptor"] for info in infos[:6]}) == 6
    for info in infos:
        values = [row[info["descriptor"]] for row in info["descriptors"]["dense"]]
        assert values[0] != values[1]
    env = _make(folder, "perceive", descriptor="path length")
    assert {env.reset(seed=seed)[1]["descriptor"] for seed in range(9)} == {"Path length"}


def test_swapping_shows_the_same_item_the_other_way_round(folder: Path):
    plain, swapped, both = (_make(folder, swap=swap, image=True) for swap in (False, True, "both"))
    one, there = plain.reset(seed=4)
    other, back = swapped.reset(seed=4)
    assert (
        there["item"] == back["item"]
        and there["answer"] == 3 - back["answer"]
        and (there["swapped"], back["swapped"]) == (False, True)
    )
    assert there["descriptors"]["paper"] == back["descriptors"]["paper"][::-1] and there["radii"] == back["radii"][::-1]
    assert {k: -v for k, v in there["votes"].items()} == back["votes"] and {
        k: -v for k, v in there["margins"].items()
    } == back["margins"]
    np.testing.assert_array_equal(one["image"][:, :480], other["image"][:, 480:])
    assert [both.reset(seed=seed)[1]["swapped"] for seed in (8, 9)] == [False, True]
    assert both.reset(seed=8)[1]["item"] == both.reset(seed=9)[1]["item"] == there["item"]


def test_random_names_say_nothing_of_the_order(folder: Path):
    env = _make(folder, ids="random")
    names = [tuple(env.reset(seed=seed)[1]["names"]) for seed in range(30)]
    assert len(set(names)) == 30 and all(len({*pair}) == 2 and all(len(name) == 9 for name in pair) for pair in names)
    assert 5 < sum(first < second for first, second in names) < 25
    observation, info = env.reset(seed=3)
    assert (
        all(name in observation["text"] and name in env.action_space for name in info["names"])
        and "Path 1" not in observation["text"]
    )
    assert tuple(env.mission.actions) == tuple(info["names"])


def test_inputs_decide_what_is_shown(folder: Path):
    table, asked = "Descriptors of the paths", "The picture"
    for options, has in (
        ({}, (True, False)),
        ({"image": True}, (False, True)),
        ({"image": True, "inputs": "image+descriptors"}, (True, True)),
    ):
        observation, _ = _make(folder, **options).reset(seed=0)
        assert (table in observation["text"], asked in observation["text"]) == has and ("image" in observation) == has[
            1
        ]
    assert table in _make(folder, "integrate", image=True).reset(seed=0)[0]["text"]
    with pytest.raises(UsageError, match="--image"):
        _make(folder, inputs="image")
    with pytest.raises(UsageError, match="Play with --text"):
        _make(folder, inputs="descriptors", image=True)


def test_layouts_and_views_have_the_promised_shapes(folder: Path):
    for layout, shapes in (
        ("side_by_side", [(480, 960, 3)]),
        ("separate", [(480, 480, 3)] * 2),
        ("overlay", [(480, 480, 3)]),
    ):
        env = _make(folder, image=True, layout=layout)
        observation, _ = env.reset(seed=1)
        assert observation in env.observation_space
        assert [observation[key].shape for key in ("image", "image_2") if key in observation] == shapes
    assert "red path" in observation["text"]
    a, b = (_make(folder, image=True).reset(seed=1)[0]["image"] for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_the_descriptor_set_decides_the_numbers(folder: Path):
    texts = {which: _make(folder, descriptor_set=which).reset(seed=0) for which in ("paper", "dense")}
    for which, (observation, info) in texts.items():
        assert (
            f"{info['descriptors'][which][0]['Average clearance']:.2f}" in observation["text"]
            and info["descriptor_set"] == which
        )
    assert (
        texts["paper"][0]["text"] != texts["dense"][0]["text"]
        and texts["paper"][1]["answer"] == texts["dense"][1]["answer"]
    )


@pytest.mark.parametrize(
    ("options", "near"),
    [
        ({"task": "decidde"}, "decide"),
        ({"descriptor": "path lenght"}, "path length"),
        ({"view": "3"}, "3d"),
        ({"layout": "overlai"}, "overlay"),
        ({"scenario": "musseum"}, "museum"),
        ({"family": "ring"}, "rings"),
        ({"descriptor_set": "papr"}, "paper"),
        ({"split": "tests"}, "test"),
        ({"expert": "oracel"}, "oracle"),
        ({"inputs": "images"}, "image"),
    ],
)
def test_unknown_names_get_the_nearest(options: dict, near: str):
    with pytest.raises(UnknownName, match=f"Did you mean '{near}'"):
        make("patheval", **options)


def test_the_page_has_every_scenario_with_what_matters():
    page = " ".join((PathEvalEnv.__doc__ or "").split())
    for s in SCENARIOS:
        wanted = {way: ", ".join(key for key, w in s.wanted.items() if w == way) for way in ("higher", "lower")}
        words = [f"{word} {wanted[way]}" for word, way in (("more", "higher"), ("less", "lower")) if wanted[way]]
        assert f"- {s.number} `{s.name}`: {'; '.join(words)} " in page


def test_the_train_split_needs_a_folder():
    with pytest.raises(UsageError, match="embodied data patheval --out"):
        make("patheval", split="train")


# --------------------------------------------------------------------------- answers in words


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("minimum clearance: higher; path length: lower", {"minimum clearance": "higher", "path length": "lower"}),
        (
            "- Minimum clearance (higher)\n- Path length (lower)",
            {"minimum clearance": "higher", "path length": "lower"},
        ),
        ("higher minimum clearance, lower path length", {"minimum clearance": "higher", "path length": "lower"}),
        (
            "Lower: sharp turns, maximum angle, total turning",
            {"sharp turns": "lower", "maximum angle": "lower", "total turning": "lower"},
        ),
        ("fewer sharp turns", {"sharp turns": "lower"}),
        ("sharp turns", {"sharp turns": ""}),
        ("path length does not matter; avg clearance: higher", {"path length": "none", "average clearance": "higher"}),
        ("nothing of this", {}),
    ],
)
def test_directions_are_read(answer: str, found: dict[str, str]):
    assert directions(answer) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("Path 1: 243.5; Path 2: 240", (243.5, 240.0)),
        ("**Path 1**: about 1,243 units\n**Path 2**: 1,100.5 units", (1243.0, 1100.5)),
        ("12 and 15", (12.0, 15.0)),
        ("Path 1 has 4 sharp turns, Path 2 has 1.", (4.0, 1.0)),
        ("Path 1 and Path 2 have 5 and 6", (5.0, 6.0)),
        ("Path 1: .5, Path 2: 1.2e2.", (0.5, 120.0)),
        ("Path 1: 5", None),
        ("Path 1: 12,5; Path 2: 40,25", None),
        ("Both are about 50 of 80.", None),
        ("between 5 and 6 for Path 1, 7 or 9 for Path 2", None),
        ("no idea", None),
    ],
)
def test_numbers_are_read(answer: str, found: tuple[float, float] | None):
    assert numbers(answer, ("Path 1", "Path 2")) == found


def test_random_names_need_no_word_before_them():
    assert numbers("P7PX: 12.5; Path Z2GW: 40", ("Path P7PX", "Path Z2GW")) == (12.5, 40.0)


def test_partial_answers_get_partial_credit(folder: Path):
    env = _make(folder, "abstract", scenario="earthquake")
    env.reset(seed=0)
    *_, reward, _, _, info = env.step("minimum clearance: higher; path length: higher; sharp turns: lower")
    assert (
        reward == info["metrics"]["f1"] == 2 * 1 / (3 + 2)
        and info["metrics"]["f1_without_direction"] == 0.8
        and info["end_reason"] == "wrong"
    )
    env.reset(seed=0)
    *_, info = env.step("speed")
    assert (info["end_reason"], info["valid"], info["metrics"]["unparsed"]) == ("unparsed", False, 1.0)
    env = _make(folder, "perceive", answer="value")
    start = next(info for seed in range(7) if (info := env.reset(seed=seed)[1])["descriptor"] == "Path length")
    first, second = (row[start["descriptor"]] for row in start["descriptors"]["dense"])
    *_, reward, _, _, info = env.step(f"Path 1: {first + 25}; Path 2: {second + 80}")
    assert (
        reward == pytest.approx(0.25)
        and info["metrics"]["absolute_error"] == pytest.approx(52.5)
        and info["metrics"]["within_threshold"] == 0.5
    )


# --------------------------------------------------------------------------- data in and out


def test_what_is_written_is_read_again(folder: Path, items: ItemSet):
    again = published.read_split(folder, "dev", "2d", pictures=True)
    assert len(again.items) == len(items.items) > 100
    for old, new in zip(items.items, again.items, strict=True):
        assert (old.id, old.scenario, old.label, old.pair.map, old.pair.radii) == (
            new.id,
            new.scenario,
            new.label,
            new.pair.map,
            new.pair.radii,
        )
        np.testing.assert_array_equal(old.pair.paths[0], new.pair.paths[0])
        np.testing.assert_array_equal(old.pair.dense, new.pair.dense)
        check_item(new)
    assert (again.recipe, again.counts) == (items.recipe, items.counts)
    record = json.loads((folder / "2D/dev_set_2D.json").read_text())[0]
    assert list(record) == ["id", "image", "conversations", "metrics", "embodied"] and record["conversations"][0][
        "value"
    ].endswith("Which path better achieves the task?")
    assert [list(record["metrics"][path]) for path in published.PATHS] == [list(NAMES)] * 2
    with Image.open(folder / "2D" / record["image"]) as picture:
        assert picture.size == (960, 480)


def test_pictures_that_cannot_be_shown_are_listed_before_anything_is_asked(folder: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    path = data / "2D/dev_set_2D.json"
    records = json.loads(path.read_text())
    for record in records:
        del record["embodied"]  # as published
    path.write_text(json.dumps(records))
    one, other = list(dict.fromkeys(record["image"] for record in records))[1:3]
    (data / "2D" / one).write_bytes((data / "2D" / one).read_bytes()[:2000])
    Image.new("RGB", (400, 300)).save(data / "2D" / other)
    problems = published.read(data, "dev", "2d").problems
    assert len(problems) == sum(record["image"] in (one, other) for record in records)
    assert any("cannot be read (" in p for p in problems) and any(
        "another size, (400, 300), than the first, (960, 480)" in p for p in problems
    )
    with pytest.raises(UsageError, match="records that cannot be used"):
        published.read_split(data, "dev", "2d", pictures=True)


def test_a_damaged_part_of_ours_is_listed(folder: Path, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(folder, data)
    path = data / "2D/dev_set_2D.json"
    records = json.loads(path.read_text())
    names = list(dict.fromkeys(record["embodied"]["name"] for record in records))
    for record in records:
        ours, at = record["embodied"], names.index(record["embodied"]["name"])
        if at == 0:
            ours["dense"] = ours["dense"][:1]
        elif at == 1:
            ours["map"][1] = 99
        elif at == 2:
            ours["paths"][0] = []
        elif at == 3:
            ours["paths"][0][2] += 50_000
    path.write_text(json.dumps(records))
    problems = published.read(data, "dev", "2d").problems
    assert len(problems) == sum(names.index(record["embodied"]["name"]) < 4 for record in records)
    for said in ("of a path are missing", "there is no map", "fewer than two vertices", "on this machine"):
        assert any(said in p for p in problems), said


def test_published_records_are_judged_by_their_metrics(bare: Path, folder: Path):
    env = make("patheval", data=str(bare), image=True)
    ours = _make(folder, image=True, descriptor_set="paper")
    for seed in range(10):
        (theirs, info), (own, known) = env.reset(seed=seed), ours.reset(seed=seed)
        assert (info["answer"], info["scenario"], info["descriptor_set"], info["map"]) == (
            known["answer"],
            known["scenario"],
            "paper",
            None,
        )
        np.testing.assert_array_equal(theirs["image"], own["image"])
    left, right = (
        make("patheval", data=str(bare), image=True, layout="separate", swap=swap).reset(seed=0)[0]
        for swap in (False, True)
    )
    np.testing.assert_array_equal(left["image"], right["image_2"])
    with pytest.raises(UsageError, match="overlay cannot be drawn"):
        make("patheval", data=str(bare), image=True, layout="overlay")
    with pytest.raises(UsageError, match="paper descriptors only"):
        make("patheval", data=str(bare), descriptor_set="dense")


def _spoil(bare: Path, tmp_path: Path, change) -> Path:
    (tmp_path / "2D").mkdir()
    records = json.loads((bare / "2D/test_dataset_2D.json").read_text())
    change(records)
    (tmp_path / "2D/test_dataset_2D.json").write_text(json.dumps(records))
    (tmp_path / "2D/combined_images").symlink_to(bare / "2D/combined_images")
    return tmp_path


def _checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main(["data", "patheval", "--check", str(folder)])
    return int(end.value.code or 0), capsys.readouterr().out


def test_a_wrong_label_is_left_out_and_said(bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def flip(records):
        turn = records[0]["conversations"][1]
        turn["value"] = "Path 1" if turn["value"] == "Path 2" else "Path 2"

    spoilt = _spoil(bare, tmp_path, flip)
    code, said = _checked(spoilt, capsys)
    assert (
        code == 0
        and "45 records, 45 readable, label is the rule's: 0.9778" in said
        and "record 0 (truck): written" in said
    )
    _, info = make("patheval", data=str(spoilt)).reset(seed=0)
    assert (info["records"], info["left_out"]) == (45, 1)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (
            lambda r: r[3].update(image="combined_images/none.png"),
            "record 3: its picture combined_images/none.png is missing",
        ),
        (
            lambda r: r[1]["metrics"]["Path 1"].update(Clearance=r[1]["metrics"]["Path 1"].pop("Minimum clearance")),
            "Clearance, Minimum clearance",
        ),
        (lambda r: r[0].pop("metrics"), "record 0: it lacks metrics"),
        (lambda r: r[0].update(extra=1), "other keys: extra"),
        (lambda r: r[2]["conversations"][0].update(value="Which path?"), "not one of the 15"),
        (lambda r: r[2]["conversations"][1].update(value="Both"), "Path 1 or Path 2"),
        (lambda r: r[2]["metrics"]["Path 1"].update({"Path length": "far"}), "not all numbers"),
    ],
)
def test_what_cannot_be_used_is_listed_and_nothing_scored(
    bare: Path, tmp_path: Path, change, what: str, capsys: pytest.CaptureFixture[str]
):
    spoilt = _spoil(bare, tmp_path, change)
    with pytest.raises(UsageError, match=r"1 of 45 records that cannot be used: .*") as error:
        make("patheval", data=str(spoilt), image=True)
    assert what in str(error.value)
    code, said = _checked(spoilt, capsys)
    assert code == 5 and what in said


def test_a_folder_without_files_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"There is no .*2D/test_dataset_2D.json"):
        make("patheval", data=str(tmp_path))


def test_a_tampered_item_is_refused(items: ItemSet):
    item = items.items[0]
    with pytest.raises(EnvironmentFailure, match="the set says"):
        check_item(Item(item.id, item.pair, item.scenario, 3 - item.label))
    pair = item.pair
    moved = type(pair)(pair.paper, pair.dense, pair.map, (pair.paths[1], pair.paths[0]), pair.radii, pair.name)
    with pytest.raises(EnvironmentFailure, match=r"descriptors|the paper|on this machine"):
        check_item(Item(item.id, moved, item.scenario, item.label))


# --------------------------------------------------------------------------- tables


def _episodes(folder: Path, chosen, count: int, task: str = "decide", **options) -> list[Episode]:
    """Episodes in which `chosen(info)` answers."""
    env = _make(folder, task, expert=True, **options)
    made = []
    for seed in range(count):
        first, info = env.reset(seed=seed)
        *_, reward, _, _, end = env.step(chosen(info, first["expert"]))
        spec = EpisodeSpec(str(seed), TaskSpec("patheval", task, options), seed, seed, 0)
        made.append(
            Episode(
                spec,
                "finished",
                1,
                end["progress"],
                end["success"],
                reward,
                int(not end["valid"]),
                Usage(),
                0.0,
                end["metrics"],
                end_reason=end["end_reason"],
                info=info,
            )
        )
    return made


def _rows(made, title: str) -> dict[str, dict[str, object]]:
    table = next(t for t in made if title in t.title)
    assert all(len(row) == len(table.columns) for row in table.rows)
    return {str(row[0]): dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_tables_of_the_oracle_and_of_one_who_takes_the_first(folder: Path):
    right = _rows(
        tables(_episodes(folder, lambda info, expert: expert, 120, swap="both"), lambda e: []), "the agent, and rules"
    )
    assert (
        right["the agent"]["right"].startswith("1.00 [0.97")
        and right["the agent"]["contrast"].startswith("1.00")
        and right["the agent"]["consistent"].startswith("1.00")
    )
    made = tables(_episodes(folder, lambda info, expert: "Path 1", 120, swap="both"), lambda e: [])
    rows = _rows(made, "the agent, and rules")
    assert rows["the agent"]["right"] == rows["always the first path"]["right"] == "0.50 [0.41, 0.59]"
    assert (
        rows["the agent"]["contrast"].startswith("0.00")
        and rows["the agent"]["consistent"].startswith("0.00")
        and rows["the agent"]["took the first"].startswith("1.00")
    )
    for pair in pairwise(
        [float(str(row["right"])[:4]) for name, row in rows.items() if "(best)" in name or name == "always shorter"]
    ):
        assert pair[0] >= pair[1]
    for name, row in rows.items():
        if name.startswith("always"):
            # who ignores the scenario cannot be right in both of opposite ones
            assert str(row["contrast"]).startswith("0.00")
    assert (
        len(_rows(made, "by scenario")) == N and sum(row["items"] for row in _rows(made, "by margin").values()) == 120
    )


def test_unparsed_answers_have_a_column_of_their_own(folder: Path):
    made = tables(
        _episodes(folder, lambda info, expert: "?" if info["scenario_number"] == 1 else expert, 30), lambda e: []
    )
    row = _rows(made, "the agent, and rules")["the agent"]
    assert (
        row["right"].startswith("0.93")
        and row["right of readable"].startswith("1.00")
        and row["unparsed"].startswith("0.07")
        and row["by scenario"] == 14 / 15
    )
    assert _rows(made, "by scenario")["truck"]["unparsed"].startswith("1.00")


def test_tables_of_seeing_and_knowing(folder: Path):
    seen = _rows(
        tables(_episodes(folder, lambda info, expert: expert, 28, "perceive"), lambda e: []), "which path has less"
    )
    assert seen["all"]["asked"] == 28 > seen["all"]["pairs"] and seen["path length"]["right"].startswith("1.00")
    told = _rows(
        tables(_episodes(folder, lambda info, expert: expert, 28, "perceive", answer="value"), lambda e: []), "values"
    )
    assert told["path length (map units)"]["MAE"] < 0.01 < told["path length (map units)"]["MAE of the median"]
    known = _rows(
        tables(_episodes(folder, lambda info, expert: "path length: lower", 30, "abstract"), lambda e: []),
        "which descriptors matter",
    )
    assert (
        known["earthquake"]["F1"] == pytest.approx(2 / 3)
        and known["truck"]["F1"] == 0.0
        and known["all"]["exact"].startswith("0.00")
    )


def test_tables_of_one_episode_and_of_none(folder: Path):
    assert tables([], lambda e: []) == []
    for task in ("decide", "perceive", "abstract", "integrate"):
        for answer in ("lower", "value"):
            made = tables(_episodes(folder, lambda info, expert: "?", 1, task, answer=answer), lambda e: [])
            assert made and all(len(row) == len(table.columns) for table in made for row in table.rows)


def test_shortcuts_ignore_the_scenario(items: ItemSet):
    values = items.pairs[0].paper
    found, back = answers(values), answers(values[::-1])
    assert (
        set(found) == {"the first path", "the second path", *SHORTCUTS}
        and found["shorter"] == 3 - back["shorter"] == 3 - found["longer"]
    )
    assert found["the first path"] == back["the first path"] == 1
