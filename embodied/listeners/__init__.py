"""Listeners by name: `embodied eval --log wandb` tells an experiment tracker what happens in a run.

A listener is a name in `LISTENERS`: a callable that takes a `Context` and returns a `Listener`
(`embodied.rollout.runner`), which may also have a method `close()`. Other distributions add theirs through the
entry-point group `embodied.listeners`. Only the run folder counts: a listener that fails is switched off, and the run
continues.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from embodied.errors import EmbodiedError, MissingExtra
from embodied.registry import Registry
from embodied.rollout.runner import Listener, Listeners, OfThePlan
from embodied.secrets import mask
from embodied.store.run import Run
from embodied.terminal import line
from embodied.types import Episode, EpisodeSpec, Step

LISTENERS = Registry(
    "listener",
    {
        "mlflow": "embodied.listeners.mlflow:MLflowListener",
        "tensorboard": "embodied.listeners.tensorboard:TensorBoardListener",
        "wandb": "embodied.listeners.wandb:WandbListener",
    },
)
_LIBRARIES = {"mlflow": "mlflow", "tensorboard": "tensorboardX", "wandb": "wandb"}
"""Our listener -> the module that its extra, which has the listener's name, installs."""
WAITING = 10_000
"""Events that may wait for a slow listener; more switch it off."""
CLOSING = 30.0
"""Seconds that the listeners have at the end to pass on what waits."""
HURRIED = 1.0
"""The same after Ctrl-C, which leaves the whole process little longer (`embodied.cli.interrupt.AT_LAST`)."""


@dataclass(frozen=True)
class Context:
    """What a listener is made from."""

    run: Run
    """The run that is played: its folder and its record, which holds no key."""
    planned: tuple[EpisodeSpec, ...]
    """The requested episodes; those that have a score are not played again."""
    before: tuple[Episode, ...] = ()
    """The episodes that had ended before, in a resumed run."""


def check(names: Sequence[str]) -> None:
    """Checks that listeners of these names can be made, before a run begins.

    Raises:
        UnknownName: There is no such listener.
        MissingExtra: Its library is not installed.
        UsageError: It is a plugin's and cannot be imported.
    """
    for name in names:
        LISTENERS.get(name)
        if name in _LIBRARIES and find_spec(_LIBRARIES[name]) is None:
            raise MissingExtra(f"The listener {name}", name)


@contextmanager
def listening(
    names: Sequence[str],
    run: Run,
    planned: Sequence[EpisodeSpec],
    first: Listener,
    stopping: asyncio.Event | None = None,
) -> Iterator[Listener]:
    """A listener that tells `first` and those named. The latter are told in threads of their own and closed at the end.
    They hear nothing of branches, which count in no figure.

    Args:
        names: Names in `LISTENERS`, checked by `check`.
        run: The run that is played.
        planned: The episodes to play.
        first: Is told first, in this thread.
        stopping: Is set when the run was interrupted: the listeners then have little time to end.
    """
    if not names:
        yield first
        return
    context = Context(run, tuple(planned), tuple(run.episodes([])))
    made = [Background(name, partial(_make, name, context)) for name in dict.fromkeys(names)]
    try:
        yield Listeners([first, *map(OfThePlan, made)])
    finally:
        hurried = stopping is not None and stopping.is_set()
        until = time.monotonic() + (HURRIED if hurried else CLOSING)
        for each in made:
            each.finish()
        for each in made:
            each.close(until - time.monotonic())


def _make(name: str, context: Context) -> Any:
    return LISTENERS.get(name)(context)


class Background:
    """Tells a listener in a thread of its own, so that a slow one does not delay the run. One that raises is switched
    off.

    Args:
        name: For the sentence that says so.
        make: Makes the listener.
    """

    def __init__(self, name: str, make: Callable[[], Any]):
        self._name = name
        self._waiting: queue.Queue[tuple[str, tuple[Any, ...]]] = queue.Queue(WAITING)
        self._off = False
        self._thread = threading.Thread(target=self._tell, args=(make,), name=f"listener {name}", daemon=True)
        self._thread.start()

    def started(self, spec: EpisodeSpec) -> None:
        self._put("started", spec)

    def stepped(self, spec: EpisodeSpec, step: Step) -> None:
        self._put("stepped", spec, step)

    def ended(self, episode: Episode) -> None:
        self._put("ended", episode)

    def finish(self) -> None:
        """Nothing more will be told."""
        self._put("close")

    def close(self, seconds: float) -> None:
        """Waits, at most so long, until the listener has heard everything and is closed."""
        self._thread.join(max(0.0, seconds))
        if self._thread.is_alive() and not self._off:
            self._switch_off("it did not finish in time")

    def _put(self, method: str, *arguments: Any) -> None:
        if self._off:
            return
        try:
            self._waiting.put_nowait((method, arguments))
        except queue.Full:
            self._switch_off(f"{WAITING} events wait for it")

    def _tell(self, make: Callable[[], Any]) -> None:
        try:
            listener = make()
            while not self._off:
                method, arguments = self._waiting.get()
                if method == "close":
                    getattr(listener, "close", lambda: None)()
                    return
                getattr(listener, method)(*arguments)
        except EmbodiedError as error:
            self._switch_off(str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001  a tracker's library may raise anything
            self._switch_off(f"{type(error).__name__}: {error}")

    def _switch_off(self, why: str) -> None:
        self._off = True
        said = line(mask(f"The listener {self._name} is switched off, and the run continues: {why}")).rstrip(".")
        print(f"warning: {said[:400]}.", file=sys.stderr, flush=True)
