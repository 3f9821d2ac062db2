"""The runs of `embodied ablate`, one after the other, and the table over them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from embodied.catalog import ENTRIES
from embodied.cli import interrupt
from embodied.cli.ablation_table import print_ablation
from embodied.cli.progress import listener
from embodied.cli.session import performed
from embodied.cli.trust import say
from embodied.controls import CONTROLS, in_words
from embodied.errors import UsageError
from embodied.eval.ablation import AGENT, MAJORITY, RANDOM, Condition, Task, majority
from embodied.eval.leaderboard.board import slug
from embodied.models.prices import Price
from embodied.quantities import episodes
from embodied.request import Request
from embodied.rollout.playing import Job, silent_controls
from embodied.rollout.runner import Listener, Listeners
from embodied.session import prepare
from embodied.store.run import Run
from embodied.terminal import plain, shell_word
from embodied.types import EpisodeSpec

UNSEEING_POLICIES = ("random", "constant", "scripted", "expert")
"""Policies that look at no picture, also where they are given one."""
OURS = ("run.control", "run.out")
"""Keys that the command sets for each condition."""


class Stopped(Exception):
    """The command ends here, with an exit code."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


class Ablation:
    """The conditions of one agent.

    Args:
        request: The agent as it is; `out` is the folder of all runs.
        metric: What is compared.
        as_json: Print nothing but JSON at the end.

    Raises:
        UsageError: The agent sees nothing, the environment shows nothing, or something else makes no sense.
    """

    def __init__(self, request: Request, metric: str, as_json: bool):
        _check_words(request.words)
        _check_pictures(request)
        self._metric, self._json = metric, as_json
        job = prepare(request, say=say)
        _check_seeing(job, request.agent)
        self.out = Path(request.out or job.root.with_name(f"ablate-{job.root.name}"))
        self._request = replace(request, out=str(self.out / AGENT))
        self._job = prepare(self._request, say=lambda text: None)
        self._missing = False

    def play(self) -> int:
        """Plays all conditions and prints the table.

        Returns:
            The exit code: 0 when every planned episode is scored, 5 when not, 130 when it was interrupted.
        """
        try:
            conditions = list(self._conditions())
        except Stopped as stopped:
            return stopped.code
        print_ablation(conditions, self._job, self.out, self._metric, self._json)
        return 5 if self._missing else 0

    # ----------------------------------------------------------------- conditions

    def _conditions(self) -> Iterator[Condition]:
        try:
            silent = asyncio.run(silent_controls(self._job, list(CONTROLS)))
        except KeyboardInterrupt:
            raise Stopped(interrupt.INTERRUPTED) from None
        meaning = f"{self._request.agent} as it is"
        self._say(AGENT, meaning)
        own = self._played(self._job)
        if not any(own.scored(spec.id) for spec in self._job.specs):
            say(f"The agent has no scored episode, so there is nothing to compare: look at {self._job.root}.")
            raise Stopped(5)
        yield Condition(AGENT, meaning, (own,))
        for control, meaning in CONTROLS.items():
            yield self._controlled(control, meaning, silent[control])
        meaning = "an agent that draws each action by chance and looks at nothing"
        self._say(RANDOM, meaning)
        yield Condition(RANDOM, meaning, (self._played(self._prepared(self._unseeing(RANDOM), RANDOM)),))
        yield self._majority(majority(own))

    def _controlled(self, control: str, meaning: str, silent: Mapping[Task, str]) -> Condition:
        """The agent under a control, on the tasks that the control says something about."""
        tasks = self._tasks()
        left = [task for task in tasks if task not in silent]
        if not left:
            return Condition(control, meaning, (), silent)
        self._say(control, meaning)
        request = replace(self._request, words=(*self._request.words, f"run.control={control}"))
        if len(left) == len(tasks):
            return Condition(control, meaning, (self._played(self._prepared(request, control)),), silent)
        runs = []
        for env in dict.fromkeys(env for env, _ in left):
            names = ",".join(task for of, task in left if of == env and task)
            narrow = replace(request, env=(env,), task=names or None)
            narrow = replace(narrow, words=_of_one(request.words, env, self._request.env))
            runs.append(self._played(self._prepared(narrow, f"{control}-{slug(env)}")))
        return Condition(control, meaning, tuple(runs), silent)

    def _majority(self, phrases: Mapping[Task, str]) -> Condition:
        """Always the same action, one run for each that is the most frequent one of some tasks."""
        said = ", ".join(dict.fromkeys(f"`{phrase}`" for phrase in phrases.values()))
        meaning = f"always the action that the agent itself chose most often in the task ({said or 'none'})"
        silent = {task: "The agent never chose an action that exists there." for task in self._tasks()}
        silent = {task: why for task, why in silent.items() if task not in phrases}
        if phrases:
            self._say(MAJORITY, meaning)
        runs = []
        groups = dict.fromkeys((env, phrase) for (env, _), phrase in phrases.items())
        for env, phrase in groups:
            tasks = [task for (of, task), said in phrases.items() if (of, said) == (env, phrase)]
            digest = hashlib.sha256("\n".join([env, phrase, *tasks]).encode("utf-8", "replace")).hexdigest()[:6]
            request = self._unseeing("constant")
            request = replace(
                request,
                env=(env,),
                task=",".join(filter(None, tasks)) or None,
                words=_of_one(request.words, env, self._request.env),
                options={**request.options, "agent.script": [phrase]},
            )
            runs.append(self._played(self._prepared(request, f"{MAJORITY}-{slug(phrase)[:24]}-{digest}")))
        return Condition(MAJORITY, meaning, tuple(runs), silent)

    def _unseeing(self, policy: str) -> Request:
        """The request of an agent that looks at nothing: without what is said of the agent and its model."""
        request = self._request
        words = tuple(w for w in request.words if w.lstrip("+~").startswith(("env.", "run.")))
        steps = request.steps or self._job.config.run.steps  # an agent's preset may say it
        task = ",".join(filter(None, (task for _, task in self._tasks()))) if request.alone else request.task
        request = replace(request, task=task or None, steps=steps, words=words)
        return replace(request, agent=policy, version=None, model=None, image=False)

    def _tasks(self) -> list[Task]:
        return list(dict.fromkeys((spec.task.env, spec.task.task) for spec in self._job.specs))

    # ----------------------------------------------------------------- playing

    def _prepared(self, request: Request, folder: str) -> Job:
        return prepare(replace(request, out=str(self.out / folder)), say=lambda text: None)

    def _played(self, job: Job) -> Run:
        """The run of a job, played where it was not.

        Raises:
            Stopped: It was interrupted, or ended early: the conditions after it would end so too.
        """
        if (job.root / "run.json").is_file() and not job.owed():
            if not self._json:
                print(f"{episodes(len(job.specs), 'be')} already in {job.root}", flush=True)
            return Run(job.root)
        run, result = performed(job, self._watch)
        same = f"Nothing recorded is lost: the same command continues from here ({shell_word(self.out)})."
        if result.interrupted or run is None:
            interrupt.say(f"Stopped. {same}")
            raise Stopped(interrupt.INTERRUPTED)
        if result.stopped:
            say(plain(f"The run in {run.root} stopped early: {result.stopped} {same}"))
            raise Stopped(5)
        self._missing = self._missing or any(not run.scored(spec.id) for spec in job.specs)
        return run

    @contextmanager
    def _watch(
        self, run: Run, specs: Sequence[EpisodeSpec], price: Price | None, stopping: asyncio.Event
    ) -> Iterator[Listener]:
        if self._json:
            yield Listeners(())
            return
        print(f"{episodes(len(specs))} in {run.root}", flush=True)
        with listener(run, specs, price=price, silent=self._job.config.agent.policy == "human") as shown:
            yield shown

    def _say(self, name: str, meaning: str) -> None:
        if not self._json:
            print(plain(f"\n{in_words(name)}: {meaning}"), flush=True)


def _check_words(words: Sequence[str]) -> None:
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if key in OURS:
            raise UsageError(f"`embodied ablate` sets {key} for each condition: leave out {word}.")
        if key == "agent":
            raise UsageError(f"Name the agent with --agent, not with {word}.")


def _check_pictures(request: Request) -> None:
    """Raises `UsageError` for an environment that shows no pictures."""
    for name in request.env:
        if name in ENTRIES and not ENTRIES[name].picture:
            raise UsageError(f"{name} shows no pictures, so there are none to take away: name another --env.")


def _check_seeing(job: Job, agent: str) -> None:
    """Raises `UsageError` for an agent that sees no pictures."""
    if job.config.agent.policy in UNSEEING_POLICIES:
        raise UsageError(f"The agent {job.config.agent.policy} looks at no pictures, so there are none to take away.")
    if not job.config.image:
        raise UsageError(f"The agent {agent} gets no pictures here, so there are none to take away: add --image.")


def _of_one(words: Sequence[str], env: str, named: Sequence[str]) -> tuple[str, ...]:
    """Words for a run of one environment of several: without options that it does not have."""
    from embodied.config import env_options
    from embodied.request import env_option

    if len(named) < 2 or env.startswith("gym:"):
        return tuple(words)
    return tuple(w for w in words if (option := env_option(w)) is None or option in env_options(env))
