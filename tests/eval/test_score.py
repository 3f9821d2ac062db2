"""Scores of runs, sound and unsound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from embodied.cli.tables import notes
from embodied.eval import balrog
from embodied.eval.results import read
from embodied.eval.score import score
from embodied.rollout.plan import identity
from embodied.store.run import Run, RunRecord
from tests.eval.runs import ended, finish, make_run, spec

NAN = float("nan")


def test_environments_count_equally_and_tasks_within_them(tmp_path):
    run = make_run(tmp_path / "run", {("a", "x"): [1, 0, 1, 1], ("a", "y"): [0, 0.5], ("b", "z"): [1, 1, 0.2]})
    result = score(run)
    assert [s.name for s in result.environments] == ["a", "b"] and [s.name for s in result.tasks] == [
        "a x",
        "a y",
        "b z",
    ]
    assert result.environments[0].progress == pytest.approx((0.75 + 0.25) / 2)
    assert result.total.progress == pytest.approx((0.5 + 2.2 / 3) / 2)
    assert result.total.interval[0] < result.total.progress < result.total.interval[1]
    assert result.total.success == pytest.approx(5 / 9)
    assert result.total.success_interval[0] < 5 / 9 < result.total.success_interval[1]
    assert result.total.coverage == 1 and result.total.usage.input == 900 and result == score(Run(run.root))


def test_failures_are_neither_zeros_nor_holes(tmp_path):
    total = score(make_run(tmp_path / "run", {("a", "x"): [1, 1, None, 0], ("a", "y"): [None, None]})).total
    assert total.progress == pytest.approx(2 / 3) and (total.scored, total.planned) == (3, 6) and total.coverage == 0.5
    assert total.outcomes == {"finished": 3, "infra_failure": 3}


def test_one_episode_only_has_no_interval_and_says_so(tmp_path):
    result = score(make_run(tmp_path / "run", {("a", "x"): [1], ("a", "y"): [0, 1]}))
    assert result.total.interval is None and result.total.no_interval == "one episode only in a x"
    assert notes(result) == ["No interval: one episode only in a x."]
    assert result.tasks[1].interval is not None


def test_nan_progress_is_no_score(tmp_path):
    result = score(make_run(tmp_path / "run", {("a", "x"): [1, NAN, 0]}))
    assert (result.total.scored, result.total.unscorable, result.total.progress) == (2, 1, 0.5)
    assert "1 episode ended without a score" in notes(result)[0]


def test_empty_run(tmp_path):
    nothing = score(make_run(tmp_path / "none", {}))
    assert (
        nothing.total.progress is None
        and nothing.total.coverage == 0
        and nothing.total.no_interval == "nothing is scored"
    )
    failed = score(make_run(tmp_path / "failed", {("a", "x"): [None, None]}))
    assert (
        failed.total.progress is None and failed.total.success_interval is None and failed.environments[0].planned == 2
    )


def test_damaged_results_are_counted_and_named(tmp_path):
    run = make_run(tmp_path / "run", {("a", "x"): [1, 0, 1]})
    path = run.folder(run.record.planned[1].id) / "episode.json"
    path.write_bytes(path.read_bytes()[:40])
    result = score(run)
    assert (result.total.scored, result.total.planned, result.total.progress) == (2, 3, 1.0)
    assert len(result.damaged) == 1 and str(path) in result.damaged[0] and "could not be read" in notes(result)[0]


def test_repeats_of_a_seed_are_one_value(tmp_path):
    run = make_run(tmp_path / "run", {("a", "x"): [1, 0, 1, 1]})
    assert len(read(run).strata()[0].values) == 4
    again = spec("a", "x", run.record.planned[0].seed, 4)
    run = Run.create(run.root, replace(run.record, planned=(*run.record.planned, again)))
    finish(run, ended(again, 0.0))
    assert sorted(read(run).strata()[0].values) == [0, 0.5, 1, 1]


def test_balrogs_statistics_pool_tasks_and_divide_by_n(tmp_path):
    results = read(
        make_run(
            tmp_path / "run", {("babyai", "x"): [1, 0, 1], ("babyai", "y"): [0], ("nethack", "z"): [0.5, NAN, None]}
        )
    )
    summary = balrog.summary(results)
    assert summary["environments"]["babyai"] == pytest.approx(
        {"progression_percentage": 50, "standard_error": 25, "episodes_played": 4}
    )
    assert summary["environments"]["nle"] == {"progression_percentage": 50, "standard_error": 0, "episodes_played": 1}
    assert summary["average_progress"] == 50 and summary["standard_error"] == 12.5
    assert balrog.environment_summary(results, "babyai")["tasks"]["x"]["episodes_played"] == 3


def test_who_ran_out_of_time_has_not_succeeded(tmp_path):
    """As old runs recorded it: two wins, two time-outs whose success was left open; and an environment in which nothing
    succeeds.
    """
    specs = [spec("some", "x", i, i) for i in range(4)] + [spec("open", "y", i, i) for i in range(2)]
    run = Run.create(
        tmp_path / "run",
        RunRecord(identity({"a": 1}), {"a": 1}, tuple(specs), {"numpy": "2"}, "2026-01-02T03:04:05+00:00", ""),
    )
    for s in specs:
        won = s.task.env == "some" and s.index < 2
        finish(run, ended(s, float(won), "finished" if won else "limit", success=True if won else None))
    found = {s.name: s for s in score(run).environments}
    assert (found["some"].success, found["some"].decided) == (0.5, 4)
    assert (found["open"].success, found["open"].decided) == (None, 0)
