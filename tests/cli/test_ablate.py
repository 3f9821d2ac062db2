"""`embodied ablate`: what it says of agents whose eyes and reading are known."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embodied.controls import BLACK, CONTROLS, OTHER_GOAL, TWIN
from embodied.store.run import Run
from embodied.types import Image, Message, Settings

ROOT = Path(__file__).parents[2]
ACTIONS = ("turn left", "turn right", "go forward")
SMALL = ("--episodes", 2, "--steps", 4, "run.workers=1")


def _drawn(what: object) -> str:
    return ACTIONS[hashlib.sha256(repr(what).encode()).digest()[0] % len(ACTIONS)]


def _pictures(messages: list[Message]) -> list[str]:
    return [part.digest for message in messages for part in message.parts if isinstance(part, Image)]


def sees(messages: list[Message], settings: Settings) -> str:
    """A model that looks at its pictures and reads nothing."""
    return _drawn(_pictures(messages))


def reads(messages: list[Message], settings: Settings) -> str:
    """A model that reads its prompt and looks at no picture."""
    return _drawn([getattr(part, "text", "") for message in messages for part in message.parts])


def scripted(name: str) -> tuple[str, ...]:
    return (
        *("--agent", "naive", "--model", "scripted/cycle", "--image"),
        *("agent.history.text=1", f"model.script=tests.cli.test_ablate:{name}"),
    )


def rows(out: str, env: str = "", task: str = "") -> dict[str, dict]:
    return {row["condition"]: row for row in json.loads(out)["rows"] if (row["env"], row["task"]) == (env, task)}


@pytest.fixture
def ablate(call, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def ablate(*words: object, env: str = "babyai", task: str = "goto,pickup") -> tuple[int, str, str]:
        return call("ablate", "--env", env, "--task", task, *words)

    return ablate


def test_an_agent_that_never_reads_does_the_same_with_another_instruction(ablate):
    code, out, _ = ablate(*scripted("sees"), *SMALL, "--json")
    found = rows(out)
    assert code == 0 and list(found) == ["agent", *CONTROLS, "random", "majority_action"]
    assert (found[OTHER_GOAL]["alike"], found[OTHER_GOAL]["difference"]) == (4, 0.0)
    assert found[BLACK]["alike"] < 4 and found[TWIN]["alike"] < 4
    assert all((row["scored"], row["planned"], row["tasks"]) == (4, 4, 2) for row in found.values())
    assert all(len(row["difference_interval"]) == 2 and row["pairs"] == 4 for row in list(found.values())[1:])
    assert any("Nothing shows that the agent reads" in remark for remark in json.loads(out)["remarks"])
    whole = json.loads(out)
    assert {(r["env"], r["task"]) for r in whole["rows"][len(found) :]} == {
        ("babyai", f"BabyAI-MixedTrainLocal-v0/{task}") for task in ("goto", "pickup")
    }


@pytest.mark.slow
def test_an_agent_that_never_looks_does_the_same_with_other_pictures(ablate):
    code, out, _ = ablate(*scripted("reads"), *SMALL, "--json", task="goto")
    found = rows(out, "babyai", "BabyAI-MixedTrainLocal-v0/goto")
    assert code == 0 and [found[c]["alike"] for c in (BLACK, TWIN)] == [2, 2] and found[OTHER_GOAL]["alike"] < 2
    remarks = json.loads(out)["remarks"]
    assert any("Nothing shows that the agent sees" in remark for remark in remarks)
    assert any("also given the observation's text" in remark for remark in remarks)


@pytest.mark.slow
def test_the_table_and_what_reads_the_runs(ablate, call):
    code, out, _ = ablate(*scripted("sees"), *SMALL, "--out", "out")
    assert code == 0 and "all 2 tasks" in out and "shuffled picture: every picture is of another" in out
    assert "4 episodes in out/black_picture" in out and "Nothing shows that the agent sees" in out
    code, again, _ = ablate(*scripted("sees"), *SMALL, "--out", "out")
    table = out[out.index("condition ") :]
    assert code == 0 and again.endswith(table) and "4 episodes were already in out/black_picture" in again
    code, _, err = call("leaderboard", "out/agent", "out/black_picture", "--out", "site")
    assert code == 2 and "played under the control black picture: its score is not the agent's own" in err
    assert "black picture: not the agent's own score" in call("score", "out/black_picture")[1]
    assert "babyai (shuffled instruction)" in call("list", "runs", ".")[1]
    assert "Option control: the default in out/agent" in call("compare", "out/agent", "out/black_picture")[1]
    assert call("replay", "out/shuffled_picture", "--workers", "1")[0] == 0
    majority = [path for path in Path("out").iterdir() if path.name.startswith("majority_action")]
    assert majority and all(Run(path).record.config["agent"]["policy"] == "constant" for path in majority)


@pytest.mark.slow
def test_a_control_that_says_nothing_has_no_row(ablate):
    words = (*scripted("sees"), *SMALL, "--metric", "success")
    code, out, _ = ablate(*words, "--json", env="babaisai", task="env/goto_win")
    assert code == 0 and OTHER_GOAL not in rows(out, "babaisai", "env/goto_win")
    (left,) = [c for c in json.loads(out)["conditions"] if c["name"] == OTHER_GOAL]
    assert "have the same instruction" in left["left_out"][0]["reason"] and not left["runs"]
    out = ablate(*words, env="babaisai", task="env/goto_win")[1]
    assert "No row shuffled instruction: shuffled instruction says nothing about babaisai env/goto_win" in out


@pytest.mark.slow
def test_a_metric_of_the_environment(ablate):
    code, out, _ = ablate(*scripted("sees"), *SMALL, "--metric", "first_object_named", "--json", task="goto")
    assert code == 0 and json.loads(out)["metric"] == "first_object_named"
    code, _, err = ablate(*scripted("sees"), *SMALL, "--metric", "first_object_name", "--json", task="goto")
    assert code == 2 and "Did you mean 'first_object_named'?" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--env", "babyai", "--agent", "random", "--image"), "The agent random looks at no pictures"),
        (("--env", "babyai", "--agent", "naive", "--model", "scripted/cycle"), "gets no pictures here"),
        (("--env", "textworld", "--agent", "naive", "--model", "scripted/cycle"), "textworld shows no pictures"),
        (("--env", "babyai", "--agent", "naive", "run.control=black_picture"), "sets run.control for each condition"),
    ],
)
def test_what_cannot_be_ablated_is_one_sentence(call, tmp_path, words, said):
    code, _, err = call("ablate", *words)
    assert code == 2 and said in err and len(err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_small_agent_that_sees_and_a_kill(call, tmp_path, monkeypatch):
    """A trained tinyvlm, killed in the middle of a condition: the same command continues, and all repeats."""
    torch = pytest.importorskip("torch")
    from embodied.train.tinyvlm.making import Making
    from tests.train.test_tinyvlm import CPU, small

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    Making(small(), tmp_path / "tiny", CPU, lambda text: None).make()
    torch.set_num_threads(before)
    words = ("--env", "babyai", "--task", "goto", "--agent", "./tiny", *map(str, SMALL), "model.threads=1", "--out")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "embodied", "ablate", *words, "cut"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "in cut/shuffled_picture" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGKILL)
    process.wait()
    code, out, _ = call("ablate", *words, "cut", "--json")
    whole = call("ablate", *words, "whole", "--json")[1]
    assert code == 0 and json.loads(out)["rows"] == json.loads(whole)["rows"]
    assert rows(out, "babyai", "BabyAI-MixedTrainLocal-v0/goto").keys() >= {"agent", *CONTROLS}
