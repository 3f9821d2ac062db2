"""From a request to the configuration and the tasks that it means: nothing is built or played here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec import UNSET

from embodied import agents, correctors, models
from embodied.agents.versions import AgentVersion
from embodied.catalog import ENTRIES, Entry, check_task, entry
from embodied.config import EvalConfig, blind, compose, env_defaults, env_options
from embodied.controls import NONE, check_control
from embodied.errors import UnknownName, UsageError
from embodied.eval.suites import suite as find_suite
from embodied.registry import unknown
from embodied.splits import check_split, check_tasks, options_of
from embodied.types import Json, TaskSpec
from embodied.variables import resolved
from embodied.versions import check_pictures, check_words, check_worlds, member, place, settings, view
from embodied.versions import check_tasks as check_tasks_of_version

Tasks = list[tuple[TaskSpec, int]]
"""Each task with its options, and its number of episodes."""


@dataclass(frozen=True)
class Request:
    """What to evaluate, as a user says it."""

    agent: str
    """A preset, a policy or a version; empty for an agent of the user's own, which has no such name."""
    env: tuple[str, ...] = ()
    """Environments, or one of the user's presets of the group `env`; or `suite` names a suite."""
    suite: str | None = None
    task: str | None = None
    """One task, or several separated by commas; None for all. Of several environments, each name reaches those that
    have it.
    """
    model: str | None = None
    """`provider/name`."""
    data: str | None = None
    """A folder with published files."""
    image: bool | None = None
    """Whether the agent sees pictures; None where it depends on the environment and the model."""
    episodes: int | None = None
    seed: int = 0
    split: str | None = None
    """train, dev or test; None for test, or what a preset says."""
    steps: int | None = None
    out: str | None = None
    words: tuple[str, ...] = ()
    """What the user typed in Hydra's grammar, `key=value`."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Dotted key -> value; weaker than words."""
    corrector: str | None = None
    """A member of the group `corrector`; None where nobody speaks to the agent."""
    version: AgentVersion | None = None
    """What `agent` names, where it is a version (`embodied.versions.find`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", tuple(dict.fromkeys(self.env)))
        if self.version is not None and self.alone is not None:
            object.__setattr__(self, "version", member(self.version, self.alone))
        if (not self.env) == (self.suite is None):
            raise UsageError(
                "Name either an environment (--env nethack) or a suite (--suite balrog). `embodied list envs` lists the"
                " environments."
            )
        if {"gym", "gym:"} & set(self.env):
            raise UsageError("Which Gymnasium environment? Write gym:ID, for instance gym:CartPole-v1.")
        if self.suite is not None and self.task is not None:
            raise UsageError("--task goes with --env, not with --suite.")
        if self.suite is not None and self.data is not None:
            raise UsageError(
                "--data goes with --env, not with --suite: each environment's published files lie in a folder of their"
                " own."
            )
        if len(self.env) > 1 and self.data is not None:
            raise UsageError(
                f"--data goes with one environment, not with {len(self.env)} of them: play each in a run of its own."
            )

    @property
    def alone(self) -> str | None:
        """The environment, where it is one and not a suite or several."""
        return self.env[0] if len(self.env) == 1 else None

    @property
    def preset(self) -> str | None:
        """The member of the group `agent`; None for a version and for an agent of the user's own."""
        return None if self.version is not None else self.agent or None

    @property
    def name(self) -> str:
        """What its run folder is called by default, without the agent."""
        several = self.env if len(self.env) <= 3 else (*self.env[:2], f"{len(self.env) - 2}-more")
        return self.suite or "+".join(several).replace(":", "-").replace("/", "-")


def planned(request: Request, say: Callable[[str], None]) -> tuple[EvalConfig, Tasks]:
    """The configuration, and every task with its options and number of episodes.

    Args:
        request: What to evaluate.
        say: Takes a sentence that the user must know and that is not an error.

    Raises:
        UnknownName: A name or key does not exist.
        UsageError: Something in it makes no sense.
        StoreError: The version sets what no version may set.
    """
    if request.version is not None:
        check_words(request.version, request.words)
        check_pictures(request.version, request.image)
        check_worlds(request.version, (name for name in _named(request) if name in ENTRIES or name.startswith("gym:")))
        request = _as_made_for(request, request.version, say)
    config, tasks = _planned(request, say)
    if request.version is not None:
        check_worlds(request.version, (spec.env for spec, _ in tasks))  # the environments of presets of the user's own
        check_tasks_of_version(request.version, (spec for spec, _ in tasks))
    place(config, request.version)
    return config, tasks


def _as_made_for(request: Request, version: AgentVersion, say: Callable[[str], None]) -> Request:
    """The request with the tasks and the pictures that a version was made for, where the user names no others."""
    if request.alone is None:
        return request
    tasks = version.record.tasks.get(request.alone)
    task = request.task or (",".join(tasks) if tasks else None)
    if tasks and not request.task and request.alone in ENTRIES:
        every = len(ENTRIES[request.alone].tasks)
        say(f"{version.record.name} plays the {len(tasks)} of {every} tasks of {request.alone} that it was made for.")
    return replace(request, task=task, options={**view(version, request.alone), **request.options})


def _named(request: Request) -> list[str]:
    """The environments, or presets of them, that a request names."""
    return list(request.env or [env for env, *_ in find_suite(request.suite or "").tasks])


def _planned(request: Request, say: Callable[[str], None]) -> tuple[EvalConfig, Tasks]:
    config = _with_pictures(request, say)
    request = replace(request, image=config.image)
    if request.alone is not None:
        return config, _of_environment(config)
    if request.suite is None:
        counts = None
        names: Sequence[str] = request.env
    else:
        counts = {(env, task): episodes for env, task, episodes in find_suite(request.suite).tasks}
        names = list(dict.fromkeys(env for env, _ in counts))
    offered = {name: _offered(name) for name in names}
    _check_offered(request, offered)
    wanted = _tasks_of_each(request)
    tasks: Tasks = []
    for name in names:
        if request.suite is not None and config.image and not ENTRIES[name].picture:
            say(
                f"{name} has no picture and is left out of {request.suite} with --image, as in BALROG's VLM"
                " leaderboard."
            )
            continue
        own = replace(request, task=wanted.get(name))
        found = _of_environment(_composed(own, name, _reaching(request, name, offered)))
        if counts is not None:
            found = [
                (spec, config.run.episodes or counts[name, spec.task])
                for spec, _ in found
                if (name, spec.task) in counts
            ]
        tasks += found
    return config, tasks


def _tasks_of_each(request: Request) -> dict[str, str]:
    """Of several environments, those of the named tasks that each has.

    Raises:
        UnknownName: None of them has a task.
        UsageError: One of them has none of the tasks, or a name is part of several tasks' names.
    """
    if request.task is None:
        return {}
    typed = [task.strip() for task in request.task.split(",")]
    has: dict[str, list[str]] = {}
    for name in request.env:
        has[name] = list(filter(None, (_task_of(name, task) for task in typed)))
    for task in typed:
        if not any(_task_of(name, task) for name in request.env):
            known = [t for e in filter(None, map(_entry_of, request.env)) for t in e.tasks]
            raise unknown(f"task of {', '.join(request.env)}", task, known, "embodied list tasks")
    for name, tasks in has.items():
        if not tasks:
            raise UsageError(
                f"{request.task!r} names no task of {name}. Name one of each environment (`embodied list tasks`), or"
                f" leave {name} out."
            )
    return {name: ",".join(tasks) for name, tasks in has.items()}


def _task_of(env: str, task: str) -> str:
    """The full name of a task of `env`; empty where it has none of that name."""
    found = _entry_of(env)
    with suppress(UnknownName):
        return check_task(found, task) if found else ""
    return ""


def _entry_of(env: str) -> Entry | None:
    """The environment, or the one that a preset of the user's own is about; None for other Gymnasium environments."""
    if env.startswith("gym:"):
        return None
    if env in ENTRIES:
        return ENTRIES[env]
    name = str((compose([], env=env).env or {}).get("name"))
    return next((e for e in ENTRIES.values() if e.name == name), None)


def _with_pictures(request: Request, say: Callable[[str], None]) -> EvalConfig:
    """The configuration of the whole request.

    By default the agent sees pictures if the questions are about pictures and its model reads them.
    """
    env = request.alone
    if request.image is None and request.version is not None and "image" in request.version.record.settings:
        request = replace(request, image=bool(request.version.record.settings["image"]))
    if request.image is not None:
        return _composed(request, env)
    seen = any(name in ENTRIES and ENTRIES[name].seen for name in _named(request))
    config = _composed(replace(request, image=seen), env)
    if not seen or (_asks(request, config) and not blind(config)):
        return config
    if _asks(request, config):
        say(f"{config.model.provider}/{config.model.name} reads no images: it gets text only.")
    return _composed(replace(request, image=False), env)


def _asks(request: Request, config: EvalConfig) -> bool:
    """Whether the agent asks a model."""
    return agents.needs_model(config.agent.policy) if request.agent else bool(config.model.provider)


def _composed(request: Request, env: str | None, reaching: Callable[[str], bool] | None = None) -> EvalConfig:
    """The configuration for one environment.

    Args:
        request: What to evaluate.
        env: The environment; None for what all have in common.
        reaching: Which keys `env.<option>` are for it; None for all.
    """
    named: dict[str, Any] = {"task": request.task if env is not None else None}
    if env is not None and env.startswith("gym:"):
        named["name"] = env
    if request.data is not None:
        if env is not None and env in ENTRIES and "data" not in env_options(env):
            raise UsageError(f"--data: {env} has no published files to read.")
        named["data"] = str(Path(request.data).resolve())
    values: dict[str, Any] = {} if request.version is None else settings(request.version)
    values |= {"image": bool(request.image), **{f"env.{key}": value for key, value in named.items()}}
    if request.model is not None:
        provider, name = models.parse_model(request.model)
        values |= {"model.provider": provider, "model.name": name}
    values |= {f"run.{key}": getattr(request, key) for key in ("episodes", "seed", "split", "steps", "out")}
    values = {key: value for key, value in values.items() if value is not None}
    free = env is not None and env.startswith("gym:")  # options that we do not know are for its constructor
    reaches = reaching or (lambda option: env is not None)
    for key, value in request.options.items():
        if (option := env_option(key)) is None or reaches(option):
            values[key] = value
    words = [
        f"++{word}" if free and word.startswith("env.") else word
        for word in request.words
        if (option := env_option(word)) is None or reaches(option)
    ]
    group = "gym" if free else env
    config = compose(words, env=group, agent=request.preset, corrector=request.corrector, values=values)
    if config.image and not config.agent.history.image and agents.shows_pictures(config.agent):
        config.agent.history.image = 1  # an agent that is given pictures sees at least the present one
    return config


def env_option(word: str) -> str | None:
    """`rules` for the word `env.rules=balrog` or the key `env.rules`; None for anything that is not about the
    environment.
    """
    key = word.lstrip("+~").partition("=")[0]
    return key.removeprefix("env.").partition(".")[0] if key.startswith("env.") else None


def _offered(env: str) -> set[str]:
    """The options of an environment, or of the one that a preset of the user's own is about."""
    if env.startswith("gym:"):
        return env_options("gym")
    if env in ENTRIES:
        return env_options(env)
    own = compose([], env=env).env or {}
    return {*own, *env_options(str(own.get("name")))} - {"name", "task"} if own.get("name") in ENTRIES else {*own}


def _check_offered(request: Request, offered: Mapping[str, set[str]]) -> None:
    """Raises `UnknownName` for an option that no environment of several has."""
    if any(name.startswith("gym:") for name in offered):
        return
    every = {option for options in offered.values() for option in options}
    for option in filter(None, map(env_option, [*request.words, *request.options])):
        if option not in every:
            where = request.suite or ", ".join(request.env)
            raise unknown(f"environment option in {where}", option, sorted(every), "embodied show ENV")


def _reaching(request: Request, env: str, offered: Mapping[str, set[str]]) -> Callable[[str], bool]:
    """Of several environments, an option reaches those that have it. Options that no environment has go to the
    constructors of other Gymnasium environments.
    """
    known = {option for options in offered.values() for option in options}
    return lambda option: option in offered[env] or (env.startswith("gym:") and option not in known)


def _of_environment(config: EvalConfig) -> Tasks:
    """The tasks of the configuration's environment, each with its options and number of episodes. The full name of each
    task that was named in short goes into the configuration.
    """
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
    elif correctors.needs_expert(config.corrector):
        if name not in ENTRIES:
            raise UsageError(
                f"{name} has no expert, and the corrector {config.corrector.name} speaks for one. Environments with an"
                f" expert: {_having_experts()}."
            )
        options["expert"] = _expert(name, config.corrector.expert)
    elif correctors.hears_expert(config.corrector) and name in ENTRIES and ENTRIES[name].experts:
        options["expert"] = _expert(name, config.corrector.expert)
    check_control(config.run.control)
    control = UNSET if config.run.control == NONE else config.run.control
    if name.startswith("gym:"):
        check_split(config.run.split)
        return [(TaskSpec(name, "", options, control), config.run.episodes or 1)]
    found = entry(name)
    _set_split(config, found, options)
    if config.image and not found.picture:
        raise UsageError(f"{name} has no picture: leave out --image.")
    now = resolved(options)
    if "data" in now and not Path(now["data"]).is_dir():
        raise UsageError(f"--data: there is no folder {now['data']}.")
    names: Iterable[str] = found.tasks
    if wanted:
        typed = [task.strip() for task in str(wanted).split(",")]
        names = list(dict.fromkeys(check_task(found, task) for task in typed))
        if names != typed and config.env is not None:
            config.env["task"] = ",".join(names)
    check_tasks(check_split(config.run.split), found, names)
    return [
        (
            TaskSpec(name, task, _for_task(found, task, options, bool(wanted)), control),
            config.run.episodes or found.episodes,
        )
        for task in names
    ]


def _set_split(config: EvalConfig, found: Entry, options: Json) -> None:
    """Puts the options that play the run's split into `options`, and into the configuration, which is recorded."""
    needed = options_of(check_split(config.run.split), found, options, env_defaults(found.name))
    options |= needed
    if config.env is not None:
        config.env |= needed


def _expert(name: str, wanted: str) -> bool | str:
    """The value of the environment's option `expert`."""
    if name not in ENTRIES or (wanted and wanted in ENTRIES[name].experts):
        return wanted or True
    if not ENTRIES[name].experts:
        raise UsageError(
            f"{name} has no expert; {_having_experts()} have one. You can play it yourself and record that:"
            f" `embodied play {name}`."
        )
    if wanted:
        raise unknown(f"expert of {name}", wanted, list(ENTRIES[name].experts), "embodied list envs")
    return True


def _having_experts() -> str:
    return ", ".join(e.name for e in ENTRIES.values() if e.experts)


def _for_task(found: Entry, task: str, options: Json, named: bool) -> Json:
    """Published files go to the tasks that have any; if the user names a task that has none, the environment refuses
    it.
    """
    if "data" in options and not named and not task.startswith(found.data_tasks):
        return {k: v for k, v in options.items() if k != "data"}
    return options
