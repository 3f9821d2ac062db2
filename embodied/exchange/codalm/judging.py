"""Calls the judge for many answers: bounded, counted, resumable. Ratings are appended to a jsonl file as they come."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from embodied.bounded import SAME_FAILURES, FailuresInARow, work_off
from embodied.driving.records import Key, Question, Task
from embodied.errors import BudgetSpent, ModelFailure, ModelRefused, PromptRefused, StoreError, UsageError
from embodied.exchange.codalm import judge
from embodied.exchange.codalm.prompts import Prompts
from embodied.models.base import Model
from embodied.models.thoughts import split
from embodied.store.codec import encode
from embodied.store.journal import append_to_journal, read_journal
from embodied.types import Message, Settings, Usage

RatingStatus = Literal["judged", "empty", "unparsed", "failed"]
"""judged: it has a rating. empty: there was nothing to judge, rated 1 without a call. unparsed: the judge's reply holds
no rating. failed: no reply.
"""


@dataclass(frozen=True)
class Case:
    """One answer to judge."""

    key: Key
    group: str
    """Of the region's category; empty except in region perception."""
    reference: str
    answer: str
    """Empty where there is none."""


@dataclass(frozen=True)
class Rating:
    """One line of the file: what became of one answer."""

    score: str
    """Name of the score: dataset, judge, prompt."""
    task: Task
    scene: str
    region: str
    prompt: str
    """SHA-256 of all that the judge was shown, and of its sampling settings; another answer or reference is another
    prompt.
    """
    status: RatingStatus
    rating: float | None = None
    """1 to 10; None unless judged or empty."""
    altered: bool = False
    """True where ratings were taken out of the answer, or its end cut off."""
    reply: str = ""
    error: str = ""
    model: str = ""
    """The judge's name as its provider reported it."""
    usage: Usage = field(default_factory=Usage)

    @property
    def key(self) -> Key:
        return self.task, self.scene, self.region


@dataclass(frozen=True)
class JudgingResult:
    """What a call of `judge_all` did."""

    asked: int
    skipped: int
    """Judged before."""
    stopped: str = ""
    """Why it ended early; empty when it did not."""
    interrupted: bool = False


def cases(questions: Iterable[Question], answers: Mapping[Key, str]) -> list[Case]:
    """Every question that has a reference, with its answer, matched by picture and region."""
    return [
        Case(q.key, q.group, _whole(q.answer), _whole(answers.get(q.key, ""))) for q in questions if q.answer.strip()
    ]


def _whole(text: str) -> str:
    """`text` with the sign for unreadable characters in place of half ones (lone surrogates, as `\\ud83d` in JSON),
    which nothing can send or store.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Ratings:
    """The file of one score's ratings, opened to continue. If an answer stands in it twice, the last line counts.

    Args:
        path: The file; it is made with the first rating.
        score: Name of the score.
        settings: Sampling settings of the judge; an answer judged with others is judged again.
        prompts: The judge's words where they are not ours.

    Raises:
        StoreError: The file cannot be read or written, a line is damaged, or it holds another score.
    """

    def __init__(
        self,
        path: Path,
        score: str,
        settings: Settings = Settings(),  # noqa: B008
        prompts: Prompts | None = None,
    ):
        self.path = path
        self.prompts = prompts
        self.score = score
        self.settings = settings
        self.by_key: dict[Key, Rating] = {}
        self.used = Usage()
        """What all calls in the file have used, those of answers that were asked again too."""
        self._read()

    def judged(self, case: Case) -> Rating | None:
        """The rating of exactly this answer; None where it has none yet."""
        last = self.last(case)
        return last if last is not None and last.rating is not None else None

    def last(self, case: Case) -> Rating | None:
        """What became last of exactly this answer, a failure too."""
        known = self.by_key.get(case.key)
        return known if known is not None and known.prompt == digest(case, self.settings, self.prompts) else None

    def append(self, rating: Rating) -> None:
        """Adds a line; it is on the disk when this returns."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            append_to_journal(self.path, rating)
        except OSError as error:
            raise StoreError(
                f"Cannot write {self.path}: {error.strerror or error}. What is judged so far is kept. Free space and"
                " run the same command again."
            ) from error
        self._add(rating)

    def _add(self, rating: Rating) -> None:
        self.by_key[rating.key] = rating
        u, v = self.used, rating.usage
        self.used = replace(u, input=u.input + v.input, output=u.output + v.output, cached=u.cached + v.cached)

    def _read(self) -> None:
        try:
            lines, torn = read_journal(self.path)
        except OSError as error:
            raise StoreError(f"Cannot read {self.path}: {error.strerror or error}.") from error
        for number, line in enumerate(lines, 1):
            try:
                rating = msgspec.json.decode(line, type=Rating)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StoreError(
                    f"{self.path} line {number} is damaged ({error}). Delete that line; its answer is then judged"
                    " again."
                ) from error
            if rating.score != self.score:
                raise StoreError(
                    f"{self.path} holds ratings of {rating.score}, not of {self.score}: scores of two judges are never"
                    " mixed. Name another file."
                )
            self._add(rating)
        if torn:  # its answer is judged again
            with contextlib.suppress(OSError):
                os.truncate(self.path, self.path.stat().st_size - len(torn))


async def judge_all(
    asked: Sequence[Case],
    model: Model,
    ratings: Ratings,
    *,
    concurrency: int = 8,
    stopping: asyncio.Event | None = None,
    heard: Callable[[Rating], None] = lambda rating: None,
) -> JudgingResult:
    """Judges every case that has no rating yet, at most `concurrency` at a time, and appends the result of each. It
    ends early when the judge can answer no call (bad key, spent budget), when `SAME_FAILURES` calls in a row failed
    with the same error, and when `stopping` is set. Cases it did not come to have no line in the file.

    Raises:
        UsageError: `concurrency` is below 1, or two cases have the same key.
        StoreError: The file cannot be written.
    """
    if concurrency < 1:
        raise UsageError(f"The number of calls at a time must be at least 1, not {concurrency}.")
    if len({case.key for case in asked}) < len(asked):
        raise UsageError("Two questions have the same picture and region: answers could not be told apart.")
    stopping = stopping or asyncio.Event()
    waiting = [case for case in asked if ratings.judged(case) is None]
    failures = FailuresInARow()
    done, answered = 0, False

    async def judge_one(case: Case) -> str:
        nonlocal done, answered
        rating, error = await _judge(case, model, ratings)
        ratings.append(rating)
        heard(rating)
        done += 1
        failed = failures.enough(rating.error)
        answered = answered or error is None
        if isinstance(error, ModelRefused | BudgetSpent):
            return str(error)
        if answered and isinstance(error, PromptRefused):
            return ""  # it is about this answer, not about the judge
        return f"{SAME_FAILURES} calls in a row failed with the same error: {error}" if failed else ""

    stopped = await work_off(waiting, judge_one, concurrency, stopping)
    return JudgingResult(done, len(asked) - len(waiting), stopped, stopping.is_set())


def digest(case: Case, settings: Settings, prompts: Prompts | None = None) -> str:
    """SHA-256 of all that decides a case's rating but the judge itself, hexadecimal."""
    return hashlib.sha256(encode([_messages(case, prompts), case.answer, settings])).hexdigest()


def _messages(case: Case, prompts: Prompts | None) -> tuple[Message, ...]:
    ask = prompts.ask if prompts else judge.messages
    return ask(case.key[0], case.reference, case.answer)


async def _judge(case: Case, model: Model, ratings: Ratings) -> tuple[Rating, ModelFailure | None]:
    task, scene, region = case.key
    shown = judge.shown(case.answer)

    prompt = digest(case, ratings.settings, ratings.prompts)

    def rated(status: RatingStatus, rating: float | None = None) -> Rating:
        return Rating(ratings.score, task, scene, region, prompt, status, rating, shown.altered)

    if not shown.text.strip():
        return rated("empty", float(judge.LOWEST)), None
    try:
        reply = await model.generate(_messages(case, ratings.prompts), ratings.settings)
    except ModelFailure as error:
        return replace(rated("failed"), error=str(error)), error
    found = (ratings.prompts or judge).rating(split(reply.text).answer)
    made = rated("unparsed" if found is None else "judged", found)
    return replace(made, reply=reply.text, model=reply.model, usage=reply.usage), None
