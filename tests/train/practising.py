"""A small Practice for tests of learners: it plays through `embodied.evaluate`, and asks a model over HTTP or none."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import embodied
from embodied import models
from embodied.agents.versions import AgentRecord, AgentVersion, write
from embodied.models import ModelConfig
from embodied.seeding import derive
from embodied.store.codec import encode
from embodied.store.run import Run
from embodied.types import Message, Reply
from tests.servers import Stub


class Killed(Exception):
    """The test ended the learner here."""


class Practising:
    """`embodied.train.learner.Practice`.

    Args:
        folder: Where runs go.
        settings: The learner's.
        runs: What was collected.
        model: Is asked; None for no model.
        options: Of every run.
        calls: After so many calls that did something, the learner is killed.
    """

    device, threads = "cpu", 1

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        runs: Sequence[Run] = (),
        model: ModelConfig | None = None,
        options: Mapping[str, Any] | None = None,
        calls: int | None = None,
        seed: int = 5,
        steps: int = 12,
    ):
        self.folder, self.settings, self.runs, self.seed = folder, settings, list(runs), seed
        self._model, self._options, self._left, self._steps = model, dict(options or {}), calls, steps
        self.work = folder / "work"
        self.work.mkdir(parents=True, exist_ok=True)
        self.done: list[str] = []
        """What was played and asked in this process."""
        self.said: list[str] = []

    def play(self, agent, episodes, *, name, corrector=None, options=None) -> Run:
        out = self.folder / "practice" / name
        if not (out / "run.json").exists():
            self._count(name)
            self._play(agent, episodes, derive(self.seed, name.split("/")[0], bits=31), out, "train", options)
        return Run(out)

    def test(self, agent: AgentVersion, episodes: int, name: str) -> float:
        """The progress of a version on dev episodes, which no learner plays."""
        return self._play(agent, episodes, 0, self.folder / name, "dev", None).progress or 0.0

    def _play(self, agent, episodes, seed, out, split, options):
        return embodied.evaluate(
            "babyai",
            agent.folder if isinstance(agent, AgentVersion) else agent,
            task="goto",
            episodes=episodes,
            seed=seed,
            split=split,
            steps=self._steps,
            out=out,
            options={"run.workers": 1, **self._options, **(options or {})},
        )

    def ask(self, prompts: Sequence[Sequence[Message]], *, name: str) -> list[Reply]:
        assert self._model is not None
        return asyncio.run(self._answers(prompts, name))

    async def _answers(self, prompts: Sequence[Sequence[Message]], name: str) -> list[Reply]:
        model, replies = models.build(self._model, self._runs_blobs()), []
        kept = self.folder / "asked"
        kept.mkdir(exist_ok=True)
        for prompt in prompts:
            place = kept / hashlib.sha256(encode(list(prompt))).hexdigest()
            if not place.exists():
                self._count(name)
                reply = await model.generate(list(prompt), self._model.settings())
                place.write_bytes(encode(reply))
            found = json.loads(place.read_bytes())
            usage = embodied.types.Usage(**found["usage"])
            replies.append(Reply(found["text"], usage=usage))
        await model.aclose()
        return replies

    def _runs_blobs(self):
        return self.runs[0].blobs

    def say(self, text: str) -> None:
        self.said.append(text)

    def _count(self, what: str) -> None:
        if self._left is not None:
            if self._left == 0:
                raise Killed(what)
            self._left -= 1
        self.done.append(what)


class Answering(Stub):
    """The stub server with a reply that depends on the prompt: `answer(text)` gives it."""

    def __init__(self, answer):
        self._answer_of = answer
        super().__init__()

    @property
    def reply(self) -> str:
        return self._answer_of("\n".join(part for _, parts in self.seen[-1].turns for part in parts))

    @reply.setter
    def reply(self, text: str) -> None:
        """The base class sets one, which is not used."""


def asker(folder: Path, **settings: Any) -> AgentVersion:
    """A version whose model is behind a server."""
    chosen = {"agent.policy": "naive", "agent.history.text": 1, "model.provider": "compatible", "model.name": "m"}
    return write(folder, AgentRecord("asker", chosen | settings), {})
