"""`embodied calibrate`, and the agent that it makes: played with real weights, corrected where it asks."""

from __future__ import annotations

import asyncio
import json

import pytest

import embodied
from embodied.agents import AgentConfig, build, check
from embodied.agents.asking.asking import Sampled, asks
from embodied.agents.asking.calibration import shares
from embodied.agents.versions import load
from embodied.cli import main
from embodied.errors import UsageError
from embodied.eval.asking import read
from embodied.models.config import ModelConfig
from embodied.models.scripted import Scripted
from embodied.store.blobs import FileBlobs
from embodied.store.run import Run
from embodied.train.calibrating import asking_version, calibrated, held_out
from embodied.types import Correction, Message, Observation, Settings, Text
from tests.agents.play import ROOM, Replies, act, make

WORLD = {"env.distractors": 3, "run.workers": 1}
ON_PATH = WORLD | {"agent.format": "choice", "agent.follow": True}


def play(agent, out, episodes, split, options, **more) -> Run:
    found = embodied.evaluate(
        "babyai", agent, task="goto", episodes=episodes, split=split, out=out, options=options, **more
    )
    return found.run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrating")
    return play("tinyvlm-base", folder / "train", 8, "train", ON_PATH, corrector="oracle")


@pytest.fixture(scope="module")
def asker(runs, tmp_path_factory):
    version, found = calibrated([runs], 0.2, "episode")
    return asking_version(version, found, runs, tmp_path_factory.mktemp("asker") / "asks")


def test_the_version_holds_the_calibration_and_how_it_was_played(runs, asker):
    said = json.loads(asker.part("asking").read_text())
    assert (said["episodes"], said["risk"], said["level"], said["split"]) == (8, 0.2, "episode", "train")
    assert len(said["runs"]) == 64 and said["agent"] == runs.record.config["agent"]["version"]
    assert asker.record.settings["agent.format"] == "choice" and asker.record.settings["agent.follow"] is True
    assert load(asker.folder).hash == asker.hash


def test_it_is_corrected_only_where_it_asks_and_resumes_as_if_never_stopped(asker, tmp_path):
    more = {"corrector": "oracle"}
    options = WORLD | {"corrector.when": "asked"}
    run = play(asker.folder, tmp_path / "asked", 4, "dev", options, **more)
    steps = {e.spec.id: list(run.steps(e.spec.id)) for e in run.episodes()}
    asked = 0
    for step in (step for played in steps.values() for step in played):
        said = [e for e in step.events if isinstance(e, Correction) and e.superseded is not None]
        first = said[0].superseded if said else step.decision
        alone = len(shares(first) or {}) and not asks(first)
        assert bool(said) == (asks(first) and step.executed != first.action)
        assert not alone or step.executed == first.action
        asked += asks(first)
    assert asked == sum(e.counts.get("help_asked", 0) for e in run.episodes()) > 0
    longest = max(steps, key=lambda id_: len(steps[id_]))
    folder = run.folder(longest)
    lines = (folder / "steps.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "episode.json").unlink()
    (folder / "steps.jsonl").write_bytes(b"".join(lines[: len(lines) // 2]))
    again = play(asker.folder, tmp_path / "asked", 4, "dev", options, **more)
    assert [_told(s) for s in again.steps(longest)] == [_told(s) for s in steps[longest]]


def _told(step):
    return step.executed, step.decision.notes, step.next_hash, [(type(e), getattr(e, "text", "")) for e in step.events]


def test_the_command_makes_an_agent_and_reports_on_held_out_episodes(runs, tmp_path, capfd):
    held = play("tinyvlm-base", tmp_path / "dev", 4, "dev", ON_PATH, corrector="oracle")
    words = ["calibrate", str(runs.root), "--risk", "0.2", "--check", str(held.root), "--out", str(tmp_path / "asks")]
    said = cli(words, capfd)
    assert "8 episodes of the split train, risk 0.2 of each episode" in said
    assert "random, as often" in said and "corrector.when=asked" in said
    found = json.loads(cli([*words[:-2], "--json"], capfd))
    assert found["check"]["episodes"] == 4 and len(found["check"]["rows"]) == 3
    _, calibration = calibrated([runs], 0.2, "episode")
    with pytest.raises(UsageError, match="was calibrated with"):
        held_out([runs], calibration, [runs])
    with pytest.raises(UsageError, match="at least 9 calibration episodes, and there are 8"):
        calibrated([runs], 0.1, "episode")


def cli(words, capfd) -> str:
    capfd.readouterr()
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    return capfd.readouterr().out


def test_runs_that_promise_nothing_are_refused(runs, tmp_path):
    test = play("tinyvlm-base", tmp_path / "test", 1, "test", ON_PATH, corrector="oracle")
    with pytest.raises(UsageError, match="must decide nothing"):
        calibrated([test], 0.5, "episode")
    alone = play("tinyvlm-base", tmp_path / "alone", 1, "train", WORLD | {"agent.format": "choice"})
    with pytest.raises(UsageError, match="different agents"):
        calibrated([runs, alone], 0.5, "episode")
    with pytest.raises(UsageError, match="holds no advice"):
        calibrated([alone], 0.5, "episode")
    constant = play("constant", tmp_path / "c", 1, "train", WORLD | {"agent.script": ["drop"]}, corrector="oracle")
    with pytest.raises(UsageError, match="no probabilities"):
        read(constant)
    with pytest.raises(UsageError, match="not played with an agent's folder"):
        calibrated([constant], 0.5, "episode")
    silent = WORLD | {"agent.script": ["drop"], "corrector.silence": 1.0, "run.steps": 3}
    with pytest.raises(UsageError, match="another action than the expert's"):
        read(play("constant", tmp_path / "off", 1, "train", silent, corrector="oracle"))


def test_settings_that_do_not_go_together(asker, tmp_path):
    with pytest.raises(UsageError, match="needs an agent's folder with a calibration"):
        build(AgentConfig(asks="conformal"), Replies())
    with pytest.raises(UsageError, match="agents that ask a model"):
        build(AgentConfig("random", asks="conformal"))
    with pytest.raises(UsageError, match="writes more than its action"):
        check(AgentConfig("cot", samples=3))
    with pytest.raises(UsageError, match="this one never does"):
        play("tinyvlm-base", tmp_path / "a", 1, "dev", WORLD | {"corrector.when": "asked"}, corrector="oracle")
    with pytest.raises(UsageError, match=r"no option corrector\.when"):
        play(asker.folder, tmp_path / "b", 1, "dev", WORLD | {"corrector.when": "asked"}, corrector="desk")
    with pytest.raises(UsageError, match=r"calibrated with agent\.samples=1"):
        play(asker.folder, tmp_path / "c", 1, "dev", WORLD | {"agent.samples": 2})


def test_samples_stand_in_for_probabilities(tmp_path):
    config = ModelConfig("scripted", "cycle", script=["turn left", "toggle", "turn left ", "turn left"])
    model = Sampled(Scripted(config, FileBlobs(tmp_path)), 4)
    reply = asyncio.run(model.generate([Message("user", (Text("Act."),))], Settings(seed=1)))
    assert reply.text == "turn left" and reply.usage.output == 7
    assert list(reply.weighed) == ["turn left", "toggle"] and reply.weighed["toggle"] == pytest.approx(-1.3863)
    replies = Replies("turn left", "toggle", "turn left")
    decision = act(make("naive", ROOM, replies, samples=3), Observation("a door"))
    assert decision.action == "turn left" and shares(decision)["toggle"] == pytest.approx(1 / 3, abs=1e-4)
    thinks = Replies("Left is good.", "turn left", "turn left", "toggle")
    thinks.chooses = True
    decision = act(make("cot", ROOM, thinks, samples=3, format="choice"), Observation("a door"))
    assert decision.action == "turn left" and len(decision.calls) == 2 and decision.thought == "Left is good."
    assert len({settings.seed for _, settings in replies.asked}) == 3
