"""The Python API, over which the command line is a thin skin.

    import embodied

    done = embodied.evaluate("babyai", "random", task="goto", episodes=3)
    print(done)

`evaluate` and `resume` work in a script, in a test, and in a notebook, where an event loop is running already.
`evaluate_async` and `resume_async` are the same for code that awaits.
"""

from __future__ import annotations

import asyncio
import glob
import sys
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from embodied.agents.versions import AgentVersion
from embodied.config import restore
from embodied.controls import control_of
from embodied.errors import EmbodiedError, StoppedEarly, StoreError, UsageError
from embodied.eval.settings import older_versions
from embodied.evaluation import Evaluation
from embodied.registry import unknown
from embodied.request import Request, planned
from embodied.rollout import playing
from embodied.rollout.identity import deciding, difference, of_plugins, run_identity, unnamed, versions
from embodied.rollout.plan import Shard, plan
from embodied.rollout.playing import Factory, Job
from embodied.rollout.runner import Listener, Listeners, OfThePlan
from embodied.splits import check_split
from embodied.store.record import ASSISTED, FORMAT
from embodied.store.run import Run, RunRecord
from embodied.terminal import plain, shell_word
from embodied.train.improve import EPISODES, Loop, Wanted
from embodied.train.rounds import Curve
from embodied.trust import note, require_trust, require_trust_in_agent
from embodied.versions import find, of_run, place

P = ParamSpec("P")
T = TypeVar("T")
LOOKING = 0.2
"""Seconds between two checks whether a waiting call was cancelled."""
_begun: ContextVar[list[Job]] = ContextVar("begun")
"""The job of the call, for what is said when it is interrupted."""
Say = Callable[[str], None]
"""Takes a sentence that the user must know and that is not an error."""


def alone(call: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The same call, whose errors on purpose are one sentence, without the errors that led to them."""

    @wraps(call)
    async def calling(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await call(*args, **kwargs)
        except EmbodiedError as error:
            raise error.with_traceback(None) from None

    return calling


@alone
async def evaluate_async(
    env: str | Sequence[str] | None = None,
    agent: str | Path | Factory | None = None,
    model: str | None = None,
    *,
    task: str | None = None,
    suite: str | None = None,
    episodes: int | None = None,
    seed: int = 0,
    split: str | None = None,
    steps: int | None = None,
    image: bool | None = None,
    out: str | Path | None = None,
    data: str | Path | None = None,
    shard: str | None = None,
    corrector: str | None = None,
    trust: bool = False,
    listeners: Sequence[Listener] = (),
    options: Mapping[str, Any] | None = None,
    **keywords: Any,
) -> Evaluation:
    """Plays an agent on environments and scores it.

    The same call continues an interrupted run, and does not play again what is scored already. `evaluate` waits for the
    end; `evaluate_async` is for code that awaits. To interrupt or cancel a call loses nothing that is recorded.

    Args:
        env: An environment (`embodied list envs`), `gym:ID` for any other Gymnasium environment, or several of them.
        agent: A preset or a policy (`embodied list agents`), or an agent's folder (`docs/agents.md`). Or a function of
            yours that takes an `embodied.agents.Kit` and returns an `Agent`: the run records its module and name, not
            its code, so name another `out` when you change it.
        model: `provider/name`, for instance `openai/gpt-4o`.
        task: One task, or several separated by commas; None for all. A part of a name is enough if it fits one task.
            Of several environments, each name reaches those that have it.
        suite: A suite (`embodied list suites`) in place of `env`.
        episodes: Episodes per task, at least 1; None for the environment's or the suite's number.
        seed: The suite seed. The same seed gives every agent the same episodes.
        split: `test` (the default); `train`, from which agents may learn; or `dev`, which decides what is kept.
        steps: Step limit, at least 1; None for the environment's.
        image: Whether the agent sees pictures; None: where the questions are about pictures and the model reads them.
        out: The run folder; None for `runs/<environment>-<agent>-<hash>`.
        data: A folder with the environment's published files.
        shard: Play one part of several: `1/4` to `4/4`.
        corrector: Who speaks to the agent while it acts (`embodied list correctors`); None for nobody.
        trust: You answer for the agent's folder, although another user or machine made it.
        listeners: Hear every start, step and end of an episode (`embodied.rollout.runner.Listener`).
        options: Any key of the configuration (`embodied list options`), as `{"agent.history.text": 4}`.
        **keywords: The same, with two underscores for each dot: `agent__history__text=4`.

    Returns:
        Scores and episodes. An episode that failed is not an exception: see `coverage` and `stopped`.

    Raises:
        UsageError: Something in the request makes no sense.
        MissingExtra, MissingKey: Something is not installed, or there is no API key.
        EnvironmentFailure: The environment cannot be made.
        StoreError: The run folder cannot be used.
    """
    if seed < 0:
        raise UsageError(f"seed must be 0 or above, not {seed}.")
    name, factory = _agent(agent)
    version = find(name)
    if version is not None:
        require_trust_in_agent(version, trust, say=_warn)
    request = Request(
        agent=name,
        version=version,
        env=environments([env] if isinstance(env, str) else env or ()),
        suite=suite,
        task=task,
        model=model,
        data=None if data is None else str(data),
        image=image,
        episodes=episodes,
        seed=seed,
        split=split,
        steps=steps,
        out=None if out is None else str(out),
        options=_options(options, keywords),
        corrector=corrector,
    )
    return await _evaluated(prepare(request, shard, _warn, factory), listeners)


@alone
async def resume_async(
    folder: str | Path,
    *,
    agent: Factory | str | Path | None = None,
    shard: str | None = None,
    trust: bool = False,
    listeners: Sequence[Listener] = (),
    options: Mapping[str, Any] | None = None,
    **keywords: Any,
) -> Evaluation:
    """Continues a run, in the middle of episodes too. `resume` waits for the end; `resume_async` is for code that
    awaits.

    Args:
        folder: The run folder.
        agent: The function that made the agents, where the run was played with one of yours. Or the agent's folder,
            where it was moved since the run was played with it.
        shard: Play one part of several: `1/4` to `4/4`.
        trust: You take responsibility for the folders, although another user or machine made them (`docs/runs.md`).
        listeners: As for `evaluate`.
        options: How to play on, as `{"run.workers": 4}`.
        **keywords: The same, with two underscores for each dot: `run__workers=4`.

    Returns:
        As `evaluate`.

    Raises:
        StoreError: It is not a run folder, the run cannot continue, or the folder is not trusted.
        EmbodiedError: As `evaluate`.
    """
    place = agent if isinstance(agent, str | Path) else None
    factory = None if agent is None or isinstance(agent, str | Path) else _agent(agent)[1]
    run = Run(folder)
    require_trust(run, trust, play=True, say=_warn)
    version = played_version(run, place)
    if version is not None:
        require_trust_in_agent(version, trust, say=_warn)
    return await _evaluated(reopen(run, (), _options(options, keywords), shard, factory, version), listeners)


def blocking(call: Callable[P, Coroutine[Any, Any, T]], name: str) -> Callable[P, T]:
    """The same call for code that does not await; where an event loop is running (a notebook), in a thread. When it is
    interrupted, it says how to go on.
    """

    @wraps(call)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> T:
        run = _in_thread if _in_a_loop() else asyncio.run
        begun: list[Job] = []
        token = _begun.set(begun)
        try:
            return run(call(*args, **kwargs))
        except EmbodiedError as error:
            raise error.with_traceback(None) from None
        except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
            print(_kept(begun), file=sys.stderr, flush=True)
            raise interrupt.with_traceback(None) from None
        finally:
            _begun.reset(token)

    waiting.__name__ = waiting.__qualname__ = name
    return waiting


class _Quiet:
    """Plays the runs of an improvement without a word."""

    def __init__(self, listeners: Sequence[Listener]):
        self._listeners = listeners

    def job(self, request: Request) -> Job:
        return prepare(request, say=_warn)

    def play(self, request: Request, what: str) -> Run:
        job = prepare(request, say=lambda text: None)

        @contextmanager
        def watch(*_: object) -> Iterator[Listener]:
            yield OfThePlan(Listeners(self._listeners))

        run, result = asyncio.run(playing.play(job, watch, created=lambda record: note(record, _warn)))
        if result.stopped or run is None:
            raise StoppedEarly(f"{job.root} stopped early: {result.stopped}")
        return run


@alone
async def improve_async(
    env: str | Sequence[str],
    agent: str | Path,
    learner: str,
    *,
    corrector: str | None = None,
    rounds: int = 3,
    episodes: int = EPISODES,
    dev: int | None = None,
    test: int | None = None,
    task: str | None = None,
    model: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    image: bool | None = None,
    out: str | Path | None = None,
    runs: Sequence[str | Path] = (),
    ceiling: bool = False,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    threads: int = 1,
    trust: bool = False,
    listeners: Sequence[Listener] = (),
    say: Say = print,
    options: Mapping[str, Any] | None = None,
    **keywords: Any,
) -> Curve:
    """Improves an agent: in each round it plays training episodes, a learner makes a version of what was recorded,
    and a gate keeps the better one. `improve` waits for the end. The same call continues what was interrupted.

    Args:
        env: As for `evaluate`.
        agent: A preset, a policy or an agent's folder.
        learner: How it gets better (`embodied list learners`).
        corrector: Who corrects it in training episodes.
        rounds: At least 1.
        episodes: Training episodes of each task in a round.
        dev: Dev episodes of each task at a gate; None for what shows a difference of .15.
        test: Test episodes of each task; None for the environment's number.
        task: As for `evaluate`.
        model: As for `evaluate`.
        seed: The suite seed of the test; all else is derived from it.
        steps: As for `evaluate`.
        image: As for `evaluate`.
        out: The folder of all runs and versions; None for one in `runs/`.
        runs: Recorded runs of the train split to learn from besides.
        ceiling: Whether the first version with its corrector, and the environment's expert, play the test, too.
        settings: The learner's own, as `{"preset": "paper"}`; `model` names the model that it asks.
        device: For training: auto, cpu, cuda or cuda:N.
        threads: CPU threads for training.
        trust: As for `evaluate`.
        listeners: Hear what happens in every run.
        say: Takes a line about what happens.
        options: Any key of the configuration; `run.budget.tokens` and `run.budget.dollars` are the budget of all runs
            together.
        **keywords: The same, with two underscores for each dot.

    Returns:
        The learning curve on the test episodes, which decided nothing.

    Raises:
        UsageError: Something in the request makes no sense.
        EmbodiedError: A run or the learner failed; everything that was done is kept.
    """
    version = find(str(agent))
    if version is not None:
        require_trust_in_agent(version, trust, say=_warn)
    request = Request(
        agent=str(agent),
        version=version,
        env=environments([env] if isinstance(env, str) else env),
        task=task,
        model=model,
        image=image,
        seed=seed,
        steps=steps,
        out=None if out is None else str(out),
        options=_options(options, keywords),
    )
    given = tuple(Run(folder) for folder in runs)
    for run in given:
        require_trust(run, trust, play=False, say=_warn)
    own = settings or {}
    places = {"device": device, "threads": threads, "trust": trust}
    wanted = Wanted(request, learner, own, corrector, rounds, episodes, dev, test, given, ceiling, **places)  # type: ignore[arg-type]  # by name
    return await asyncio.to_thread(Loop(wanted, _Quiet(listeners), say).run)


improve = blocking(improve_async, "improve")
evaluate = blocking(evaluate_async, "evaluate")
resume = blocking(resume_async, "resume")


def prepare(request: Request, shard: str | None = None, say: Say = print, factory: Factory | None = None) -> Job:
    """The run that a request means. Makes nothing and writes nothing.

    Args:
        request: What to evaluate.
        shard: See `Shard.parse`.
        say: See `Say`.
        factory: An agent of the user's own.

    Raises:
        UsageError: Something in the request makes no sense.
        StoreError: The folder holds another run.
    """
    part = Shard.parse(shard)
    config, tasks = planned(request, say)
    if factory is not None:
        config.agent.policy = _named(factory)
    named = request.agent if request.version is None else request.version.label
    whole = {"suite": request.suite, "preset": named or config.agent.policy, **deciding(config)}
    if request.alone is None:
        whole["env"] = {spec.env: spec.kwargs for spec, _ in tasks}
        if request.task is not None:
            whole["tasks"] = [f"{spec.env} {spec.task}" for spec, _ in tasks]
    found = versions((spec for spec, _ in tasks), of_plugins(config))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    form = ASSISTED if config.corrector.name else FORMAT
    record = RunRecord(run_identity(whole, found), whole, (), found, now, request.suite or "", form)
    agent = request.agent if request.version is None else request.version.record.name
    agent = agent or config.agent.policy.rpartition(":")[2]
    agent += f"-{config.corrector.name}" * bool(config.corrector.name)
    split = check_split(config.run.split)
    name = request.name if split == "test" else f"{request.name}-{split}"
    name = f"{name}-{config.run.control}" if control_of(whole) else name
    root, before = _folder(config.run.out, f"{name}-{agent}", record)
    record = replace(record, identity=before.identity) if before else record
    specs = plan(tasks, config.run.seed, record.identity, before.planned if before else (), split)
    return Job(config, root, replace(record, planned=specs), part.of(specs), factory=factory)


def reopen(
    run: Run,
    words: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
    shard: str | None = None,
    factory: Factory | None = None,
    version: AgentVersion | None = None,
) -> Job:
    """The part of a run that is left to play.

    Args:
        run: The run; its folder is trusted (see `embodied.trust`).
        words: How to play on, `key=value`.
        values: The same as dotted key -> value.
        shard: See `Shard.parse`.
        factory: An agent of the user's own.
        version: From `played_version`.

    Raises:
        StoreError: The run was made with other versions, or `words` would make another run of it.
        UsageError: Something makes no sense.
    """
    part = Shard.parse(shard)
    record = run.record
    if older := older_versions(record):
        only_read = f"{run.root} was recorded with an older version of the environment, {older}, and can only be read"
        raise StoreError(f"{only_read}: `embodied eval ... --out ANOTHER` starts a new run.")
    config = restore(record.config, [*unnamed(record), *words], values or {})
    config.model.sha256 = config.corrector.model.sha256 = ""
    place(config, version)
    for model, recorded in ((config.model, record.config), (config.corrector.model, record.config.get("corrector"))):
        model.sha256 = model.sha256 or str(((recorded or {}).get("model") or {}).get("sha256") or "")
    found = versions((spec.task for spec in record.planned), of_plugins(config))
    now = replace(record, config={**record.config, **deciding(config)}, versions=found)
    if what := difference(record, now):
        raise StoreError(
            f"{run.root} cannot take another plan ({what}). `embodied eval ... --out ANOTHER` starts a new run."
        )
    return Job(config, run.root, record, part.of(record.planned), run, factory)


def played_version(run: Run, folder: str | Path | None = None) -> AgentVersion | None:
    """The version that a run was played with; None where it was none.

    Arguments and errors are those of `embodied.versions.of_run`.
    """
    agent = run.record.config.get("agent")
    recorded = agent.get("version") if isinstance(agent, dict) else ""
    return of_run(str(recorded or ""), folder, run.root)


def environments(named: Iterable[str]) -> tuple[str, ...]:
    """Names of environments, each of which may be several separated by commas."""
    return tuple(name for text in named for name in map(str.strip, str(text).split(",")) if name)


async def _evaluated(job: Job, listeners: Sequence[Listener]) -> Evaluation:
    @contextmanager
    def watch(*_: object) -> Iterator[Listener]:
        yield OfThePlan(Listeners(listeners))

    _begun.get([]).append(job)
    run, result = await playing.play(job, watch, created=lambda record: note(record, _warn))
    return Evaluation.of(run, result.stopped)


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _kept(begun: Sequence[Job]) -> str:
    """What an interrupted call says."""
    if not begun or not (begun[0].root / "run.json").exists():
        return "Interrupted before anything was recorded. The same call begins again."
    root = begun[0].root
    way = (
        f"`embodied resume {shell_word(root)}`"
        if begun[0].factory is None
        else f"`embodied.resume({str(root)!r}, ...)`"
    )
    return plain(f"Interrupted. What is recorded is kept: the same call, or {way}, goes on from here.")


def _folder(out: str | None, name: str, record: RunRecord) -> tuple[Path, RunRecord | None]:
    """Where the run goes, and what stands there already of the same run.

    Where no folder is named, an earlier version of this package may have begun the run under another hash.
    """
    root = Path(out or f"runs/{name}-{record.identity[:8]}")
    if (root / "run.json").is_file():
        run = Run(root)
        if what := difference(run.record, record):
            raise run.another_plan(what)
        return root, run.record
    for path in [] if out else sorted(root.parent.glob(f"{glob.escape(name)}-*/run.json")):
        with suppress(StoreError):  # another run, damaged or not
            before = Run(path.parent).record
            if not difference(before, record):
                return path.parent, before
    return root, None


def _agent(agent: str | Path | Factory | None) -> tuple[str, Factory | None]:
    """The name of an agent, or the function that makes it."""
    if agent is None or agent == "":
        raise UsageError("Name an agent, for instance agent='random'. `embodied list agents` lists them all.")
    if isinstance(agent, Path):
        return str(agent.absolute()), None
    if isinstance(agent, str):
        return agent, None
    _named(agent)
    return "", agent


def _named(factory: Factory) -> str:
    """How a run records an agent of the user's own: `module:name`."""
    module, name = getattr(factory, "__module__", None), getattr(factory, "__qualname__", None)
    if not callable(factory) or not module or not name or "<lambda>" in name:
        raise UsageError(
            f"An agent is a name, or a function or class with a name that takes a Kit; not {factory!r}. Write it with"
            " `def`: the run records its name."
        )
    return f"{module}:{name}"


def _options(options: Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted key -> value. Raises `UnknownName` for a keyword that is neither an argument nor a key."""
    for name in keywords:
        if "__" not in name:
            known = [*evaluate_async.__annotations__.keys() - {"return", "keywords"}]
            raise unknown("argument", name, sorted(known), "help(embodied.evaluate)")
    return {**(options or {}), **{name.replace("__", "."): value for name, value in keywords.items()}}


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=2)


def _in_thread(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in a thread. An interrupt cancels `main`, waits for its end, and is then raised again."""
    done: Future[T] = Future()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def told() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await main

    def work() -> None:
        try:
            done.set_result(asyncio.run(told()))
        except BaseException as error:  # noqa: BLE001 - any exception is raised again in the thread that waits
            done.set_exception(error)

    thread = threading.Thread(target=copy_context().run, args=(work,), name="embodied")
    thread.start()
    try:
        _wait(done)
    except (KeyboardInterrupt, asyncio.CancelledError):
        loop, task = started.result()
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    return done.result()


def _wait(done: Future[T]) -> None:
    """Waits, in a thread whose own event loop stands still meanwhile.

    Raises:
        KeyboardInterrupt: The user interrupts.
        asyncio.CancelledError: The task that waits was cancelled. `asyncio.run` turns the first Ctrl-C into that.
    """
    waiting = asyncio.current_task()
    while not wait([done], LOOKING).done:
        if waiting is not None and waiting.cancelling():
            raise asyncio.CancelledError
