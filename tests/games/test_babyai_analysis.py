"""BabyAI's own table: whether an agent reads, beside who never does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import embodied
from embodied.cli import main
from embodied.eval.results import read
from embodied.games.babyai.analysis import distractors, first_object_named, measured, spl, tables
from embodied.games.babyai.levels import KINDS
from embodied.games.babyai.paths import bot_path
from embodied.store.run import Run

ROOT = Path(__file__).parents[2]
PLAYERS = ("minigrid's bot", "walker that never reads", "random actions")


@pytest.fixture(scope="module")
def expert(tmp_path_factory):
    out = tmp_path_factory.mktemp("babyai") / "expert"
    return embodied.evaluate("babyai", "expert", episodes=2, out=out, env__distractors=3)


def test_the_bot_has_the_shortest_path_of_its_kind(expert):
    assert [spl(e) for e in expert.episodes] == [1.0] * 10
    longer = replace(expert.episodes[0], steps=4 * expert.episodes[0].steps)
    assert spl(longer) == 0.25
    assert spl(replace(longer, success=False)) == 0.0


def test_the_table_stands_beside_who_never_reads(expert):
    (found,) = expert.tables
    assert [row[0] for row in found.rows] == [
        "this run",
        *KINDS,
        *(f"{player}, 3 distractors" for player in PLAYERS),
    ]
    assert found.rows[0][1:] == (10, "1.00 [0.80, 1.00]", "1.00 [0.80, 1.00]", "1.00 [0.80, 1.00]")
    assert [row[1] for row in found.rows[-3:]] == [500] * 3


def test_what_was_not_measured_has_no_rows_beside_it(expert):
    for changed in ({"distractors": 5}, {"max_steps": 20}):
        (found,) = tables([_with(e, **changed) for e in expert.episodes], lambda e: [])
        assert not any("distractors" in str(row[0]) for row in found.rows)
        assert "with 0, 3, 8 distractors and the tasks' own step limits" in found.note


def test_what_cannot_be_compared_has_no_length(expert):
    """Another level than this minigrid's, a record that says nonsense, another environment."""
    one = expert.episodes[0]
    other = replace(one, info={**one.info, "instruction": "go to the moon"})
    strange = [_with(one, distractors=d) for d in (99, -1, "many", None)]
    elsewhere = replace(one, spec=replace(one.spec, task=replace(one.spec.task, env="crafter")))
    unknown = replace(one, spec=replace(one.spec, task=replace(one.spec.task, task="BabyAI/dance")))
    negative = replace(one, spec=replace(one.spec, seed=-1))
    assert [spl(e) for e in (other, *strange, elsewhere, unknown, negative)] == [None] * 8
    assert first_object_named(elsewhere) is None and distractors(strange[2]) == -1


def test_an_old_run_has_both_measures():
    run = Run(ROOT / "tests/fixtures/runs/before-moves")
    played = [e for e in read(run).ended.values() if e.spec.task.env == "babyai"]
    (found,) = tables(played, lambda e: [])
    assert found.rows[0][0] == "this run" and "-" not in found.rows[0][3:]


def test_runs_are_compared_by_both_measures(expert, tmp_path, capsys):
    other = embodied.evaluate("babyai", "random", episodes=2, out=tmp_path / "r", env__distractors=3)
    for name in ("babyai_first", "babyai_spl"):
        with pytest.raises(SystemExit) as ended:
            main(["compare", str(other.folder), str(expert.folder), "--metric", name])
        assert ended.value.code == 0
        assert f"{expert.folder} is better than {other.folder}" in capsys.readouterr().out


def test_the_bots_level_is_its_own():
    assert bot_path("goto", 0, 1000) == bot_path("goto", 0, 1000)
    assert bot_path("goto", 0, 1000) != bot_path("goto", 0, 1001)


def test_the_shown_figures_are_the_measured_ones():
    known = json.loads((ROOT / "benchmarks/babyai_blind.json").read_text(encoding="utf-8"))
    for row in known["rows"]:
        del row["tasks"]
    assert measured() == known


def _with(episode, **kwargs):
    task = episode.spec.task
    return replace(episode, spec=replace(episode.spec, task=replace(task, kwargs={**task.kwargs, **kwargs})))
