"""Workers on a Ray cluster: the same pool, whose workers are actors on any machine with a free core."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from embodied import secrets
from embodied.errors import EnvironmentFailure, MissingExtra, UsageError
from embodied.rollout.worlds.host import Host
from embodied.rollout.worlds.workers import ONE_THREAD, WorkerLost

try:
    import ray
    from ray.exceptions import RayActorError, RayError
except ModuleNotFoundError as error:
    raise MissingExtra("Playing on a Ray cluster (run.ray)", "ray") from error


def connect(address: str) -> int:
    """Connects this process to a cluster and returns its number of cores. A connection that is there already is kept.

    Args:
        address: `host:port`; `auto` for the cluster this machine belongs to; `local` for one that lives as long as this
            process.

    Raises:
        UsageError: There is no cluster at that address.
    """
    if not ray.is_initialized():
        try:
            host, _, port = address.removeprefix("ray://").rpartition(":")
            if port.isdecimal():  # Ray itself would try for minutes
                socket.create_connection((host, int(port)), timeout=10).close()
            ray.init(
                address=address,
                log_to_driver=False,
                configure_logging=False,
                include_dashboard=False if address == "local" else None,
            )
        except (OSError, ValueError, RuntimeError, RayError) as error:
            raise UsageError(
                f"Cannot connect to a Ray cluster at {address!r} (run.ray): {error}. `ray start --head` starts one."
            ) from error
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


class RayWorker:
    """A worker somewhere in the cluster: an actor with a core of its own. Only packed records go there and back, one
    for each request, so no frames are shown.
    """

    unseen = "Frames cannot be watched on a Ray cluster (run.ray): play the episode without run.ray to watch it."

    def __init__(self, actor: Any):
        """Use `launch`."""
        self._actor = actor
        self.shown: Callable[[bytes], None] | None = None

    @classmethod
    async def launch(cls, allowed: Sequence[str] = ()) -> RayWorker:
        """Asks for an actor; where no core is free, its first request waits for one. This process's secrets are empty
        there, but those `allowed`.
        """
        emptied = dict.fromkeys(os.environ.keys() - secrets.without(os.environ, allowed).keys(), "")
        options = {
            "num_cpus": 1,
            "max_restarts": 0,
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": {**ONE_THREAD, **emptied}},
        }
        return cls(ray.remote(Host).options(**options).remote())

    async def ask(self, request: bytes, seconds: float) -> bytes:
        try:
            return await asyncio.wait_for(self._actor.handle.remote(request), seconds)
        except TimeoutError as error:
            self._kill()
            raise WorkerLost(f"a Ray actor did not answer within {seconds:g} s and was ended") from error
        except RayActorError as error:
            raise WorkerLost(f"a Ray actor was lost: {str(error).splitlines()[0]}") from error
        except RayError as error:
            self._kill()
            raise EnvironmentFailure(f"Ray failed: {error}") from error
        except asyncio.CancelledError:
            self._kill()
            raise

    def interrupt(self) -> None:
        """Nothing: a step on a cluster ends by itself."""

    async def stop(self, seconds: float) -> None:
        self._kill()

    def _kill(self) -> None:
        ray.kill(self._actor)
