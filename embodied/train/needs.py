"""What each phase of an improvement will use, so that a phase that does not fit the budget does not begin, and
`--dry-run` can say it. Before anything was played it is a rehearsal (`embodied.rollout.estimate`), afterwards what an
episode of this improvement really took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from embodied import agents
from embodied.config import EvalConfig
from embodied.errors import BudgetSpent
from embodied.rollout.estimate import Range, estimate
from embodied.train.gate import FEWEST, MOST
from embodied.train.learner import Used

if TYPE_CHECKING:
    from embodied.train.improve import Loop


@dataclass(frozen=True)
class Phase:
    """A row of the dry run."""

    name: str
    episodes: int
    """Of all tasks and versions together."""
    tokens: Range
    dollars: Range | None
    """None where the price is not known."""


class Needs:
    """The needs of one improvement."""

    REPLY = 1024
    """Tokens that a learner's model may answer with, where it is the agent's own."""

    def __init__(self, loop: Loop, config: EvalConfig):
        self._loop, self._config = loop, config
        self._tasks = len({(s.task.env, s.task.task) for s in loop.job.record.planned})
        self._rehearsed: tuple[Range, Range | None] | None = None

    def check_start(self) -> None:
        """Raises `BudgetSpent` where not even the test of the first version fits."""
        ledger = self._loop.ledger
        needed = self._of(self._loop.test)
        if ledger.limited and not ledger.fits(needed) and not ledger.spent:
            raise BudgetSpent(
                f"The budget has no room for the test of the first version: it needs about {needed.tokens:,} tokens."
                " Nothing was played. Raise run.budget.tokens or run.budget.dollars, or lower --test."
            )

    def check_round(self, number: int) -> None:
        """Raises `BudgetSpent` where a round does not fit beside the test."""
        if not self._loop.ledger.limited:
            return
        wanted = self._loop.wanted
        self._reserve(number)
        episodes = wanted.episodes + 2 * (wanted.dev or FEWEST)
        self._check(episodes, f"round {number}")

    def check_gate(self, number: int, dev: int) -> None:
        """Raises `BudgetSpent` where a gate does not fit beside the test."""
        if self._loop.ledger.limited:
            self._reserve(number)
            self._check(2 * dev, f"the gate of round {number}")

    def _reserve(self, number: int) -> None:
        """Keeps what the test of the versions so far, and of one more, will use."""
        versions = number + 1 + (1 if self._loop.wanted.ceiling and self._loop.wanted.corrector else 0)
        self._loop.ledger.reserved = self._of(self._loop.test * versions)

    def _check(self, each: int, what: str) -> None:
        ledger, needed = self._loop.ledger, self._of(each)
        if ledger.fits(needed):
            return
        cost = f" and {needed.dollars:.4g} dollars" if ledger.dollars is not None and needed.dollars is not None else ""
        raise BudgetSpent(
            f"The budget has no room for {what}: it needs about {needed.tokens:,} tokens{cost}, besides"
            f" {ledger.reserved.tokens:,} tokens that are kept for the test. {ledger.told()}"
        )

    def _of(self, each: int) -> Used:
        """What so many episodes of each task will use: before anything was played, the least that a rehearsal says."""
        episodes = each * self._tasks
        played = [
            used for name, used in self._loop.ledger.spent.items() if used.episodes and not name.endswith("ceiling")
        ]
        if played:
            count = sum(used.episodes for used in played)
            tokens = sum(used.tokens for used in played) / count
            dollars = sum(used.dollars or 0.0 for used in played) / count
            return Used(episodes, tokens=round(episodes * tokens), dollars=episodes * dollars)
        tokens_of, dollars_of = self._rehearse()
        paid = 0.0 if dollars_of is None else dollars_of.low
        return Used(episodes, tokens=round(episodes * tokens_of.low), dollars=episodes * paid)

    def phases(self) -> list[Phase]:
        """What is planned, by phase; gates have as many episodes as are named, or at least as many as any gate has.

        Learning itself is not among it: what a learner plays and asks depends on what it finds.
        """
        wanted = self._loop.wanted
        versions = wanted.rounds + 1
        corrected = int(wanted.ceiling and bool(wanted.corrector))
        rows = (
            ("collect", wanted.rounds * wanted.episodes, wanted.rounds * wanted.episodes),
            ("gate", 2 * wanted.rounds * (wanted.dev or FEWEST), 2 * wanted.rounds * (wanted.dev or MOST)),
            ("test", (versions + corrected) * self._loop.test, (versions + corrected) * self._loop.test),
        )
        found = [self._phase(name, low * self._tasks, high * self._tasks) for name, low, high in rows]
        if wanted.ceiling:
            found.append(Phase("expert", self._loop.test * self._tasks, Range(0, 0), Range(0, 0)))
        return found

    def _phase(self, name: str, low: int, high: int) -> Phase:
        tokens, dollars = self._rehearse()
        paid = None if dollars is None else Range(low * dollars.low, high * dollars.high)
        return Phase(name, high, Range(low * tokens.low, high * tokens.high), paid)

    def _rehearse(self) -> tuple[Range, Range | None]:
        """Tokens and dollars of one episode."""
        if self._rehearsed is None:
            if not agents.needs_model(self._config.agent.policy):
                self._rehearsed = Range(0, 0), Range(0, 0)
            else:
                specs = self._loop.job.record.planned
                price = self._loop.playing.prices[0]
                whole = estimate(self._config.agent, self._config.model, specs, price)[-1]
                count = len(specs)
                paid = whole.dollars
                self._rehearsed = (
                    Range((whole.input.low + whole.output.low) / count, (whole.input.high + whole.output.high) / count),
                    None if paid is None else Range(paid.low / count, paid.high / count),
                )
        return self._rehearsed
