"""From a request on the command line to a finished run: compose, build, plan, play, print."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from embodied import agents, envs, models
from embodied.cli.progress import listener
from embodied.cli.tables import print_score
from embodied.config import EvalConfig, compose
from embodied.envs import check_options
from embodied.envs.catalog import ENTRIES, check_task, entry
from embodied.errors import UsageError
from embodied.eval.score import score
from embodied.eval.suites import suite as find_suite
from embodied.models.base import Model
from embodied.rollout.plan import identity, plan
from embodied.rollout.runner import Result, run_all
from embodied.store.blobs import FileBlobs
from embodied.store.run import Run, RunRecord
from embodied.types import Json, TaskSpec

SIMULATORS = ("nle", "minihack", "minigrid", "crafter", "textworld", "gymnasium", "numpy")
"""Distributions whose version can move a score; recorded with every run."""


@dataclass(frozen=True)
class Request:
    """What to evaluate, as named on the command line."""

    env: str | None
    task: str | None
    suite: str | None
    agent: str
    model: str | None
    data: str | None = None
    words: tuple[str, ...] = ()

    def compose(self, env: str | None, run: dict[str, Any], image: bool) -> EvalConfig:
        """The configuration for one environment (a suite has several)."""
        words = [f"agent={self.agent}", f"image={str(image).lower()}"]
        if env is not None:
            words.append("env=gym" if env.startswith("gym:") else f"env={env}")
            if env.startswith("gym:"):
                words.append(f"env.name='{env}'")
        if self.task is not None:
            words.append(f"env.task='{self.task}'")
        if self.data is not None:
            words.append(f"env.data='{Path(self.data).resolve()}'")
        if self.model is not None:
            provider, name = models.parse_model(self.model)
            words += [f"model.provider={provider}", f"model.name='{name}'"]
        words += [f"run.{key}='{value}'" if isinstance(value, str) else f"run.{key}={value}" for key, value in run.items() if value is not None]
        config = compose([*words, *self.words])
        if config.image and not config.agent.history.image:
            config.agent.history.image = 1  # an agent that is given pictures sees at least the present one
        return config


def play(request: Request, *, episodes: int | None, seed: int, steps: int | None, out: str | None, image: bool) -> int:
    """Plays a request and prints its table. Returns the exit code: 0 when every planned episode is scored, else 5."""
    if (request.env is None) == (request.suite is None):
        raise UsageError("Name either an environment (--env nethack) or a suite (--suite balrog). `embodied list envs` lists the environments.")
    if request.suite is not None and request.task is not None:
        raise UsageError("--task goes with --env, not with --suite.")
    settings = {"episodes": episodes, "seed": seed, "steps": steps, "out": out}
    config, tasks = _tasks(request, settings, image)
    _check_model(config)
    _check_environments(tasks)

    recorded = _recorded(config, request)
    run_identity = identity({**recorded, "simulators": _versions()})
    name = request.suite or (request.env or "").replace(":", "-").replace("/", "-")
    root = Path(config.run.out or f"runs/{name}-{request.agent}-{run_identity[:8]}")
    specs = plan(tasks, config.run.seed, run_identity)
    # Before the folder is made: a missing key leaves nothing behind.
    model = models.build(config.model, FileBlobs(root / "blobs")) if agents.needs_model(config.agent.policy) else None
    record = RunRecord(run_identity, recorded, specs, _versions(), datetime.now(UTC).isoformat(timespec="seconds"), request.suite or "")
    run = Run.create(root, record)
    print(f"{len(specs)} episodes in {run.root}", flush=True)
    try:
        result = asyncio.run(_run(run, specs, config, model))
    except KeyboardInterrupt:
        print(f"Stopped. Nothing recorded is lost: the same command continues the run in {run.root}.", file=sys.stderr)
        raise
    return _report(run, result)


async def _run(run: Run, specs: tuple, config: EvalConfig, model: Model | None) -> Result:
    settings = config.model.settings()
    try:
        with listener(specs, silent=config.agent.policy == "human") as shown:
            return await run_all(
                run, specs, lambda spec: agents.build(config.agent, model, settings, spec=spec, blobs=run.blobs), shown, config.run.concurrency
            )
    finally:
        if model is not None:
            await model.aclose()


def _report(run: Run, result: Result) -> int:
    total = print_score(score(run))
    if result.skipped:
        print(f"{result.skipped} episodes were already scored and were not played again.")
    print(f"Replay: embodied export {run.root} --format gif")
    if result.stopped:
        print(f"The run stopped early: {result.stopped} The same command goes on from here.")
    elif total.scored < total.planned:
        print(f"{total.planned - total.scored} episodes have no score; the same command plays them again.")
    return 0 if total.scored == total.planned else 5


def _tasks(request: Request, run: dict[str, Any], image: bool) -> tuple[EvalConfig, list[tuple[TaskSpec, int]]]:
    """The configuration, and every task with its options and number of episodes."""
    config = request.compose(request.env, run, image)
    if request.suite is None:
        return config, _of_environment(config)
    counts = {(env, task): episodes for env, task, episodes in find_suite(request.suite).tasks}
    tasks = []
    for name in dict.fromkeys(env for env, _ in counts):
        if config.image and not ENTRIES[name].picture:
            print(f"{name} has no picture and is left out of {request.suite} with --image, as in BALROG's VLM leaderboard.")
            continue
        mine = _of_environment(request.compose(name, run, image))
        tasks += [(spec, config.run.episodes or counts[name, spec.task]) for spec, _ in mine if (name, spec.task) in counts]
    return config, tasks


def _of_environment(config: EvalConfig) -> list[tuple[TaskSpec, int]]:
    """The tasks of the configuration's environment, each with its options and number of episodes."""
    options = {k: v for k, v in (config.env or {}).items() if v is not None}
    name, wanted = options.pop("name"), options.pop("task", None)
    if config.image:
        options["image"] = True
    if config.run.steps is not None:
        options["max_steps"] = config.run.steps
    if config.agent.policy == "expert":
        options["expert"] = True
    if name.startswith("gym:"):
        return [(TaskSpec(name, "", options), config.run.episodes or 1)]
    found = entry(name)
    if config.image and not found.picture:
        raise UsageError(f"{name} has no picture: leave out --image.")
    check_options(found, options)
    names = [check_task(found, t.strip()) for t in str(wanted).split(",")] if wanted else found.tasks
    return [(TaskSpec(name, task, options), config.run.episodes or found.episodes) for task in names]


def _check_model(config: EvalConfig) -> None:
    agents.check(config.agent)
    if agents.needs_model(config.agent.policy) and not config.model.provider:
        raise UsageError(
            f"The agent {config.agent.policy} needs a model: add --model provider/name (`embodied list models`), or take a preset (`embodied list agents`)."
        )


def _check_environments(tasks: list[tuple[TaskSpec, int]]) -> None:
    """Makes one environment of each kind, so that a wrong option or a missing simulator ends the request before anything is written."""
    for spec in {spec.env: spec for spec, _ in tasks}.values():
        envs.make(spec.env, spec.task or None, **spec.kwargs).close()


def _recorded(config: EvalConfig, request: Request) -> Json:
    """The configuration as recorded, and as hashed into the identity of the run: without what does not change an episode."""
    plain = asdict(replace(config, run=replace(config.run, episodes=None, out=None, concurrency=1)))
    return {"suite": request.suite, "preset": request.agent, **{k: v for k, v in plain.items() if k != "suite"}}


def _versions() -> dict[str, str]:
    found = {}
    for name in ("embodied-suite", *SIMULATORS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
