"""What `embodied codalm judge` does: compose, build the judge with its layers, judge, print."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import typer

from embodied.cli import interrupt
from embodied.config import EvalConfig
from embodied.eval.tables import Table
from embodied.exchange.codalm.answers import Answers
from embodied.exchange.codalm.judging import Case, JudgingResult, Ratings
from embodied.types import Text, Usage

MAX_TOKENS = 2048
"""Of one reply, where the user sets no other limit: a few sentences, and room for models that reason first."""
WORDY = 100
"""Tokens of a judge's reply, for the estimate: three sentences."""


@dataclass(frozen=True)
class JudgingRequest:
    """What to judge, as named on the command line."""

    what: list[str]
    words: tuple[str, ...]
    model: str
    data: str | None
    split: str | None
    language: str | None
    partial: bool
    out: Path | None
    concurrency: int
    dry_run: bool
    as_json: bool
    prompts: Path | None = None
    ratings: str = "strict"


def run(request: JudgingRequest) -> int:
    """Judges what has no rating yet and prints the table. Returns the exit code."""
    from embodied import models
    from embodied.cli.output import require_writable
    from embodied.config import compose, quoted
    from embodied.errors import UsageError
    from embodied.exchange.codalm import answers, judge, judging, prompts, scoring, tables

    if request.prompts is None and request.ratings != prompts.READINGS[0]:
        raise UsageError(
            f"--ratings {request.ratings} needs --prompts FOLDER: the built-in prompts ask for one form of rating."
        )
    words = prompts.load(request.prompts, request.ratings) if request.prompts else None
    provider, name = models.parse_model(request.model)
    config = compose(
        [
            f"model.provider={provider}",
            f"model.name={quoted(name)}",
            "model.temperature=0",
            f"model.max_tokens={MAX_TOKENS}",
            *request.words,
        ]
    )
    found = answers.read(request.what, request.data, request.split, request.language, partial=request.partial)
    cases = judging.cases(found.questions, found.texts)
    score = judge.score_name(found.set.dataset, f"{provider}/{name}", words.label if words else "")
    path = request.out or _beside(request.what[0], score, found)
    if not request.dry_run:
        require_writable(path, "--out")
    ratings = Ratings(path, score, config.model.settings(), words)
    if request.dry_run:
        _estimate(config, cases, ratings)
        return 0
    try:
        outcome = interrupt.run(lambda bound: _judge(config, cases, ratings, request.concurrency, bound))
    except asyncio.CancelledError:
        interrupt.say("Stopped. What is judged so far is kept: the same command continues from here.")
        return interrupt.INTERRUPTED
    grounded = scoring.grounded_all(found.questions, {s.name: s for s in found.set.scenes}, found.texts)
    made = [
        tables.table(score, cases, ratings),
        tables.agreement(score, cases, ratings, {key: s.value for key, s in grounded.items()}),
    ]
    if request.as_json:
        _print_json(made, cases, ratings, outcome, found)
    else:
        _print(made, ratings, outcome, found, config)
    if outcome.interrupted:
        return 130
    return 5 if any(ratings.judged(case) is None for case in cases) else 0


def _beside(what: str, score: str, found: Answers) -> Path:
    """The file of a score, by its name, beside the answers. A submission is judged on one split in one language: both
    are in the name.
    """
    place = Path(what)
    folder = place if place.is_dir() else place.parent
    slug = re.sub(r"[^\w.@-]+", "-", score)
    suffix = hashlib.sha256(f"{place.name} {found.set.name} {found.set.language}".encode()).hexdigest()[:6]
    return folder / f"{slug}-{suffix}.jsonl"


async def _judge(
    config: EvalConfig, cases: list[Case], ratings: Ratings, concurrency: int, bound: interrupt.Bound
) -> JudgingResult:
    from embodied import models
    from embodied.blobs import MemoryBlobs
    from embodied.cli.progress import counted
    from embodied.exchange.codalm.judging import judge_all
    from embodied.models.layers.budget import Allowance
    from embodied.models.prices import price_of

    allowance, price = (
        Allowance(config.run.budget.tokens, config.run.budget.dollars),
        price_of(config.model, config.run.price),
    )
    built = models.build(config.model, MemoryBlobs())
    stopping = asyncio.Event()
    try:
        model = models.spending(built, config.model, allowance, price, ratings.used, config.run.cache)
        with interrupt.interruptible(stopping, bound), counted("judged", len(cases)) as heard:
            done = itertools.count(1)
            return await judge_all(
                cases, model, ratings, concurrency=concurrency, stopping=stopping, heard=lambda _: heard(next(done))
            )
    finally:
        await built.aclose()


def _estimate(config: EvalConfig, cases: list[Case], ratings: Ratings) -> None:
    from embodied.exchange.codalm import judge
    from embodied.models.prices import price_of

    waiting = [case for case in cases if ratings.judged(case) is None]
    asked = [case for case in waiting if judge.shown(case.answer).text.strip()]
    ask = ratings.prompts.ask if ratings.prompts else judge.messages
    prompts = (ask(case.key[0], case.reference, case.answer) for case in asked)
    characters = sum(len(part.text) for prompt in prompts for m in prompt for part in m.parts if isinstance(part, Text))
    typer.echo(
        f"{ratings.score}: {len(cases)} answers, {len(cases) - len(waiting)} judged before, {len(waiting) - len(asked)}"
        " empty."
    )
    usage, price = Usage(characters // 4, WORDY * len(asked)), price_of(config.model, config.run.price)
    cost = "cost not known" if price is None else f"about {price.cost(usage):.3g} dollars"
    typer.echo(
        f"{len(asked)} calls are needed, about {usage.input:,} tokens in (four characters a token) and"
        f" {usage.output:,} out; {cost}."
    )


def _print(made: list[Table], ratings: Ratings, outcome: JudgingResult, found: Answers, config: EvalConfig) -> None:
    from embodied.cli.tables import print_analysis
    from embodied.models.prices import price_of

    print_analysis(made)
    for note in found.notes:
        typer.echo(note)
    usage, price = ratings.used, price_of(config.model, config.run.price)
    cost = "cost not known" if price is None else f"{price.cost(usage):.4g} dollars"
    typer.echo(
        f"{outcome.asked} answers asked about now, {outcome.skipped} before; {usage.input:,} tokens in,"
        f" {usage.output:,} out in all; {cost}."
    )
    typer.echo(f"Ratings: {ratings.path}")
    if outcome.stopped:
        typer.echo(f"Stopped early: {outcome.stopped} The same command continues from here.")


def _print_json(made: list[Table], cases: list[Case], ratings: Ratings, outcome: JudgingResult, found: Answers) -> None:
    from embodied.cli.output import print_json

    last = [rating for case in cases if (rating := ratings.last(case)) is not None]
    print_json(
        {
            "score": ratings.score,
            "tables": made,
            "outcome": outcome,
            "notes": found.notes,
            "file": str(ratings.path),
            "ratings": last,
        }
    )
