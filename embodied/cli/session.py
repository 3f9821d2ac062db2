"""From a request on the command line to a finished run: compose, build, plan, play, print."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from math import inf
from pathlib import Path
from typing import Any

from embodied import agents, envs, models
from embodied.blobs import MemoryBlobs
from embodied.catalog import ENTRIES, Entry, check_task, entry
from embodied.cli import interrupt
from embodied.cli.progress import listener
from embodied.cli.spend import Announced, build_model, print_cost, print_estimate
from embodied.cli.tables import episodes as counted
from embodied.cli.tables import print_analysis, print_floors, print_score
from embodied.cli.trust import note, require_trust
from embodied.config import EvalConfig, compose, env_options, quoted, recorded, restore
from embodied.envs import check_options
from embodied.envs.spaces import FreeText
from embodied.errors import StoreError, UsageError
from embodied.eval.analysis import analyse
from embodied.eval.results import read
from embodied.eval.score import score
from embodied.eval.settings import older_versions
from embodied.eval.suites import suite as find_suite
from embodied.models.base import Model
from embodied.models.prices import price_of
from embodied.registry import unknown
from embodied.rollout.plan import Shard, identity, plan
from embodied.rollout.runner import Result, run_all
from embodied.rollout.worlds.workers import Pool, ProcessWorker, Worker, abandon
from embodied.store.run import Run, RunRecord
from embodied.terminal import plain
from embodied.types import EpisodeSpec, Json, TaskSpec
from embodied.variables import resolved

SIMULATORS = ("nle", "minihack", "minigrid", "crafter", "textworld", "gymnasium", "numpy", "highway-env", "ompl")
"""Distributions whose version can move a score; recorded with every run."""
HOW = (
    "episodes",
    "out",
    "workers",
    "ray",
    "replicas",
    "concurrency",
    "step_seconds",
    "reset_seconds",
    "budget",
    "price",
    "cache",
    "worker_variables",
)
"""Keys of `run` that say how a run is played, not what happens in an episode: no part of a run's identity."""

LATER = (("model", "max_completion_tokens"), ("model", "constraint"), ("agent", "format"))
"""Keys that came later: recorded, and hashed, only where they are set."""


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
        """The configuration for one environment. A suite has several: a word `env.<option>` reaches those that have the
        option.
        """
        words = [f"agent={quoted(self.agent)}", f"image={str(image).lower()}"]
        if env is not None:
            words.append("env=gym" if env.startswith("gym:") else f"env={quoted(env)}")
            if env.startswith("gym:"):
                words.append(f"env.name={quoted(env)}")
        if self.task is not None:
            words.append(f"env.task={quoted(self.task)}")
        if self.data is not None:
            if env in ENTRIES and "data" not in env_options(env):
                raise UsageError(f"--data: {env} has no published files to read.")
            words.append(f"env.data={quoted(str(Path(self.data).resolve()))}")
        if self.model is not None:
            provider, name = models.parse_model(self.model)
            words += [f"model.provider={provider}", f"model.name={quoted(name)}"]
        words += [
            f"run.{key}={quoted(value)}" if isinstance(value, str) else f"run.{key}={value}"
            for key, value in run.items()
            if value is not None
        ]
        config = compose([*words, *self._words(env)])
        if config.image and not config.agent.history.image and agents.shows_pictures(config.agent):
            config.agent.history.image = 1  # an agent that is given pictures sees at least the present one
        return config

    def _words(self, env: str | None) -> list[str]:
        # options that we do not know are for the environment's constructor
        if env is not None and env.startswith("gym:"):
            return [f"++{word}" if word.startswith("env.") else word for word in self.words]
        if self.suite is None:
            return list(self.words)
        options = env_options(env) if env is not None else ()
        return [word for word in self.words if (option := _env_option(word)) is None or option in options]


def _env_option(word: str) -> str | None:
    """`rules` for the word `env.rules=balrog`; None for a word that is not about the environment."""
    key = word.lstrip("+~").partition("=")[0]
    return key.removeprefix("env.") if key.startswith("env.") else None


def play(
    request: Request,
    *,
    episodes: int | None,
    seed: int,
    steps: int | None,
    out: str | None,
    image: bool | None,
    shard: str | None = None,
    as_json: bool = False,
    dry_run: bool = False,
) -> int:
    """Plays a request and prints its table; with `dry_run` only what it would use.

    Returns:
        The exit code: 0 when every planned episode is scored, 5 when not, 130 when it was interrupted.
    """
    if (request.env is None) == (request.suite is None):
        raise UsageError(
            "Name either an environment (--env nethack) or a suite (--suite balrog). `embodied list envs` lists the"
            " environments."
        )
    if request.suite is not None and request.task is not None:
        raise UsageError("--task goes with --env, not with --suite.")
    if request.suite is not None and request.data is not None:
        raise UsageError(
            "--data goes with --env, not with --suite: each environment's published files lie in a folder of their own."
        )
    part = Shard.parse(shard)
    config, tasks = _tasks(
        request,
        {"episodes": episodes, "seed": seed, "steps": steps, "out": out},
        _pictures(request) if image is None else image,
    )
    _check(config, tasks)

    whole = {"suite": request.suite, "preset": request.agent, **_recorded(config)}
    if request.suite is not None:
        whole["env"] = {spec.env: spec.kwargs for spec, _ in tasks}
    found = versions(spec for spec, _ in tasks)
    run_identity = identity({**whole, "simulators": found})
    name = request.suite or (request.env or "").replace(":", "-").replace("/", "-")
    root = Path(config.run.out or f"runs/{name}-{request.agent}-{run_identity[:8]}")
    specs = plan(tasks, config.run.seed, run_identity)
    if dry_run:
        print_estimate(
            config,
            [spec for spec in part.of(specs) if not (root / "run.json").is_file() or not Run(root).scored(spec.id)],
        )
        return 0
    model = _model(config, root)  # before the folder is made: a missing key leaves nothing behind
    _check_agents(config, model, specs)
    record = RunRecord(
        run_identity, whole, specs, found, datetime.now(UTC).isoformat(timespec="seconds"), request.suite or ""
    )
    run = Run.create(root, record)
    note(record)
    return _play(run, part.of(specs), config, model, as_json)


def resume(
    root: str, words: Sequence[str], shard: str | None = None, as_json: bool = False, trust: bool = False
) -> int:
    """Goes on with the run in a folder, as `play` would with the request that began it.

    Args:
        root: The folder.
        words: How to play on, `key=value`.
        shard: See `Shard.parse`.
        as_json: Print an object a line.
        trust: The user answers for the folder, although another one made it (see `embodied.cli.trust`).

    Raises:
        StoreError: The run was made with other versions, `words` would make another run of it, or nobody answers for
            the folder.
    """
    run, part = Run(root), Shard.parse(shard)
    require_trust(run, trust, play=True)
    if older := older_versions(run.record):
        only_read = f"{root} was recorded with an older version of the environment, {older}, and can only be read"
        raise StoreError(f"{only_read}: `embodied eval ... --out ANOTHER` starts a new run.")
    unversioned = "reader" not in run.record.config.get("agent", {}).get("parse", {"reader": ""})
    config = restore(run.record.config, ["agent.parse.reader=v1", *words] if unversioned else words)
    whole = _recorded(config)
    if unversioned and whole["agent"]["parse"]["reader"] == "v1":
        del whole["agent"]["parse"]["reader"]  # a run of before readers had versions goes on as what it is
    found = versions(spec.task for spec in run.record.planned)
    now = replace(run.record, config={**run.record.config, **whole}, versions=found)
    if identity({**now.config, "simulators": now.versions}) != run.record.identity:
        raise StoreError(
            f"{root} cannot go on with another plan ({run.record.difference(now)}). `embodied eval ... --out ANOTHER`"
            " starts a new run."
        )
    specs = run.record.planned
    _check(config, [(spec.task, 1) for spec in specs])
    return _play(run, part.of(specs), config, _model(config, run.root), as_json)


def _play(run: Run, specs: Sequence[EpisodeSpec], config: EvalConfig, model: Model | None, as_json: bool) -> int:
    if not as_json:
        print(f"{counted(len(specs))} in {run.root}", flush=True)
        if again := sum((ended := run.result(spec.id)) is not None and ended.outcome == "refused" for spec in specs):
            print(f"{counted(again, 'be')} refused before; asked again last.", flush=True)
    try:
        result = interrupt.run(lambda bound: _run(run, specs, config, model, as_json, bound), abandon)
    except asyncio.CancelledError:
        result = Result(0, 0, interrupted=True)
    if result.interrupted:
        interrupt.say(
            f"Stopped. Nothing recorded is lost: the same command, or `embodied resume {run.root}`, goes on from here."
        )
        return interrupt.INTERRUPTED
    return _report(run, specs, config, result, as_json)


async def _run(
    run: Run,
    specs: Sequence[EpisodeSpec],
    config: EvalConfig,
    model: Model | None,
    as_json: bool,
    bound: interrupt.Bound,
) -> Result:
    settings, stopping = config.model.settings(), asyncio.Event()

    def make_agent(spec: EpisodeSpec) -> agents.Agent:
        return agents.build(config.agent, model, settings, spec=spec, blobs=run.blobs)

    price = price_of(config.model, config.run.price) if model is not None else None
    with interrupt.interruptible(stopping, bound):
        try:
            with listener(run, specs, price=price, silent=config.agent.policy == "human", as_json=as_json) as shown:
                workers, launch = _workers(config)
                async with Pool(workers, config.run.step_seconds, config.run.reset_seconds, launch) as pool:
                    return await run_all(
                        run, specs, make_agent, pool, Announced(shown, model), _concurrency(config, workers), stopping
                    )
        finally:
            if model is not None:
                await model.aclose()


def _report(run: Run, specs: Sequence[EpisodeSpec], config: EvalConfig, result: Result, as_json: bool) -> int:
    missing = sum(not run.scored(spec.id) for spec in specs)
    if not as_json:
        results = read(run)
        print_score(score(results))
        print_floors(results)
        print_analysis(analyse(run, results))
        print_cost(config, run)
        if result.skipped:
            print(f"{counted(result.skipped, 'be')} already scored and not played again.")
        print(f"Look: embodied view {run.root}, or as films: embodied export {run.root} --format gif")
        if result.stopped:
            print(f"The run stopped early: {plain(result.stopped)} `embodied resume {run.root}` goes on from here.")
        elif result.elsewhere:
            print(f"{counted(result.elsewhere, 'be')} left to another process, which is playing them.")
        elif missing:
            print(f"{counted(missing, 'have')} no score; `embodied resume {run.root}` plays again.")
    return 5 if missing else 0


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


def _concurrency(config: EvalConfig, workers: int) -> int:
    if config.run.concurrency is not None:
        return config.run.concurrency
    if config.agent.policy == "human" or config.model.provider == "gguf":
        return 1
    if config.model.provider == "transformers":
        return config.model.batch * max(1, config.run.replicas)
    return workers * (8 if agents.needs_model(config.agent.policy) else 2)


def _tasks(request: Request, run: dict[str, Any], image: bool) -> tuple[EvalConfig, list[tuple[TaskSpec, int]]]:
    """The configuration, and every task with its options and number of episodes."""
    config = request.compose(request.env, run, image)
    if request.suite is None:
        return config, _of_environment(config)
    counts = {(env, task): episodes for env, task, episodes in find_suite(request.suite).tasks}
    offered = {option for env, _ in counts for option in env_options(env)}
    for option in filter(None, map(_env_option, request.words)):
        if option not in offered:
            raise unknown(f"environment option in {request.suite}", option, sorted(offered), "embodied show ENV")
    tasks = []
    for name in dict.fromkeys(env for env, _ in counts):
        if config.image and not ENTRIES[name].picture:
            print(
                f"{name} has no picture and is left out of {request.suite} with --image, as in BALROG's VLM"
                " leaderboard.",
                file=sys.stderr,
            )
            continue
        mine = _of_environment(request.compose(name, run, image))
        tasks += [
            (spec, config.run.episodes or counts[name, spec.task]) for spec, _ in mine if (name, spec.task) in counts
        ]
    return config, tasks


def _pictures(request: Request) -> bool:
    """Whether the agent sees pictures where nothing is said: when the questions are about pictures, and a model is
    asked that reads them.
    """
    names = [request.env] if request.env is not None else [env for env, *_ in find_suite(request.suite or "").tasks]
    if not any(name in ENTRIES and ENTRIES[name].seen for name in names):
        return False
    config = request.compose(request.env, {}, True)
    if not agents.needs_model(config.agent.policy):
        return False
    if _blind(config):
        print(
            f"{config.model.provider}/{config.model.name} reads no images: it is asked in text alone.", file=sys.stderr
        )
        return False
    return True


def _blind(config: EvalConfig) -> bool:
    """Whether the model is known to read no pictures, and would be sent some."""
    return config.model.provider == "gguf" and config.model.mmproj is None and agents.shows_pictures(config.agent)


def _of_environment(config: EvalConfig) -> list[tuple[TaskSpec, int]]:
    """The tasks of the configuration's environment, each with its options and number of episodes."""
    options = {k: v for k, v in (config.env or {}).items() if v is not None}
    name, wanted = options.pop("name", None), options.pop("task", None)
    if not isinstance(name, str):
        raise UsageError(
            "No environment is named: the key env.name is missing. `embodied list envs` lists the environments."
        )
    if config.image:
        options["image"] = True
    if config.run.steps is not None:
        options["max_steps"] = config.run.steps
    if config.agent.policy == "expert":
        options["expert"] = _expert(name, config.agent.expert)
    if name.startswith("gym:"):
        return [(TaskSpec(name, "", options), config.run.episodes or 1)]
    found = entry(name)
    if config.image and not found.picture:
        raise UsageError(f"{name} has no picture: leave out --image.")
    now = resolved(options)
    check_options(found, now)
    if "data" in now and not Path(now["data"]).is_dir():
        raise UsageError(f"--data: there is no folder {now['data']}.")
    names = [check_task(found, t.strip()) for t in str(wanted).split(",")] if wanted else found.tasks
    return [
        (TaskSpec(name, task, _for_task(found, task, options, bool(wanted))), config.run.episodes or found.episodes)
        for task in names
    ]


def _expert(name: str, wanted: str) -> bool | str:
    """The value of the environment's option `expert`."""
    if name not in ENTRIES or (wanted and wanted in ENTRIES[name].experts):
        return wanted or True
    if not ENTRIES[name].experts:
        having = ", ".join(e.name for e in ENTRIES.values() if e.experts)
        raise UsageError(
            f"{name} has no expert; {having} have one. You can play it yourself and record that: `embodied play"
            f" {name}`."
        )
    if wanted:
        raise unknown(f"expert of {name}", wanted, list(ENTRIES[name].experts), "embodied list envs")
    return True


def _for_task(found: Entry, task: str, options: Json, named: bool) -> Json:
    """Published files go to the tasks that have any; naming a task that has none is the environment's to refuse."""
    if "data" in options and not named and not task.startswith(found.data_tasks):
        return {k: v for k, v in options.items() if k != "data"}
    return options


def _check(config: EvalConfig, tasks: list[tuple[TaskSpec, int]]) -> None:
    """Finds what is wrong with a request before anything is written: numbers, the agent, and one environment of each
    kind, made for a moment.
    """
    for key in ("episodes", "steps", "workers", "concurrency", "step_seconds", "reset_seconds"):
        value = getattr(config.run, key)
        if value is not None and not 0 < value < inf:
            raise UsageError(f"run.{key} must be above 0 and finite, not {value}.")
    agents.check(config.agent)
    if config.model.provider:
        models.check(config.model)
    if agents.needs_model(config.agent.policy) and not config.model.provider:
        raise UsageError(
            f"The agent {config.agent.policy} needs a model: add --model provider/name (`embodied list models`), or"
            " take a preset (`embodied list agents`)."
        )
    if config.agent.perception != "none" and not config.image:
        raise UsageError(
            f"agent.perception={config.agent.perception} is about pictures: add --image. They are not sent to the"
            " model."
        )
    if config.image and agents.needs_model(config.agent.policy) and _blind(config):
        raise UsageError(
            f"gguf/{config.model.name} reads no images. Play with --text, or give its image projector with"
            " model.mmproj=FILE."
        )
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
    each_task = config.agent.format is not None  # tasks of one environment may differ in what they accept
    for spec in {(spec.env, spec.task if each_task else ""): spec for spec, _ in tasks}.values():
        env = envs.make(spec.env, spec.task or None, **resolved(spec.kwargs))
        env.close()
        name = f"{spec.env} {spec.task}".strip()
        agents.check_actions(config.agent, name, not isinstance(env.action_space, FreeText))


def _check_agents(config: EvalConfig, model: Model | None, specs: Sequence[EpisodeSpec]) -> None:
    """Makes an agent for one episode of each task, so that missing demonstrations end the request before anything is
    written.
    """
    for spec in {spec.task.task: spec for spec in specs}.values():
        agents.build(config.agent, model, config.model.settings(), spec=spec, blobs=MemoryBlobs())


def _model(config: EvalConfig, root: Path) -> Model | None:
    return build_model(config, root) if agents.needs_model(config.agent.policy) else None


def _recorded(config: EvalConfig) -> Json:
    """The configuration as recorded, and as hashed into the identity of the run: without what does not change an
    episode.
    """
    whole = recorded(config)
    for group, key in LATER:  # a run of a time before the key is still the same run
        if whole[group][key] is None:
            del whole[group][key]
    return {
        **{k: v for k, v in whole.items() if k not in ("suite", "run")},
        "run": {k: v for k, v in whole["run"].items() if k not in HOW},
    }


def versions(specs: Iterable[TaskSpec] = ()) -> dict[str, str]:
    """Versions of what can move a score: of installed distributions, and of the environments of `specs` that have had
    more than one.
    """
    played = {ENTRIES[spec.env] for spec in specs if spec.env in ENTRIES}
    found = {e.family: e.version for e in sorted(played, key=lambda e: e.id) if e.version != "v0"}
    for name in ("embodied-suite", *SIMULATORS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
