"""Tables on terminals of 80 and 200 columns: nothing runs over, and not a character of a name is lost."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from embodied.cli import progress
from embodied.cli.fit import fitted, folded
from embodied.cli.tables import print_analysis, table
from embodied.eval.tables import Table
from embodied.models.prices import Price
from tests.eval.runs import make_run

LONG = "BabyAI-MixedTrainLocal-v0/pick_up_the_red_ball_behind_you_and_put_it_next_to_the_grey_box"
WIDE = "模型评估" * 12
MODEL = {"provider": "compatible", "name": "organisation/a-model-with-a-name-that-does-not-end-72b-instruct-awq"}
NAMES = ("runs/" + "a-run-of-the-night-" * 3 + "1", "runs/" + "a-run-of-the-night-" * 3 + "2")
SENTENCE = re.compile(r"[.:]$|^(Floor of|No interval|No difference|  Only in|  Beside)")
"""Lines that are no part of a table: sentences may hold commands to be copied, and are left to the terminal."""


def joined(text: str) -> str:
    """Text without blanks and line ends: a folded name is whole again where its lines follow each other."""
    return re.sub(r"\s+", "", text)


def lines_of_tables(out: str) -> list[str]:
    return [line for line in out.splitlines() if not SENTENCE.search(line.rstrip())]


@pytest.fixture
def runs(call):
    for place, value in zip(NAMES, (0.9, 0.4), strict=True):
        make_run(
            Path(place),
            {("babyai", LONG): [value, 0.5, None, 0.2, 0.6], ("nethack", WIDE): [0.1, value, 0.3]},
            config={"model": MODEL, "preset": "a-preset-of-my-own-with-a-long-name"},
            suite="a-suite-with-a-name-of-thirty-two",
        )
    return NAMES


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (("score", NAMES[0], "--tasks"), (LONG, WIDE, MODEL["name"], NAMES[0])),
        (("score", NAMES[0], "--statistics", "balrog"), ("babyai", "standarderror")),
        (("compare", *NAMES, "--tasks", "--settings"), (LONG, WIDE, *NAMES)),
        (("power", NAMES[0]), ("episodesatask",)),
        (("list", "runs"), (MODEL["name"], Path(NAMES[1]).name, "a-suite-with-a-name-of-thirty-two")),
        (("list", "envs"), ("embodied/CornerCaseDrive-v1", "hitnothing,stopfornothing(experts:rule_driver)")),
        (("list", "tasks"), ("BabyAI-MixedTrainLocal-v0/pick_up_seq_go_to",)),
        (("list", "agents"), ("google/gemini-3.1-pro-preview",)),
        (("list", "models"), ("'embodied-suite[local]'", "OPENAI_BASE_URL")),
        (("list", "options"), ("run.worker_variables=[]", "run.budget.dollars=null")),
        (("list", "suites"), ("255episodes",)),
        (("doctor",), ("gymnasium",)),
        (("floors", "--env", "babyai,babaisai"), ("BabyAI-MixedTrainLocal-v0/pick_up_seq_go_to:",)),
        (("merge", NAMES[0], "--out", "whole"), ("babyai", "invalid")),
    ],
    ids=lambda value: "-".join(value)[:24] if isinstance(value, tuple) else None,
)
def test_every_table_fits(call, runs, monkeypatch, width, words, whole):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = call(*words)
    assert code in (0, 3, 5), err
    over = [line for line in lines_of_tables(out) if cell_len(line.rstrip()) > width]
    assert not over and "…" not in out, out
    columns = joined(out)
    for name in whole:
        # folded names stand in the lines of one column; at 80 their parts are there, at 200 the whole name is
        parts = re.findall(r"[^/_,.-]+", joined(name)) if width == 80 else [joined(name)]
        assert all(part in columns or part[:20] in columns for part in parts), (name, out)


def test_an_estimate_fits(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    code, out, err = call("eval", "--suite", "balrog", "--agent", "gpt4o", "--dry-run")
    assert code == 0 and "tokens out" in out and "corner" not in out, err
    assert all(len(line.rstrip()) <= 80 for line in lines_of_tables(out)), out


@pytest.mark.parametrize("width", [20, 80, 200])
def test_tables_of_environments_fit(capfd, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    columns = ("a descriptor of paths", *(f"measure {n}" for n in range(9)))
    print_analysis([Table("Probes", columns, ((LONG, *(f"0.{n}2 [0.53, 0.70]" for n in range(9))),))])
    out = capfd.readouterr().out
    assert all(cell_len(line.rstrip()) <= width for line in out.splitlines()), out
    assert all(f"0.{n}2" in out for n in range(9)) and out.count("0.70]") == 9


def test_the_live_table_fits(call):
    run = make_run(Path("run"), {("corner_case_drive", LONG): [0.5] * 4, ("nethack", "x"): [0.1, 0.9]})
    live = progress.LiveTable(run, run.record.planned, Price(1.0, 1.0, 1.0))
    for figures in live._by_env.values():
        figures.input, figures.output, figures.retries, figures.latencies = 10**9, 10**8, 12, [1.5, 30.25]
    for width in (60, 80, 200):
        shown = Console(width=width, file=io.StringIO(), color_system=None)
        shown.print(live.render(width))
        lines = shown.file.getvalue().splitlines()
        assert all(len(line.rstrip()) <= width for line in lines) and "…" not in "".join(lines)
        assert "corner_case_drive" in lines[1] and any("dollars" in line for line in lines)


def test_a_table_that_fits_is_left_alone():
    shown = table("name", "score")
    shown.add_row(LONG, "1.0 %")
    assert fitted(shown, 200) == [shown]
    assert len(fitted(shown, 80)) == 1, "a long name is folded first"


@pytest.mark.parametrize("width", [1, 2, 5, 23, 60])
@pytest.mark.parametrize("text", [LONG, WIDE, "  indented " + LONG, "two words", "", "a\nb", "x" * 200, "- - / /"])
def test_folding_loses_nothing(text, width):
    lines = folded(text, width).plain.split("\n")
    assert joined("".join(lines)) == joined(text)
    assert all(cell_len(line) <= max(width, 2) for line in lines)


def test_json_stays_complete(call, runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    found = json.loads(call("list", "runs", "--json")[1])["runs"]
    assert {run["model"] for run in found} == {f"compatible/{MODEL['name']}"}
    tasks = json.loads(call("score", NAMES[0], "--json")[1])["tasks"]
    assert {task["name"] for task in tasks} == {f"babyai {LONG}", f"nethack {WIDE}"}
