"""A `Practice` over `embodied.evaluate`, as tests of learners use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import embodied
from embodied.agents.versions import AgentVersion
from embodied.seeding import derive
from embodied.store.run import Run
from embodied.types import Json, Message, Reply


class Playground:
    """Plays training episodes of one task; a model's replies are prepared."""

    def __init__(
        self,
        folder: Path,
        task: str,
        runs: Sequence[Run] = (),
        settings: Mapping[str, Json] | None = None,
        replies: Sequence[str] = (),
    ):
        from embodied.train.memories import learn

        self.folder, self.task, self.runs, self.seed = folder, task, list(runs), 3
        self.settings: dict[str, Any] = {**learn.defaults, **(settings or {})}  # type: ignore[attr-defined]  # a Learner
        self.device, self.threads, self.corrector = "cpu", 1, ""
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        self.replies = list(replies)
        self.asked: list[list[Message]] = []
        self.said: list[str] = []

    def play(
        self,
        agent: AgentVersion | str,
        episodes: int,
        *,
        name: str,
        corrector: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Run:
        """See `embodied.train.learner.Practice.play`."""
        seed = derive(self.seed, "practice", name.split("/")[0], bits=31)
        return embodied.evaluate(
            "babyai",
            agent.folder if isinstance(agent, AgentVersion) else agent,
            task=self.task,
            split="train",
            episodes=episodes,
            seed=seed,
            corrector=corrector,
            out=self.folder / name,
            options=dict(options or {}),
        ).run

    def ask(self, prompts: Sequence[Sequence[Message]], *, name: str) -> list[Reply]:
        """The next prepared replies."""
        self.asked += [list(prompt) for prompt in prompts]
        return [Reply(self.replies.pop(0)) for _ in prompts]

    def say(self, text: str) -> None:
        """Keeps it."""
        self.said.append(text)
