"""Runs of the same episodes under several conditions, one after the other: what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from embodied.cli import interrupt
from embodied.cli.progress import listener
from embodied.cli.session import performed
from embodied.cli.trust import say
from embodied.controls import in_words
from embodied.correctors import in_person
from embodied.eval.ablation import Condition, Task
from embodied.models.prices import Price
from embodied.quantities import episodes
from embodied.request import Request
from embodied.rollout.playing import Job
from embodied.rollout.runner import Listener, Listeners
from embodied.session import prepare
from embodied.store.run import Run
from embodied.terminal import plain, shell_word
from embodied.types import EpisodeSpec


class Stopped(Exception):
    """The command ends here, with an exit code."""

    def __init__(self, code: int):
        super().__init__(code)
        self.code = code


class Conditions:
    """The conditions of one agent, each a run in a folder below one.

    Args:
        request: The agent as it is; `out` is the folder of all runs.
        first: What the run of the agent as it is is called.
        prefix: Begins the name of the folder where the user names none.
        as_json: Print nothing but JSON at the end.

    Raises:
        UsageError: Something makes no sense.
    """

    def __init__(self, request: Request, first: str, prefix: str, as_json: bool):
        self._json = as_json
        job = prepare(request, say=say)
        self.out = Path(request.out or job.root.with_name(f"{prefix}-{job.root.name}"))
        self._request = replace(request, out=str(self.out / first))
        self._job = prepare(self._request, say=lambda text: None)
        self._missing = self._in_person = False

    def play(self) -> int:
        """Plays all conditions and prints the table.

        Returns:
            The exit code: 0 when every planned episode is scored, 5 when not, 130 when it was interrupted.
        """
        try:
            conditions = list(self._conditions())
        except Stopped as stopped:
            return stopped.code
        self._print(conditions)
        return 5 if self._missing else 0

    def _conditions(self) -> Iterator[Condition]:
        """Plays each condition, the agent as it is first."""
        raise NotImplementedError

    def _print(self, conditions: Sequence[Condition]) -> None:
        """Prints what was played."""
        raise NotImplementedError

    def _tasks(self) -> list[Task]:
        return list(dict.fromkeys((spec.task.env, spec.task.task) for spec in self._job.specs))

    def _other(self, policy: str) -> Request:
        """The request of another agent than the user's: without what is said of that one and its model."""
        request = self._request
        words = tuple(w for w in request.words if w.lstrip("+~").startswith(("env.", "run.")))
        steps = request.steps or self._job.config.run.steps  # an agent's preset may say it
        task = ",".join(filter(None, (task for _, task in self._tasks()))) if request.alone else request.task
        request = replace(request, task=task or None, steps=steps, words=words)
        return replace(request, agent=policy, version=None, model=None, image=False)

    # ----------------------------------------------------------------- playing

    def _prepared(self, request: Request, folder: str) -> Job:
        return prepare(replace(request, out=str(self.out / folder)), say=lambda text: None)

    def _scored(self, run: Run) -> Run:
        """The run of the agent as it is, where there is something to compare.

        Raises:
            Stopped: It has no scored episode.
        """
        if not any(run.scored(spec.id) for spec in self._job.specs):
            say(f"The agent has no scored episode, so there is nothing to compare: look at {self._job.root}.")
            raise Stopped(5)
        return run

    def _played(self, job: Job) -> Run:
        """The run of a job, played where it was not.

        Raises:
            Stopped: It was interrupted, or ended early: the conditions after it would end so too.
        """
        if (job.root / "run.json").is_file() and not job.owed():
            if not self._json:
                print(f"{episodes(len(job.specs), 'be')} already in {job.root}", flush=True)
            return Run(job.root)
        self._in_person = in_person(job.config.corrector)
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
        silent = self._job.config.agent.policy == "human" or self._in_person
        with listener(run, specs, price=price, silent=silent) as shown:
            yield shown

    def _say(self, name: str, meaning: str) -> None:
        if not self._json:
            print(plain(f"\n{in_words(name)}: {meaning}"), flush=True)


def of_one(words: Sequence[str], env: str, named: Sequence[str]) -> tuple[str, ...]:
    """Words for a run of one environment of several: without options that it does not have."""
    from embodied.config import env_options
    from embodied.request import env_option

    if len(named) < 2 or env.startswith("gym:"):
        return tuple(words)
    return tuple(w for w in words if (option := env_option(w)) is None or option in env_options(env))
