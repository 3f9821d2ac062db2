"""Going on in the middle of an episode: a run that was interrupted is, byte for byte, the run that was not."""

from __future__ import annotations

import json

import pytest

from embodied.agents import AgentConfig
from embodied.agents.config import DemonstrationConfig, HistoryConfig, ParseConfig
from embodied.types import Decision, TaskSpec
from tests.rollout.playing import FAULTY, TASK, Hashing, content, make_run, play, stop_at

PICTURED = TaskSpec(TASK.env, TASK.task, {"max_steps": 12, "image": True})
STORY = TaskSpec("textworld", "coin_collector", {"max_steps": 12})


@pytest.mark.parametrize(
    ("config", "task"),
    [
        (AgentConfig(policy="naive", history=HistoryConfig(text=3)), TASK),
        (
            AgentConfig(
                policy="cot",
                parse=ParseConfig("reask"),
                history=HistoryConfig(policy="blocks", text=6, image=2, block=3, thought=2),
            ),
            PICTURED,
        ),
        (AgentConfig(policy="few_shot", demonstrations=DemonstrationConfig(episodes=2, max_steps=5)), TASK),
        (AgentConfig(policy="scripted", script=["turn left", "go forward"]), TASK),
        (AgentConfig(policy="random"), STORY),
    ],
    ids=lambda value: value.policy if isinstance(value, AgentConfig) else "",
)
def test_interrupted_and_resumed_is_as_if_never_interrupted(tmp_path, config, task):
    if config.policy == "few_shot":
        demonstrations, specs = make_run(
            tmp_path / "demonstrations", 3, TaskSpec(TASK.env, TASK.task, {"max_steps": 4})
        )
        play(demonstrations, specs)
        config.demonstrations.runs = [str(demonstrations.root)]
    whole, broken = Hashing(), Hashing()
    run, specs = make_run(tmp_path / "whole", 2, task)
    play(run, specs, config, whole, concurrency=2)
    run, specs = make_run(tmp_path / "broken", 2, task)
    for step in (1, 7):
        assert play(run, specs, config, broken, concurrency=2, at_step=stop_at(step)).interrupted
        assert {run.episode(spec.id).outcome for spec in specs} <= {"cancelled", "finished", "limit"}
    assert not play(run, specs, config, broken, concurrency=2).interrupted
    assert content(tmp_path / "broken") == content(tmp_path / "whole")
    assert broken.asked == whole.asked, "no model call is made twice"


def test_an_episode_whose_last_step_was_written_but_not_its_end_gets_its_end(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs)
    before = content(tmp_path / "run")
    (run.folder(specs[0].id) / "episode.json").unlink()
    play(run, specs)
    assert content(tmp_path / "run") == before


def test_another_observation_than_recorded_ends_the_episode_and_names_the_step(tmp_path):
    run, specs = make_run(tmp_path / "run", 1, TaskSpec(FAULTY, "", {"fault": "drift", "at": 1}))
    play(run, specs, at_step=stop_at(4))
    play(run, specs)
    episode = run.episode(specs[0].id)
    assert (episode.outcome, episode.steps) == ("infra_failure", 1)
    assert "step 1 gave another observation" in episode.error
    play(run, specs)  # anew, and uninterrupted
    assert run.episode(specs[0].id).outcome == "finished"


def test_another_first_observation_is_noticed(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs, at_step=stop_at(1))
    path = run.folder(specs[0].id) / "steps.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"text":"', b'"text":"Once more: '))
    play(run, specs)
    assert run.episode(specs[0].id).outcome == "infra_failure" and "its reset" in run.episode(specs[0].id).error


class Forgetful:
    """An agent of another distribution: without `recall`."""

    def begin(self, mission, rng) -> None:
        self._action = mission.default_action

    async def act(self, observation):
        return Decision(self._action)

    def hear(self, correction) -> None:
        pass

    def end(self, outcome) -> None:
        pass


def test_an_agent_that_cannot_recall_begins_the_episode_anew(tmp_path):
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs, make_agent=lambda spec: Forgetful(), at_step=stop_at(3))
    play(run, specs, make_agent=lambda spec: Forgetful())
    assert run.episode(specs[0].id).steps == 12
    assert len((run.folder(specs[0].id) / "attempt-1/steps.jsonl").read_text().splitlines()) == 3


def test_two_processes_share_a_run_instead_of_doubling_it(tmp_path):
    run, specs = make_run(tmp_path / "run", 3)
    writer = run.claim(specs[0])  # as another process would
    result = play(run, specs)
    assert (result.played, result.elsewhere) == (2, 1)
    writer.close()
    assert play(run, specs).played == 1
    lines = [json.loads(line)["index"] for line in (run.folder(specs[0].id) / "steps.jsonl").read_text().splitlines()]
    assert lines == list(range(len(lines)))
