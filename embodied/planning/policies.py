"""The best and the worst result that choices among the same proposals can reach, found by beam search. The world is
deterministic, so the search can try what a choice leads to. After each decision, a beam keeps the few states that
promise most, and follows them to the goal.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from embodied.arrays import Floats
from embodied.planning.geometry import Together
from embodied.planning.scenarios import Scenario
from embodied.planning.utility import measure, utility
from embodied.planning.world import State, World, drive, proposals, wait

WIDTH = 2
"""States kept after each decision. The search is exhaustive when this is at least the number of choices."""


WAIT = -1
"""The choice to ask for other paths."""


class Policy(NamedTuple):
    """A sequence of choices that gets to the goal."""

    choices: tuple[int, ...]
    """Numbers of the paths chosen, from 0; `WAIT` where none was, which is tried only where every path ends in a
    collision.
    """
    value: float
    """Utility of what was driven."""


class _Branch(NamedTuple):
    promise: float
    choices: tuple[int, ...]
    state: State


class Search:
    """Tries policies in a world, for a scenario, and remembers the results.

    Args:
        world: Where.
        scenario: What decides.
        limit: Decisions at most, in all.
        width: States kept after each decision.
    """

    def __init__(self, world: World, scenario: Scenario, limit: int, width: int = WIDTH):
        self._world, self._scenario, self._limit, self._width = world, scenario, limit, width
        self._offers: dict[tuple[int, bytes, float], list[tuple[str, Floats]]] = {}
        self._found: dict[tuple[int, bytes, float], list[Policy]] = {}

    def offers(self, state: State) -> list[tuple[str, Floats]]:
        """`world.proposals`, remembered."""
        key = _key(state)
        if key not in self._offers:
            self._offers[key] = proposals(self._world, state)
        return self._offers[key]

    def value(self, track: Floats) -> float:
        """The utility of a trajectory."""
        return utility(measure(track, self._solid), self._scenario)

    @functools.cached_property
    def _solid(self) -> Together:
        return self._world.solid

    def best(self, state: State) -> Policy | None:
        """The best policy found from a state on; None when none reaches the goal."""
        return max(self._arriving(state), key=lambda policy: policy.value, default=None)

    def worst(self, state: State) -> Policy | None:
        """The worst that gets to the goal."""
        return min(self._arriving(state), key=lambda policy: policy.value, default=None)

    def _arriving(self, state: State) -> list[Policy]:
        """Policies that reach the goal from a state on: one beam looks for the best ones, another for the worst
        ones.
        """
        key = _key(state)
        if key not in self._found:
            self._found[key] = [*self._beam(state, 1.0), *self._beam(state, -1.0)]
        return self._found[key]

    def _beam(self, state: State, sign: float) -> list[Policy]:
        found: list[Policy] = []
        beam = [_Branch(0.0, (), state)]
        while beam and beam[0].state.step < self._limit:
            branches = [branch for one in beam for branch in self._branches(one)]
            found += [
                Policy(branch.choices, self.value(branch.state.track))
                for branch in branches
                if branch.state.end == "goal"
            ]
            going = [branch for branch in branches if not branch.state.end]
            beam = sorted(going, key=lambda branch: (-sign * branch.promise, branch.choices))[: self._width]
        return found

    def _branches(self, branch: _Branch) -> list[_Branch]:
        result = []
        for number, (_, path) in enumerate(self.offers(branch.state)):
            after = drive(self._world, branch.state, path)
            rest = np.concatenate([after.track, _ahead(path, after.place)])
            result.append(_Branch(0.0 if after.end else self.value(rest), (*branch.choices, number), after))
        if all(one.state.end not in ("", "goal") for one in result):
            result.append(_Branch(branch.promise, (*branch.choices, WAIT), wait(self._world, branch.state)))
        return [one for one in result if one.state.end in ("", "goal")]


def _key(state: State) -> tuple[int, bytes, float]:
    return state.step, state.track.tobytes(), state.time


def shortest(offers: list[tuple[str, Floats]]) -> int:
    """The number of the shortest of the paths offered."""
    return int(np.argmin([np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1)).sum() for _, path in offers]))


def _ahead(path: Floats, place: Floats) -> Floats:
    """The part of a path that lies ahead of its nearest point to `place`."""
    step = np.diff(path, axis=0)
    share = np.clip(((place - path[:-1]) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), 1e-12), 0, 1)
    gap = ((path[:-1] + share[:, None] * step - place) ** 2).sum(axis=1)
    return path[int(gap.argmin()) + 1 :]
