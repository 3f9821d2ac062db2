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


@dataclass(frozen=True)
class Allowance:
    """The most that a run may use in all, including the calls before it was resumed. None for no limit."""

    tokens: int | None = None
    """Input and output together."""
    dollars: float | None = None

    def left(self, used: Usage, price: Price | None) -> float:
        """The share of the allowance that is left after `used`, the smaller of the two; infinite without a limit."""
        shares = [float("inf")]
        if self.tokens is not None:
            shares.append(1 - (used.input + used.output) / self.tokens)
        if self.dollars is not None and price is not None:
            shares.append(1 - price.cost(used) / self.dollars)
        return min(shares)

    def check(self, price: Price | None, model: str) -> None:
        """Raises `UsageError` when the allowance makes no sense for a model of this price."""
        for name, value in (("tokens", self.tokens), ("dollars", self.dollars)):
            if value is not None and not value > 0:
                raise UsageError(f"run.budget.{name} must be above 0, not {value}.")
        if self.dollars is not None and price is None:
            raise UsageError(
                f"run.budget.dollars is set, but the price of {model} is not known. Name it (run.price=[input,cached"
                " input,output], US dollars per million tokens), or set run.budget.tokens instead."
            )

    def spent(self, used: Usage, price: Price | None) -> BudgetSpent:
        """The error for a budget of which `used` leaves no room for a call."""
        tokens = f"{self.tokens:,} tokens" if self.tokens is not None else ""
        dollars = f"{self.dollars:g} dollars" if self.dollars is not None else ""
        cost = f" for {price.cost(used):.4g} dollars" if dollars and price is not None else ""
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
    """

    def __init__(self, model: Model, allowance: Allowance, price: Price | None = None, used: Usage | None = None):
        super().__init__(model)
        self.used = used or Usage()
        self._allowance = allowance
        self._price = price
        self._largest = Usage()
        self._under_way = 0

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        """Raises `BudgetSpent` when there is no room for another call."""
        if self._left(self.used) <= 0 or self._left(_sum(self.used, *[self._largest] * (self._under_way + 1))) < 0:
            raise self._allowance.spent(self.used, self._price)
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
        return self._allowance.left(used, self._price)


def _sum(*usages: Usage) -> Usage:
    names = ("input", "output", "cached", "estimated")
    return Usage(**{name: sum(getattr(usage, name) for usage in usages) for name in names})
