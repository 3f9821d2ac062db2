"""One budget for a whole improvement: what was used, by whom, and what is left. Everything is read from the records, so
that a killed improvement counts what it has used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from embodied.errors import BudgetSpent, UsageError
from embodied.models.prices import Price
from embodied.rollout.counts import CORRECTIONS
from embodied.rollout.spend import used_by_each
from embodied.store.run import Run
from embodied.train.learner import Used
from embodied.types import Usage


@dataclass
class Ledger:
    """What was used under each name, and the limits that all of it shares."""

    tokens: int | None = None
    """Input and output together; None for no limit."""
    dollars: float | None = None
    spent: dict[str, Used] = field(default_factory=dict)
    reserved: Used = field(default_factory=Used)
    """Kept for the test."""

    def __post_init__(self) -> None:
        for name, value in (("tokens", self.tokens), ("dollars", self.dollars)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"run.budget.{name} must be a number above 0, not {value}.")

    @property
    def limited(self) -> bool:
        return self.tokens is not None or self.dollars is not None

    def total(self) -> Used:
        return sum_of(self.spent.values())

    def left(self, but: str = "", *, reserved: bool = False) -> tuple[float, float]:
        """Tokens and dollars that are left beside all that was spent under other names than `but`; infinite without a
        limit. `reserved`: with what is kept for the test.
        """
        others = sum_of(used for name, used in self.spent.items() if name != but)
        keep = Used() if reserved else self.reserved
        tokens = float("inf") if self.tokens is None else self.tokens - others.tokens - keep.tokens
        dollars = (
            float("inf") if self.dollars is None else self.dollars - (others.dollars or 0.0) - (keep.dollars or 0.0)
        )
        return tokens, dollars

    def limits(self, name: str, *, reserved: bool = False) -> dict[str, float]:
        """Dotted keys: the budget of one run, earlier parts of it included.

        Raises:
            BudgetSpent: Nothing is left.
        """
        tokens, dollars = self.left(name, reserved=reserved)
        self.check(tokens, dollars, name)
        found: dict[str, float] = {}
        if self.tokens is not None:
            found["run.budget.tokens"] = int(tokens)
        if self.dollars is not None:
            found["run.budget.dollars"] = dollars
        return found

    def check(self, tokens: float, dollars: float, name: str) -> None:
        """Raises `BudgetSpent` where nothing is left for `name`."""
        if tokens < 1 or dollars <= 0:
            kept = " besides what is kept for the test" if self.reserved != Used() else ""
            raise BudgetSpent(
                f"Nothing is left of the budget for {name}{kept}: {self.told()} Raise run.budget.tokens or"
                " run.budget.dollars and give the same command again: it goes on from there."
            )

    def fits(self, needed: Used) -> bool:
        """Whether so much is left besides what is kept for the test."""
        tokens, dollars = self.left()
        return needed.tokens <= tokens and (needed.dollars or 0.0) <= dollars

    def told(self) -> str:
        """What was used, in a sentence."""
        used = self.total()
        limit = [f"{self.tokens:,} tokens"] if self.tokens is not None else []
        limit += [f"{self.dollars:g} dollars"] if self.dollars is not None else []
        cost = f" for {used.dollars:.4g} dollars" if self.dollars is not None and used.dollars is not None else ""
        return f"{used.tokens:,} tokens{cost} of {' and '.join(limit) or 'no limit'} are used."


def used_in(run: Run, price: Price | None, advice: Price | None = None) -> Used:
    """What a run took.

    Args:
        run: The run, ended or not.
        price: Of the agent's model; None where it is not known.
        advice: Of the corrector's own model.
    """
    agent, corrector = used_by_each(run)
    ended = run.episodes([])
    costs = [cost(agent, price), cost(corrector, advice)]
    return Used(
        len(ended),
        sum(e.counts.get(CORRECTIONS, 0) for e in ended),
        sum(u.input + u.output for u in (agent, corrector)),
        round(sum(e.seconds for e in ended), 3),
        None if None in costs else sum(c or 0.0 for c in costs),
    )


def cost(usage: Usage, price: Price | None) -> float | None:
    """Dollars; None where tokens were used whose price is not known."""
    if usage.input + usage.output == 0:
        return 0.0
    return None if price is None else price.cost(usage)


def sum_of(used: Iterable[Used]) -> Used:
    total = Used()
    for one in used:
        total = total + one
    return total


def check_priced(price: Price | None, ledger: Ledger) -> None:
    """Raises `UsageError` for a model that costs money without a budget."""
    if price is not None and price.cost(Usage(1_000_000, 1_000_000)) > 0 and not ledger.limited:
        raise UsageError(
            "This model costs money, and improving plays many episodes: name the most that it may use in all,"
            " run.budget.dollars=10 or run.budget.tokens=2000000. `--dry-run` shows what each phase will use."
        )
