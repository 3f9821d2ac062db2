"""The one flow on a real game: plan, runner, episode, store."""

from __future__ import annotations

import hashlib

import pytest

from embodied import envs, models
from embodied.agents import AgentConfig
from embodied.agents.config import HistoryConfig, ParseConfig
from embodied.blobs import encode_png
from embodied.errors import EnvironmentFailure, ModelRefused, ModelUnavailable, StoreError
from embodied.models import ModelConfig
from embodied.rollout import episode
from embodied.rollout.plan import plan
from embodied.rollout.runner import SAME_FAILURES, Result, owed
from embodied.store.run import Run
from embodied.types import TaskSpec
from tests.rollout.playing import FAULTY, TASK, Saying, content, make_run, play
from tests.servers import stub  # noqa: F401


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


def test_same_seeds_same_bytes_whatever_the_workers_and_the_concurrency(tmp_path):
    found = []
    for name, workers, concurrency in (("one", 1, 1), ("three", 3, 5), ("eight", 8, 8), ("again", 1, 1)):
        run, specs = make_run(
            tmp_path / name, episodes=8, task=TaskSpec(TASK.env, TASK.task, {"max_steps": 5, "image": True})
        )
        model = Saying(["turn left"])
        play(run, specs, AgentConfig(policy="cot"), model, concurrency, workers)
        found.append(content(tmp_path / name))
    assert found[0] == found[1] == found[2] == found[3]
    assert len([name for name in found[0] if name.startswith("blobs")]) > 8


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


def test_failed_model_call_is_where_the_next_run_goes_on(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=1)
    first = Saying(["go forward", "go forward", ModelUnavailable("the server went away")])
    play(run, specs, AgentConfig(policy="naive"), first)
    episode = run.episode(specs[0].id)
    assert (episode.outcome, episode.steps, episode.progress) == ("model_failure", 2, None)
    assert "went away" in episode.error
    then = Saying(["turn left"])
    play(run, specs, AgentConfig(policy="naive"), then)
    assert run.episode(specs[0].id).outcome == "limit" and then.asked == 10
    assert [s.executed for s in run.steps(specs[0].id)] == ["go forward"] * 2 + ["turn left"] * 10


def test_refusal_stops_the_run_at_once(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=5)
    result = play(run, specs, AgentConfig(policy="naive"), Saying([ModelRefused("the key was rejected")]))
    assert result.played == 1 and "key was rejected" in result.stopped


def test_same_failure_again_and_again_stops_the_run(tmp_path):
    run, specs = make_run(tmp_path / "run", episodes=8)
    result = play(
        run,
        specs,
        AgentConfig(policy="naive"),
        Saying([ModelUnavailable(f"no connection after {n}.5 s") for n in range(9)]),
    )
    assert result.played == SAME_FAILURES and "no connection" in result.stopped


def test_simulator_failure_is_an_outcome_of_that_episode_only_and_begins_anew(tmp_path):
    once = tmp_path / "once"
    run, specs = make_run(tmp_path / "run", task=TaskSpec(FAULTY, "", {"fault": "raise", "once": str(once)}))
    play(run, specs)
    assert [run.episode(s.id).outcome for s in specs] == ["infra_failure", "finished"]
    failed = run.episode(specs[0].id)
    assert "segment violated" in failed.error and failed.error_kind == EnvironmentFailure.__name__ and failed.steps == 3
    play(run, specs)
    assert run.episode(specs[0].id).outcome == "finished"
    assert (tmp_path / "run/episodes" / specs[0].id / "attempt-1/episode.json").is_file()


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
    # right words, but not between the tags
    play(run, specs, AgentConfig(policy="robust_naive", parse=ParseConfig("strict")), Saying(["turn left"]))
    steps = list(run.steps(specs[0].id))
    assert {(s.executed, s.valid, s.decision.parsed) for s in steps} == {
        (run.episode(specs[0].id).mission.default_action, False, False)
    }
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


def test_the_provider_gets_the_picture_that_the_environment_drew(tmp_path, stub, monkeypatch):  # noqa: F811
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    run, specs = make_run(tmp_path / "run", 1, TaskSpec(TASK.env, TASK.task, {"max_steps": 4, "image": True}))
    model = models.build(ModelConfig("openai", "gpt-4o", base_url=f"{stub.url}/v1"), run.blobs)
    play(run, specs, AgentConfig(policy="naive", history=HistoryConfig(image=1)), model)
    env = envs.make(TASK.env, TASK.task, max_steps=4, image=True)
    frames = [env.reset(seed=specs[0].seed)[0]["image"]]
    frames += [env.step(step.executed)[0]["image"] for step in run.steps(specs[0].id)]
    sent = [
        part.removeprefix("image:")
        for seen in stub.seen
        for _, parts in seen.turns
        for part in parts
        if part.startswith("image:")
    ]
    assert sent == [hashlib.sha256(encode_png(frame)).hexdigest() for frame in frames[:-1]] and len(sent) == 4


def test_a_metric_that_is_not_a_number_leaves_the_result_readable(tmp_path, monkeypatch):
    add = episode.Tally.add

    def with_metrics(tally, step, success) -> None:
        add(tally, step, success)
        tally.info = {"metrics": {"depth": 3, "speed": float("nan"), "luck": None}}

    monkeypatch.setattr(episode.Tally, "add", with_metrics)
    run, specs = make_run(tmp_path / "run", 1)
    play(run, specs)
    assert Run(tmp_path / "run").episode(specs[0].id).metrics == {"depth": 3}
