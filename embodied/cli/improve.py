"""`embodied improve`: makes an agent better, and shows whether it is."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from embodied.models.prices import Price
    from embodied.request import Request
    from embodied.rollout.playing import Job
    from embodied.rollout.runner import Listener
    from embodied.store.run import Run
    from embodied.types import EpisodeSpec


def improve(
    ctx: typer.Context,
    env: list[str] = typer.Option(..., "--env", help="Environment (`embodied list envs`). Several: with commas."),
    agent: str = typer.Option(..., "--agent", help="A preset, a policy with --model, or an agent's folder (./NAME)."),
    learner: str = typer.Option(..., "--learner", help="How it gets better: `embodied list learners`."),
    corrector: str | None = typer.Option(
        None, "--corrector", help="Who corrects the agent in training episodes: oracle, critic, ... Nobody by default."
    ),
    rounds: int = typer.Option(3, "--rounds", min=1, help="Rounds of playing, learning and choosing."),
    episodes: int = typer.Option(10, "--episodes", min=1, help="Training episodes of each task in a round."),
    dev: int | None = typer.Option(
        None, "--dev", min=1, help="Dev episodes of each task at a gate; by default what shows a difference of .15."
    ),
    test: int | None = typer.Option(
        None, "--test", min=1, help="Test episodes of each task at the end; the environment's number by default."
    ),
    task: str | None = typer.Option(None, "--task", help="One task, or several separated by commas; all by default."),
    model: str | None = typer.Option(None, "--model", help="provider/name, for instance openai/gpt-4o."),
    seed: int = typer.Option(0, "--seed", min=0, help="Suite seed of the test; all else is derived from it."),
    steps: int | None = typer.Option(None, "--steps", min=1, help="Step limit; the environment's by default."),
    out: str | None = typer.Option(
        None, "--out", help="Folder of all runs and versions; the same command continues in it."
    ),
    runs: list[Path] = typer.Option([], "--runs", help="A recorded run of the train split to learn from besides."),
    ceiling: bool = typer.Option(
        False, "--ceiling", help="The first version with its corrector, and the expert, play the test, too."
    ),
    image: bool | None = typer.Option(
        None, "--image/--text", help="Whether the agent sees pictures besides text; by default as with `eval`."
    ),
    device: str = typer.Option("auto", "--device", help="For training: auto, cpu, cuda or cuda:N."),
    threads: int = typer.Option(1, "--threads", min=1, help="CPU threads for training. One gives the same bytes."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print what each phase will use, and play nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON at the end, and nothing before."),
    trust: bool = typer.Option(False, "--trust", help="Play an agent's folder that another user or machine made."),
) -> int:
    """Makes an agent better by a learner, and tests whether it is.

    In each round the agent plays training episodes, with its corrector, and the learner makes a new version. Then both
    play the same dev episodes, and the new version takes the place of the old one only where a test says that it is
    better. At the end every version plays the same test episodes, which decide nothing. Further words set options as
    for `eval`; `learner.KEY=VALUE` sets the learner's own, and `run.budget.tokens=N` is the budget of all together.
    """
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from embodied.cli import interrupt
    from embodied.cli.improvement_table import print_curve, print_phases
    from embodied.cli.trust import require_trust, require_trust_in_agent
    from embodied.request import Request
    from embodied.session import environments
    from embodied.store.run import Run
    from embodied.terminal import plain, shell_word
    from embodied.train.improve import Loop, Wanted
    from embodied.versions import find

    version = find(agent)
    own, words = _of_learner(ctx.args)
    request = Request(
        agent=agent,
        version=version,
        env=environments(env),
        task=task,
        model=model,
        image=image,
        seed=seed,
        steps=steps,
        out=out,
        words=words,
    )
    if version is not None:
        require_trust_in_agent(version, trust)
    given = tuple(Run(folder) for folder in runs)
    for run in given:
        require_trust(run, trust, play=False)
    wanted = Wanted(
        request,
        learner,
        own,
        corrector,
        rounds,
        episodes,
        dev,
        test,
        given,
        ceiling,
        device=device,
        threads=threads,
        trust=trust,
    )

    def say(text: str) -> None:
        if not as_json:
            print(plain(text), flush=True)

    if dry_run:
        with TemporaryDirectory() as folder:
            there = replace(wanted, request=replace(request, out=f"{folder}/improvement"))
            loop = Loop(there, Shown(as_json), say)
            print_phases(loop.needs.phases(), loop.job.config.corrector)
        return 0
    loop = Loop(wanted, Shown(as_json), say)
    try:
        found = loop.run()
    except KeyboardInterrupt:
        interrupt.say(f"Stopped. Nothing is lost: the same command goes on from here ({shell_word(loop.root)}).")
        return interrupt.INTERRUPTED
    print_curve(found, loop.root, as_json)
    return 5 if found.stopped or found.refused else 0


class Shown:
    """Plays the runs of an improvement, with a line for each episode that ends."""

    def __init__(self, quiet: bool):
        self._quiet = quiet

    def job(self, request: Request) -> Job:
        from embodied.cli.trust import say
        from embodied.session import prepare

        return prepare(request, say=say)

    def play(self, request: Request, what: str) -> Run:
        """See `embodied.train.practice.Player`. Raises `KeyboardInterrupt` where the user stops it."""
        from embodied.cli.progress import listener
        from embodied.cli.session import performed
        from embodied.correctors import in_person
        from embodied.errors import StoppedEarly
        from embodied.quantities import episodes
        from embodied.rollout.runner import Listeners
        from embodied.session import prepare
        from embodied.store.run import Run
        from embodied.terminal import plain

        job = prepare(request, say=lambda text: None)
        if (job.root / "run.json").is_file() and not job.owed():
            return Run(job.root)

        @contextmanager
        def watch(
            run: Run, specs: Sequence[EpisodeSpec], price: Price | None, stopping: asyncio.Event
        ) -> Iterator[Listener]:
            if self._quiet:
                yield Listeners(())
                return
            print(plain(f"{what}: {episodes(len(specs))} in {run.root}"), flush=True)
            with listener(run, specs, price=price, silent=in_person(job.config.corrector)) as shown:
                yield shown

        run, result = performed(job, watch)
        if result.interrupted or run is None:
            raise KeyboardInterrupt
        if result.stopped:
            raise StoppedEarly(f"{job.root} ({what}) stopped early: {result.stopped}")
        return run


def _of_learner(words: list[str]) -> tuple[dict[str, object], tuple[str, ...]]:
    """The learner's own settings, and the other words."""
    from omegaconf import OmegaConf

    own: dict[str, object] = {}
    others = []
    for word in words:
        key, equals, value = word.partition("=")
        if key.startswith("learner.") and equals:
            own[key.removeprefix("learner.")] = OmegaConf.to_container(OmegaConf.from_dotlist([f"x={value}"]))["x"]  # type: ignore[call-overload,index]  # a mapping of one key
        else:
            others.append(word)
    return own, tuple(others)
