"""The Practice of one round: what the learner plays and asks goes through the ordinary runner and model layers, under
the loop's budget, into the round's folder.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from embodied import models
from embodied.agents.versions import AgentVersion
from embodied.blobs import ReadFrom
from embodied.errors import BudgetSpent, StoppedEarly, StoreError, UsageError
from embodied.models.config import ModelConfig
from embodied.models.layers.budget import Allowance
from embodied.models.prices import Price, price_of
from embodied.request import Request
from embodied.rollout.playing import Job
from embodied.seeding import derive
from embodied.store.checks import read_plain
from embodied.store.codec import encode
from embodied.store.disk import append_whole
from embodied.store.run import Run
from embodied.train.learner import EXPERT, Used
from embodied.train.ledger import Ledger, cost, used_in
from embodied.train.start import of_agent
from embodied.types import Json, Message, Reply, Usage
from embodied.versions import find, view

ASKED = "asked.jsonl"
AT_ONCE = 8
"""Questions in flight."""
_LONGEST = 1 << 30
"""Bytes of `asked.jsonl`."""


class Player(Protocol):
    """Who prepares and plays runs: the command line, which shows progress, or the Python API."""

    def job(self, request: Request) -> Job:
        """The run that a request means. Makes nothing and writes nothing."""
        ...

    def play(self, request: Request, what: str) -> Run:
        """Plays a run to its end, or what is left of it.

        Raises:
            StoppedEarly: It stopped early.
            EmbodiedError: It cannot be played.
        """
        ...


class Playing:
    """How the versions of one improvement are played.

    Args:
        request: The agent as the user names it; it says all that no version holds.
        tasks: The tasks that are played, where it is one environment.
        words: See `embodied.train.start.beside`.
        options: The same.
        player: Who plays.
        ledger: The budget of all.
        prices: Of the agent's model and of the corrector's own.
    """

    def __init__(
        self,
        request: Request,
        task: str | None,
        words: tuple[str, ...],
        options: Json,
        player: Player,
        ledger: Ledger,
        prices: tuple[Price | None, Price | None],
    ):
        self._request = replace(request, task=task, words=words, options=options, model=None, corrector=None)
        self.player, self.ledger, self.prices = player, ledger, prices

    def request(
        self,
        agent: AgentVersion | str,
        split: str,
        seed: int,
        episodes: int,
        out: Path,
        corrector: str | None = None,
        options: Mapping[str, Any] | None = None,
        shown: AgentVersion | None = None,
    ) -> Request:
        """The request for one run.

        Args:
            agent: A version, or `EXPERT`.
            split: train, dev or test.
            seed: The suite seed.
            episodes: Of each task.
            out: The run folder.
            corrector: Who speaks to the agent.
            options: More of the configuration.
            shown: For the expert: the version whose pictures it shall record.
        """
        words = self._request.words
        if not corrector:
            words = tuple(w for w in words if not w.lstrip("+~").startswith("corrector."))
        more = {k: v for k, v in self._request.options.items() if corrector or not k.startswith("corrector.")}
        image = self._request.image
        version = agent if isinstance(agent, AgentVersion) else None
        if version is None:
            if agent != EXPERT:
                raise UsageError(f"A learner plays versions and {EXPERT!r}, not {agent!r}.")
            words = tuple(w for w in words if not w.lstrip("+~").startswith("model."))
            more = {k: v for k, v in more.items() if not k.startswith("model.")}
            if shown is not None:
                image = bool(shown.record.settings.get("image", image))
                more = {**{k: v for env in self._request.env for k, v in view(shown, env).items()}, **more}
        return replace(
            self._request,
            agent=str(version.folder) if version is not None else EXPERT,
            version=version,
            image=image if version is None else None,
            split=split,
            seed=seed,
            episodes=episodes,
            out=str(out),
            corrector=corrector,
            words=words,
            options={**more, **(options or {})},
        )

    def play(self, request: Request, what: str, name: str, *, reserved: bool = False) -> Run:
        """Plays a run under what is left of the budget, and enters what it took under `name`.

        Raises:
            BudgetSpent: Nothing is left, or it was spent before the end.
            EmbodiedError: As `Player.play`.
        """
        limits = self.ledger.limits(name, reserved=reserved) if self.ledger.limited else {}
        try:
            return self.player.play(replace(request, options={**request.options, **limits}), what)
        except StoppedEarly as error:
            run = Run(str(request.out))
            if any(episode.error_kind == BudgetSpent.__name__ for episode in run.episodes([])):
                raise BudgetSpent(str(error)) from error
            raise
        finally:
            with suppress(StoreError):  # there is no run yet
                self.ledger.spent[name] = used_in(Run(str(request.out)), *self.prices)


class OfRound:
    """`embodied.train.learner.Practice`, in one round."""

    def __init__(
        self,
        playing: Playing,
        folder: Path,
        parent: AgentVersion,
        runs: Sequence[Run],
        seed: int,
        settings: Mapping[str, Any],
        asked: ModelConfig | None,
        device: str,
        threads: int,
        say: Callable[[str], None],
        corrector: str = "",
    ):
        self._playing, self._folder, self._parent, self._asked = playing, folder, parent, asked
        self.runs, self.seed, self.settings = tuple(runs), seed, settings
        self.device, self.threads, self.say, self.corrector = device, threads, say, corrector
        self.work = folder / "work"
        self.work.mkdir(parents=True, exist_ok=True)

    def play(
        self,
        agent: AgentVersion | str,
        episodes: int,
        *,
        name: str,
        corrector: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Run:
        if episodes < 1:
            raise UsageError(f"A learner plays at least 1 episode of each task, not {episodes}.")
        if other := [key for key in options or {} if not of_agent(key)]:
            raise UsageError(
                f"A learner may set options of the agent and of its model only, not {other[0]}: split, seeds, corrector"
                " and environment are the loop's."
            )
        out = self._folder / "practice" / _plain(name)
        if isinstance(agent, str) and agent != EXPERT:
            agent = find(agent) or agent
        seed = derive(self.seed, "practice", name.split("/")[0], bits=31)
        request = self._playing.request(agent, "train", seed, episodes, out, corrector, options, shown=self._parent)
        entry = f"{self._folder.name} practice {' '.join(_plain(name).parts)}"
        return self._playing.play(request, f"practice: {name}", entry)

    def ask(self, prompts: Sequence[Sequence[Message]], *, name: str) -> list[Reply]:
        if self._asked is None or not self._asked.provider:
            raise UsageError(
                "This learner asks a model, and the agent has none: name one with learner.model=PROVIDER/NAME."
            )
        return asyncio.run(self._answers(self._asked, prompts, name))

    async def _answers(self, config: ModelConfig, prompts: Sequence[Sequence[Message]], name: str) -> list[Reply]:
        journal = Journal(self._folder / "practice" / ASKED)
        keys = [_key(config, prompt) for prompt in prompts]
        entry = f"{self._folder.name} asked"
        price, ledger = price_of(config), self._playing.ledger
        ledger.spent[entry] = journal.used(price)
        todo = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in journal.replies}
        if todo:
            limits = ledger.limits(entry) if ledger.limited else {}
            tokens, dollars = limits.get("run.budget.tokens"), limits.get("run.budget.dollars")
            allowance = Allowance(None if tokens is None else int(tokens), dollars)
            model = models.build(config, ReadFrom(run.blobs for run in self.runs))
            try:
                asked = models.spending(model, config, allowance, price, journal.usage(), "off")
                gate = asyncio.Semaphore(AT_ONCE)

                async def one(key: str, prompt: Sequence[Message]) -> None:
                    async with gate:
                        journal.keep(key, name, await asked.generate(list(prompt), config.settings()))

                done = await asyncio.gather(*(one(k, p) for k, p in todo.items()), return_exceptions=True)
            finally:
                ledger.spent[entry] = journal.used(price)
                await model.aclose()
            for error in done:
                if isinstance(error, BaseException):
                    raise error
        return [journal.replies[key] for key in keys]


class _Line(msgspec.Struct):
    key: str
    name: str
    reply: Reply


class Journal:
    """Questions that were answered, by their hash; a torn last line is dropped."""

    def __init__(self, path: Path):
        self._path = path
        self.replies: dict[str, Reply] = {}
        if (data := read_plain(path, _LONGEST)) is not None:
            whole = data[: data.rfind(b"\n") + 1]
            for line in whole.splitlines():
                try:
                    kept = msgspec.json.decode(line, type=_Line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise StoreError(f"{path} is damaged: {error}. Remove it to ask again.") from error
                self.replies[kept.key] = kept.reply
            if whole != data:
                with path.open("r+b") as file:
                    file.truncate(len(whole))

    def keep(self, key: str, name: str, reply: Reply) -> None:
        """Adds an answer, on disk first."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            append_whole(file, encode(_Line(key, name, reply)) + b"\n")
        self.replies[key] = reply

    def usage(self) -> Usage:
        """Of all answers."""
        columns = zip(*(astuple(reply.usage) for reply in self.replies.values()), strict=True)
        return Usage(*map(sum, columns))

    def used(self, price: Price | None) -> Used:
        """By all answers."""
        usage = self.usage()
        return Used(tokens=usage.input + usage.output, dollars=cost(usage, price))


def _key(config: ModelConfig, prompt: Sequence[Message]) -> str:
    said = [config.provider, config.name, config.sha256, config.settings(), list(prompt)]
    return hashlib.sha256(encode(said)).hexdigest()


def _plain(name: str) -> Path:
    parts = name.split("/")
    if not all(part and part.replace("-", "").replace("_", "").replace(".", "").isalnum() for part in parts):
        raise UsageError(f"The name of a practice run is letters, digits, '-', '_' and '/', not {name!r}.")
    if any(part.startswith(".") for part in parts):
        raise UsageError(f"The name of a practice run must not begin with a dot: {name!r}.")
    return Path(*parts)
