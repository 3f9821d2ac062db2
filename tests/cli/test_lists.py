"""`embodied list`: presets by their heads, and the runs of a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embodied.agents import folders
from embodied.cli.heads import shipped
from embodied.config import compose, members
from embodied.store.run import Run
from tests.console.recorded import new_run, record
from tests.eval.runs import make_run

ROOT = Path(__file__).parents[2]


def test_heads_of_the_shipped_presets_are_what_they_compose_to(monkeypatch):
    monkeypatch.delenv("EMBODIED_CONF", raising=False)
    heads = [head for head in shipped() if head.name not in folders.shipped()]
    assert [head.name for head in heads] == members("agent")
    for head in heads:
        config = compose([f"agent={head.name}"])
        found = (config.agent.policy, config.model.provider, config.model.name)
        assert (head.policy, head.provider, head.model) == found


def test_agents_and_models_compose_nothing(tmp_path):
    code = (
        "import sys; from embodied.cli import _register, app; _register();"
        " app(['list', sys.argv[1]], standalone_mode=False);"
        " print([m for m in ('hydra', 'omegaconf', 'torch', 'openai') if m in sys.modules], file=sys.stderr)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "EMBODIED_CONF"} | {"PYTHONPATH": str(ROOT)}
    for what, said in (("agents", "gpt4o"), ("models", "openai/gpt-4o (--agent gpt4o)")):
        command = [sys.executable, "-c", code, what]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert said in done.stdout and done.stderr.strip() == "[]", done.stdout + done.stderr


def test_presets_of_the_users_own_are_composed(call, monkeypatch):
    monkeypatch.setenv("EMBODIED_CONF", "conf")
    Path("conf/agent").mkdir(parents=True)
    head = "# @package _global_\n"
    Path("conf/agent/mine.yaml").write_text(head + "defaults: [cot]\nmodel: {provider: gguf, name: my-model}\n")
    Path("conf/agent/wrong.yaml").write_text(head + "agent: {polcy: cot}\n")
    code, out, err = call("list", "agents")
    assert code == 0 and any(line.split() == ["mine", "cot", "gguf/my-model"] for line in out.splitlines()), out
    assert err.startswith("wrong is left out. ") and "'agent.policy'" in err and "wrong.yaml" in err
    with pytest.raises(Exception, match="polcy") as raised:
        compose(["agent=wrong"])
    assert str(raised.value) in err, "the same sentence as `eval` says"
    assert "gguf/my-model (--agent mine)" in call("list", "models")[1]


@pytest.fixture
def runs(call) -> Path:
    """A run of a suite, one of an agent without a model, one that was stopped, and damaged ones."""
    place = Path("runs")
    three = {("babyai", "x"): [0.5, 0.7], ("crafter", "default"): [0.2, 0.1]}
    make_run(place / "suite", three, suite="balrog")
    make_run(place / "deeper/random", {("babyai", "x"): [0.1, 0.3]}, config={"agent": {"policy": "random"}})
    make_run(place / "stopped", {("crafter", "default"): [0.9, None]}, config={"preset": "gpt4o"})
    (place / "torn").mkdir()
    (place / "torn/run.json").write_text('{"identity": ')
    (place / "link").mkdir()
    (place / "link/run.json").symlink_to("/etc/passwd")
    (place / "not a run").mkdir()
    odd = make_run(place / "odd", {("babyai", "x"): [0.5]}, config={"run": {"price": "free \x1b[31m"}})
    (odd.folder(odd.record.planned[0].id) / "episode.json").write_text("{")
    return place


def rows(call, *words: str) -> dict[str, dict]:
    code, out, err = call("list", "runs", "--json", *words)
    assert code == 0, err
    return {run["name"]: run for run in json.loads(out)["runs"]}


def test_runs_of_a_folder(call, runs):
    found = rows(call)
    assert found.keys() == {"suite", "deeper/random", "stopped", "torn", "link", "odd"}
    suite = found["suite"]
    assert (suite["suite"], suite["envs"], suite["state"]) == ("balrog", ["babyai", "crafter"], "finished")
    assert suite["interval"][0] < suite["progress"] < suite["interval"][1] and suite["dollars"] > 0
    assert (found["deeper/random"]["agent"], found["deeper/random"]["model"]) == ("random", "")
    assert (found["stopped"]["state"], found["stopped"]["coverage"]) == ("stopped", 0.5)
    assert "damaged" in found["torn"]["problem"] and "symbolic link" in found["link"]["problem"]
    assert found["odd"]["dollars"] is None and "episode.json is damaged" in found["odd"]["problem"]
    code, out, _ = call("list", "runs")
    assert code == 0 and "torn: runs/torn/run.json is damaged" in out and "\x1b" not in out


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--env", "crafter"), {"suite", "stopped"}),
        (("--env", "baby*"), {"suite", "deeper/random", "odd"}),
        (("--suite", "balrog"), {"suite"}),
        (("--agent", "random"), {"deeper/random"}),
        (("--agent", "GPT4O"), {"stopped"}),
        (("--model", "gpt-4o", "--env", "crafter"), {"suite", "stopped"}),
        (("--model", "openai/*", "--suite", "balrog"), {"suite"}),
        (("--model", "nothing"), set()),
    ],
)
def test_runs_are_filtered(call, runs, words, names):
    assert rows(call, *words).keys() == names


def test_a_run_is_a_folder_of_one(call, runs):
    assert rows(call, "runs/suite").keys() == {"suite"}


def test_runs_are_sorted(call, runs):
    assert list(rows(call, "--sort", "score"))[:3] == ["stopped", "suite", "deeper/random"]
    assert list(rows(call, "--sort", "state"))[:2] == ["link", "torn"]


def test_a_run_is_in_play_while_a_process_holds_an_episode(call):
    run = new_run(Path("runs/now"), {"hall": 2})
    record(run, run.record.planned[0], 3)
    writer = run.claim(run.record.planned[1])
    assert rows(call)["now"]["state"] == "in play"
    assert Run("runs/now").claim(run.record.planned[1]) is None, "looking has taken nothing from the process"
    writer.close()
    assert rows(call)["now"]["state"] == "stopped"


@pytest.mark.parametrize(("folder", "said"), [("nowhere", "does not exist"), ("file", "is a file")])
def test_no_folder_of_runs(call, folder, said):
    Path("file").write_text("")
    code, _, err = call("list", "runs", folder)
    assert code == 4 and said in err and len(err.splitlines()) == 1
    Path("empty").mkdir()
    assert call("list", "runs", "empty")[1].strip() == "No runs in empty."
    assert call("view", "empty")[0] == 4


def test_view_of_a_folder_takes_no_episode(call, runs):
    assert "--episode" in call("view", "runs", "--episode", "0")[2]
    assert "name one folder" in call("view", "runs/suite", "--env", "babyai")[2]
