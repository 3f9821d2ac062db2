"""What calls cost: the public prices in `data/prices.toml`, or the user's own. An unknown price is
unknown, never zero.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from embodied.errors import UsageError
from embodied.models.config import LOCAL, ModelConfig
from embodied.types import Usage

_DATED = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    cached: float
    """Input that the provider read from its prompt cache."""
    output: float

    def cost(self, usage: Usage) -> float:
        """US dollars for `usage`."""
        fresh = max(0, usage.input - usage.cached)
        return (fresh * self.input + usage.cached * self.cached + usage.output * self.output) / 1e6


def price_of(config: ModelConfig, own: Sequence[float] | None = None) -> Price | None:
    """The price of a model; None when it is not known, as for a server of one's own.

    Args:
        config: The model. Models that run in this process cost nothing.
        own: The user's own price: input, cached input, output.

    Raises:
        UsageError: `own` is not three numbers of at least 0.
    """
    if own is not None:
        if len(own) != 3 or not all(number >= 0 for number in own):
            raise UsageError(
                "run.price is three numbers, US dollars per million tokens of input, cached input and output:"
                " run.price=[2.5,1.25,10]"
            )
        return Price(*own)
    if config.provider in LOCAL:
        return Price(0.0, 0.0, 0.0)
    if config.base_url:
        return None
    known = _table().get(config.provider, {})
    numbers = known.get(config.name) or known.get(_DATED.sub("", config.name))
    return Price(*numbers) if numbers else None


def prices_date() -> datetime.date:
    """When the public prices were last compared with their sources."""
    date: datetime.date = _table()["date"]
    return date


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("embodied.models").joinpath("data/prices.toml").read_text(encoding="utf-8"))
