"""One run from its plan to its results: checks, workers, model, agents, and the folder, in this order: nothing is
written before everything that can be wrong has been checked.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TypeVar

import msgspec

from embodied import agents, correctors, models
from embodied.agents.base import Agent
from embodied.blobs import Blobs, MemoryBlobs
from embodied.config import EvalConfig, blind
from embodied.controls import OF_PICTURES
from embodied.correctors.base import Corrector, Orders
from embodied.errors import NoControl, UsageError
from embodied.models.base import Model
from embodied.models.config import ModelConfig
from embodied.models.layers.budget import Allowance, Budget
from embodied.models.prices import Price, price_of
from embodied.rollout.channel import Channel
from embodied.rollout.orders import Reach
from embodied.rollout.runner import Listener, Result, owed, run_all
from embodied.rollout.spend import used_by_each
from embodied.rollout.worlds.workers import Pool, ProcessWorker, Worker
from embodied.store.blobs import FileBlobs
from embodied.store.run import Run, RunRecord
from embodied.types import Episode, EpisodeSpec, Step, TaskSpec, Usage

Watch = Callable[[Run, Sequence[EpisodeSpec], Price | None], AbstractContextManager[Listener]]
"""Makes a run's listener from the run, the episodes to play, and the price of a model call."""
T = TypeVar("T")
LOADING = "embodied: loading"
"""How the name of the thread begins that loads models beside a desk."""
Factory = Callable[[agents.Kit], Agent]
"""Makes an agent for one episode."""


@dataclass(frozen=True)
class Job:
    """A run to play or to continue."""

    config: EvalConfig
    root: Path
    record: RunRecord
    """What `run.json` will say of it."""
    specs: Sequence[EpisodeSpec]
    """The part of the plan that is played here."""
    run: Run | None = None
    """The run, where it was opened and not planned."""
    factory: Factory | None = None
    """An agent of the user's own; None for the one that the configuration names."""

    @property
    def asks(self) -> bool:
        """Whether the agent asks a model."""
        if self.factory is not None:
            return bool(self.config.model.provider)
        return agents.needs_model(self.config.agent.policy)

    def owed(self) -> list[EpisodeSpec]:
        """The episodes that are not over yet, with their branches."""
        there = Run(self.root) if self.run is None and (self.root / "run.json").is_file() else self.run
        return list(self.specs) if there is None else owed(there, self.specs)

    def agent(self, spec: EpisodeSpec, model: Model | None, blobs: Blobs) -> Agent:
        """The agent for one episode. It is not told that a control takes something from it."""
        settings = self.config.model.settings()
        spec = replace(spec, task=replace(spec.task, control=msgspec.UNSET))
        if self.factory is None:
            parts = self.config.parts
            return agents.build(self.config.agent, model, settings, spec=spec, blobs=blobs, parts=parts)
        return self.factory(agents.Kit(self.config.agent, model, settings, spec, blobs))

    def corrector(
        self, spec: EpisodeSpec, model: Model | None = None, orders: Orders | None = None
    ) -> Corrector | None:
        """Who corrects the agent of one episode, by a model of their own or in person; None where nobody does."""
        return correctors.build(self.config.corrector, spec, model, orders)


async def play(
    job: Job,
    watch: Watch,
    stopping: asyncio.Event | None = None,
    created: Callable[[RunRecord], None] = lambda record: None,
    channels: Callable[[EpisodeSpec], Channel | None] | None = None,
) -> tuple[Run | None, Result]:
    """Plays a job.

    Args:
        job: What to play.
        watch: See `Watch`.
        stopping: Once it is set, episodes in flight end after their present step, and no other begins.
        created: Hears that the folder is there and of this user.
        channels: See `run_all`. The run must name a corrector (`desk` where no other speaks), so that nobody takes it
            for one that was played alone.

    Returns:
        The run, or None where it was stopped before there was one; and the result.

    Raises:
        EmbodiedError: Something in the job is missing, or makes no sense. Nothing was written.
        StoreError: The folder cannot be written, or holds another run.
    """
    stopping = stopping or asyncio.Event()
    if channels is not None and not job.config.corrector.name:
        raise UsageError("A run in which people can speak must say so: name the corrector `desk`.")
    async with pool_of(job) as pool:
        waiting = job.owed()
        await pool.start(len(waiting))
        await check_environments(job.config.agent, waiting, pool)
        if stopping.is_set():
            return job.run, Result(0, 0, interrupted=True)
        # importing and loading may take a minute: people at a desk must be answered meanwhile
        built = build_models(job) if channels is None else await _aside(partial(build_models, job), stopping)
        if built is None:
            return job.run, Result(0, 0, interrupted=True)
        model, critic = built
        try:
            _check_agents(job, model, critic)
            run = job.run or Run.create(job.root, job.record)
            created(run.record)
            with watch(run, job.specs, _price(job.config, model, critic)) as listener:
                at_once = _concurrency(job, pool.size)
                heard = Announced(listener, model)
                reach = Reach(channels or (lambda spec: None), correctors.in_person(job.config.corrector))
                return run, await run_all(
                    run,
                    job.specs,
                    lambda spec: job.agent(spec, model, run.blobs),
                    pool,
                    heard,
                    at_once,
                    stopping,
                    lambda spec: job.corrector(spec, critic, reach.orders(spec)),
                    lambda spec: heard.connected(spec, reach.channel(spec)),
                    job.config.corrector.sentences,
                )
        finally:
            for made in filter(None, (model, critic)):
                await made.aclose()


async def _aside(load: Callable[[], T], stopping: asyncio.Event) -> T | None:
    """What `load` gives, in a thread of its own; None once `stopping` is set. Nothing can stop an import halfway, so
    the thread is left alone then (`LOADING`).
    """
    thread = ThreadPoolExecutor(1, LOADING)
    loaded = asyncio.get_running_loop().run_in_executor(thread, contextvars.copy_context().run, load)
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((loaded, stopped), return_when=asyncio.FIRST_COMPLETED)
        return loaded.result() if loaded.done() else None
    finally:
        stopped.cancel()
        loaded.cancel()
        thread.shutdown(wait=False)


def pool_of(job: Job) -> Pool:
    """The workers of a job, none of them started yet. Raises as `check`."""
    check(job)
    workers, launch = _workers(job.config)
    return Pool(workers, job.config.run.step_seconds, job.config.run.reset_seconds, launch)


async def check_environments(agent: agents.AgentConfig, specs: Sequence[EpisodeSpec], pool: Pool) -> None:
    """Makes one environment of each kind for a moment, in the workers that then play the episodes. Where the agent must
    choose from a list, each task is looked at: tasks of one environment may differ in what they accept.

    Raises:
        UsageError, MissingExtra, EnvironmentFailure: One of them cannot be made.
    """

    async def look(task: TaskSpec) -> None:
        free_text = await pool.check(task)
        agents.check_actions(agent, f"{task.env} {task.task}".strip(), not free_text)

    each_task = agent.format is not None or any(isinstance(spec.task.control, str) for spec in specs)
    kinds = {(spec.task.env, spec.task.task if each_task else ""): spec.task for spec in specs}
    found = await asyncio.gather(*map(look, kinds.values()), return_exceptions=True)
    for error in found:  # of several, always the same one
        if error is not None:
            raise error


async def silent_controls(job: Job, controls: Sequence[str]) -> dict[str, dict[tuple[str, str], str]]:
    """Which tasks of a job each control says nothing about. Looks at beginnings of episodes in the workers; writes
    nothing.

    Returns:
        Control -> (environment, task) -> why, in a sentence.

    Raises:
        EmbodiedError: As `check_environments`.
    """

    async def look(control: str, task: TaskSpec) -> str:
        try:
            await pool.check(replace(task, control=control))
        except NoControl as nothing:
            return str(nothing)
        return ""

    tasks = {(spec.task.env, spec.task.task): spec.task for spec in job.specs}
    pairs = [(control, key) for control in controls for key in tasks]
    async with pool_of(job) as pool:
        said = await asyncio.gather(*(look(control, tasks[key]) for control, key in pairs))
    return {
        control: {key: why for (of, key), why in zip(pairs, said, strict=True) if of == control and why}
        for control in controls
    }


def check(job: Job) -> None:
    """Checks a job without making anything: numbers, the agent, the model, pictures, the cluster.

    Raises:
        UsageError: Something in it makes no sense.
    """
    config = job.config
    for key in ("episodes", "steps", "workers", "concurrency", "step_seconds", "reset_seconds"):
        value = getattr(config.run, key)
        if value is not None and not 0 < value < inf:
            raise UsageError(f"run.{key} must be above 0 and finite, not {value}.")
    agents.check(config.agent)
    correctors.check(config.corrector)
    if config.agent.policy == "expert" and correctors.needs_expert(config.corrector):
        raise UsageError(
            f"The agent expert plays already what the corrector {config.corrector.name} would say: leave out"
            " --corrector, or take another agent."
        )
    if config.corrector.when == "asked" and not config.agent.asks and job.factory is None:
        raise UsageError(
            "corrector.when=asked waits for an agent that asks, and this one never does: play an agent's folder that"
            " `embodied calibrate` made."
        )
    if correctors.in_person(config.corrector):
        _check_person(config)
    if config.model.provider:
        models.check(config.model)
    if job.asks and not config.model.provider:
        raise UsageError(
            f"The agent {config.agent.policy} needs a model: add --model provider/name (`embodied list models`), or"
            " take a preset (`embodied list agents`)."
        )
    if config.agent.perception != "none" and not config.image:
        raise UsageError(
            f"agent.perception={config.agent.perception} is about pictures: add --image. They are not sent to the"
            " model."
        )
    if config.image and job.asks and blind(config):
        raise UsageError(
            f"gguf/{config.model.name} reads no images. Play with --text, or give its image projector with"
            " model.mmproj=FILE."
        )
    if config.run.control in OF_PICTURES and not config.image:
        raise UsageError(f"run.control={config.run.control} is about pictures, and this agent gets none: add --image.")
    _check_replicas(config)


def _check_person(config: EvalConfig) -> None:
    if config.agent.policy == "human":
        raise UsageError("The agent human is you already: leave out --corrector, or let another agent play.")
    if (config.run.concurrency or 1) > 1:
        raise UsageError(
            f"A person corrects one episode at a time, not {config.run.concurrency}: leave out run.concurrency."
        )


def _check_replicas(config: EvalConfig) -> None:
    if config.run.replicas < 0 or (config.run.replicas and config.run.ray is None):
        raise UsageError(
            "run.replicas counts copies of the model on a Ray cluster: name the cluster with run.ray, and give a number"
            " above 0."
        )
    if config.run.ray is not None:
        from embodied.rollout.worlds.ray_cluster import connect

        there, needed = connect(config.run.ray), _taken(config)
        if config.run.replicas and there <= needed:
            raise UsageError(
                f"The Ray cluster has {there} cores: {needed} for the replicas of the model leave none for a worker."
                " Lower run.replicas."
            )


def _check_agents(job: Job, model: Model | None, critic: Model | None) -> None:
    """Makes an agent for one episode of each task, so that missing demonstrations end the job before anything is
    written. A run that exists already has met them.
    """
    if job.run is None:
        for spec in {(spec.task.env, spec.task.task): spec for spec in job.record.planned}.values():
            job.agent(spec, model, MemoryBlobs())
            job.corrector(spec, critic)


def _workers(config: EvalConfig) -> tuple[int, Callable[[], Awaitable[Worker]]]:
    """How many workers, and what starts one."""
    if config.run.ray is None:
        return config.run.workers or cores(), partial(ProcessWorker.launch, config.run.worker_variables)
    from embodied.rollout.worlds.ray_cluster import RayWorker, connect

    there = connect(config.run.ray)
    return config.run.workers or max(1, there - _taken(config)), partial(RayWorker.launch, config.run.worker_variables)


def _taken(config: EvalConfig) -> int:
    """Cores of the cluster that the model's replicas take."""
    return config.run.replicas * (config.model.threads or 1)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _concurrency(job: Job, workers: int) -> int:
    config = job.config
    if config.run.concurrency is not None:
        return config.run.concurrency
    person = config.agent.policy == "human" or correctors.in_person(config.corrector)
    if person or "gguf" in (config.model.provider, config.corrector.model.provider):
        return 1
    if config.model.provider == "transformers":
        return config.model.batch * max(1, config.run.replicas)
    return workers * (8 if job.asks or config.corrector.model.provider else 2)


def build_models(job: Job) -> tuple[Model | None, Model | None]:
    """The models of a run with all their layers: the agent's, and the corrector's own; None where nobody asks one. They
    share the budget, and what the run in `job.root` has used before counts.

    Raises:
        UsageError: The budget, a price or the cache makes no sense.
        BudgetSpent: Nothing is left of the budget.
        MissingKey, MissingExtra, UnknownName: A model is not available.
    """
    run = job.config.run
    before = used_by_each(Run(job.root)) if (job.root / "run.json").is_file() else (Usage(), Usage())
    allowance = Allowance(run.budget.tokens, run.budget.dollars)
    budgets: list[Budget] = []

    def build(config: ModelConfig, used: Usage, own: Sequence[float] | None, named: str, replicas: int) -> Model:
        model = models.build(config, FileBlobs(job.root / "blobs"), replicas=replicas)
        return models.spending(model, config, allowance, price_of(config, own), used, run.cache, budgets, named)

    corrector = job.config.corrector
    agent = build(job.config.model, before[0], run.price, "run.price", run.replicas) if job.asks else None
    critic = (
        build(corrector.model, before[1], run.corrector_price, "run.corrector_price", 0)
        if correctors.needs_model(corrector)
        else None
    )
    return agent, critic


def _price(config: EvalConfig, model: Model | None, critic: Model | None) -> Price | None:
    """What all calls cost alike; None where that is not known, or the agent's calls and the corrector's differ."""
    own = [price_of(config.model, config.run.price)] if model is not None else []
    others = [price_of(config.corrector.model, config.run.corrector_price)] if critic is not None else []
    return own[0] if own and own == (others or own) else None


class Announced:
    """A listener that also tells the model how many episodes are being played and do not wait for a person."""

    def __init__(self, listener: Listener, model: Model | None):
        self._listener = listener
        self._tell = getattr(model, "live", lambda episodes: None)
        self._playing: set[str] = set()
        self._held: set[str] = set()

    def connected(self, spec: EpisodeSpec, channel: Channel | None) -> Channel | None:
        """`channel`, which from now on also says here whether its episode waits for a person."""
        if channel is not None:
            before = channel.thinking

            def thinking(goes_on: bool) -> None:
                (self._held.discard if goes_on else self._held.add)(spec.id)
                self._count()
                before(goes_on)

            channel.thinking = thinking
        return channel

    def started(self, spec: EpisodeSpec) -> None:
        self._playing.add(spec.id)
        self._count()
        self._listener.started(spec)

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        self._listener.stepped(spec, step)

    def ended(self, episode: Episode) -> None:
        self._playing.discard(episode.spec.id)
        self._count()
        self._listener.ended(episode)

    def _count(self) -> None:
        self._tell(len(self._playing - self._held))
