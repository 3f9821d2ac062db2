"""What is checked, how it is played, and how two plays are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np


class Violation(Exception):
    """A rule that is broken, in a sentence."""


class Warned(Violation):
    """Something worth a look that breaks no rule."""


Rule = Callable[["Subject"], Iterator[Violation]]
Stranger = Any
"""An environment that is checked. It should be a `gymnasium.Env`, but nothing about it is certain."""


@dataclass(frozen=True)
class Returned:
    """What `step` returned; of `reset` the observation and info."""

    observation: Any
    info: Any
    reward: Any = 0.0
    terminated: Any = False
    truncated: Any = False

    @property
    def over(self) -> bool:
        return bool(self.terminated or self.truncated)


@dataclass
class Subject:
    """What is checked: how to make it and what to play."""

    factory: Callable[..., Stranger]
    seed: int
    steps: int
    actions: Sequence[str] | None = None
    single: bool = False
    """True when the factory returns the same instance each time."""

    def findings(self, rule: Rule) -> list[Violation]:
        """All that `rule` finds. An exception out of the environment is a finding too."""
        found: list[Violation] = []
        try:
            with blamed("what it returns, when looked at,"):
                for violation in rule(self):
                    found.append(violation)
        except Violation as violation:
            found.append(violation)
        return found

    @contextmanager
    def open(self, **options: Any) -> Iterator[Stranger]:
        """A new environment, closed afterwards."""
        with blamed("making it"):
            env = self.factory(**options).unwrapped
        try:
            yield env
        finally:
            if not self.single:
                with blamed("close"):
                    env.close()

    def phrases(self, env: Stranger) -> list[str]:
        """The actions to play: those given, else drawn from the action space."""
        if self.actions is not None:
            return list(self.actions)
        env.action_space.seed(self.seed)
        return [env.action_space.sample() for _ in range(self.steps)]

    def play(self, env: Stranger, actions: Sequence[str], seed: int | None = None) -> list[Returned]:
        """Resets with `seed` (the subject's by default) and plays until the actions or the episode are over."""
        frames = [reset(env, self.seed if seed is None else seed)]
        for action in actions:
            if frames[-1].over:
                break
            frames.append(step(env, action))
        return frames


def reset(env: Stranger, seed: int | None) -> Returned:
    with blamed("reset"):
        observation, info = env.reset(seed=seed)
    return Returned(observation, info)


def step(env: Stranger, action: str) -> Returned:
    with blamed(f"step({action!r})"):
        observation, reward, terminated, truncated, info = env.step(action)
    return Returned(observation, info, reward, terminated, truncated)


@contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turns any exception of a stranger's environment into a violation."""
    try:
        yield
    except Violation:
        raise
    except Exception as error:
        raise Violation(f"{what} raises {type(error).__name__}: {error}") from error


def difference(a: Sequence[Returned], b: Sequence[Returned]) -> str:
    """The first difference between two plays, in words; empty when there is none."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        where = "reset" if index == 0 else f"step {index}"
        for part in ("reward", "terminated", "truncated", "info"):
            if repr(getattr(x, part)) != repr(getattr(y, part)):  # as text: a stranger's info may hold arrays or NaN
                return f"the {part} of {where} is {getattr(x, part)!r} in one and {getattr(y, part)!r} in the other"
        for key in sorted({*x.observation, *y.observation}):
            if not np.array_equal(x.observation.get(key), y.observation.get(key)):
                return (
                    f"the {key} observed at {where} differs: {short(x.observation.get(key))} and"
                    f" {short(y.observation.get(key))}"
                )
    return "" if len(a) == len(b) else f"one lasts {len(a) - 1} steps and the other {len(b) - 1}"


def short(value: Any) -> str:
    """A part of an observation in few words."""
    if isinstance(value, str):
        return f"{value[:120]!r}"
    return _cut(repr(value)) if isinstance(value, list | tuple) else type(value).__name__


def _cut(text: str, most: int = 120) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def onward(env: Stranger, actions: Sequence[str]) -> list[Returned]:
    frames: list[Returned] = []
    for action in actions:
        frames.append(step(env, action))
        if frames[-1].over:
            break
    return frames


def restored(env: Stranger, point: Any, actions: Sequence[str]) -> list[Returned]:
    """Plays on from `point`. Restoring returns no more than the observation."""
    with blamed("restore"):
        observation = env.restore(point)
    return [Returned(observation, None), *onward(env, actions)]
