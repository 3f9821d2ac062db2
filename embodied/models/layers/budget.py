"""Budget: what all calls of a run together may use, in tokens and in money."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from embodied.errors import BudgetSpent, UsageError
from embodied.models.base import Layer, Model
from embodied.models.prices import Price
from embodied.models.services.answers import estimated_tokens
from embodied.types import Message, Reply, Settings, Usage

Spent = tuple[Usage, Price | None]
"""What a model has used, and what it costs."""


@dataclass(frozen=True)
class Allowance:
    """The most that a run may use in all, including the calls before it was resumed. None for no limit."""

    tokens: int | None = None
    """Input and output together."""
    dollars: float | None = None

    def left(self, *spent: Spent) -> float:
        """The share of the allowance that is left after all that is `spent`, the smaller of the two; infinite without a
        limit.
        """
        shares = [float("inf")]
        if self.tokens is not None:
            shares.append(1 - sum(used.input + used.output for used, _ in spent) / self.tokens)
        if self.dollars is not None:
            shares.append(1 - sum(price.cost(used) for used, price in spent if price is not None) / self.dollars)
        return min(shares)

    def check(self, price: Price | None, model: str, named: str = "run.price") -> None:
        """Raises `UsageError` when the allowance makes no sense for a model of this price. The key `named` sets it."""
        for name, value in (("tokens", self.tokens), ("dollars", self.dollars)):
            if value is not None and not value > 0:
                raise UsageError(f"run.budget.{name} must be above 0, not {value}.")
        if self.dollars is not None and price is None:
            raise UsageError(
                f"run.budget.dollars is set, but the price of {model} is not known. Name it ({named}=[input,cached"
                " input,output], US dollars per million tokens), or set run.budget.tokens instead."
            )

    def spent(self, *spent: Spent) -> BudgetSpent:
        """The error for a budget of which all that is `spent` leaves no room for a call."""
        used = _sum(*(used for used, _ in spent))
        paid = sum(price.cost(used) for used, price in spent if price is not None)
        tokens = f"{self.tokens:,} tokens" if self.tokens is not None else ""
        dollars = f"{self.dollars:g} dollars" if self.dollars is not None else ""
        cost = f" for {paid:.4g} dollars" if dollars else ""
        guessed = (
            f" ({used.estimated:,} of these tokens were not counted by the server, but estimated from characters.)"
            if used.estimated
            else ""
        )
        return BudgetSpent(
            f"The budget of {' and '.join(filter(None, (tokens, dollars)))} is spent: {used.input + used.output:,}"
            f" tokens{cost} so far, and another call might not fit.{guessed} Raise run.budget.tokens or"
            " run.budget.dollars and give the same command again: the run continues from there."
        )


class Budget(Layer):
    """Lets a call through only if it fits beside the calls in flight. Each is assumed to be as large as the largest so
    far.

    So a run ends below its budget, by at most a call for each episode in flight; only the very first calls can exceed
    it.

    Args:
        model: The model to call.
        allowance: What may be used in all.
        price: What the model costs; needed for an allowance in dollars.
        used: What the run has used before.
        together: The budgets that share the allowance; this one is added to them. None for one that has it alone.
    """

    def __init__(
        self,
        model: Model,
        allowance: Allowance,
        price: Price | None = None,
        used: Usage | None = None,
        together: list[Budget] | None = None,
    ):
        super().__init__(model)
        self._together = [] if together is None else together
        self._together.append(self)
        self.used = used or Usage()
        self._allowance = allowance
        self.price = price
        self._largest = Usage()
        self._under_way = 0

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        """Raises `BudgetSpent` when there is no room for another call."""
        spent = [(budget.used, budget.price) for budget in self._together]
        reserved = [(budget._reserved(), budget.price) for budget in self._together]
        next_one = (self._largest, self.price)
        if self._allowance.left(*spent) <= 0 or self._allowance.left(*spent, *reserved, next_one) < 0:
            raise self._allowance.spent(*spent)
        self._under_way += 1
        try:
            reply = await self._model.generate(messages, settings)
        except asyncio.CancelledError:  # a person interrupted it: the record counts its prompt, too
            tokens = estimated_tokens(messages)
            self.used = _sum(self.used, Usage(input=tokens, estimated=tokens))
            raise
        finally:
            self._under_way -= 1
        self.used = _sum(self.used, reply.usage)
        if self._left(reply.usage) < self._left(self._largest):
            self._largest = reply.usage
        return reply

    def _left(self, used: Usage) -> float:
        return self._allowance.left((used, self.price))

    def _reserved(self) -> Usage:
        """What the calls in flight may use."""
        return _sum(*[self._largest] * self._under_way)


def _sum(*usages: Usage) -> Usage:
    names = ("input", "output", "cached", "estimated")
    return Usage(**{name: sum(getattr(usage, name) for usage in usages) for name in names})
