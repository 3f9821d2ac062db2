"""Learner: makes the next version of an agent from recorded runs. It knows no command line, and reaches environments
and models only through its `Practice`.

    def learn(practice, parent, out):
        run = practice.play(parent, 10, name="more")    # training episodes, by the ordinary runner
        ...
        return write(out, record, parts)                # embodied.agents.versions.write

A learner may be killed at any time, and is then called again with the same arguments. What it has played and asked is
there already; everything else it does again, or finds in `practice.work`. The same arguments must give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from embodied.agents.versions import AgentVersion
from embodied.store.run import Run
from embodied.types import Message, Reply

EXPERT = "expert"
"""What `Practice.play` takes in place of a version: the environment's expert, for demonstrations."""


class Used(msgspec.Struct, frozen=True, omit_defaults=True):
    """What something took."""

    episodes: int = 0
    corrections: int = 0
    tokens: int = 0
    """Input and output together, of all models."""
    seconds: float = 0.0
    dollars: float | None = 0.0
    """None where a price is not known."""

    def __add__(self, other: Used) -> Used:
        known = self.dollars is not None and other.dollars is not None
        return Used(
            self.episodes + other.episodes,
            self.corrections + other.corrections,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
            (self.dollars or 0.0) + (other.dollars or 0.0) if known else None,
        )


class Practice(Protocol):
    """What a learner learns from, in one round."""

    @property
    def runs(self) -> Sequence[Run]:
        """Recorded training runs, the oldest first: what was collected in this round and in those before it. All are of
        the split `train`. Agents that a corrector spoke to are among them."""
        ...

    @property
    def work(self) -> Path:
        """A folder of the learner's own in this round, for checkpoints. It exists."""
        ...

    @property
    def seed(self) -> int:
        """The round's: all chance is derived from it (`embodied.seeding`)."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """The learner's own settings (`learner.preset=paper`), checked, with its defaults filled in."""
        ...

    @property
    def device(self) -> str:
        """auto, cpu, cuda or cuda:N."""
        ...

    @property
    def threads(self) -> int:
        """CPU threads for training."""
        ...

    @property
    def corrector(self) -> str:
        """Who corrects the agent in the loop (`--corrector`), for `play(corrector=...)`; empty for nobody."""
        ...

    def play(
        self,
        agent: AgentVersion | str,
        episodes: int,
        *,
        name: str,
        corrector: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Run:
        """Plays training episodes to their end, under the loop's budget. Waits for them.

        Args:
            agent: A version, or `EXPERT`.
            episodes: Of each task. Runs of one round with the same `name` prefix up to `/` share seeds: candidates are
                compared on the same episodes.
            name: Of the run in this round (`candidates/3`). What was played under it is not played again.
            corrector: Who speaks to the agent.
            options: Dotted keys `agent.KEY` and `model.KEY` of the configuration; the loop sets all others.

        Raises:
            BudgetSpent: Nothing is left. The round ends without a version.
            EmbodiedError: The run cannot be played.
        """
        ...

    def ask(self, prompts: Sequence[Sequence[Message]], *, name: str) -> list[Reply]:
        """Asks the learner's model (`learner.model`; the parent's own where none is named), under the loop's budget.
        Waits for all replies. Replies are kept in the round's folder: what was asked is not paid for again.

        Args:
            prompts: A conversation each; pictures of `runs` may be in it.
            name: What is asked for, in a word, for the records.

        Raises:
            UsageError: There is no model to ask.
            BudgetSpent: Nothing is left.
            ModelFailure: A call failed for good.
        """
        ...

    def say(self, text: str) -> None:
        """One line for the person who waits."""
        ...


class Learner(Protocol):
    """The protocol of all learners: a function with these attributes, or an object that can be called.

    `defaults` (key -> value) are its settings: a key that is not among them is refused, and so is a value of
    another type. `needs_corrector` says that it learns only where somebody corrects the agent. `needs_model` says
    that it asks a model (`Practice.ask`). `check(parent, settings)` raises `UsageError` for a version or settings that
    it cannot learn with, before anything is played. All may be missing.
    """

    def __call__(self, practice: Practice, parent: AgentVersion, out: Path) -> AgentVersion:
        """Makes the version in the new folder `out`, which does not exist yet.

        Raises:
            EmbodiedError: It cannot; the parent stays in place.
        """
        ...
