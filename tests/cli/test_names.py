"""Whole commands with names of any characters: run folders, presets, models, published data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_cli import BABYAI, cli  # noqa: F401
from tests.servers import stub  # noqa: F401

NAMES = [
    "Läufe & Modelle",
    "运行",
    "a,b=c",
    "[x]{y}(z)",
    "it's",
    'say "hi"',
    " blanks ",
    "100%",
    "a:b",
    "-x",
    "${oc.env:HOME}",
    "#1",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_any_name(cli, stub, monkeypatch, name):  # noqa: F811
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    monkeypatch.setenv("EMBODIED_CONF", f"{name}/conf")
    agent = "mine" if "$" in name else name
    preset = Path(name, "conf/agent", f"{agent}.yaml")
    preset.parent.mkdir(parents=True)
    preset.write_text("# @package _global_\nagent: {policy: naive}\nmodel: {provider: openai, name: x}\n")
    code, out, err = cli("list", "agents")
    assert code == 0 and any(line.startswith(agent.ljust(16)) for line in out.splitlines()), out + err
    model, run = f"compatible/{name.strip()}", f"./{name}/run"
    word = f"model.base_url={stub.url}/v1"
    code, out, err = cli(
        "eval",
        *BABYAI,
        f"--agent={agent}",
        "--model",
        model,
        "--out",
        run,
        "--episodes",
        2,
        "--steps",
        2,
        "--shard",
        "1/2",
        "run.workers=1",
        word,
    )
    assert code == 0, out + err
    code, out, err = cli("resume", run, "run.workers=1")
    assert code == 0 and "2/2" in out, out + err
    assert stub.seen[-1].model == name.strip()
    formats = [("export", run, "--format", name) for name in ("csv", "html", "sft", "balrog")]
    for command in (
        ("score", run),
        ("replay", run),
        *formats,
        ("report", run, "--pages"),
        ("merge", run, "--out", f"{run}2"),
        ("score", f"{run}2"),
    ):
        code, out, err = cli(*command)
        assert code == 0, f"{command}: {out}{err}"
    site = f"./{name}/site"
    assert cli("leaderboard", run, f"{run}2", "--out", site)[0] == 0 and Path(site, "index.html").is_file()
    picture = f"./{name}/picture.png"
    assert cli("show", "babyai", "--picture", picture)[0] == 0 and Path(picture).is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_published_data_in_a_folder_of_any_name(cli, patheval_data, name):  # noqa: F811
    Path(name).mkdir()
    for file in patheval_data.iterdir():
        Path(name, file.name).symlink_to(file)
    code, out, err = cli(
        "eval",
        "--env",
        "patheval_loop",
        "--agent",
        "random",
        f"--data=./{name}",
        "--out",
        "run",
        "--steps",
        2,
        "run.workers=1",
        "run.episodes=1",
    )
    assert code == 0 or (code == 2 and len(err.splitlines()) == 1), out + err
    code, out, err = cli(
        "eval", "--env", "patheval_loop", "--agent", "random", f"--data=./{name}/nowhere", "--out", "run2"
    )
    assert code == 2 and f"{name}/nowhere" in err and len(err.splitlines()) == 1, out + err


@pytest.mark.parametrize(
    "name", ["läufer", "模型", "a,b", "x=1", "[x]", "it's", 'say "hi"', "", "${x}", "../agent/cot", "a\nb"]
)
def test_an_agent_or_environment_of_a_strange_name_is_one_sentence(cli, name):  # noqa: F811
    for arguments in (
        ("eval", *BABYAI, f"--agent={name}"),
        ("eval", f"--env={name}", "--agent", "random"),
        ("eval", *BABYAI, "--agent", "naive", f"--model={name}"),
        ("show", f"./{name}"),
    ):
        code, out, err = cli(*arguments)
        assert code == 2 and "Traceback" not in err and err.count("error:") <= 1, f"{arguments}: {out}{err}"
