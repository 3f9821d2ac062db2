"""Descriptors, scenarios, votes and pairing: against PathEval's own table, figure and forty pairs, and by hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from embodied.errors import UnknownName
from embodied.planning.descriptors import NAMES, THRESHOLDS, dense, denses, paper, papers, shape
from embodied.planning.geometry import Polygons
from embodied.planning.maps import read
from embodied.planning.pairs import decide, farthest, labels, margins, votes
from embodied.planning.scenarios import SCENARIOS, WEIGHTS, recognise, scenario

SQUARE = Polygons((np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]),))
_LABEL = {"Path 1": 1, "Path 2": 2, "unresolved": 0}


def _values(record: dict[str, float]) -> np.ndarray:
    return np.array([record[name] for name in NAMES], dtype=float)


# --------------------------------------------------------------------------- against PathEval


@pytest.fixture(scope="module")
def conformance(patheval_data: Path) -> list[dict]:
    return json.loads((patheval_data / "conformance_pairs_ompl.json").read_text())["pairs"]


def test_forty_pairs_have_the_recorded_descriptors(conformance: list[dict], patheval_data: Path):
    assert len(conformance) == 40
    for pair in conformance:
        polygons = Polygons(read(patheval_data / "environments" / pair["environment"]).polygons)
        paths = [np.array(pair[key]["points"]) for key in ("path_1", "path_2")]
        recorded = np.array([_values(pair[key]["descriptors_vertex"]) for key in ("path_1", "path_2")])
        np.testing.assert_allclose(papers(paths, polygons), recorded, atol=1e-4, rtol=0)
        near = [
            [pair[key]["clearance_dense_0.05"][c] for c in ("min_c", "max_c", "avg_c")] for key in ("path_1", "path_2")
        ]
        found = denses(paths, polygons)
        np.testing.assert_allclose(found[:, :3], near, atol=0.03, rtol=0)  # measured every 0.05 there, every 0.1 here
        np.testing.assert_allclose(found[:, 3:], recorded[:, 3:], atol=1e-4, rtol=0)


def test_forty_pairs_have_the_recorded_600_labels(conformance: list[dict]):
    first, second = (
        np.array([_values(pair[key]["descriptors_vertex"]) for pair in conformance]) for key in ("path_1", "path_2")
    )
    recorded = [[_LABEL[pair["labels"][str(s.number)]] for s in SCENARIOS] for pair in conformance]
    assert labels(first, second, WEIGHTS).tolist() == recorded
    assert {0, 1, 2} == set(np.unique(recorded))


def test_the_published_figure(patheval_data: Path):
    figure = json.loads((patheval_data / "figure1_example.json").read_text())
    polygons = Polygons(read(patheval_data / "environments" / figure["environment"]).polygons)
    for name in ("Path 1", "Path 2"):
        np.testing.assert_allclose(
            paper(np.array(figure["digitised"][name]), polygons),
            _values(figure["recomputed_from_digitised"][name]),
            atol=1e-4,
        )
    printed = [_values(figure["printed"][name]) for name in ("Path 1", "Path 2")]
    for kind, scale in (("rule_labels_with_paper_thresholds", 1.0), ("rule_labels_zero_threshold", 1e9)):
        found = labels(*(value * scale for value in printed), WEIGHTS)
        assert {key: int(found[int(key) - 1]) for key in figure[kind]} == {
            key: _LABEL[label] for key, label in figure[kind].items()
        }


def test_the_weights_are_those_of_patheval(patheval_data: Path):
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(patheval_data / "Scenarios.xlsx") as book:
        words = [
            "".join(t.text or "" for t in entry.iter(f"{space}t"))
            for entry in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        ]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = [
        [value for cell in row if (value := cell.find(f"{space}v")) is not None] for row in sheet.iter(f"{space}row")
    ]
    columns = [words[int(cell.text)] for cell in rows[0]]
    assert set(columns[1:]) == set(NAMES)
    for known, row in zip(SCENARIOS, rows[1:16], strict=True):
        told = dict(zip(columns[1:], (int(float(cell.text)) for cell in row[1:]), strict=True))
        assert tuple(told[name] for name in NAMES) == known.weights
        assert recognise(words[int(row[0].text)]) is known  # in PathEval's words


# --------------------------------------------------------------------------- descriptors


def test_descriptors_of_a_path_around_a_square():
    path = np.array([[-1.0, -3.0], [-1.0, 5.0], [5.0, 5.0], [5.0, 5.0], [2.0, 5.0]])
    # Clearance at the vertices: 3.16, 3.16, 4.24, 4.24, 3; past the square it is 1.
    near, far, mean, length, turning, sharp, widest = paper(path, SQUARE)
    assert (near, far) == (3.0, pytest.approx(4.242641)) and mean == pytest.approx(
        (2 * 10**0.5 + 2 * 18**0.5 + 3) / 5, abs=1e-6
    )
    # a right angle is not sharp; a vertex given twice is no turn
    assert (length, turning, sharp, widest) == (17.0, 270.0, 1.0, 180.0)
    assert dense(path, SQUARE)[0] == 1.0 and dense(path, SQUARE)[3:].tolist() == [17.0, 270.0, 1.0, 180.0]


def test_only_paper_descriptors_change_with_a_vertex_in_a_straight_piece():
    path, more = np.array([[-1.0, -3.0], [-1.0, 5.0]]), np.array([[-1.0, -3.0], [-1.0, 1.0], [-1.0, 5.0]])
    assert paper(path, SQUARE)[0] > 3 and paper(more, SQUARE)[0] == 1.0
    np.testing.assert_allclose(dense(path, SQUARE), dense(more, SQUARE), atol=1e-6)


def test_dense_mean_is_weighted_by_length():
    straight = np.array([[3.0, -40.0], [3.0, 0.0], [3.0, 0.5], [3.0, 1.0]])  # crowded vertices where it is near
    points = np.column_stack([np.full(41_001, 3.0), np.linspace(-40, 1, 41_001)])
    assert dense(straight, SQUARE)[2] == pytest.approx(SQUARE.distance(points).mean(), abs=1e-3)


def test_many_paths_at_once_are_each_as_alone():
    rng = np.random.default_rng(1)
    paths = [rng.uniform(-5, 5, (n, 2)).round(4) for n in (2, 3, 9)]
    assert papers(paths, SQUARE).tolist() == [paper(path, SQUARE).tolist() for path in paths]
    assert denses(paths, SQUARE).tolist() == [dense(path, SQUARE).tolist() for path in paths]
    assert papers([], SQUARE).shape == (0, 7)


def test_a_path_that_goes_nowhere_has_no_length_and_no_turn():
    assert shape(np.array([[1.0, 1.0], [1.0, 1.0]])) == (0.0, 0.0, 0.0, 0.0)
    assert dense(np.array([[3.0, 1.0], [3.0, 1.0]]), SQUARE).tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


# --------------------------------------------------------------------------- scenarios, votes, pairs


def test_scenarios_are_found_by_name_number_and_words():
    assert scenario("truck") is scenario(1) is scenario("1") is SCENARIOS[0]
    assert (
        all(recognise(s.text) is s for s in SCENARIOS)
        and recognise("A truck beside a crane") is None
        and recognise("") is None
    )
    assert len({s.weights for s in SCENARIOS}) == 12
    assert scenario("mars_rover").wanted == {"path length": "lower", "total turning": "lower", "sharp turns": "lower"}
    with pytest.raises(UnknownName, match="Did you mean 'museum'"):
        scenario("musem")
    with pytest.raises(UnknownName):
        scenario(16)


def test_a_difference_below_the_threshold_abstains_and_at_it_votes():
    base = np.array([3.0, 5.0, 4.0, 100.0, 300.0, 2.0, 90.0])
    for at, threshold in enumerate(THRESHOLDS):
        more, nearly = base.copy(), base.copy()
        more[at] += threshold
        nearly[at] += threshold - 1e-5
        only = np.eye(7, dtype=int)[at]
        assert labels(more, base, only) == 1 and labels(base, more, only) == 2 and labels(more, base, -only) == 2
        assert labels(nearly, base, only) == 0 and not votes(nearly, base, only).any()
        assert margins(more, base)[at] == 1


def test_votes_must_agree_and_there_must_be_one():
    assert decide(np.array([[0, 0, 0], [1, 0, 1], [0, -1, -1], [1, -1, 0]])).tolist() == [0, 1, 2, 0]


def test_swapping_paths_swaps_labels():
    rng = np.random.default_rng(2)
    first, second = rng.uniform(0, 10, (2, 50, 7)) * THRESHOLDS
    swapped = np.array([0, 2, 1])[labels(first, second, WEIGHTS)]
    assert labels(second, first, WEIGHTS).tolist() == swapped.tolist() and set(np.unique(swapped)) == {0, 1, 2}


def test_farthest_pairs_use_a_path_once_and_scale_each_descriptor():
    values = np.zeros((5, 7))
    values[:, 3] = [0, 1000, 500, 510, 490]  # far in length, alike else
    values[:, 0] = [0, 0, 0, 0.1, 0]  # as far in clearance, once both are scaled
    # 1000 units of length weigh no more than 0.1 of clearance; path 2 is left over
    assert farthest(values, 5) == [(0, 3), (1, 4)]
    assert (
        farthest(values, 1) == [(0, 3)]
        and farthest(values[:1], 3) == []
        and farthest(np.ones((4, 7)), 2) == [(0, 1), (2, 3)]
    )
