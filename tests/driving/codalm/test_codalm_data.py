"""CODA-LM's folder: what is read, what is listed as wrong, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embodied.driving import schema
from embodied.driving.codalm import load, sources, vqa
from embodied.driving.records import TASKS
from embodied.errors import EnvironmentFailure, UnknownName, UsageError
from tests.driving.codalm.coda_folder import add, annotation, build


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return build(tmp_path / "coda")


def kinds(split: load.Split) -> dict[str, list[str]]:
    """Kind of problem -> files, without the number of files, which is never the published one here."""
    found: dict[str, list[str]] = {}
    for problem in split.problems:
        if problem.kind != "count":
            found.setdefault(problem.kind, []).append(problem.file)
    return found


def test_a_split_is_read_in_sorted_order_with_its_pictures(root: Path) -> None:
    split = load.load(root, "Mini")
    assert [s.name for s in split.scenes] == ["test_0001", "test_0002", "test_0003"] and not kinds(split)
    assert split.scenes[0].picture().shape == (72, 128, 3)
    asked = split.questions("region_perception")
    assert [(q.id, q.key[1:], q.image) for q in asked] == [
        (0, ("test_0001", "1"), "test/images_w_boxes/0001_object_1.jpg"),
        (1, ("test_0002", "1"), "test/images_w_boxes/0002_object_1.jpg"),
        (2, ("test_0002", "3"), "test/images_w_boxes/0002_object_3.jpg"),
        (3, ("test_0003", "1"), "test/images_w_boxes/0003_object_1.jpg"),
    ]


def test_train_takes_its_pictures_from_val(root: Path) -> None:
    add(root, "Train", "val_0007", annotation())
    split = load.load(root, "train")
    assert split.questions("general_perception")[0].image == "val/images/0007.jpg" and not kinds(split)


def test_chinese_lies_beside_english(root: Path) -> None:
    add(
        root,
        "Mini",
        "test_0001",
        annotation({"1": ([40, 28, 20, 24], "traffic_cone", "这是一个交通锥。")}),
        language="CODA-LM-chinese",
    )
    split = load.load(root, "mini", "Chinese")
    assert split.language == "chinese" and split.questions("region_perception")[0].answer == "这是一个交通锥。"


def test_everything_that_is_wrong_is_listed(root: Path) -> None:
    box = lambda b, c="car", t="A car.": annotation({"1": (b, c, t)})  # noqa: E731
    add(root, "Mini", "test_0011", box([120, 10, 20, 20]))
    add(root, "Mini", "test_0012", box([10, 10, 0, 20]))
    add(root, "Mini", "test_0013", box([10, 10, 20, 20], "hovercraft"))
    add(root, "Mini", "test_0014", box([10, 10, 20, 20], "suitcace"))
    add(root, "Mini", "test_0015", box([10, 10, 20, 20], "suitcase", " "))
    add(root, "Mini", "test_0016", annotation(), size=None)
    add(root, "Mini", "test_0017", "{")
    add(root, "Mini", "test_0018", {"annotations": [], "images": []})
    add(root, "Mini", "val_0019", annotation())
    add(root, "Mini", "test_0020", annotation())
    (root / "test/images/0020.jpg").write_bytes(b"not a picture")
    add(root, "Mini", "test_0021", '{"general_perception": 1, "general_perception": 2}')
    split = load.load(root, "mini")
    name = "CODA-LM/Mini/test_00{}.json".format
    assert kinds(split) == {
        "box": [name(11), name(12)],
        "category": [name(13)],
        "no answer": [name(15)],
        "no picture": [name(16)],
        "unreadable": [name(17), name(18), name(21)],
        "bad picture": [name(20)],
        "file name": ["CODA-LM/Mini/val_0019.json"],
    }
    fatal = {p.file for p in split.problems if p.fatal}
    # nothing is dropped without a line
    assert len(split.scenes) + len(fatal) == len(list((root / "CODA-LM/Mini").glob("*.json")))
    assert "stands twice" in next(p.text for p in split.problems if p.file == name(21))


def test_pictures_without_annotations_are_listed(root: Path) -> None:
    add(root, "Val", "test_0004", annotation())
    (root / "CODA-LM/Val/test_0004.json").unlink()
    assert [(p.file, p.fatal) for p in load.unannotated(root)] == [("test/images/0004.jpg", False)]
    add(root, "Test", "test_0004", annotation())  # Val, Test and Mini share their pictures
    assert not load.unannotated(root)


def test_a_split_with_faults_is_refused_unless_the_rest_is_asked_for(root: Path) -> None:
    add(root, "Mini", "test_0016", annotation(), size=None)
    with pytest.raises(
        UsageError,
        match=(
            r"test_0016\.json: its picture test/images/0016\.jpg is missing.*embodied codalm check.*env\.partial=true"
        ),
    ):
        sources.open_set("mini", str(root))
    assert len(sources.open_set("mini", str(root), partial=True).scenes) == 3


def test_a_picture_that_breaks_off(root: Path) -> None:
    picture = root / "test/images/0002.jpg"
    picture.write_bytes(picture.read_bytes()[:700])
    assert not kinds(load.load(root, "mini"))  # its header is whole
    assert kinds(load.load(root, "mini", decode=True)) == {"bad picture": ["CODA-LM/Mini/test_0002.json"]}
    with pytest.raises(EnvironmentFailure, match=r"0002\.jpg cannot be read .*--pictures"):
        load.load(root, "mini").scenes[1].picture()


def test_files_from_before_the_answers_were_published_are_refused(root: Path) -> None:
    body = annotation({"1": ([1, 1, 20, 20], "car", "")})
    body["driving_suggestion"] = body["general_perception"]["description and explanation"] = ""
    add(root, "Test", "test_0030", body)
    split = load.load(root, "test")
    assert [p.text for p in split.problems if p.kind == "no answer"] == [
        "region 1 has no text",
        "general perception has no text",
        "there is no driving suggestion",
    ]
    assert all(len(split.unscorable(task)) == 1 for task in TASKS)
    with pytest.raises(UsageError, match="cannot be scored whole"):
        sources.open_set("test", str(root))


def test_another_datasets_folder(tmp_path: Path) -> None:
    for name in ("samples", "sweeps", "v1.0-mini"):
        (tmp_path / name).mkdir()
    with pytest.raises(
        UsageError,
        match=(
            r"is not CODA-LM's folder: it should hold CODA-LM/Test/\*\.json .*test/images.*holds samples/, sweeps/,"
            r" v1\.0-mini/"
        ),
    ):
        load.load(tmp_path, "test")


def test_a_split_that_is_not_there(root: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no split val in english: CODA-LM/Val/ is missing. Splits that are there: mini"
    ):
        load.load(root, "val")
    with pytest.raises(UsageError, match=r"no split mini in chinese.*none in chinese"):
        load.load(root, "mini", "chinese")
    with pytest.raises(UnknownName, match=r"'mina'. Did you mean 'mini'"):
        load.load(root, "mina")
    with pytest.raises(UnknownName, match="'klingon'"):
        load.load(root, "mini", "klingon")


def test_annotations_without_pictures_beside_them(root: Path) -> None:
    add(root, "Train", "val_0001", annotation(), size=None)
    (root / "val/images").rmdir()
    with pytest.raises(UsageError, match=r"no pictures for the split train: val/images/\*\.jpg"):
        load.load(root, "train")


def test_the_folder_is_named_or_in_the_environment(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(load.VARIABLE, raising=False)
    with pytest.raises(UsageError, match=r"--data, or in EMBODIED_CODA_ROOT"):
        load.load(None, "mini")
    monkeypatch.setenv(load.VARIABLE, str(root / "CODA-LM"))  # the folder of annotations itself will do
    assert len(load.load(None, "mini").scenes) == 3
    with pytest.raises(UsageError, match="no folder"):
        load.load(tmp_path / "nowhere", "mini")


def test_real_and_procedural_are_told_apart(root: Path) -> None:
    with pytest.raises(UsageError, match=r"say which split of it, for instance env\.split=mini"):
        sources.open_set("procedural", str(root))
    with pytest.raises(UnknownName, match=r"'procedual'. Did you mean 'procedural'"):
        sources.open_set("procedual")
    assert sources.open_set("mini", str(root)).dataset == "codalm"


def test_the_real_annotation_becomes_its_questions_and_comes_back(codalm_data: Path) -> None:
    raw = (codalm_data / "mini_test_0353.json").read_bytes()
    real = schema.decode(raw, "test_0353")
    assert schema.to_json(real) == json.loads(raw) and list(schema.to_json(real)) == list(json.loads(raw))
    assert not list(load.faults(real, 1280, 720)) and [kind for kind, _ in load.faults(real, 900, 720)] == ["box"]
    scene = load.Scene(real, 1280, 720, lambda: None)  # type: ignore[arg-type, return-value]
    asked = {task: vqa.questions([scene], task) for task in TASKS}
    body = json.loads(raw)
    assert [q.answer for q in asked["general_perception"]] == [
        body["general_perception"]["description and explanation"]
    ]
    assert [q.answer for q in asked["driving_suggestion"]] == [body["driving_suggestion"]]
    assert [(q.image, q.answer) for q in asked["region_perception"]] == [
        ("test/images_w_boxes/0353_object_1.jpg", body["region_perception"]["1"]["description and explanation"])
    ]
    (back,) = vqa.annotations_of(q for of_task in asked.values() for q in of_task)
    assert (back.summary, back.regions, back.suggestion) == (real.summary, real.regions, real.suggestion)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b.pop("driving_suggestion"), "has no 'driving_suggestion'"),
        (lambda b: b.update(more=1), "key that CODA-LM does not have: 'more'"),
        (lambda b: b["region_perception"]["1"].update(box=[1, 2, 3]), "is not four numbers"),
        (lambda b: b["region_perception"]["1"].update(box=[1, 2, 3, True]), "is not four numbers"),
        (lambda b: b["region_perception"]["1"].update(box=[1, 2, float("inf"), 4]), "is not four numbers"),
        (lambda b: b["general_perception"].update(vehicles={}), "vehicles is not a list"),
        (lambda b: b["general_perception"].update(vehicles=["car"]), "an item of 'vehicles' is not a JSON object"),
        (lambda b: b.update(driving_suggestion=None), "driving_suggestion is not a text"),
    ],
)
def test_another_form_is_named_where_it_differs(change, says: str) -> None:
    body = annotation()
    change(body)
    with pytest.raises(ValueError, match=says):
        schema.of_json(body, "test_0001")
