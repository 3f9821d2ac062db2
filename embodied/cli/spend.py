"""What a run costs: the estimate before, the sum after."""

from __future__ import annotations

from collections.abc import Sequence

from embodied import agents
from embodied.cli.tables import console, print_table, table
from embodied.config import EvalConfig
from embodied.models.config import LOCAL
from embodied.models.prices import Price, price_of, prices_date
from embodied.quantities import episodes
from embodied.rollout.estimate import Range, estimate
from embodied.rollout.spend import used_by_each
from embodied.store.run import Run
from embodied.types import EpisodeSpec, Usage


def print_estimate(config: EvalConfig, specs: Sequence[EpisodeSpec]) -> None:
    """Prints what playing `specs` will use, as ranges. Calls no model and writes nothing.

    Raises:
        UsageError: The price makes no sense.
    """
    if not agents.needs_model(config.agent.policy):
        spent = "" if config.corrector.model.provider else ": nothing is spent"
        print(f"{episodes(len(specs))}. The agent {config.agent.policy} asks no model{spent}.")
        _say_corrector(config)
        return
    price = price_of(config.model, config.run.price)
    rows = estimate(config.agent, config.model, specs, price)
    shown = table("environment", "episodes", "steps", "tokens in", "tokens out", "dollars")
    for row in rows if len(rows) > 2 else rows[:1]:
        dollars = "not known" if row.dollars is None else _range(row.dollars)
        shown.add_row(row.env, str(row.episodes), _range(row.steps), _range(row.input), _range(row.output), dollars)
    print_table(console(), shown)
    print(
        "The lower figure is for short episodes in plain words, with everything that repeats billed as cached. The"
        " upper figure is for the longest episodes, with nothing cached."
    )
    print(_of_price(config, price))
    _say_corrector(config)


def _say_corrector(config: EvalConfig) -> None:
    """Says what the estimate leaves out: a corrector's own model, and what is decided again."""
    corrector, model = config.corrector, config.corrector.model
    if model.provider:
        print(
            f"Not estimated: the corrector {corrector.name} asks {model.provider}/{model.name} once in each step, and"
            " the agent decides again where it speaks."
        )
    elif corrector.name:
        print(f"Not estimated: the agent decides again where the corrector {corrector.name} speaks.")


def _of_price(config: EvalConfig, price: Price | None) -> str:
    name = f"{config.model.provider}/{config.model.name}"
    if price is None:
        return (
            f"The price of {name} is not known: name it with run.price=[input,cached input,output], US dollars per"
            " million tokens."
        )
    if config.model.provider in LOCAL and not config.run.price:
        return f"{name} runs on this machine and costs nothing."
    source = "your own" if config.run.price else f"public, {prices_date()}"
    return (
        f"Price of {name} ({source}): {price.input:g} dollars per million tokens of input, {price.cached:g} cached,"
        f" {price.output:g} of output."
    )


def _range(r: Range) -> str:
    return f"{_number(r.low)} to {_number(r.high)}" if _number(r.low) != _number(r.high) else _number(r.low)


def _number(n: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if n >= size:
            return f"{n / min(size, 1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{n:.3g}" if n < 1000 else f"{n:.0f}"


def print_cost(config: EvalConfig, run: Run) -> None:
    """Prints what a run has used in all and what that costs, where it called a model; apart for the agent's model and
    the corrector's own.
    """
    agent, critic = used_by_each(run)
    _print_cost("Model", agent, price_of(config.model, config.run.price))
    _print_cost("Corrector's model", critic, price_of(config.corrector.model, config.run.corrector_price))


def _print_cost(whose: str, usage: Usage, price: Price | None) -> None:
    if not usage.input:
        return
    cost = "cost not known" if price is None else f"{price.cost(usage):.4g} dollars"
    repeated = f"{100 * usage.repeated / usage.input:.0f} % repeated from the prompt before"
    print(f"{whose}: {usage.input:,} tokens in ({repeated}; {usage.cached:,} cached), {usage.output:,} out; {cost}.")
