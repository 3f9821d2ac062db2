"""critic: a second model that reviews each decision.

python -m tests.correctors.test_critic      # writes the golden prompts anew, after a change that was meant
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import embodied
from embodied import correctors
from embodied.agents import AgentConfig
from embodied.correctors import CorrectorConfig
from embodied.correctors.critic import LONGEST, Critic, read
from embodied.errors import BudgetSpent, MissingKey, UsageError
from embodied.eval.remarks import remarks
from embodied.eval.score import score
from embodied.eval.settings import describe
from embodied.eval.summary import summary
from embodied.models import ModelConfig
from embodied.models.prices import Price
from embodied.rollout.spend import used_by_each
from embodied.store.events import advice_in, calls_of, corrections
from embodied.store.index import EpisodeIndex
from embodied.store.run import Run
from embodied.types import Correction, Decision, Mission, Observation, Reply, Review
from tests.agents.play import ROOM, STORY, Replies, picture, shown
from tests.rollout.playing import Hashing, content, make_run, play, stop_at
from tests.servers import Stub, llama_url, stub

__all__ = ["llama_url", "stub"]

GOLDEN = Path(__file__).parents[1] / "golden/critic.txt"
CONFIG = CorrectorConfig("critic", history=2, model=ModelConfig("scripted", "cycle", script=["OK"]))
SEEN = [
    Observation("a red door 2 steps forward", status="You carry nothing.", image=picture(1)),
    Observation("a red door 1 step forward", step=1, executed="go forward", image=picture(2)),
    Observation("a red door 1 step right", step=2, executed="turn left"),
    Observation("a wall", step=3, executed="go forward", actions=("turn left", "toggle")),
]
MADE = [
    Decision("go forward"),
    Decision("turn left", thought="The door is on my left.\x1b[2J"),
    Decision("I would like to leave.", parsed=False),
    Decision("toggle"),
]


def critic(model, config: CorrectorConfig = CONFIG, mission: Mission = ROOM) -> Critic:
    made = correctors.build(config, model=model)
    assert isinstance(made, Critic)
    made.begin(mission, np.random.default_rng(0))
    return made


def review(made: Critic, observation: Observation, decision: Decision) -> Correction | Review:
    return asyncio.run(made.review(observation, decision))


def golden() -> str:
    model = Replies("OK", "Do this instead: toggle", "OK", "OK")
    made = critic(model)
    said = [review(made, observation, decision) for observation, decision in zip(SEEN, MADE, strict=True)]
    prose = critic(Replies("OK"), replace(CONFIG, image=False), replace(STORY, prose=True))
    said.append(review(prose, SEEN[0], Decision("I see a car.")))
    return "\n".join(
        f"# review {n}\n{shown(s.calls[0].messages)}# said\n{s.calls[0].reply.text}\n" for n, s in enumerate(said)
    )


def test_golden_prompts():
    assert golden() == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("reply", "means"),
    [
        *((text, "") for text in ("OK", "ok.", "**OK**", '"OK"', "- OK", "Answer: OK", "Okay!", "O.K.")),
        *((text, "") for text in ("OK. The door is ahead.", "OK\n\nIt walks to the door.", "It is near.\n\nOK")),
        ("<think>Is it? OK? No.</think>\nOK", ""),
        ("Do this instead: toggle", "Do this instead: toggle"),
        ("<think>OK.</think>**Correction:** Turn left now.", "Turn left now."),
        ('  "No, go forward."\n', "No, go forward."),
        ('Do "toggle"', 'Do "toggle"'),
        *((text, None) for text in ("", "  \n", "***", "<think>OK", "OK, but turn left", "Okay then, left.")),
        ("Turn left.\nOr turn right.", None),
        ("Turn left. " * 60, None),
    ],
)
def test_an_answer_is_ok_or_one_sentence(reply, means):
    assert read(Reply(reply)) == means


def test_a_reply_that_was_cut_is_no_sentence():
    assert read(Reply("Do this instead: turn", stop="length")) is None
    assert read(Reply("x" * LONGEST)) == "x" * LONGEST and read(Reply("x" * (LONGEST + 1))) is None


class Judging(Hashing):
    """A critic whose answers depend on every word of its prompt and on the seed."""

    words = ("OK", "Do this instead: turn left", "Mind the wall.", "OK", "Well.\nHm.", "No, go forward")


def critical(model, config=CONFIG):
    return lambda spec: correctors.build(config, spec, model)


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, lasts=3, history=0)], ids=["history", "words that last"])
def test_a_resumed_run_asks_nothing_again_and_is_as_if_never_interrupted(tmp_path, config):
    agent = AgentConfig(policy="naive")
    whole, broken = (Hashing(), Judging()), (Hashing(), Judging())
    run, specs = make_run(tmp_path / "whole", 2)
    play(run, specs, agent, whole[0], concurrency=2, make_corrector=critical(whole[1], config))
    run, specs = make_run(tmp_path / "broken", 2)
    for step in (1, 3, 4):
        stopped = play(
            run, specs, agent, broken[0], 2, at_step=stop_at(step), make_corrector=critical(broken[1], config)
        )
        assert stopped.interrupted
    play(run, specs, agent, broken[0], concurrency=2, make_corrector=critical(broken[1], config))
    assert content(tmp_path / "broken") == content(tmp_path / "whole")
    assert [m.asked for m in broken] == [m.asked for m in whole]
    steps = [step for spec in specs for step in run.steps(spec.id)]
    assert all(len([e for e in s.events if isinstance(e, Correction | Review) and e.calls]) == 1 for s in steps)
    agents, critics = used_by_each(run)
    assert critics.input == sum(c.reply.usage.input for s in steps for e in s.events for c in advice_in(e))
    total = sum(call.reply.usage.input for step in steps for call in calls_of(step))
    assert agents.input + critics.input == total == sum(run.episode(s.id).usage.input for s in specs)
    for spec in specs:  # the same without results, as after a kill
        (run.folder(spec.id) / "episode.json").unlink()
    assert used_by_each(run) == (agents, critics)


def evaluate(stub: Stub, out: Path, fault: str = "", episodes: int = 1, agent: str = "random", **options: object):
    """Plays with a critic at the stub."""
    url = f"{stub.url}/fault/{fault}/v1" if fault else f"{stub.url}/v1"
    return embodied.evaluate(
        "babyai",
        agent,
        task="goto",
        episodes=episodes,
        steps=4,
        out=out,
        corrector="critic",
        options={
            "corrector.model.provider": "compatible",
            "corrector.model.name": "judge",
            "corrector.model.base_url": url,
            "corrector.model.api_key_env": "OPENAI_API_KEY",
            "corrector.model.attempts": 2,
            "run.workers": 1,
            "run.concurrency": 1,
            **options,
        },
    )


@pytest.fixture
def key(monkeypatch, tmp_path) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    return "sk-test-0123456789abcdef"


def test_at_a_real_server(stub, key, tmp_path):
    stub.reply = "Do this instead: turn left"
    done = evaluate(stub, tmp_path / "run", "429@0.1,ok")
    steps = list(done.run.steps(done.run.record.planned[0].id))
    assert {s.executed for s in steps} == {"turn left"} and len(stub.seen) == 5
    spoken = corrections(steps)
    assert [(c.how, c.by, c.why, len(c.calls)) for c in spoken] == [("critic", "critic", "done", 1)] * 4
    assert spoken[0].calls[0].reply.attempts == 2 and (stub.seen[-1].model, stub.seen[-1].key) == ("judge", key)
    episode = done.run.episode(done.run.record.planned[0].id)
    assert episode.usage == episode.advice and episode.usage.input > 0 and episode.models == ("judge",)
    files = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert key.encode() not in files and b"sk-test" not in files
    assert json.loads((tmp_path / "run/run.json").read_text())["config"]["corrector"]["model"]["name"] == "judge"


@pytest.mark.parametrize(("fault", "why"), [("500", "500"), ("429@0.1", "429"), ("hang", "0.5 s"), ("reset", "")])
def test_a_critic_that_fails_ends_the_episode_and_it_can_be_resumed(stub, key, tmp_path, fault, why):
    stub.reply = "OK"
    words = f"ok,ok,{fault},{fault},ok"  # a call is tried twice
    options = {"model.provider": "scripted", "model.name": "cycle", "model.script": ["turn left"]}
    options |= {"corrector.model.timeout": 0.5}
    broken = evaluate(stub, tmp_path / "run", words, agent="naive", **options)
    (spec,) = broken.run.record.planned
    episode = broken.run.episode(spec.id)
    assert (episode.outcome, episode.steps) == ("model_failure", 2) and why in episode.error
    (paid,) = episode.events  # the decision that nobody reviewed
    assert len(paid.calls) == 1 and episode.usage.input > episode.advice.input > 0
    asked = len(stub.seen)
    done = evaluate(stub, tmp_path / "run", words, agent="naive", **options)
    assert done.run.episode(spec.id).outcome == "limit" and len(stub.seen) == asked + 2


def test_a_bad_key_is_one_sentence_and_stops_the_run(stub, key, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "bad")
    done = evaluate(stub, tmp_path / "run", episodes=3)
    assert "key" in done.stopped and "\n" not in done.stopped and len(done.run.episodes()) == 1


def test_keys_and_models_that_are_missing_are_found_before_anything_is_written(tmp_path, monkeypatch, stub):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=r"add corrector\.model\.provider=PROVIDER"):
        evaluate(stub, tmp_path / "run", **{"corrector.model.provider": ""})
    with pytest.raises(MissingKey):
        evaluate(stub, tmp_path / "run", **{"corrector.model.provider": "openai", "corrector.model.base_url": None})
    with pytest.raises(UsageError, match=r"corrector\.model\.timeout must be above 0"):
        evaluate(stub, tmp_path / "run", **{"corrector.model.timeout": 0})
    assert not (tmp_path / "run").exists()


def test_a_critic_that_rambles_is_silent_and_the_table_counts_it(stub, key, tmp_path):
    stub.reply = "Let me see.\n" * 400
    done = evaluate(stub, tmp_path / "run")
    steps = list(done.run.steps(done.run.record.planned[0].id))
    assert not corrections(steps) and all(len(s.events) == 1 and s.events[0].notes for s in steps)
    said = remarks(score(done.run).total)
    rows = EpisodeIndex(done.run.folder(done.run.record.planned[0].id)).rows
    assert all(
        "critic: Let me see." in event.text and "neither OK" in event.text for row in rows for event in row.events
    )
    assert describe(done.run.record).agent == "random, corrected by critic (compatible/judge)"
    assert any(line.startswith("4 times the corrector's model answered neither OK nor one sentence") for line in said)


def test_a_budget_is_shared_with_the_agents_model(stub, key, tmp_path):
    stub.reply = "OK"
    agent = {"model.provider": "scripted", "model.name": "cycle", "model.script": ["turn left"]}
    done = evaluate(stub, tmp_path / "run", agent="naive", **agent, **{"run.budget.tokens": 1500})
    assert "The budget of 1,500 tokens is spent" in done.stopped
    used = sum(u.input + u.output for u in used_by_each(done.run))
    assert 700 < used <= 1500
    with pytest.raises(BudgetSpent):
        evaluate(stub, tmp_path / "run", agent="naive", **agent, **{"run.budget.tokens": used})
    with pytest.raises(UsageError, match=r"Name it \(run\.corrector_price="):
        evaluate(stub, tmp_path / "run", agent="naive", **agent, **{"run.budget.dollars": 1.0})


def test_its_dollars_are_told_apart(stub, key, tmp_path, monkeypatch):
    stub.reply = "OK"
    agent = {"model.provider": "scripted", "model.name": "cycle", "model.script": ["turn left"]}
    name = {"corrector.model.provider": "openai", "corrector.model.name": "gpt-4o", "corrector.model.base_url": None}
    monkeypatch.setenv("OPENAI_BASE_URL", f"{stub.url}/v1")
    done = evaluate(stub, tmp_path / "run", agent="naive", **agent, **name)
    _, critics = used_by_each(done.run)
    assert critics.input and summary(done.run).dollars == pytest.approx(Price(2.5, 1.25, 10.0).cost(critics))


def test_replies_are_cached_as_those_of_an_agent(stub, key, tmp_path):
    stub.reply = "OK"
    evaluate(stub, tmp_path / "one", **{"corrector.model.temperature": 0.0})
    asked = stub.requests
    again = evaluate(stub, tmp_path / "two", **{"corrector.model.temperature": 0.0})
    assert stub.requests == asked == 4
    assert score(again.run).total.counts["replies_cached"] == 4


def test_another_critic_is_another_run(stub, key, tmp_path):
    stub.reply = "OK"
    first = evaluate(stub, tmp_path / "one")
    other = evaluate(stub, tmp_path / "two", **{"corrector.model.name": "other"})
    assert first.run.record.identity != other.run.record.identity


def test_a_call_in_flight_that_is_broken_off_is_paid_for():
    class Hanging(Replies):
        async def generate(self, messages, settings):
            await asyncio.sleep(3600)

    async def broken_off() -> int:
        made = critic(Hanging())
        task = asyncio.ensure_future(made.review(SEEN[0], MADE[0]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        (call,) = made.unfinished()
        return call.reply.usage.estimated

    assert asyncio.run(broken_off()) > 100


def test_a_model_of_a_real_server_is_a_critic(llama_url, tmp_path):
    options = {"provider": "compatible", "name": "smollm2", "base_url": llama_url, "max_tokens": 16}
    done = embodied.evaluate(
        "babyai",
        "random",
        task="goto",
        episodes=1,
        steps=3,
        out=tmp_path / "run",
        corrector="critic",
        options={**{f"corrector.model.{key}": value for key, value in options.items()}, "run.workers": 1},
    )
    steps = list(done.run.steps(done.run.record.planned[0].id))
    assert len(steps) == 3 and all(call.reply.usage.input > 200 for step in steps for call in calls_of(step))


def test_a_small_model_of_this_machine_is_a_critic_offline(tmp_path):
    pytest.importorskip("xllamacpp")
    done = embodied.evaluate(
        "babyai",
        "random",
        task="goto",
        episodes=1,
        steps=3,
        out=tmp_path / "run",
        corrector="critic",
        options={
            "corrector.model.provider": "gguf",
            "corrector.model.name": "smollm2",
            "corrector.model.max_tokens": 24,
            "corrector.model.threads": 1,
            "run.workers": 1,
        },
    )
    steps = list(done.run.steps(done.run.record.planned[0].id))
    assert len(steps) == 3 and all(len(calls_of(step)) == 1 for step in steps)
    assert Run(tmp_path / "run").record.corrector == "critic"


if __name__ == "__main__":
    GOLDEN.write_text(golden(), encoding="utf-8")
