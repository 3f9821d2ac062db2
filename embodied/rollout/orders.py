"""Orders: what a corrector that is a person can do besides speaking, through the channel of the episode."""

from __future__ import annotations

from collections.abc import Callable

from embodied.correctors.base import Orders
from embodied.rollout.channel import Channel
from embodied.rollout.control import Act, Branch, Command, GiveBack, Label, Rewind, TakeOver
from embodied.types import EpisodeSpec


class ByChannel:
    """Orders as commands of a channel. They come while a decision is reviewed, so the episode loop awaits it."""

    def __init__(self, channel: Channel):
        self._channel = channel

    def act(self, phrase: str) -> str:
        if self._channel.control.accepts(phrase) is None:  # before control changes hands for nothing
            return f"{phrase!r} is not an action here."
        return self._submit(TakeOver()) or self._submit(Act(phrase)) or self._submit(GiveBack())

    def label(self, words: str) -> str:
        return self._submit(Label(words))

    def branch(self, step: int) -> str:
        return self._submit(Branch(step))

    def back(self, step: int) -> str:
        return self._submit(Rewind(step))

    def _submit(self, command: Command) -> str:
        """Why a command was refused; empty where it was not."""
        return self._channel.submit(command).why


class Reach:
    """The channels of a run's episodes, made for each episode once.

    Args:
        channels: Who else can reach an episode; None where nobody can.
        in_person: Whether a person corrects, who needs a channel in any case.
    """

    def __init__(self, channels: Callable[[EpisodeSpec], Channel | None], in_person: bool):
        self._channels = channels
        self._in_person = in_person
        self._made: dict[str, Channel | None] = {}

    def orders(self, spec: EpisodeSpec) -> Orders | None:
        """For the corrector of an episode, which is made before the episode begins."""
        if not self._in_person:
            return None
        channel = self._made[spec.id] = self._channels(spec) or Channel()
        return ByChannel(channel)

    def channel(self, spec: EpisodeSpec) -> Channel | None:
        """For the episode itself."""
        return self._made.pop(spec.id) if spec.id in self._made else self._channels(spec)
