"""BALROG's submissions in and out, on published ones: aggregation to 1e-6, and a round trip that loses nothing."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

from embodied.errors import StoreError
from embodied.eval.balrog import summary
from embodied.eval.results import read
from embodied.eval.score import score
from embodied.exchange import Export
from embodied.exchange.balrog.layout import ESCAPE, submissions
from embodied.exchange.balrog.reading import read_submission
from embodied.exchange.balrog.writing import write
from embodied.exchange.film import write_film
from embodied.store.run import Run
from tests.eval.runs import MISSION, ended, finish, make_run, spec, step

SUBMISSIONS = (
    "LLM__20241030_naive-Llama-3.2-1B-Instruct",
    "LLM__20250425_naive_Gemini-2.5-Pro-Exp-03-25",
    "LLM__20250713_naive_grok-4",
    "VLM__20240930_naive-gpt-4o",
)


@pytest.fixture(scope="module")
def imported(balrog_data, tmp_path_factory) -> dict[str, Run]:
    """The four submissions as runs."""
    root = tmp_path_factory.mktemp("imported")
    return {name: read_submission(balrog_data / "submissions" / name, root / name).run for name in SUBMISSIONS}


def export(run: Run, out: Path):
    return write(Export(run, tuple(e.spec.id for e in run.episodes()), "balrog", out))


def published(root: Path, name: str) -> dict:
    return json.loads((root / "submissions" / name / "summary.json").read_text())


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_published_summaries_are_reproduced(balrog_data, imported, name):
    ours, theirs = summary(read(imported[name])), published(balrog_data, name)
    assert ours["average_progress"] == pytest.approx(theirs["average_progress"], abs=1e-6)
    assert ours["standard_error"] == pytest.approx(theirs["standard_error"], abs=1e-6)
    assert ours["environments"].keys() == theirs["environments"].keys()
    for env, numbers in theirs["environments"].items():
        assert ours["environments"][env] == pytest.approx(numbers, abs=1e-6)
    if "total_input_tokens" in theirs:
        assert (ours["total_input_tokens"], ours["total_output_tokens"]) == (
            theirs["total_input_tokens"],
            theirs["total_output_tokens"],
        )


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_round_trip_of_submissions(balrog_data, imported, tmp_path, name):
    root = balrog_data / "submissions" / name
    export(imported[name], tmp_path)
    theirs = {p.relative_to(root): p for p in root.rglob("*.json") if "summary" not in p.name}
    ours = {p.relative_to(tmp_path): p for p in tmp_path.rglob("*.json") if "summary" not in p.name}
    assert ours.keys() == theirs.keys()
    assert all(json.loads(ours[k].read_text()) == json.loads(theirs[k].read_text()) for k in ours)
    assert OmegaConf.load(tmp_path / "metadata.yaml") == OmegaConf.load(root / "metadata.yaml")
    for path in root.rglob("*summary.json"):
        assert flat(json.loads((tmp_path / path.relative_to(root)).read_text())) == pytest.approx(
            flat(json.loads(path.read_text())), abs=1e-6
        )


def flat(value, path: str = "") -> dict:
    """Nested objects as one, for a comparison of numbers."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flat(item, f"{path}/{key}").items()}
    return {path: value}


def test_imported_runs_say_so_and_are_scored(imported):
    run = imported["LLM__20250713_naive_grok-4"]
    total = score(run).total
    assert run.record.config["imported"]["name"] == "Grok-4" and run.record.suite == "balrog"
    assert (total.scored, total.planned, total.coverage) == (255, 255, 1.0)
    assert total.progress == pytest.approx(0.43550376, abs=1e-6)
    more = score(imported["LLM__20250425_naive_Gemini-2.5-Pro-Exp-03-25"]).total
    assert (more.scored, more.planned) == (260, 260), "ten NetHack episodes instead of five"


@pytest.fixture(scope="module")
def recorded(balrog_data, tmp_path_factory) -> dict[str, Path]:
    """The records with trajectories, put where their submissions have them: folder by submission."""
    root = tmp_path_factory.mktemp("records")
    for entry in json.loads((balrog_data / "manifest.json").read_text()):
        source = balrog_data / "records" / entry["env"] / entry["task"] / f"{entry['submission']}__{entry['run']}"
        number = entry["run"].rpartition("_run_")[2]
        target = root / entry["submission"] / entry["env"] / entry["task"] / f"{entry['task']}_run_{number}"
        target.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".json", ".csv"):
            shutil.copy(f"{source}{suffix}", f"{target}{suffix}")
    return {p.name: p for p in sorted(root.iterdir())}


def rows(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{**row, "Reward": float(row["Reward"])} for row in csv.DictReader(file, escapechar=ESCAPE)]


def test_round_trip_of_every_trajectory(recorded, tmp_path):
    compared = 0
    for name, root in recorded.items():
        run = read_submission(root, tmp_path / "runs" / name).run
        export(run, tmp_path / "out" / name)
        for path in root.rglob("*_run_*"):
            ours = tmp_path / "out" / name / path.relative_to(root)
            assert (
                (rows(ours) == rows(path))
                if path.suffix == ".csv"
                else (json.loads(ours.read_text()) == json.loads(path.read_text()))
            ), path
            compared += 1
    assert compared == 158


def test_steps_of_a_trajectory(recorded, tmp_path):
    imported = [read_submission(root, tmp_path / name) for name, root in recorded.items()]
    assert sum(i.trajectories for i in imported) == 79
    invalid = 0
    for run in (i.run for i in imported):
        for episode in run.episodes():
            steps = list(run.steps(episode.spec.id))
            assert [s.index for s in steps] == list(range(episode.steps))
            assert steps[0].observation.text == "" and steps[1].observation.executed == steps[0].executed
            assert episode.last.executed == steps[-1].executed and steps[-1].terminated
            assert steps[-1].progress == episode.progress
            assert not any(s.observation.text.startswith("\n\nYour previous output") for s in steps)
            invalid += sum(not s.valid for s in steps)
    assert invalid > 100


def test_import_continues_and_finds_several(recorded, tmp_path):
    root = next(iter(recorded.values()))
    first = read_submission(root, tmp_path / "run")
    again = read_submission(root, tmp_path / "run")
    assert (first.episodes, first.trajectories) == (again.episodes, again.trajectories)
    assert not list((tmp_path / "run").rglob("attempt-*"))
    assert len(submissions(root.parent)) == len(recorded) and submissions(root) == [root]
    assert any("missing" in note for note in first.notes)
    assert score(first.run).total.coverage < 1


def test_our_own_run_in_their_layout(tmp_path):
    run = make_run(
        tmp_path / "run", {("babaisai", "env/goto_win"): [None], ("babyai", "BabyAI-MixedTrainLocal-v0/goto"): []}
    )
    s = spec("babyai", "BabyAI-MixedTrainLocal-v0/goto", 77, 0)
    run = Run.create(run.root, replace(run.record, planned=(*run.record.planned, s)))
    steps = [
        step(0, "go", thought="east, I think"),
        step(1, "fly away", valid=False),
        step(2, "go", last=True, reward=0.5),
    ]
    finish(run, ended(s, 1.0, steps=3, return_=0.5, mission=MISSION), steps)
    written = export(run, tmp_path / "out")
    assert (
        written.notes[0] == "Episodes left out because they have no score: 1."
        and "env.rules=balrog" in written.notes[1]
    )
    base = tmp_path / "out/babyai/BabyAI-MixedTrainLocal-v0/goto/BabyAI-MixedTrainLocal-v0/goto_run_00"
    log = json.loads(base.with_name(base.name + ".json").read_text())
    assert (
        log["action_frequency"] == {"go": 2, "wait": 1}
        and log["failed_candidates"] == ["fly away"]
        and log["mission"] == "reach the goal"
    )
    assert (log["seed"], log["num_steps"], log["progression"], log["done"]) == (77, 3, 1.0, True)
    assert log["agent"]["type"] == "naive" and log["client"]["client_name"] == "openai"
    table = rows(base.with_name(base.name + ".csv"))
    assert [r["Action"] for r in table] == ["go", "fly away", "go"] and table[0]["Reasoning"] == "east, I think"
    assert table[1]["Observation"].startswith(
        "\n\nYour previous output did not contain a valid action. Defaulted to action: wait\n\nObservation:\n"
    )
    assert table[2]["Observation"] == "the end" and table[2]["Done"] == "True"
    back = read_submission(tmp_path / "out", tmp_path / "back").run
    assert score(back).total.progress == 1.0
    assert [(x.executed, x.valid) for x in back.steps(back.episodes()[0].spec.id)] == [
        ("go", True),
        ("wait", False),
        ("go", True),
    ]
    assert not (tmp_path / "out/babaisai").exists()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"notes.txt": "hello"}, "not a BALROG submission"),
        ({"babyai/goto/goto_run_00.json": "{"}, "goto_run_00.json is damaged"),
        ({"babyai/goto/goto_run_00.json": '{"task": "goto"}'}, "'progression' is missing"),
        ({"babyai/goto/goto_run_00.json": "[1]"}, "not a JSON object"),
        ({"summary.json": "{}", "metadata.yaml": "name: [x"}, "metadata.yaml is damaged"),
    ],
)
def test_what_is_no_submission(tmp_path, files, words):
    for name, text in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.raises(StoreError, match=words):
        read_submission(tmp_path / "in", tmp_path / "run")


GOOD = {"task": "t", "progression": 0.5, "num_steps": 1, "failed_candidates": []}
ROWS = "Step,Action,Reasoning,Observation,Reward,Done\r\n0,go,,a room,0.0,True\r\n"


def submission(root: Path, **files: str) -> Path:
    """A submission of three episodes; `r1_json` and the like are other contents of a file."""
    for index in range(3):
        for ending, text in (("json", json.dumps(GOOD)), ("csv", ROWS)):
            path = root / f"babyai/t/t_run_{index:02d}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files.get(f"r{index}_{ending}", text))
    for name in ("summary_json", "metadata_yaml"):
        if name in files:
            (root / name.replace("_", ".")).write_text(files[name])
    return root


DAMAGED = {
    "cut off": ({"r1_json": '{"task": "t", "progr'}, "t_run_01.json", 2),
    "another type": ({"r1_json": json.dumps({**GOOD, "progression": "1"})}, "t_run_01.json", 2),
    "a truth for a number": ({"r1_json": json.dumps({**GOOD, "progression": True})}, "t_run_01.json", 2),
    "progression of 50": ({"r1_json": json.dumps({**GOOD, "progression": 50})}, "t_run_01.json", 2),
    "not a number": ({"r1_json": '{"task": "t", "progression": NaN, "num_steps": 1}'}, "t_run_01.json", 2),
    "a task that leads out": ({"r1_json": json.dumps({**GOOD, "task": "../../x"})}, "t_run_01.json", 2),
    "deep": ({"r1_json": "[" * 100_000}, "t_run_01.json", 2),
    "agent is a list": ({"r1_json": json.dumps({**GOOD, "agent": [1]})}, "t_run_01.json", 2),
    "failed is a number": ({"r1_json": json.dumps({**GOOD, "failed_candidates": 3})}, "t_run_01.json", 2),
    "a trajectory of other columns": ({"r1_csv": "a,b\r\n"}, "its columns are", 3),
    "a trajectory with a word as reward": ({"r1_csv": ROWS.replace("0.0", "much")}, "t_run_01.csv", 3),
    "the summary": ({"summary_json": "{"}, "summary.json", 3),
    "the metadata": ({"metadata_yaml": "name: [x"}, "metadata.yaml", 3),
    "metadata of aliases": ({"metadata_yaml": "a: &a [x,x]\nb: &b [*a,*a]\nname: *b\n"}, "metadata.yaml", 3),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_an_import_goes_on_past_a_damaged_file_and_names_it(tmp_path, kind):
    files, name, scored = DAMAGED[kind]
    root = submission(tmp_path / "in", **files)
    imported = read_submission(root, tmp_path / "run")
    assert any("Left out" in note and name in note for note in imported.notes)
    assert sum(e.progress == 0.5 for e in imported.run.episodes()) == scored
    again = read_submission(root, tmp_path / "run")
    assert again.notes == imported.notes and len(again.run.episodes()) == scored


def test_a_repaired_file_is_taken_in_by_the_same_import(tmp_path):
    root = submission(tmp_path / "in", r1_json="{", r2_csv="a,b")
    read_submission(root, tmp_path / "run")
    run = read_submission(submission(root), tmp_path / "run").run
    assert len(run.episodes()) == 3 and all(list(run.steps(e.spec.id)) for e in run.episodes())


def test_half_an_import_is_never_scored(tmp_path):
    """A process that is killed while it imports: the folder is refused until the same import has come to its end."""
    root = submission(tmp_path / "in")
    code = (
        "import os, sys, pathlib\n"
        "from embodied.exchange.balrog import reading\n"
        "write, done = reading._write, []\n"
        "def dying(*a):\n"
        "    done.append(write(*a))\n"
        "    if len(done) == 2: os.kill(os.getpid(), 9)\n"
        "    return done[-1]\n"
        "reading._write = dying\n"
        "reading.read_submission(*map(pathlib.Path, sys.argv[1:]))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(root), str(tmp_path / "run")])
    assert killed.returncode == -9
    with pytest.raises(StoreError, match="import again"):
        Run(tmp_path / "run")
    assert len(read_submission(root, tmp_path / "run").run.episodes()) == 3


def test_links_in_a_submission_are_not_followed(tmp_path):
    root = submission(tmp_path / "in")
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(GOOD))
    (root / "babyai/t/t_run_03.json").symlink_to(secret)
    (root / "babyai/loop").symlink_to(root)
    imported = read_submission(root, tmp_path / "run")
    assert imported.episodes == 3 and any("symbolic link" in note for note in imported.notes)


def test_films_of_imported_episodes(recorded, tmp_path):
    """A published record is played again from its seed, and its text compared at every step; a text game shows what was
    recorded.
    """
    run = read_submission(recorded["20250713_naive_grok-4"], tmp_path / "run").run
    by_env = {e.spec.task.env: e for e in run.episodes()}
    for env in ("babaisai", "textworld"):
        path = write_film(run, by_env[env].spec.id, tmp_path / f"{env}.gif", 4)
        assert Image.open(path).n_frames == by_env[env].steps + 1
    bare = read_submission(strip(recorded["20250713_naive_grok-4"], tmp_path / "bare"), tmp_path / "bare run").run
    with pytest.raises(StoreError, match="no recorded steps"):
        write_film(bare, bare.episodes()[0].spec.id, tmp_path / "none.gif", 4)


def strip(root: Path, out: Path) -> Path:
    """The submission without its trajectories."""
    shutil.copytree(root, out, ignore=shutil.ignore_patterns("*.csv"))
    return out
