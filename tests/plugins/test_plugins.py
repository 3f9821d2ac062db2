"""A stranger's package is found by its entry points: played, measured, listed, exported, listened with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plugins.stranger import POINTS, run, write


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of the distribution, and a folder with a run of each of its agents."""
    found, place = write(tmp_path_factory.mktemp("site"), POINTS), tmp_path_factory.mktemp("runs")
    for agent in ("walker", "stumbler"):
        code, out, err = run(found, "eval", "--env", "corridor", "--agent", agent, "--out", agent, cwd=place)
        assert code == 0, out + err
    return found, place


def test_scores_and_metrics(played: tuple[Path, Path]) -> None:
    found, place = played
    code, out, err = run(found, "score", "stumbler", cwd=place)
    assert (code, err) == (0, "")
    assert "Corridors" in out and "steps backward (backward)" in out and "share backward" in out
    shown = json.loads(run(found, "score", "stumbler", "--json", cwd=place)[1])["metrics"]
    by_name = {row["metric"]: row for row in shown}
    assert by_name["backward"]["episodes"] == 6 and by_name["backward"]["mean"] > 0
    low, high = by_name["backward_share"]["interval"]
    assert 0 <= low < by_name["backward_share"]["mean"] < high <= 100


def test_a_comparison_by_a_metric_that_is_better_when_small(played: tuple[Path, Path]) -> None:
    found, place = played
    code, out, err = run(found, "compare", "stumbler", "walker", "--metric", "backward", "--json", cwd=place)
    assert (code, err) == (0, "")
    shown = json.loads(out)
    (difference,) = shown["differences"]
    assert not shown["higher_is_better"] and difference["paired"] and difference["pairs"] == 6
    assert difference["difference"] > 0 and difference["won"] == 0 and difference["lost"] == 1
    assert difference["interval"][0] < difference["difference"] < difference["interval"][1]
    code, out, _ = run(found, "compare", "stumbler", "walker", "--metric", "backward_share", "--tasks", cwd=place)
    assert code == 0 and "No difference shown" in out and "share backward" in out
    code, _, err = run(found, "compare", "stumbler", "walker", "--metric", "backwards", cwd=place)
    assert code == 2 and "'backward'" in err and "embodied list metrics" in err


def test_report_leaderboard_export_and_lists(played: tuple[Path, Path]) -> None:
    found, place = played
    assert run(found, "report", "walker", cwd=place)[0] == 0
    assert "steps backward" in (place / "walker/report.html").read_text()
    code, out, err = run(found, "leaderboard", "walker", "stumbler", "--out", "board", cwd=place)
    assert code == 0, out + err
    code, out, err = run(found, "export", "walker", "--format", "lines", cwd=place)
    assert code == 0 and "\x1b" not in out and "lines.txt" in out
    for what, name in [("envs", "corridor"), ("agents", "walker"), ("suites", "walks"), ("metrics", "backward")]:
        assert name in run(found, "list", what, cwd=place)[1]
    assert run(found, "check", "corridor", cwd=place)[1].startswith("corridor keeps all")


def test_versions_and_options_are_recorded(played: tuple[Path, Path]) -> None:
    found, place = played
    record = json.loads((place / "walker/run.json").read_text())
    assert record["versions"]["stranger"] == "1.2" and record["versions"]["numpy"]
    assert record["config"]["env"]["length"] == 4
    code, out, _ = run(
        found, "eval", "--env", "corridor", "--agent", "walker", "env.length=9", "--out", "far", cwd=place
    )
    assert code == 0 and "env.length" not in out
    code, _, err = run(found, "eval", "--env", "corridor", "--agent", "walker", "env.lenght=9", cwd=place)
    assert code == 2 and "'env.length'" in err


def test_a_suite_is_played(played: tuple[Path, Path]) -> None:
    found, place = played
    code, out, err = run(found, "eval", "--suite", "walks", "--agent", "walker", "--out", "suite", cwd=place)
    assert code == 0 and "3/3" in out, out + err


def test_listeners_hear_a_run_and_cannot_end_it(played: tuple[Path, Path]) -> None:
    found, place = played
    base = ("eval", "--env", "corridor", "--agent", "walker", "--out", "heard", "--log", "diary", "--log", "fails")
    key = "sk-0123456789-abcdefghij"
    code, out, err = run(found, *base, "--episodes", 2, cwd=place, STRANGER_API_KEY=key)
    assert code == 0, out + err
    said = (place / "heard/diary.txt").read_text().split("\n")
    assert said[0] == "before 0" and said.count("started") == said.count("ended") == 2
    assert (
        err.count("warning: The listener fails is switched off, and the run continues: RuntimeError: no more ink") == 1
    )
    assert key not in err and "\x1b" not in err
    code, _, _ = run(found, *base[:-2], "--episodes", 3, cwd=place)
    said = (place / "heard/diary.txt").read_text().split("\n")
    assert code == 0 and said[0] == "before 2" and said.count("ended") == 1
    code, _, err = run(found, "resume", "heard", "--log", "dairy", cwd=place)
    assert code == 2 and "'diary'" in err


def test_a_module_that_leaves_the_process_ends_in_a_sentence(tmp_path: Path) -> None:
    kinds = ("environment", "agent", "metric", "suite", "model", "listener", "export")
    found = write(tmp_path, {f"{kind}s": {f"leaving_{kind}": "stranger.leaves:X"} for kind in kinds})
    (found / "stranger/leaves.py").write_text("raise SystemExit(7)")
    for kind in ("environment", "metric", "suite"):
        what = "envs" if kind == "environment" else f"{kind}s"
        code, out, err = run(found, "list", what, cwd=tmp_path)
        assert code == 0 and out and f"The {kind} 'leaving_{kind}' of the distribution 'stranger' cannot be" in err
    for kind, words in [
        ("agent", ("--env", "babyai", "--agent", "leaving_agent")),
        ("model", ("--env", "babyai", "--agent", "naive", "--model", "leaving_model/x")),
        ("listener", ("--env", "babyai", "--agent", "random", "--log", "leaving_listener")),
    ]:
        code, _, err = run(found, "eval", *words, cwd=tmp_path)
        assert code == 2 and err.count("\n") == 1 and f"The {kind} 'leaving_{kind}' of the distribution" in err


def test_what_is_broken_is_said_and_breaks_nothing_else(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        {
            "environments": {
                "a": "stranger.facts:BAD",
                "b": "stranger.absent:X",
                "c": "stranger.facts:CRAFTER",
                "d": "stranger.env:tables",
                "e": "stranger.facts:ENTRY",
            },
            "agents": {"absent": "stranger.absent:X", "random": "stranger.agents:Walker"},
            "suites": {"lost": "stranger.rest:lost_suite"},
            "metrics": {"fails": "stranger.rest:FAILS", "wide": "stranger.rest:WIDE", "not": "stranger.rest:NOT"},
        },
    )
    code, out, err = run(found, "list", "envs", cwd=tmp_path)
    assert code == 0 and "corridor" in out and "Crafter-v0" in out and "stranger/Crafter" not in out
    assert len(err.splitlines()) == 4 and err.count("'stranger'") == 4
    assert "'embodied-suite'" in err  # the clash names both
    code, out, err = run(found, "list", "suites", cwd=tmp_path)
    assert code == 0 and "balrog" in out and "'lost' of the distribution 'stranger' has bad tasks" in err
    code, _, err = run(found, "eval", "--env", "corridor", "--agent", "absent", cwd=tmp_path)
    assert code == 2 and "The agent 'absent' of the distribution 'stranger' cannot be imported" in err
    code, out, err = run(found, "eval", "--env", "corridor", "--agent", "random", "--out", "r", cwd=tmp_path)
    assert code == 0 and "fails has no number for 6 of 6 episodes. The first: ZeroDivisionError" in out
    assert "wide has no number for 6 of 6 episodes. The first: 7 is outside 0 to 1." in out
    assert "The metric 'not' of the distribution 'stranger' is not an embodied.eval.metrics.Metric" in err


def test_two_plugins_of_one_name(tmp_path: Path) -> None:
    points = {key: POINTS[key] for key in ("environments", "agents")}
    write(tmp_path, points)
    found = write(tmp_path, points, name="newcomer")
    code, _, err = run(found, "eval", "--env", "corridor", "--agent", "random", cwd=tmp_path)
    assert code == 2 and "'stranger'" in err and "'newcomer'" in err
    code, _, err = run(found, "eval", "--env", "corner_case_drive", "--agent", "walker", cwd=tmp_path)
    assert code == 2 and "Two agents are named 'walker'" in err and "'stranger'" in err and "'newcomer'" in err


def test_ours_are_listed_without_reading_plugins(tmp_path: Path) -> None:
    """`import embodied` and `--help` import no plugin: a broken one would be reported."""
    found = write(tmp_path, {"environments": {"b": "stranger.absent:X"}})
    code, _, err = run(found, "--help", cwd=tmp_path)
    assert (code, err) == (0, "")


def test_another_version_of_an_agent_does_not_continue_a_run(tmp_path: Path) -> None:
    found, place = write(tmp_path / "site", POINTS), tmp_path / "runs"
    place.mkdir()
    asked = (
        "--env",
        "babyai",
        "--task",
        "goto",
        "--agent",
        "walker",
        "--episodes",
        "1",
        "--steps",
        "3",
        "--out",
        "run",
    )
    code, out, err = run(found, "eval", *asked, cwd=place)
    assert code == 0, out + err
    assert run(found, "resume", "run", cwd=place)[0] == 0
    metadata = next(found.glob("*.dist-info/METADATA"))
    metadata.write_text(metadata.read_text().replace("Version: 1.2", "Version: 1.3"))
    code, _, err = run(found, "resume", "run", cwd=place)
    assert code == 4 and "is '1.2' there and '1.3' here" in err
    code, out, _ = run(found, "replay", "run", cwd=place)
    assert code == 0 and "1.2 (here 1.3)" in out
