"""Worker processes, in which environments live. If a simulator is killed, hangs or freezes, this costs an attempt and
not the run.

A `Pool` has places for workers and fills them when they are needed. A worker hosts several environments and executes
one request after another. An `Environment` belongs to an episode and outlives its worker: when that is lost, it is
restored in another one by repeating the actions so far, without the agent, and every observation is compared with the
earlier one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from embodied import errors, secrets
from embodied.blobs import Blobs
from embodied.errors import EmbodiedError, EnvironmentFailure, RecordDiffers, UsageError, WorkersLost
from embodied.rollout.worlds.environment import Answer, Start
from embodied.rollout.worlds.host import BEAT, SHOWN, Act, Close, Make, Request, Reset, Response
from embodied.rollout.worlds.watching import Shown, Watcher
from embodied.store.codec import pack
from embodied.types import TaskSpec
from embodied.variables import resolved_task

SILENCE = 60
"""Heartbeats that a worker may miss in the middle of a request before it counts as frozen."""
ATTEMPTS = 3
"""Workers that may be lost while they serve one episode at the same step. The next would be lost too: the simulator
causes it.
"""
GRACE = 5.0
"""Seconds that a worker has to end in good order."""
HURRY = 0.7
"""The same, and for freeing an environment, in a run that was told to stop."""
LOSSES = 20
"""Workers that one episode may lose in all, for any reason, also because of its neighbours."""
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}
"""Workers share the cores among themselves; a sum also must not depend on how many threads share it."""


class WorkerLost(EnvironmentFailure):
    """The worker died, hung past the deadline, or froze; its environments are gone."""

    guilty = True
    """Whether this episode was being served at that moment; for the others it is an accident."""


class Worker(Protocol):
    """One end of a worker process. Executes one request at a time."""

    shown: Callable[[bytes], None] | None
    """Told every packed `Shown` that the worker sends. Workers on a cluster send none."""
    unseen: str
    """Why the worker sends no frames, in a sentence; empty where it does."""

    async def ask(self, request: bytes, seconds: float) -> bytes:
        """The answer to a packed request. Raises `WorkerLost`, also when there is none within `seconds`; then the
        worker cannot be used any more.
        """
        ...

    def interrupt(self) -> None:
        """Interrupts the step that it executes behind its next frame. Workers on a cluster let it end."""
        ...

    async def stop(self, seconds: float) -> None:
        """Lets the worker close its environments and end, if that takes no longer than `seconds`."""
        ...


class ProcessWorker:
    """A worker on this machine: a process of its own session (Ctrl-C is not for it), never forked from this one, spoken
    to over pipes.
    """

    unseen = ""

    def __init__(self, process: Process, folder: tempfile.TemporaryDirectory[str]):
        """Use `launch`."""
        self._process = process
        assert process.stdin and process.stdout and process.stderr, "a worker is started with three pipes"
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._folder = folder
        self._left = 0  # beats that the present request may still take
        self._silent = 0  # beats missed in a row
        self._verdict = ""  # why the process was ended
        self._said = bytearray()
        self.shown: Callable[[bytes], None] | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._gone: Exception | None = None
        _alive.add(self)
        self._listening = asyncio.create_task(self._listen())
        self._watching = asyncio.create_task(self._watch())
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def launch(cls, allowed: Sequence[str] = ()) -> ProcessWorker:
        """Starts a process. It inherits no keys: no environment variable that holds a secret (`embodied.secrets`), but
        those `allowed`.

        Raises:
            EnvironmentFailure: The system refuses.
        """
        command = (sys.executable, "-P", "-m", "embodied.rollout.worlds.host")
        try:
            # simulators that are killed leave files
            folder = tempfile.TemporaryDirectory(prefix="embodied-worker-", ignore_cleanup_errors=True)
            own = secrets.without(os.environ, allowed)  # simulators, and what they print, need no keys
            environment = {
                **ONE_THREAD,
                **own,
                "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
                "TMPDIR": folder.name,
            }
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
            )
            return cls(process, folder)
        except OSError as error:
            raise EnvironmentFailure(
                f"Cannot start a worker process: {error.strerror}. Fewer workers (run.workers) need less."
            ) from error

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, request: bytes, seconds: float) -> bytes:
        self._left, self._silent = math.ceil(seconds / BEAT) + 1, 0  # the first beat may come at once
        try:
            return await self._exchange(request)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            verdict = self._verdict.format(seconds=seconds) or await self._cause()
            await self._kill()
            raise WorkerLost(f"a worker process {verdict}") from error
        except asyncio.CancelledError:  # a late answer would be read as the answer to the next request
            await self._kill()
            raise
        finally:
            self._left = 0

    def interrupt(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._stdin.write(bytes(4))

    async def _watch(self) -> None:
        """Ends the process when a request takes too long, or no heartbeat comes.

        Time is counted in beats, not by the clock: that in which this process itself stood still (Ctrl-Z, a closed
        laptop) does not count.
        """
        while True:
            await asyncio.sleep(BEAT)
            if not self._left:
                continue
            self._left -= 1
            self._silent += 1
            if self._silent > SILENCE:
                self._verdict = f"gave no sign of life for {SILENCE * BEAT:g} s and was ended"
            elif not self._left:
                self._verdict = "did not answer within {seconds:g} s and was ended"
            if self._verdict:
                return self._signal()

    async def _cause(self) -> str:
        """Why the process ended of itself."""
        code = await self._process.wait()
        await asyncio.wait({self._listening}, timeout=BEAT)
        how = f"was killed by signal {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        said = bytes(self._said).decode(errors="replace").strip().splitlines()
        return how + (f", saying: {said[-1]}" if said else "")

    async def stop(self, seconds: float) -> None:
        self._stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
        await self._kill()

    async def _kill(self) -> None:
        self._signal()
        await self._process.wait()
        self._stdin.close()
        self._listening.cancel()
        self._watching.cancel()
        self._reading.cancel()
        self._folder.cleanup()
        _alive.discard(self)

    def abandon(self) -> None:
        """Ends the process and removes its folder without waiting, from any thread; the worker cannot be used any
        more.
        """
        self._signal()
        self._folder.cleanup()

    def _signal(self) -> None:
        """Ends the process with all that its simulators started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _exchange(self, request: bytes) -> bytes:
        if self._gone is not None:
            raise self._gone
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._stdin.write(len(request).to_bytes(4) + request)
            await self._stdin.drain()
            return await self._answer
        finally:
            self._answer.cancel()  # where the request could not even be written, nobody waits for it
            self._answer = None

    async def _read(self) -> None:
        """Reads what the worker sends: answers, heartbeats, and pictures, which may come when no request runs."""
        try:
            while True:
                size = int.from_bytes(await self._stdout.readexactly(4))
                data = await self._stdout.readexactly(size & ~SHOWN)
                if size & SHOWN:
                    if self.shown is not None:
                        self.shown(data)
                elif not size:
                    self._silent = 0
                elif self._answer is not None and not self._answer.done():
                    self._answer.set_result(data)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self._gone = error
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(error)

    async def _listen(self) -> None:
        """Keeps the end of what simulators and crashing interpreters print."""
        while data := await self._stderr.read(4096):
            self._said = (self._said + data)[-2000:]


_alive: set[ProcessWorker] = set()
"""The workers of this process that were started and not ended."""


def abandon() -> None:
    """Ends all workers of this process at once: it is about to end itself at once."""
    for worker in list(_alive):
        worker.abandon()


class Place:
    """A place for a worker in a pool. A worker that was lost is replaced at the next `Reset`."""

    def __init__(self, launch: Callable[[], Awaitable[Worker]], shown: Callable[[bytes], None]):
        self._launch, self._shown = launch, shown
        self._lock = asyncio.Lock()
        self.worker: Worker | None = None
        self.environments = 0
        self._served: Request | None = None

    async def staffed(self) -> Worker:
        """The present worker, or a new one."""
        async with self._lock:
            if self.worker is None:
                self.worker = await self._launch()
                self.worker.shown = self._shown
            return self.worker

    async def ask(self, worker: Worker, request: Request, seconds: float) -> Response:
        """Asks `worker`, when its turn comes. Raises `WorkerLost`."""
        async with self._lock:
            if worker is not self.worker:
                lost = WorkerLost("a worker process was lost because of another episode")
                lost.guilty = False
                raise lost
            return await self._asked(worker, request, seconds)

    def interrupt(self, step: Act) -> None:
        """Interrupts a step that was asked for, also if its turn has not come yet."""
        if step.interrupt_at is None:
            step.interrupt_at = 0
        if self.worker is not None and self._served is step:
            self.worker.interrupt()

    async def stop(self, seconds: float) -> None:
        if self.worker is not None:
            await self.worker.stop(seconds)
            self.worker = None

    async def _asked(self, worker: Worker, request: Request, seconds: float) -> Response:
        self._served = request
        try:
            data = await worker.ask(pack(request), seconds)
        except (WorkerLost, asyncio.CancelledError):
            self.worker = None
            raise
        finally:
            self._served = None
        response = msgspec.msgpack.decode(data, type=Response)
        if response.error:
            raise _error(response)
        return response


class Pool:
    """Places for workers. Use it as an asynchronous context; at its end all workers are stopped.

    Args:
        size: Workers at most; one starts when there is an environment for it.
        step_seconds: Seconds that a step may take.
        reset_seconds: Seconds that making an environment and starting an episode may take.
        launch: Starts a worker.

    Raises:
        UsageError: A number makes no sense.
    """

    def __init__(
        self,
        size: int,
        step_seconds: float = 60.0,
        reset_seconds: float = 600.0,
        launch: Callable[[], Awaitable[Worker]] = ProcessWorker.launch,
    ):
        if size < 1:
            raise UsageError(f"run.workers is the number of worker processes and must be at least 1, not {size}.")
        if min(step_seconds, reset_seconds) <= 0:
            raise UsageError("run.step_seconds and run.reset_seconds are seconds and must be above 0.")
        self.size = size
        self.step_seconds, self.reset_seconds, self.closing_seconds = step_seconds, reset_seconds, reset_seconds
        self.grace = GRACE
        self._places = [Place(launch, self._show) for _ in range(size)]
        self.played: dict[int, Environment] = {}
        """The environments that have a place, by number."""
        self._numbers = itertools.count()

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(place.stop(self.grace) for place in self._places))

    def hurry(self) -> None:
        """From now on, waits for ending work are shorter than usual: the user wants to stop."""
        self.grace = HURRY
        self.closing_seconds = min(self.closing_seconds, HURRY)

    async def start(self, episodes: int) -> None:
        """Starts the workers that so many episodes will take, and does not wait until they are ready. One that cannot
        be started is tried again when it is needed.
        """
        with contextlib.suppress(EnvironmentFailure):
            await asyncio.gather(*(place.staffed() for place in self._places[:episodes]))

    async def check(self, task: TaskSpec) -> bool:
        """Makes an environment for a moment, in a worker, which then serves the first episodes.

        Returns:
            Whether it takes any phrase as an action, and not one of a list.

        Raises:
            UsageError, UnknownName, MissingExtra, EnvironmentFailure: It cannot be made.
        """
        place, _ = self.take()
        try:
            made = await place.ask(await place.staffed(), Make(resolved_task(task)), self.reset_seconds)
            return made.free_text
        except WorkerLost as lost:
            name = f"{task.env} {task.task}".strip()
            raise EnvironmentFailure(f"{name} cannot be made: {lost}. Nothing was written.") from lost
        except EnvironmentFailure as error:
            raise EnvironmentFailure(f"{str(error).rstrip('.')}. Nothing was written.") from error
        finally:
            place.environments -= 1

    def environment(self, task: TaskSpec, blobs: Blobs) -> Environment:
        """An environment for one episode; it takes a place at its reset. Variables that its options name are read here:
        workers have no secrets.
        """
        return Environment(self, resolved_task(task), blobs)

    def workers(self) -> list[Worker]:
        """The workers that run at present."""
        return [place.worker for place in self._places if place.worker is not None]

    def _show(self, data: bytes) -> None:
        """Gives a frame to who watches its environment, if anyone still does."""
        shown = msgspec.msgpack.decode(data, type=Shown)
        environment = self.played.get(shown.env)
        if environment is None or environment.watcher is None:
            return
        try:
            environment.watcher.show(shown)
        except Exception:  # noqa: BLE001  who watches must not stop who acts
            environment.watcher = None

    def take(self) -> tuple[Place, int]:
        """The place with the fewest environments, and a number for one more."""
        place = min(self._places, key=lambda p: p.environments)
        place.environments += 1
        return place, next(self._numbers)


class Environment:
    """The environment of one episode, in any worker. Pictures arrive in `blobs` before the answer does.

    Made by `Pool.environment`.
    """

    def __init__(self, pool: Pool, task: TaskSpec, blobs: Blobs):
        self._pool = pool
        self._task = task
        self._blobs = blobs
        self._place: Place | None = None
        self._worker: Worker | None = None
        self.watcher: Watcher | None = None
        """Who sees the frames of the steps that follow; it may come and go at any time."""
        self._first = ""
        self._past: list[tuple[str, int | None, str]] = []
        self._guilty = self._lost = 0
        self._asked: Act | None = None
        self._interrupted = False

    async def reset(self, seed: int) -> Start:
        """Starts the episode. Called once.

        Raises:
            EnvironmentFailure: The simulator failed, or too many workers were lost.
            UsageError, MissingExtra: The environment cannot be made.
        """
        self._seed = seed
        while True:
            try:
                return await self._open()
            except WorkerLost as lost:
                self._forgive(lost)

    async def step(self, action: str, interrupt_at: int | None = None) -> Answer:
        """Executes a phrase. Raises `EnvironmentFailure`, as `reset` does, and when the environment could not be
        brought back to where it was.

        Args:
            action: The phrase.
            interrupt_at: Number of the frame, from 0, behind which the step is interrupted (`Answer.frames` says how
                many there were).
        """
        self._interrupted = False
        while True:
            try:
                if self._place is None:
                    await self._restore()
                at = 0 if self._interrupted and interrupt_at is None else interrupt_at
                pace = 0.0 if self.watcher is None else self.watcher.pace
                self._asked = Act(self._number, action, at, self.watcher is not None, len(self._past), pace)
                answer = await self._step(self._asked)
            except WorkerLost as lost:
                self._forgive(lost)
            else:
                self._past.append((action, answer.cut, answer.hash))
                self._guilty = 0
                return answer
            finally:
                self._asked = None

    def interrupt(self) -> None:
        """Interrupts the step in flight behind its next frame; `Answer.cut` says behind which one it was. Where no step
        is in flight, or it has no frames left, nothing happens.
        """
        self._interrupted = True
        if self._place is not None and self._asked is not None:
            self._place.interrupt(self._asked)

    async def close(self) -> None:
        """Frees the environment; calling it again does nothing."""
        place, worker = self._place, self._worker
        if place is None:
            return
        self._leave()
        try:
            if worker is not None:
                await place.ask(worker, Close(self._number), self._pool.closing_seconds)
        except (
            EnvironmentFailure
        ):  # the worker is gone, or the simulator fails even here: the episode has ended all the same
            pass

    async def _open(self) -> Start:
        place, number = self._pool.take()
        self._place, self._number = place, number
        self._pool.played[number] = self
        worker = self._worker = await place.staffed()
        response = await place.ask(worker, Reset(number, self._task, self._seed), self._pool.reset_seconds)
        start = self._received(response).start
        assert start is not None, "a worker answers a Reset with a start, or with an error, which was raised"
        self._first = self._first or start.hash
        return start

    async def _step(self, request: Act) -> Answer:
        assert self._place is not None and self._worker is not None, "an episode steps between its reset and its end"
        if self.watcher is not None:
            self.watcher.unseen = self._worker.unseen
        response = await self._place.ask(self._worker, request, self._pool.step_seconds)
        answer = self._received(response).answer
        assert answer is not None, "a worker answers an Act with an answer, or with an error, which was raised"
        return answer

    async def _restore(self) -> None:
        start = await self._open()
        if start.hash != self._first:
            raise RecordDiffers(
                f"{self._name} could not be restored after its worker was lost: its reset gave another observation than"
                " before."
            )
        for index, (action, interrupt_at, expected) in enumerate(self._past):
            if (await self._step(Act(self._number, action, interrupt_at))).hash != expected:
                raise RecordDiffers(
                    f"{self._name} could not be restored after its worker was lost: step {index} gave another"
                    " observation than before."
                )

    def _received(self, response: Response) -> Response:
        for png in response.pictures:
            self._blobs.put(png)
        return response

    def _forgive(self, lost: WorkerLost) -> None:
        """Leaves the lost worker; raises when it was one too many."""
        self._leave()
        self._lost += 1
        self._guilty += lost.guilty
        if self._guilty >= ATTEMPTS or self._lost >= LOSSES:
            where = f"step {len(self._past)}" if self._first else "reset"
            raise WorkersLost(
                f"{self._name} lost {self._lost} worker processes, the last in {where}: {lost}."
            ) from lost

    def _leave(self) -> None:
        """Gives its place free, if it has one."""
        if self._place is not None:
            self._place.environments -= 1
            del self._pool.played[self._number]
        self._place = self._worker = None

    @property
    def _name(self) -> str:
        return f"{self._task.env} {self._task.task}".strip()


def _error(response: Response) -> EmbodiedError:
    """The error that a host reported, with the words that it has there."""
    kind = getattr(errors, response.kind, EnvironmentFailure)
    if not (isinstance(kind, type) and issubclass(kind, UsageError | errors.StoreError | errors.MissingExtra)):
        kind = EnvironmentFailure
    error: EmbodiedError = kind.__new__(kind)
    error.args = (response.error,)
    return error
