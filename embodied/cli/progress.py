"""What a run shows while it plays: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from embodied.rollout.runner import Listener
from embodied.types import Episode, EpisodeSpec, Step


@contextmanager
def listener(planned: Sequence[EpisodeSpec], silent: bool = False) -> Iterator[Listener]:
    """A listener for a run of these episodes, to be used while it plays."""
    if silent:
        yield Silent()
        return
    if not sys.stdout.isatty():
        yield Lines(len(planned))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[note]}")
    with Progress(*columns) as progress:
        yield Bars(progress, len(planned))


def line(episode: Episode) -> str:
    """An ended episode in one line."""
    result = f"progress {episode.progress:.3f}" if episode.progress is not None else episode.error
    return f"{episode.spec.id}  {episode.outcome}  {episode.steps} steps  {result}"


class Silent:
    """Nothing: while a person plays, the terminal is theirs."""

    def started(self, spec: EpisodeSpec) -> None:
        pass

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        pass

    def ended(self, episode: Episode) -> None:
        print(line(episode), flush=True)


class Lines:
    """A line an episode, and one for every 100 steps of a long one."""

    def __init__(self, total: int):
        self._total = total
        self._ended = 0

    def started(self, spec: EpisodeSpec) -> None:
        pass

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        if (step.index + 1) % 100 == 0:
            print(f"  {spec.id}  step {step.index + 1}  progress {step.progress:.3f}", flush=True)

    def ended(self, episode: Episode) -> None:
        self._ended += 1
        print(f"[{self._ended}/{self._total}] {line(episode)}", flush=True)


class Bars:
    """A bar for the run, and one for each episode in flight."""

    def __init__(self, progress, total: int):
        self._progress = progress
        self._all = progress.add_task("episodes", total=total, note="")
        self._tasks: dict[str, int] = {}

    def started(self, spec: EpisodeSpec) -> None:
        self._tasks[spec.id] = self._progress.add_task(f"{spec.task.task or spec.task.env} {spec.index}", total=spec.task.kwargs.get("max_steps"), note="")

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        self._progress.update(self._tasks[spec.id], completed=step.index + 1, note=f"{step.executed[:40]}  progress {step.progress:.3f}")

    def ended(self, episode: Episode) -> None:
        self._progress.remove_task(self._tasks.pop(episode.spec.id))
        self._progress.advance(self._all)
        self._progress.console.print(line(episode), highlight=False, markup=False)
