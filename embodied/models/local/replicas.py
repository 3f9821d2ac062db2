"""Replicas: copies of one local model on a Ray cluster, each an actor, that share the calls of a run."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec

from embodied.blobs import Blobs, MemoryBlobs
from embodied.errors import (
    MissingExtra,
    ModelFailure,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    PromptRefused,
    PromptTooLong,
    UsageError,
)
from embodied.models.base import CONVERSATION
from embodied.models.config import ModelConfig
from embodied.models.local.batcher import Batcher
from embodied.models.local.worker import Halt
from embodied.store.codec import pack
from embodied.types import Image, Message, Reply, Settings

try:
    import ray
    from ray.exceptions import GetTimeoutError, RayActorError, RayError
except ModuleNotFoundError as error:
    raise MissingExtra("Model replicas on a Ray cluster (run.replicas)", "ray") from error

RESTARTS = 3
"""How often a replica that was lost is started again, somewhere in the cluster. Its calls are answered again, with the
same replies.
"""
LOADING = 900.0
"""Seconds in which all replicas must have found a place in the cluster and loaded the weights."""
REMEMBERED = 10_000
"""Conversations of which the replica is known that holds their evaluated prompts."""


class Wanted(msgspec.Struct):
    """A call."""

    messages: tuple[Message, ...]
    settings: Settings


class Batch(msgspec.Struct):
    """Calls that are answered together, with the pictures (PNGs) they refer to."""

    calls: list[Wanted]
    pictures: list[bytes]


class Answered(msgspec.Struct):
    """The answer to a call: a reply, or the sentence in which the model refused it."""

    reply: Reply | None = None
    error: str = ""
    kind: str = ""
    """Class name of the failure."""
    why: str = ""


class Replica:
    """What runs in an actor: the model, which answers packed batches."""

    def __init__(self, config: bytes):
        from embodied.models.local.transformers import Transformers

        self._config = msgspec.msgpack.decode(config, type=ModelConfig)
        self._config.device = self._config.device.partition(":")[0]  # Ray shows an actor its own GPU alone
        self._blobs = MemoryBlobs()
        self._model = Transformers(self._config, self._blobs)

    def ready(self) -> bool:
        """Answers once the weights are loaded."""
        return True

    def answer(self, data: bytes) -> bytes:
        """A packed list of `Answered` for a packed `Batch`; an empty list when it took longer than `model.timeout`."""
        batch = msgspec.msgpack.decode(data, type=Batch)
        for picture in batch.pictures:
            self._blobs.put(picture)
        halt = Halt()
        halt.begin(self._config.timeout)
        answers = self._model.answer([(call.messages, call.settings) for call in batch.calls], halt)
        self._blobs.clear()
        return pack([] if halt.late else [_packed(a) for a in answers])


class Replicas:
    """A local model that lives in actors of a Ray cluster: one processor, or one GPU, each.

    Calls are collected as for a single model, and a batch is shared out: a conversation keeps its replica, a new one
    gets the replica with the least to do. Rows do not influence each other, so replies do not depend on the replica.

    Args:
        config: A model of the provider `transformers`.
        blobs: Where the images of messages are read from.
        count: Replicas.

    Raises:
        UsageError: Another provider, no connection to a cluster, fewer GPUs there than replicas, or a model that cannot
            be loaded there.
    """

    chooses = True
    weighs = True

    def __init__(self, config: ModelConfig, blobs: Blobs, count: int):
        if config.provider != "transformers":
            raise UsageError(f"run.replicas is for models of the provider transformers, not for {config.provider}.")
        if not ray.is_initialized():
            raise UsageError("run.replicas needs a Ray cluster: run.ray=auto, or its address.")
        self.name = f"transformers/{config.name}"
        self._config, self._blobs = config, blobs
        self._places: OrderedDict[str, int] = OrderedDict()
        options = {
            "num_cpus": config.threads or 1,
            "num_gpus": _gpus(config),
            "max_restarts": RESTARTS,
            "max_task_retries": RESTARTS,
        }
        if options["num_gpus"] * count > (there := ray.cluster_resources().get("GPU", 0)):
            raise UsageError(
                f"The Ray cluster has {there:g} GPUs and run.replicas={count} takes one each. Lower run.replicas, or"
                " use model.device=cpu."
            )
        made = ray.remote(Replica).options(**options, scheduling_strategy="SPREAD")
        self._actors: list[Any] = [made.remote(pack(config)) for _ in range(count)]
        try:
            ray.get([actor.ready.remote() for actor in self._actors], timeout=LOADING)
        except GetTimeoutError as error:
            self._end()
            raise UsageError(
                f"{self.name}: not all of {count} replicas found a free place in the cluster and were loaded in"
                f" {LOADING:g} s."
            ) from error
        except RayError as error:
            self._end()
            raise UsageError(f"{self.name} cannot be loaded in the cluster: {_last(error)}") from error
        self._batcher = Batcher[tuple[str, Wanted]](self._answer, lambda: config.batch * count)

    async def generate(self, messages: Sequence[Message], settings: Settings) -> Reply:
        return await self._batcher.ask((CONVERSATION.get(), Wanted(tuple(messages), settings)))

    def live(self, episodes: int) -> None:
        """How many episodes are being played: a batch waits for all of them."""
        self._batcher.live(episodes)

    async def aclose(self) -> None:
        self._end()

    def _end(self) -> None:
        while self._actors:
            ray.kill(self._actors.pop())

    async def _answer(self, requests: Sequence[tuple[str, Wanted]]) -> list[Reply | Exception]:
        shares = self._shared([conversation for conversation, _ in requests])
        answers: list[Reply | Exception] = [ModelUnavailable("not asked")] * len(requests)
        found = await asyncio.gather(
            *(
                self._ask(actor, [requests[n][1] for n in share])
                for actor, share in zip(self._actors, shares, strict=True)
                if share
            )
        )
        for share, replies in zip(filter(None, shares), found, strict=True):
            for number, reply in zip(share, replies, strict=True):
                answers[number] = reply
        return answers

    def _shared(self, conversations: Sequence[str]) -> list[list[int]]:
        """Which of the calls go to each replica: known conversations where they were, as long as there is room."""
        shares: list[list[int]] = [[] for _ in self._actors]
        strangers = []
        for number, conversation in enumerate(conversations):
            place = self._places.get(conversation)
            if place is None or len(shares[place]) >= self._config.batch:
                strangers.append(number)
            else:
                shares[place].append(number)
        for number in strangers:
            place = min(range(len(shares)), key=lambda n: len(shares[n]))
            shares[place].append(number)
            self._places[conversations[number]] = place
        for conversation in conversations:
            self._places.move_to_end(conversation)
        while len(self._places) > REMEMBERED:
            self._places.popitem(last=False)
        return shares

    async def _ask(self, actor: Any, calls: list[Wanted]) -> list[Reply | Exception]:
        digests = dict.fromkeys(
            part.digest for call in calls for m in call.messages for part in m.parts if isinstance(part, Image)
        )
        try:
            data = await actor.answer.remote(pack(Batch(calls, [self._blobs.get(digest) for digest in digests])))
        except RayActorError as error:
            return [ModelUnavailable(f"{self.name}: a replica was lost: {str(error).splitlines()[0]}")] * len(calls)
        except RayError as error:
            return [ModelRefused(f"{self.name} failed in the cluster: {_last(error)}")] * len(calls)
        answers = msgspec.msgpack.decode(data, type=list[Answered])
        if not answers:
            return [
                ModelTimeout(
                    f"{self.name}: no complete reply within {self._config.timeout:g} s. Raise model.timeout, or lower"
                    " model.max_tokens."
                )
            ] * len(calls)
        return [_unpacked(a) for a in answers]


def _packed(answer: Reply | ModelFailure) -> Answered:
    if isinstance(answer, Reply):
        return Answered(answer)
    return Answered(error=str(answer), kind=type(answer).__name__, why=getattr(answer, "why", ""))


def _unpacked(answered: Answered) -> Reply | ModelFailure:
    if answered.reply is not None:
        return answered.reply
    kind = {"PromptRefused": PromptRefused, "PromptTooLong": PromptTooLong}.get(answered.kind)
    return kind(answered.error, answered.why) if kind else ModelRefused(answered.error)


def _gpus(config: ModelConfig) -> int:
    """One where the cluster has any and the configuration does not say CPU."""
    return int(
        config.device.startswith("cuda") or (config.device == "auto" and ray.cluster_resources().get("GPU", 0) > 0)
    )


def _last(error: BaseException) -> str:
    """The last line of what an error, or its cause, says; else its kind."""
    cause = error.__cause__ or error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[-1]
