"""tinyvlm in process and behind an OpenAI-compatible server: the same pictures arrive, the same actions come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import embodied
from embodied.agents.versions import load
from embodied.blobs import MemoryBlobs, put_frame
from embodied.evaluation import Evaluation
from embodied.models import ModelConfig, build
from embodied.types import Image, Message, Settings, Text
from embodied.versions import settings
from tests.train.serving import Served

torch = pytest.importorskip("torch")

EPISODES, STEPS = 2, 12
"""Of each of the five tasks."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def served(tiny_agent: Path) -> Iterator[Served]:
    (model,) = (tiny_agent / "parts").iterdir()
    server = Served(model)
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_process(agent: Path, out: str, batch: int) -> Evaluation:
    options = {"model.batch": batch, "model.threads": 1, "run.workers": 1}
    return embodied.evaluate("babyai", str(agent), episodes=EPISODES, steps=STEPS, out=out, options=options, trust=True)


def through(agent: Path, server: Served) -> Evaluation:
    """The same agent, whose model is asked at a server."""
    same = {key: value for key, value in settings(load(agent)).items() if key.startswith("agent.")}
    options = {
        **{key: value for key, value in same.items() if key != "agent.version"},
        "model.provider": "compatible",
        "model.name": "tinyvlm",
        "model.base_url": f"{server.url}/v1",
        "model.temperature": 0.0,
        "model.max_tokens": 2,
        "run.workers": 1,
        "run.concurrency": 1,
        "run.cache": "off",
    }
    return embodied.evaluate(
        "babyai", "naive", episodes=EPISODES, steps=STEPS, image=True, out="served", options=options
    )


def told(done: Evaluation) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """Episode -> what the model said and what was executed, step by step."""
    return {
        (spec.task.task, spec.seed): [
            (step.decision.calls[0].reply.text, step.executed) for step in done.run.steps(spec.id)
        ]
        for spec in done.record.planned
    }


def test_the_same_actions_in_process_and_through_a_server(tiny_agent: Path, served: Served) -> None:
    here, there = in_process(tiny_agent, "here", 1), through(tiny_agent, served)
    assert told(here) == told(there) and here.coverage == there.coverage == 1.0
    assert len(told(here)) == 5 * EPISODES
    said = {text for steps in told(here).values() for text, _ in steps}
    assert len(said) > 1, "the agent always says the same: this test shows nothing"

    arrived = [part for seen in served.seen for _, parts in seen.turns for part in parts if part.startswith("image:")]
    pictures = [step.observation.image for spec in here.record.planned for step in here.run.steps(spec.id)]
    assert arrived == [f"image:{picture.digest}" for picture in pictures if picture is not None]
    assert len(set(arrived)) > 10


def test_batches_give_the_same_actions(tiny_agent: Path) -> None:
    assert told(in_process(tiny_agent, "single", 1)) == told(in_process(tiny_agent, "batched", 16))


@pytest.mark.parametrize("height, width", [(224, 224), (112, 112), (60, 90), (1, 1)])
async def test_a_picture_of_another_size_is_scaled(tiny_agent: Path, served: Served, height: int, width: int) -> None:
    """Each pixel of the tower's picture is the nearest one of the picture that was sent."""
    (model,) = (tiny_agent / "parts").iterdir()
    blobs = MemoryBlobs()
    sent = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    rows, columns = [((np.arange(112) + 0.5) * side / 112).astype(int) for side in (height, width)]
    picked = put_frame(blobs, sent[rows][:, columns])
    here = build(ModelConfig("transformers", str(model), batch=1, threads=1, logprobs=True), blobs)
    there = build(ModelConfig("compatible", "tinyvlm", base_url=f"{served.url}/v1"), blobs)

    def ask(picture: Image) -> list[Message]:
        return [Message("user", (Text("Your goal: go to a red ball"),)), Message("user", (Text("now"), picture))]

    try:
        greedy = Settings(temperature=0.0, max_tokens=2)
        scaled, right = [await here.generate(ask(p), greedy) for p in (put_frame(blobs, sent), picked)]
        other = await there.generate(ask(put_frame(blobs, sent)), greedy)
    finally:
        await here.aclose()
        await there.aclose()
    assert scaled.text == right.text == other.text and scaled.logprobs == right.logprobs
