"""The runs of `embodied ablate`, one after the other, and the table over them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from embodied.catalog import ENTRIES
from embodied.cli import interrupt
from embodied.cli.ablation_table import print_ablation
from embodied.cli.conditions import Conditions, Stopped, of_one
from embodied.controls import CONTROLS
from embodied.errors import UsageError
from embodied.eval.ablation import AGENT, MAJORITY, RANDOM, Condition, Task, majority
from embodied.eval.leaderboard.board import slug
from embodied.request import Request
from embodied.rollout.playing import Job, silent_controls

UNSEEING_POLICIES = ("random", "constant", "scripted", "expert")
"""Policies that look at no picture, also where they are given one."""
OURS = ("run.control", "run.out")
"""Keys that the command sets for each condition."""


class Ablation(Conditions):
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
        super().__init__(request, AGENT, "ablate", as_json)
        _check_seeing(self._job, request.agent)
        self._metric = metric

    def _print(self, conditions: Sequence[Condition]) -> None:
        print_ablation(conditions, self._job, self.out, self._metric, self._json)

    # ----------------------------------------------------------------- conditions

    def _conditions(self) -> Iterator[Condition]:
        try:
            silent = asyncio.run(silent_controls(self._job, list(CONTROLS)))
        except KeyboardInterrupt:
            raise Stopped(interrupt.INTERRUPTED) from None
        meaning = f"{self._request.agent} as it is"
        self._say(AGENT, meaning)
        own = self._scored(self._played(self._job))
        yield Condition(AGENT, meaning, (own,))
        for control, meaning in CONTROLS.items():
            yield self._controlled(control, meaning, silent[control])
        meaning = "an agent that draws each action by chance and looks at nothing"
        self._say(RANDOM, meaning)
        yield Condition(RANDOM, meaning, (self._played(self._prepared(self._other(RANDOM), RANDOM)),))
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
            narrow = replace(narrow, words=of_one(request.words, env, self._request.env))
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
            request = self._other("constant")
            request = replace(
                request,
                env=(env,),
                task=",".join(filter(None, tasks)) or None,
                words=of_one(request.words, env, self._request.env),
                options={**request.options, "agent.script": [phrase]},
            )
            runs.append(self._played(self._prepared(request, f"{MAJORITY}-{slug(phrase)[:24]}-{digest}")))
        return Condition(MAJORITY, meaning, tuple(runs), silent)


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
