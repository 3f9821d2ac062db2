"""`embodied replay` on imported records: what they hold is compared, what they lack is said."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from embodied.exchange.balrog.layout import COLUMNS, ESCAPE
from embodied.exchange.balrog.reading import read_submission


@pytest.fixture(scope="module")
def submission(balrog_data, tmp_path_factory) -> tuple[Path, Path]:
    """Short records of each environment as one submission, and the TextWorld games as BALROG has
    them: folder by task.
    """
    root, games = tmp_path_factory.mktemp("submission"), tmp_path_factory.mktemp("games")
    taken: dict[str, int] = {}
    for entry in sorted(json.loads((balrog_data / "manifest.json").read_text()), key=lambda e: e["steps"]):
        if entry["env"] == "textworld":
            (games / entry["task"]).mkdir(exist_ok=True)
            for suffix in (Path(entry["game"]).suffix, ".json"):
                shutil.copy(balrog_data / "games" / Path(entry["game"]).with_suffix(suffix), games / entry["task"])
        if taken.get(entry["env"], 0) == 3 or (entry["task"], entry["run"]) in taken:
            continue
        taken[entry["env"]] = taken.get(entry["env"], 0) + 1
        taken[entry["task"], entry["run"]] = 1
        source = balrog_data / "records" / entry["env"] / entry["task"] / f"{entry['submission']}__{entry['run']}"
        target = root / entry["env"] / entry["task"] / f"{entry['task']}_run_{entry['run'].rpartition('_run_')[2]}"
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".json", ".csv"):
            shutil.copy(f"{source}{suffix}", f"{target}{suffix}")
    return root, games


def only(submission: Path, envs: tuple[str, ...], out: Path) -> Path:
    """A copy of a submission with some environments."""
    for env in envs:
        shutil.copytree(submission / env, out / env)
    return out


def test_imported_records_replay(submission, call, tmp_path):
    root, games = submission
    read_submission(only(root, ("babyai", "babaisai", "textworld"), tmp_path / "part"), tmp_path / "run")
    code, out, _ = call("replay", "run", "--data", games)
    assert code == 0 and "9 of 9 episodes agree." in out
    assert out.startswith("Imported: text, reward and end of every step are compared, and the progression at the end.")
    code, out, _ = call("replay", "run")
    assert (
        code == 0
        and "6 of 6 episodes agree. Not compared: 3." in out
        and "give the folder of the published games with --data" in out
    )


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("Observation", "nonsense", "another text"),
        ("Reward", "0.5", "another reward (0.5 is recorded, 0.0 came)"),
        ("Done", "True", "another end"),
    ],
)
def test_a_record_that_says_otherwise_is_found_out(submission, call, tmp_path, column, value, says):
    part = only(submission[0], ("babaisai",), tmp_path / "part")
    path = max(part.rglob("*.csv"), key=lambda p: p.stat().st_size)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, escapechar=ESCAPE))
    rows[2][column] = value
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, escapechar=ESCAPE)
        writer.writeheader()
        writer.writerows(rows)
    read_submission(part, tmp_path / "run")
    code, out, _ = call("replay", "run")
    assert code == 6 and f"2 steps agree; step 2: {says}" in out and "2 of 3 episodes agree." in out


def test_another_progression_is_found_out(submission, call, tmp_path):
    part = only(submission[0], ("babyai",), tmp_path / "part")
    path = sorted(part.rglob("*.json"))[0]
    path.write_text(json.dumps({**json.loads(path.read_text()), "progression": 0.25}))
    read_submission(part, tmp_path / "run")
    code, out, _ = call("replay", "run")
    assert code == 6 and "another progression (0.25 is recorded, 1.0 came)" in out


def test_what_cannot_be_compared_is_said(submission, call, tmp_path):
    part = only(submission[0], ("babyai", "nle"), tmp_path / "part")
    for path in (part / "babyai").rglob("*.json"):
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "seed"}))
    read_submission(part, tmp_path / "run")
    code, out, _ = call("replay", "run")
    assert code == 6 and "0 of 0 episodes agree. Not compared: 6." in out
    assert (
        "the record has no seed" in out and "BALROG recorded it on NetHack 3.6.6 (balrog-nle 0.9), here is nle" in out
    )


def test_games_are_for_imported_runs(call, tmp_path):
    assert (
        call(
            "eval",
            "--env",
            "babyai",
            "--task",
            "BabyAI-MixedTrainLocal-v0/goto",
            "--agent",
            "random",
            "--episodes",
            1,
            "--steps",
            3,
            "--out",
            "own",
        )[0]
        == 0
    )
    code, _, err = call("replay", "own", "--data", tmp_path)
    assert code == 2 and "--data is for imported runs" in err


def test_a_record_without_steps_agrees_with_nothing(submission, call, tmp_path):
    part = only(submission[0], ("babaisai",), tmp_path / "part")
    for trajectory in part.rglob("*.csv"):
        trajectory.unlink()
    read_submission(part, tmp_path / "run")
    code, out, err = call("replay", "run")
    assert (
        code != 0
        and "episodes agree" not in out.replace("0 of 0 episodes agree", "")
        and ("holds no steps" in out or "no recorded step" in err)
    )
