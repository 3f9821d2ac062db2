"""The environments' own tables: found by name, made of scored episodes, printed and reported."""

from __future__ import annotations

import json

import pytest

from embodied.catalog import ENTRIES
from embodied.eval.analysis import analyse
from embodied.eval.results import read
from embodied.eval.tables import share, words
from embodied.store.run import Run


@pytest.fixture
def run(call) -> Run:
    assert (
        call(
            "eval",
            "--env",
            "codalm",
            "--task",
            "driving_suggestion",
            "--agent",
            "oracle",
            "--episodes",
            15,
            "--out",
            "run",
        )[0]
        == 0
    )
    return Run("run")


def test_tables_are_of_the_runs_scored_episodes(run):
    tables = analyse(run, read(run))
    assert tables and all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert any("15" in words(cell) for table in tables for row in table.rows for cell in row)


def test_most_games_have_none(call):
    assert (
        call(
            "eval",
            "--env",
            "babaisai",
            "--task",
            "env/goto_win",
            "--agent",
            "random",
            "--episodes",
            1,
            "--steps",
            2,
            "--out",
            "games",
        )[0]
        == 0
    )
    assert analyse(Run("games"), read(Run("games"))) == []


def test_printed_in_json_and_in_the_report(call, run):
    title = analyse(run, read(run))[0].title
    assert title in call("score", "run")[1]
    assert title in [table["title"] for table in json.loads(call("score", "run", "--json")[1])["tables"]]
    assert call("report", "run", "--out", "page.html")[0] == 0
    with open("page.html", encoding="utf-8") as page:
        assert title in page.read()


def test_every_analysis_can_be_imported():
    from embodied.eval.analysis import _function

    assert [e.name for e in ENTRIES.values() if e.analysis and not callable(_function(e.analysis))] == []


@pytest.mark.parametrize(
    ("won", "of", "said"), [(62, 100, "0.62 [0.52, 0.71]"), (0, 10, "0.00 [0.00, 0.28]"), (0, 0, "-")]
)
def test_a_share_has_wilsons_interval(won, of, said):
    assert share(won, of) == said


def test_cells():
    assert [words(c) for c in (None, 0.12345, 3, "x")] == ["-", "0.123", "3", "x"]
