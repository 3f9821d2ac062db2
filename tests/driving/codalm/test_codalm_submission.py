"""The challenge's files: the organisers' own are read, and written again byte for byte."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pytest

from embodied.driving.codalm import vqa
from embodied.driving.records import TASKS, Question, Region
from embodied.errors import UsageError
from embodied.exchange.codalm import submission
from embodied.exchange.codalm.tables import final


@pytest.fixture(scope="module")
def sample(codalm_data: Path) -> Path:
    return codalm_data / "wcoda2024_sample_answer_llava15.zip"


def test_the_organisers_submission(sample: Path) -> None:
    found = submission.read(sample)
    assert {task: len(rows) for task, rows in found.rows.items()} == {
        "general_perception": 500,
        "region_perception": 1123,
        "driving_suggestion": 500,
    }
    assert not found.problems and len(found.answers) == 2123
    for task, rows in found.rows.items():
        assert [row.question_id for row in rows] == list(range(len(rows)))
        assert {row.question for row in rows} == {vqa.QUESTIONS[task]}
        assert all(vqa.image_path(*vqa.key_of(task, row.image)) == row.image for row in rows)


def test_it_is_written_again_byte_for_byte(sample: Path, tmp_path: Path) -> None:
    found = submission.read(sample)
    asked = []
    for task, rows in found.rows.items():
        for row in rows:
            _, scene, key = vqa.key_of(task, row.image)
            region = Region(key, (0, 0, 1, 1), "car", "") if key else None
            asked.append(Question(task, row.question_id, scene, row.image, row.question, "", region))
    paths = submission.write(tmp_path, asked, found.answers)
    assert [path.name for path in paths] == [submission.FILES[task] for task in TASKS]
    with zipfile.ZipFile(sample) as archive:
        for path in paths:  # the organisers' file of regions was saved with Windows' line ends
            assert path.read_bytes() == archive.read(path.name).replace(b"\r\n", b"\n")


def test_finals_of_the_leaderboard_are_the_mean_of_the_three(codalm_data: Path) -> None:
    with (codalm_data / "wcoda2024_track1_leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 43
    for row in rows:
        mean = final(
            float(row["General Perception"]), float(row["Region Perception"]), float(row["Driving Suggestion"])
        )
        assert abs(mean - float(row["Final Score"])) <= 0.004 + 1e-9, row["Team Name"]


def line(id_: int, image: str, answer: str = "A car.") -> str:
    return json.dumps({"question_id": id_, "image": image, "question": "?", "answer": answer})


def test_every_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    lines = [
        line(0, "test/images/0001.jpg"),
        "{",
        "",
        "[1]",
        '{"question_id": 1, "image": "test/images/0002.jpg", "question": "?"}',
        line(2, "test/images/0001.jpg", "Again."),
        line(3, "pictures/0003.png"),
        '{"question_id": "4", "image": "test/images/0004.jpg", "question": "?", "answer": "x"}',
        "\ufeff",
    ]
    (tmp_path / "general_perception_answer.jsonl").write_text("\r\n".join(lines))
    found = submission.read(tmp_path)
    assert found.answers == {("general_perception", "test_0001", ""): "A car."}
    said = "\n".join(found.problems)
    assert [p.split(":")[0].split()[-1] for p in found.problems] == ["2", "4", "5", "6", "7", "8", "9"]
    for words in (
        "is not JSON",
        "is not a JSON object",
        "has no 'answer'",
        "a second time; line 1 counts",
        "'pictures/0003.png' is not the name",
        "whole number",
    ):
        assert words in said


def test_what_is_no_submission(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no submission"):
        submission.read(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"holds no submission: expected general_perception_answer.jsonl"):
        submission.read(tmp_path)
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(UsageError, match="neither a folder nor a zip"):
        submission.read(tmp_path / "a.zip")


def test_boxes_in_either_spelling_of_their_folder() -> None:
    assert vqa.key_of("region_perception", "test/images_w_bboxes/0001_object_12.jpg") == (
        "region_perception",
        "test_0001",
        "12",
    )
    assert (
        vqa.key_of("region_perception", "test/images/0001.jpg") is None
        and vqa.key_of("general_perception", "test/images_w_boxes/1_object_1.jpg") is None
    )
    assert vqa.key_of("region_perception", vqa.image_path("region_perception", "dog_night-b", "2")) == (
        "region_perception",
        "dog_night-b",
        "2",
    )
