"""Branches count in no score: what every reader says of a run is the same with them and without, but for what they
cost.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import embodied
from embodied.eval.results import read
from embodied.eval.score import score
from embodied.evaluation import Evaluation
from embodied.store.run import Run
from embodied.types import Usage
from tests.eval.runs import ended, finish, make_run, step

RESULTS = {("babyai", "a"): [0.0, 1.0, 0.25], ("babyai", "b"): [0.5, 0.0, 1.0]}
OTHER = {key: [1 - value for value in values] for key, values in RESULTS.items()}


def make_plain(root: Path, results: dict[tuple[str, str], list[float]], say: str = "go") -> Run:
    """A run whose episodes have three steps."""
    run = make_run(root, results)
    for episode in run.episodes():
        (run.folder(episode.spec.id) / "episode.json").unlink()
        finish(run, replace(episode, steps=3), [step(index, say) for index in range(3)])
    return run


def add_branches(run: Run) -> None:
    """Three branches of each episode, all of which succeed; one of another branch."""
    for spec in run.record.planned:
        first = run.branch(spec.id, 1)
        branches = [first, run.branch(spec.id, 2)]
        finish(run, ended(first, 1.0, usage=Usage(1000, 100)), [step(1, "go"), step(2, "go")])
        branches.append(run.branch(first.id, 2))
        for branch in branches[1:]:
            finish(run, ended(branch, 1.0, usage=Usage(1000, 100)), [step(2, "go", last=True)])


@pytest.fixture
def folders(tmp_path, call) -> Path:
    """`plain` and `forks` hold the same episodes; the second has branches besides."""
    for name, results in (("plain", RESULTS), ("other", OTHER)):
        make_plain(tmp_path / name, results, "wait" if name == "other" else "go")
    shutil.copytree(tmp_path / "plain", tmp_path / "forks")
    add_branches(Run(tmp_path / "forks"))
    return tmp_path


def said(call, *words: str) -> str:
    code, out, err = call(*words)
    assert code in (0, 5), err
    return "\n".join(line.rstrip() for line in out.splitlines() if not line.startswith("used "))


def test_scores_coverage_and_pairs_are_those_of_the_planned_episodes(folders):
    plain, branched = (score(Run(folders / name)) for name in ("plain", "forks"))
    assert replace(branched.total, usage=plain.total.usage) == plain.total
    assert [replace(s, usage=p.usage) for s, p in zip(branched.tasks, plain.tasks, strict=True)] == list(plain.tasks)
    assert branched.total.usage.input == plain.total.usage.input + 18 * 1000, "what they cost is paid"
    results = [read(Run(folders / name)) for name in ("plain", "forks")]
    assert results[0].ended == results[1].ended and results[0].by_task() == results[1].by_task()
    assert len(results[1].branches) == 18


@pytest.mark.parametrize(
    "words",
    [
        "compare {} other --tasks",
        "compare other {} --json",
        "power {}",
        "score {} --statistics balrog",
        "export {} --format csv --out out",
        "export {} --format sft --out out",
        "export {} --format dpo --against other --out out",
        "export {} --format balrog --out out",
    ],
)
def test_what_a_reader_says_is_the_same_with_branches(folders, call, words, monkeypatch):
    monkeypatch.chdir(folders)
    told = []
    for name in ("plain", "forks"):
        told.append([said(call, *words.format(name).split())])
        if (folders / "out").exists():
            files = sorted(p for p in (folders / "out").rglob("*") if p.is_file())
            told[-1] += [p.name for p in files]
            told[-1] += [p.read_text() for p in files if p.suffix in (".csv", ".jsonl")]
            shutil.rmtree(folders / "out")
    assert told[0] == [text.replace("forks", "plain") for text in told[1]]


def test_an_inspect_log_holds_the_planned_episodes(folders, call, monkeypatch):
    pytest.importorskip("inspect_ai")
    monkeypatch.chdir(folders)
    out = said(call, "export", "forks", "--format", "inspect", "--out", "out")
    assert "-b1.1" not in "".join(path.read_text() for path in (folders / "out").rglob("*.json")), out


def test_lists_boards_and_reports_count_the_planned_episodes(folders, call, monkeypatch):
    monkeypatch.chdir(folders)
    listed = json.loads(said(call, "list", "runs", ".", "--json"))
    rows = {row["path"]: row for row in (listed["runs"] if isinstance(listed, dict) else listed)}
    assert all((row["scored"], row["planned"], row["state"]) == (6, 6, "finished") for row in rows.values())
    assert sorted(row["tokens"] for row in rows.values())[-1] == 6 * 110 + 18 * 1100
    said(call, "leaderboard", "forks", "other", "--out", "site", "--partial")
    data = json.loads((folders / "site" / "leaderboard.json").read_text())
    text = json.dumps(data).replace(" ", "")
    assert '"planned":6' in text and '"planned":24' not in text
    said(call, "report", "forks", "--out", "page.html")
    assert "6 of 6 episodes have a score" in (folders / "page.html").read_text()


def test_the_python_api_leaves_branches_out(folders):
    done = Evaluation.of(Run(folders / "forks"))
    assert len(done.episodes) == 6 and done.missing == [] and done.coverage == 1
    assert done.progress == Evaluation.of(Run(folders / "plain")).progress
    assert len(done.branches) == 18
    assert isinstance(done, embodied.evaluation.Evaluation)


def test_an_episode_that_somebody_rewound_has_no_score_and_is_not_missing(folders):
    run = Run(folders / "plain")
    spec = run.record.planned[1]
    (run.folder(spec.id) / "episode.json").unlink()
    finish(run, ended(spec, None, "cancelled", error="Somebody went back", error_kind="Rewound"), [step(0, "go")])
    new = run.branch(spec.id, 1, rewinds=True)
    done = Evaluation.of(run)
    assert done.coverage == 5 / 6 and done.missing == []
    assert score(run).total.outcomes == {"finished": 5, "cancelled": 1}
    assert not run.over(new.id)
