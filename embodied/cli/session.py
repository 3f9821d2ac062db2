"""The output of `eval`, `resume` and `play` during and after a job, and the effect of an interrupt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from embodied.cli import interrupt
from embodied.cli.desk import DeskAt
from embodied.cli.progress import listener
from embodied.cli.spend import print_cost, print_estimate
from embodied.cli.tables import episodes as counted
from embodied.cli.tables import print_analysis, print_floors, print_score
from embodied.cli.trust import say
from embodied.correctors import in_person
from embodied.eval.analysis import analyse
from embodied.eval.results import read
from embodied.eval.score import score
from embodied.listeners import listening
from embodied.models.prices import Price
from embodied.rollout import playing
from embodied.rollout.branching import branches_of
from embodied.rollout.playing import Job
from embodied.rollout.runner import Listener, Result
from embodied.rollout.worlds.workers import abandon
from embodied.store.run import Run, RunRecord
from embodied.terminal import plain, shell_word
from embodied.trust import note
from embodied.types import EpisodeSpec

Watch = Callable[[Run, Sequence[EpisodeSpec], Price | None, asyncio.Event], AbstractContextManager[Listener]]
"""Makes a run's listener from the run, the episodes to play, the price of the model, and what stops the run."""


def play(job: Job, as_json: bool, log: Sequence[str] = (), desk: DeskAt | None = None) -> int:
    """Plays a job, tells it to the listeners named in `log`, and prints its table. People may watch at `desk`.

    Returns:
        The exit code: 0 when every planned episode is scored, 5 when not, 130 when it was interrupted.
    """

    @contextmanager
    def watch(
        run: Run, specs: Sequence[EpisodeSpec], price: Price | None, stopping: asyncio.Event
    ) -> Iterator[Listener]:
        if not as_json:
            _say_begin(run, specs)
        silent = job.config.agent.policy == "human" or in_person(job.config.corrector)
        with (
            listener(run, specs, price=price, silent=silent, as_json=as_json) as shown,
            listening(log, run, specs, shown, stopping) as told,
        ):
            yield told

    run, result = performed(job, watch, desk=desk)
    if result.interrupted:
        interrupt.say(
            "Stopped. Nothing recorded is lost: the same command, or"
            f" `embodied resume {shell_word(job.root)}`, continues from here."
            if (job.root / "run.json").exists()
            else "Stopped before anything was recorded: the same command begins again."
        )
        return interrupt.ended(playing.LOADING)
    assert run is not None
    return _report(job, run, result, as_json)


def performed(
    job: Job,
    watch: Watch,
    created: Callable[[RunRecord], None] = lambda record: None,
    desk: DeskAt | None = None,
) -> tuple[Run | None, Result]:
    """Plays a job, and lets Ctrl-C stop it. People may watch at `desk`.

    Args:
        job: What to play.
        watch: See `Watch`.
        created: Hears that everything was checked, and that the folder is there.

    Returns:
        The run, or None where it was stopped before there was one; and the result.
    """
    stopping = asyncio.Event()

    def told(run: Run, specs: Sequence[EpisodeSpec], price: Price | None) -> AbstractContextManager[Listener]:
        return watch(run, specs, price, stopping)

    async def main(bound: interrupt.Bound) -> tuple[Run | None, Result]:
        def noted(record: RunRecord) -> None:
            bound.loading = False
            note(record, say)
            created(record)

        bound.loading = True
        with interrupt.interruptible(stopping, bound):
            if desk is None:
                return await playing.play(job, told, stopping, noted)
            async with desk.opened(job) as at_desk:
                return await playing.play(
                    job, lambda *about: at_desk.beside(told(*about)), stopping, noted, at_desk.channel
                )

    try:
        return interrupt.run(main, abandon)
    except asyncio.CancelledError:
        return None, Result(0, 0, interrupted=True)


def estimate(job: Job) -> None:
    """Prints what a job will use, and plays nothing.

    Raises:
        EmbodiedError: Something in the job is missing, or makes no sense.
    """

    async def check() -> None:
        async with playing.pool_of(job) as pool:
            await playing.check_environments(job.config.agent, owed, pool)

    owed = job.owed()
    asyncio.run(check())
    print_estimate(job.config, owed)


def _say_begin(run: Run, specs: Sequence[EpisodeSpec]) -> None:
    print(f"{counted(len(specs))} in {run.root}", flush=True)
    if again := sum((ended := run.result(spec.id)) is not None and ended.outcome == "refused" for spec in specs):
        print(f"{counted(again, 'be')} refused before and played again, after all others.", flush=True)


def _report(job: Job, run: Run, result: Result, as_json: bool) -> int:
    missing = sum(not run.over(spec.id) for spec in job.specs)
    rewound = sum(run.over(spec.id) and not run.scored(spec.id) for spec in job.specs)
    waiting = sum(not run.over(spec.id) for spec in branches_of(run, {spec.id for spec in job.specs}))
    if not as_json:
        results = read(run)
        print_score(score(results))
        print_floors(results)
        print_analysis(analyse(run, results))
        print_cost(job.config, run)
        if result.skipped:
            print(f"{counted(result.skipped, 'be')} already scored and not played again.")
        if result.branches:
            print(f"{_branches(result.branches)} played. No branch counts in a score.")
        if rewound:
            print(f"{counted(rewound, 'be')} rewound: a branch goes on, and there is no score.")
        folder = shell_word(run.root)
        print(f"Look: `embodied view {folder}`, or as films: `embodied export {folder} --format gif`.")
        if job.config.corrector.name == "desk":
            print(f"What people said, to edit and export: `embodied console {folder}`.")
        if result.stopped:
            print(f"The run stopped early: {plain(result.stopped)} `embodied resume {folder}` continues from here.")
        elif result.elsewhere:
            print(f"{counted(result.elsewhere, 'be')} left to another process, which is playing them.")
        elif missing:
            failed = sum((r := run.result(spec.id)) is not None and r.outcome == "infra_failure" for spec in job.specs)
            print(f"{counted(missing, 'have')} no score; `embodied resume {folder}` plays again.")
            if failed == missing:
                print("The environment or the agent failed each time: repair it first.")
        if waiting and not result.stopped:
            print(f"{_branches(waiting)} not over; `embodied resume {folder}` plays on.")
    return 5 if missing or rewound else 0


def _branches(number: int) -> str:
    return f"{number} {'branch was' if number == 1 else 'branches were'}"
