"""The display of a run while it plays: a live table on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import msgspec

from embodied.cli.output import console
from embodied.cli.watch import Status, Watch
from embodied.models.prices import Price
from embodied.quantities import duration, short
from embodied.rollout.runner import Listener
from embodied.store.run import SCORED, Run
from embodied.terminal import line as one_line
from embodied.types import Episode, EpisodeSpec, Step

PAUSE = 30.0
"""Seconds between lines about the run as a whole."""


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows on standard error how many of `total` are done: a bar on a terminal, now and then a line elsewhere."""
    if sys.stderr.isatty():
        from rich.progress import Progress

        with Progress(console=console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    said = time.monotonic()

    def line(done: int) -> None:
        nonlocal said
        if time.monotonic() - said >= PAUSE:
            said = time.monotonic()
            print(f"  {what}: {done} of {total}", file=sys.stderr, flush=True)

    yield line


@contextmanager
def listener(
    run: Run, planned: Sequence[EpisodeSpec], *, price: Price | None = None, silent: bool = False, as_json: bool = False
) -> Iterator[Listener]:
    """A listener for a run of these episodes, used while it plays.

    Args:
        price: The model's.
        silent: A person plays; the terminal is theirs.
        as_json: Print an object a line.
    """
    if as_json:
        shown = JsonLines(run, planned, price)
        yield shown
        shown.close()
    elif silent:
        yield Silent()
    elif sys.stdout.isatty():
        from rich.live import Live

        table = LiveTable(run, planned, price)
        with Live(get_renderable=table.render, refresh_per_second=2, console=console()) as live:
            table.say = lambda text: live.console.print(text, highlight=False, markup=False)
            yield table
    else:
        yield Lines(run, planned, price)


def line(episode: Episode) -> str:
    """An ended episode in one line."""
    result = (
        f"progress {episode.progress:.3f}"
        if episode.progress is not None
        else episode.error or ("no score" if episode.outcome in SCORED else "")
    )
    return f"{one_line(episode.spec.id)}  {episode.outcome}  {episode.steps} steps  {one_line(result)}".rstrip()


def _branch(spec: EpisodeSpec) -> dict[str, Any]:
    """What tells a branch from an episode that counts; nothing for the latter."""
    return {"parent": spec.parent, "from_step": spec.from_step} if isinstance(spec.parent, str) else {}


class Silent:
    """Only how an episode ended."""

    def started(self, spec: EpisodeSpec) -> None:
        pass

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        pass

    def ended(self, episode: Episode) -> None:
        print(line(episode), flush=True)


class Lines(Watch):
    """A line an episode, one for every 100 steps of a long one, and now and then one about the whole."""

    def __init__(self, run: Run, planned: Sequence[EpisodeSpec], price: Price | None = None):
        super().__init__(run, planned, price)
        self._said = time.monotonic()

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        super().stepped(spec, step)
        if (step.index + 1) % 100 == 0:
            print(f"  {spec.id}  step {step.index + 1}  progress {step.progress or 0.0:.3f}", flush=True)
        if time.monotonic() - self._said > PAUSE:
            self._said = time.monotonic()
            print("  " + sentence(self.status()[-1]), flush=True)

    def ended(self, episode: Episode) -> None:
        super().ended(episode)
        whole = self.status()[-1]
        place = "branch" if isinstance(episode.spec.parent, str) else f"{whole.scored + whole.failed}/{whole.planned}"
        print(f"[{place}] {line(episode)}", flush=True)


class JsonLines(Watch):
    """An object a line: `started`, `ended`, and `status` with the figures of every environment. Numbers that are not
    known are null.
    """

    def __init__(self, run: Run, planned: Sequence[EpisodeSpec], price: Price | None = None):
        super().__init__(run, planned, price)
        self._said = time.monotonic()
        self._print("run", folder=str(run.root), identity=run.record.identity, planned=len(planned))

    def started(self, spec: EpisodeSpec) -> None:
        super().started(spec)
        task = {"env": spec.task.env, "task": spec.task.task, "seed": spec.seed}
        self._print("started", episode=spec.id, **task, **_branch(spec))

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        super().stepped(spec, step)
        if time.monotonic() - self._said > PAUSE:
            self._say_status()

    def ended(self, episode: Episode) -> None:
        super().ended(episode)
        names = ("outcome", "progress", "success", "steps", "error_kind", "error", "end_reason")
        told = {name: getattr(episode, name) for name in names}
        self._print("ended", episode=episode.spec.id, **told, **_branch(episode.spec))

    def close(self) -> None:
        self._say_status()

    def _say_status(self) -> None:
        self._said = time.monotonic()
        self._print("status", environments=[asdict(row) for row in self.status()])

    def _print(self, event: str, **fields: Any) -> None:
        print(msgspec.json.encode({"event": event, **fields}).decode(), flush=True)


class LiveTable(Watch):
    """A row for each environment, redrawn when it changes; ended episodes scroll by above it."""

    say: Callable[[str], None] = staticmethod(print)
    """Prints above the table; set by `listener`."""

    def ended(self, episode: Episode) -> None:
        super().ended(episode)
        self.say(line(episode))

    def render(self, width: int | None = None) -> Any:
        """The table as it stands, in lines of `width` characters; of the terminal's by default."""
        from rich.console import Group
        from rich.table import Table as RichTable

        from embodied.cli.fit import fitted

        rows = [cells(status) for status in self.status()]
        kept = [name for name in rows[0] if any(row[name] != "-" for row in rows)] if rows else []
        table = RichTable(box=None, pad_edge=False, header_style="bold")
        for name in kept:
            table.add_column(name, justify="left" if name == "environment" else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(row[name] for name in kept))
        return Group(*fitted(table, width or console().width))


def cells(s: Status) -> dict[str, str]:
    """A row of the table: column -> what to show, "-" where there is nothing."""
    return {
        "environment": s.name,
        "done": f"{s.scored}/{s.planned}",
        "running": str(s.running),
        "failed": str(s.failed) if s.failed else "-",
        "progress": "-"
        if s.progress is None
        else f"{100 * s.progress:.1f} %" + (f" ± {100 * s.margin:.1f}" if s.margin is not None else ""),
        "steps/s": f"{s.steps_per_second:.1f}",
        "call p50/p95": "-" if s.latency_p50 is None else f"{s.latency_p50:.2f}/{s.latency_p95:.2f} s",
        "tokens in/out": f"{short(s.tokens_in)}/{short(s.tokens_out)}" if s.tokens_in else "-",
        "repeated": "-" if s.prefix_share is None else f"{100 * s.prefix_share:.0f} %",
        "dollars": f"{s.dollars:.4g}" if s.dollars else "-",
        "retries": str(s.retries) if s.retries else "-",
        "left": "-" if s.seconds_left is None else duration(s.seconds_left),
    }


def sentence(s: Status) -> str:
    """A row of the table as one line of words."""
    return ", ".join(
        value if name == "environment" else f"{name} {value}" for name, value in cells(s).items() if value != "-"
    )
