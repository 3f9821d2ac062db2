"""The command line as a user meets it: what works, and every bad input in one clear sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embodied.cli import main
from embodied.store import Run

BABYAI = ("--env", "babyai", "--task", "BabyAI-MixedTrainLocal-v0/goto")


@pytest.fixture
def cli(capfd, monkeypatch, tmp_path):
    """Calls the command line in a folder of its own, without keys; gives exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out, err

    return call


def test_eval_score_continue(cli):
    code, out, _ = cli("eval", *BABYAI, "--agent", "random", "--episodes", 2, "--steps", 6, "--out", "run")
    assert code == 0 and "2/2" in out and "embodied export run" in out
    code, out, _ = cli("eval", *BABYAI, "--agent", "random", "--episodes", 3, "--steps", 6, "--out", "run")
    assert code == 0 and "3/3" in out and "2 episodes were already scored" in out
    code, out, _ = cli("score", "run", "--json", "--episodes")
    body = json.loads(out)
    assert code == 0 and body["environments"][0]["planned"] == 3 and len(body["episodes"]) == 3
    assert body["total"]["interval"][0] <= body["total"]["progress"] <= body["total"]["interval"][1]


def test_default_folder_is_the_same_for_the_same_command(cli):
    first = cli("eval", *BABYAI, "--agent", "random", "--episodes", 1, "--steps", 3)[1]
    again = cli("eval", *BABYAI, "--agent", "random", "--episodes", 1, "--steps", 3)[1]
    other = cli("eval", *BABYAI, "--agent", "random", "--episodes", 1, "--steps", 4)[1]
    assert "already scored" in again and "already scored" not in first + other


def test_expert_plays_and_film_is_written(cli):
    assert cli("eval", *BABYAI, "--agent", "expert", "--episodes", 1, "--out", "run")[0] == 0
    assert Run("run").episodes()[0].success is True
    code, out, _ = cli("export", "run", "0", "--format", "gif")
    assert code == 0
    from PIL import Image

    film = Image.open(out.strip())
    assert film.n_frames == Run("run").episodes()[0].steps + 1
    assert len(film.convert("RGB").getcolors(1 << 20)) > 5
    code, out, _ = cli("export", "run", "--format", "mp4")
    assert code == 0 and Path(out.strip()).stat().st_size > 1000


def test_any_gymnasium_environment(cli):
    code, out, _ = cli("eval", "--env", "gym:FrozenLake-v1", "--agent", "random", "--episodes", 2, "--out", "run")
    assert code == 0 and "2/2" in out


def test_words_for_environments_reach_those_of_a_suite_that_have_the_option(cli):
    code, out, err = cli(
        "eval",
        "--suite",
        "demo",
        "--agent",
        "random",
        "--steps",
        2,
        "--out",
        "run",
        "env.rules=balrog",
        "env.text=language",
    )
    assert code == 0, out + err
    kwargs = {spec.task.env: spec.task.kwargs for spec in Run("run").record.planned}
    assert len(kwargs) == 6 and {k["rules"] for k in kwargs.values()} == {"balrog"}
    assert {env for env, k in kwargs.items() if k.get("text") == "language"} == {"nethack", "minihack"}
    code, _, err = cli("eval", "--suite", "demo", "--agent", "random", "--steps", 2, "--out", "run")
    assert code == 4 and "another plan" in err


def test_options_of_any_gymnasium_environment(cli):
    code, out, err = cli(
        "eval", "--env", "gym:FrozenLake-v1", "--agent", "random", "--out", "run", "env.is_slippery=false"
    )
    assert code == 0 and Run("run").record.planned[0].task.kwargs["is_slippery"] is False, out + err


def test_lists_show_and_doctor(cli):
    assert "babaisai" in cli("list", "envs")[1]
    assert len(cli("list", "tasks", "--env", "minihack")[1].splitlines()) == 8
    assert "gpt4o" in cli("list", "agents")[1]
    assert "openai" in cli("list", "models")[1]
    assert "255 episodes" in cli("list", "suites")[1]
    assert "agent.history.text = 16" in cli("list", "options")[1]
    code, out, _ = cli("show", "babyai", "--picture", "babyai.png")
    assert code == 0 and "Action Space" in out and Path("babyai.png").is_file()
    assert "(no expert)" in next(line for line in cli("list", "envs")[1].splitlines() if line.startswith("nethack"))
    assert "bot advises" in out and "nethack has no expert" in cli("show", "nethack")[1]
    code, out, _ = cli("doctor")
    assert code == 0 and "core: ok" in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("eval", "--env", "nethak", "--agent", "random"), 2, ["nethak", "nethack", "embodied list envs"]),
        (
            ("eval", "--env", "babyai", "--task", "BabyAI-MixedTrainLocal-v0/gto", "--agent", "random"),
            2,
            ["goto", "embodied list tasks --env babyai"],
        ),
        (("eval", "--env", "minihack", "--task", "Quest", "--agent", "random"), 2, ["MiniHack-Quest-Easy-v0", "Name"]),
        (("eval", "--env", "babyai,nethak", "--agent", "random"), 2, ["nethak", "nethack"]),
        (("eval", "--env", "babyai,crafter", "--agent", "random", "--task", "goto"), 2, ["no task of crafter"]),
        (("eval", "--env", "gym", "--agent", "random"), 2, ["gym:CartPole-v1"]),
        (("eval", "--env", "babyai"), 2, ["--agent random", "embodied list agents"]),
        (("eval", "--env", "babyai,", "crafter", "--agent", "random"), 2, ["no blank after the comma"]),
        (("show", "gym:Nope-v0"), 2, ["Nope-v0"]),
        (("eval", "--env", "babyai,crafter", "--agent", "random", "env.ruls=x"), 2, ["ruls", "rules"]),
        (("eval", "--env", "babyai", "--agent", "random", "--data", "."), 2, ["--data", "no published files"]),
        (("eval", "--env", "babyai", "--agent", "random", "a b"), 2, ["'a b'", "key=value"]),
        (("eval", "--env", "babyai", "--agent", "random", "agent.script=[a"), 2, ["agent.script=[a", "cannot be read"]),
        (("eval", "--env", "babyai", "--agent", "random", "~agent.script"), 2, ["~agent.script", "key=value"]),
        (("eval", "--env", "babyai", "--agent", "smollm2", "model.temperature=99"), 2, ["model.temperature", "99"]),
        (("eval", "--env", "babyai", "--agent", "oracle"), 2, ["expert of babyai", "oracle", "embodied list envs"]),
        (("eval", "--env", "babyai", "--agent", "gpt4"), 2, ["gpt4", "gpt4o", "embodied list agents"]),
        (
            ("eval", "--env", "babyai", "--agent", "naive", "--model", "opnai/gpt-4o"),
            2,
            ["opnai", "openai", "embodied list models"],
        ),
        (("eval", "--suite", "balrg", "--agent", "random"), 2, ["balrog", "embodied list suites"]),
        (("eval", "--env", "babyai", "--agent", "naive"), 2, ["--model provider/name"]),
        (
            ("eval", "--env", "babyai", "--agent", "random", "agent.histori.text=4"),
            2,
            ["agent.histor", "embodied list options"],
        ),
        (
            ("eval", "--env", "babyai", "--agent", "random", "agent.history.texts=4"),
            2,
            ["agent.history.text", "embodied list options"],
        ),
        (
            ("eval", "--env", "babyai", "--agent", "random", "agent.history.text=many"),
            2,
            ["agent.history.text", "many"],
        ),
        (("eval", "--env", "babyai", "--agent", "random", "+env.ruls=balrog"), 2, ["ruls", "rules"]),
        (("eval", "--env", "babyai", "--agent", "random", "env.rules=balrok"), 2, ["balrok", "balrog"]),
        (("eval", "--env", "babyai", "--agent", "random", "nonsense"), 2, ["nonsense"]),
        (("eval", "--agent", "random"), 2, ["--env", "--suite"]),
        (("eval", "--env", "textworld", "--agent", "random", "--image"), 2, ["textworld has no picture"]),
        (("eval", "--env", "babyai", "--agent", "gpt4o"), 3, ["OPENAI_API_KEY"]),
        (("eval", "--env", "babyai", "--agent", "random", "--episodes", "0"), 2, ["--episodes"]),
        (("eval", "--env", "babyai", "--agent", "random", "--epsiodes", "1"), 2, ["--epsiodes"]),
        (("evl",), 2, ["evl"]),
        (("score", "nowhere"), 4, ["nowhere", "not a run folder"]),
        (("export", "nowhere"), 4, ["nowhere"]),
        (("show", "crafterr"), 2, ["crafter"]),
        (("list", "tasks", "--env", "babya"), 2, ["babyai"]),
        (("eval", "--suite", "demo", "--agent", "random", "env.ruls=balrog"), 2, ["ruls", "rules"]),
        (("eval", "--suite", "demo", "--agent", "random", "--data", "/nope"), 2, ["--data goes with --env"]),
        (("eval", "--env", "minihack", "--agent", "random", "--data", "/nope"), 2, ["no folder", "/nope"]),
        (("eval", "--env", "babyai", "--agent", "random", "+foo=1"), 2, ["foo", "embodied list options"]),
        (
            ("eval", "--env", "babyai", "--agent", "random", "++agent.histroy.text=4"),
            2,
            ["agent.histroy.text", "agent.history.text"],
        ),
        (("eval", "--env", "babyai", "--agent", "random", "run.episodes=0"), 2, ["run.episodes must be above 0"]),
        (("eval", "--env", "babyai", "--agent", "random", "run.episodes=-1"), 2, ["run.episodes must be above 0"]),
        (("eval", "--env", "babyai", "--agent", "smollm2", "--image"), 2, ["reads no images", "--text"]),
        (
            ("eval", "--env", "nethack", "--agent", "expert"),
            2,
            ["nethack has no expert", "babyai", "embodied play nethack"],
        ),
        (
            ("eval", "--env", "babyai", "--agent", "few_shot", "--model", "scripted/cycle", "model.script=[go]"),
            2,
            ["demonstrations"],
        ),
        (("eval", "--env", "gym:NoSuch-v0", "--agent", "random"), 2, ["NoSuch"]),
    ],
)
def test_bad_input_is_one_clear_sentence(cli, arguments, code, words):
    got, out, err = cli(*arguments)
    assert got == code, out + err
    assert all(w in out + err for w in words), out + err
    assert "Traceback" not in err
    assert not Path("runs").exists(), "nothing may be written for a request that makes no sense"


def test_a_folder_of_presets_that_is_none(cli, monkeypatch):
    monkeypatch.setenv("EMBODIED_CONF", "/nowhere")
    code, _, err = cli("eval", *BABYAI, "--agent", "random")
    assert code == 2 and "EMBODIED_CONF" in err and "/nowhere" in err


def test_list_options_says_what_they_mean(cli):
    _, out, _ = cli("list", "options")
    assert any(line.startswith("run.seed = 0") and "Suite seed" in line for line in out.splitlines())


def test_unusable_output_folder(cli, tmp_path):
    Path("file").write_text("")
    assert cli("eval", *BABYAI, "--agent", "random", "--out", "file")[0] == 4
    code, _, err = cli("eval", *BABYAI, "--agent", "random", "--out", "/proc/run")
    assert code == 4 and "/proc/run" in err
    assert cli("eval", *BABYAI, "--agent", "random", "--episodes", 1, "--steps", 2, "--out", "run")[0] == 0
    code, _, err = cli("eval", *BABYAI, "--agent", "random", "--episodes", 1, "--steps", 3, "--out", "run")
    assert code == 4 and "run.steps is 2 there and 3 here" in err


def test_keys_never_reach_a_file(cli, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-1234567890")
    words = ("model.base_url=http://127.0.0.1:9/v1", "model.attempts=1", "model.timeout=2")
    code, out, err = cli("eval", *BABYAI, "--agent", "gpt4o", "--episodes", 1, "--out", "run", *words)
    assert code == 5 and "model_failure" in out
    assert "very-secret" not in out + err
    for path in Path("run").rglob("*"):
        assert path.is_dir() or b"very-secret" not in path.read_bytes(), path


def test_interrupt_loses_nothing_and_the_same_command_continues(tmp_path):
    command = [
        sys.executable,
        "-m",
        "embodied",
        "eval",
        *BABYAI,
        "--agent",
        "random",
        "--episodes",
        "400",
        "--out",
        str(tmp_path / "run"),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(tmp_path.glob("run/episodes/*/episode.json")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Nothing recorded is lost" in err and "Traceback" not in err
    run = Run(tmp_path / "run")
    scored = [e for e in run.episodes() if e.outcome != "cancelled"]
    assert 0 < len(scored) < 400
    done = scored[0].spec.id
    before = (tmp_path / "run/episodes" / done / "steps.jsonl").read_bytes()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while (
        time.monotonic() < deadline + 60 and len(list(tmp_path.glob("run/episodes/*/episode.json"))) < len(scored) + 3
    ):
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert len(Run(tmp_path / "run").episodes()) > len(scored)
    assert (tmp_path / "run/episodes" / done / "steps.jsonl").read_bytes() == before


def test_help_imports_nothing_heavy():
    heavy = ("torch", "transformers", "openai", "nle", "hydra", "PIL", "imageio", "rich.table")
    code = f"import sys; import embodied.cli as c; c._register(); print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_questions_about_pictures_show_them_to_models_that_read_them(cli):
    def shown(*words: str) -> bool:
        code, out, err = cli("eval", "--env", "patheval", "--task", "decide", "--episodes", 1, "--out", "run", *words)
        assert code == 0, out + err
        return Run("run").record.config["image"]

    scripted = ("--agent", "naive", "--model", "scripted/cycle", "model.script=['1']")
    assert shown(*scripted) is True
    Path("run").rename("pictured")
    assert shown(*scripted, "--text") is False
    Path("run").rename("text")
    assert shown("--agent", "random") is False
