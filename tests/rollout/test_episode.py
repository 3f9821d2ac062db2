"""The one flow on a real game: plan, runner, episode, store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from embodied import agents
from embodied.agents import AgentConfig
from embodied.agents.config import ParseConfig
from embodied.errors import EnvironmentFailure, ModelRefused, ModelUnavailable, StoreError
from embodied.rollout.plan import identity, plan
from embodied.rollout.runner import SAME_FAILURES, Result, owed, run_all
from embodied.store.run import Run, RunRecord
from embodied.types import EpisodeSpec, Message, Reply, Settings, TaskSpec

TASK = TaskSpec("babyai", "BabyAI-MixedTrainLocal-v0/goto", {"max_steps": 12})


class Saying:
    """A model that says (or raises) one thing after another, and the last one for ever."""

    name = "saying"

    def __init__(self, script: list[str | Exception]):
        self._script = list(script)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        word = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(word, Exception):
            raise word
        return Reply(word)

    async def aclose(self) -> None:
        pass


class Quiet:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def started(self, spec: EpisodeSpec) -> None:
        self.heard.append(f"started {spec.index}")

    def stepped(self, spec, step) -> None:
        self.heard.append("step")

    def ended(self, episode) -> None:
        self.heard.append(f"ended {episode.outcome}")


def make_run(root: Path, episodes: int = 2, task: TaskSpec = TASK) -> tuple[Run, tuple[EpisodeSpec, ...]]:
    config = {"task": task.task}
    specs = plan([(task, episodes)], 7, identity(config))
    return Run.create(root, RunRecord(identity(config), config, specs)), specs


def play(run: Run, specs, config: AgentConfig | None = None, model=None, concurrency: int = 1) -> Result:
    config = config or AgentConfig(policy="random")
    return asyncio.run(run_all(run, specs, lambda spec: agents.build(config, model, spec=spec, blobs=run.blobs), Quiet(), concurrency))


def files(root: Path) -> dict[str, str]:
    """Content of every steps file without the timings, by episode."""
    run = Run(root)
    out = {}
    for episode in run.episodes():
        steps = [(s.observation, s.decision.action, s.executed, s.reward, s.next_hash) for s in run.steps(episode.spec.id)]
        out[episode.spec.id] = hashlib.sha256(repr(steps).encode()).hexdigest()
    return out


def test_plays_and_records_every_step(tmp_path):
    run, specs = make_run(tmp_path / "run")
    result = play(run, specs)
    assert result == Result(played=2, skipped=0)
    for spec in specs:
        episode = run.episode(spec.id)
        steps = list(run.steps(spec.id))
        assert episode.outcome in ("finished", "limit") and episode.steps == len(steps) > 0
        assert [s.index for s in steps] == list(range(len(steps)))
        assert steps[0].observation.step == 0 and steps[0].observation.executed is None
        assert episode.last.executed == steps[-1].executed
        assert episode.mission.goal and steps[-1].terminated != steps[-1].truncated


def test_same_seeds_same_bytes_whatever_the_concurrency(tmp_path):
    hashes = []
    for name, concurrency in (("one", 1), ("three", 3)):
        run, specs = make_run(tmp_path / name, episodes=4)
        play(run, specs, concurrency=concurrency)
        hashes.append(files(tmp_path / name))
    assert hashes[0] == hashes[1] and len(hashes[0]) == 4


def test_episodes_of_a_task_differ_and_agents_meet_the_same_ones():
    one = plan([(TASK, 50)], 0, "agent one")
    two = plan([(TASK, 50)], 0, "agent two")
    assert len({s.seed for s in one}) == 50
    assert [s.seed for s in one] == [s.seed for s in two]
    assert not {s.id for s in one} & {s.id for s in two}
    assert [s.seed for s in plan([(TASK, 50)], 1, "agent one")] != [s.seed for s in one]


def test_same_command_skips_scored_episodes_and_extends(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=2)
    play(run, specs)
    before = {p: p.read_bytes() for p in (tmp_path / "run/episodes").rglob("*.json*")}
    run, specs = make_run(tmp_path / "run", episodes=3)
    assert [s.index for s in owed(run, specs)] == [2]
    assert play(run, specs) == Result(played=1, skipped=2)
    assert all(p.read_bytes() == data for p, data in before.items())
    assert len(Run(tmp_path / "run").record.planned) == 3


def test_unscored_attempt_is_kept_and_played_again(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=1)
    first = Saying(["go forward", "go forward", ModelUnavailable("the server went away")])
    play(run, specs, AgentConfig(policy="naive"), first)
    episode = run.episode(specs[0].id)
    assert (episode.outcome, episode.steps, episode.progress) == ("model_failure", 2, None)
    assert "went away" in episode.error
    play(run, specs, AgentConfig(policy="naive"), Saying(["turn left"]))
    assert run.episode(specs[0].id).outcome == "limit"
    assert (tmp_path / "run/episodes" / specs[0].id / "attempt-1/episode.json").is_file()


def test_refusal_stops_the_run_at_once(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=5)
    result = play(run, specs, AgentConfig(policy="naive"), Saying([ModelRefused("the key was rejected")]))
    assert result.played == 1 and "key was rejected" in result.stopped


def test_same_failure_again_and_again_stops_the_run(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=8)
    result = play(run, specs, AgentConfig(policy="naive"), Saying([ModelUnavailable("no connection")]))
    assert result.played == SAME_FAILURES and "no connection" in result.stopped


def test_simulator_failure_is_an_outcome_of_that_episode_only(tmp_path, monkeypatch):
    from embodied.envs.games.babyai.env import BabyAIEnv

    original = BabyAIEnv._step

    def failing(self, action):
        if len(self._actions) == 3 and self._seed == bad:
            raise RuntimeError("segment violated")
        return original(self, action)

    run, specs = make_run(tmp_path / "run", episodes=2)
    bad = specs[0].seed
    monkeypatch.setattr(BabyAIEnv, "_step", failing)
    play(run, specs, AgentConfig(policy="scripted", script=["turn left"] * 12))
    assert [run.episode(s.id).outcome for s in specs] == ["infra_failure", "limit"]
    assert "segment violated" in run.episode(specs[0].id).error and run.episode(specs[0].id).error_kind == EnvironmentFailure.__name__


def test_prompts_are_stored_once_and_come_back_exactly(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=1)
    model = Saying(["turn left", "\udc80 nonsense \x00 ☃", "turn right"])
    play(run, specs, AgentConfig(policy="naive"), model)
    steps = list(run.steps(specs[0].id))
    assert len(steps) == 12
    assert steps[0].decision.calls[0].messages[0].parts[0].text.count("turn left") >= 1
    assert steps[1].valid is False and not steps[1].decision.parsed
    assert "☃" in steps[1].decision.calls[0].reply.text
    lines = (tmp_path / "run/episodes" / specs[0].id / "messages.jsonl").read_text().splitlines()
    assert len(lines) < sum(len(s.decision.calls[0].messages) for s in steps)


def test_what_cannot_be_read_is_never_executed(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=1)
    play(run, specs, AgentConfig(policy="robust_naive", parse=ParseConfig("strict")), Saying(["turn left"]))  # right words, but not between the tags
    steps = list(run.steps(specs[0].id))
    assert {(s.executed, s.valid, s.decision.parsed) for s in steps} == {(run.episode(specs[0].id).mission.default_action, False, False)}
    assert not steps[1].observation.valid


def test_torn_last_line_is_dropped(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=1)
    play(run, specs)
    path = tmp_path / "run/episodes" / specs[0].id / "steps.jsonl"
    whole = len(list(run.steps(specs[0].id)))
    path.write_bytes(path.read_bytes()[:-20])
    assert len(list(run.steps(specs[0].id))) == whole - 1


@pytest.mark.parametrize("prepare", ["file", "other files", "other plan", "damaged"])
def test_unusable_folder_is_one_clear_error(tmp_path, prepare):
    root = tmp_path / "run"
    if prepare == "file":
        root.write_text("")
    elif prepare == "other files":
        root.mkdir()
        (root / "thesis.tex").write_text("precious")
    elif prepare == "other plan":
        make_run(root, task=TaskSpec("babyai", "BabyAI-MixedTrainLocal-v0/open"))
    else:
        make_run(root)
        (root / "run.json").write_text('{"identity": 3')
    with pytest.raises(StoreError, match=str(root.name)):
        make_run(root)
    if prepare == "other files":
        assert (root / "thesis.tex").read_text() == "precious"
