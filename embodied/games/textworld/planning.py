"""The shortest way to win a game, found from its rules.

Nobody has to drop, close or lock anything in these games: one carries as much as one likes. Without such commands, what
is true stays true, but for where the player is. So the search is short: what has to be done anyway is done as soon as
it can be, and the search only decides where to go and which doors to open.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import replace

from embodied.games.textworld.logic import Action, Logic

_USELESS = ("close/", "lock/", "drop", "put", "insert")
"""Rules that no plan needs."""
_NODES = 20_000
"""States that the search for the shortest plan may look at; then a hasty one makes a longer plan."""


def plan(logic: Logic, state: int) -> tuple[str, ...] | None:
    """The commands that win the game from `state`; None where nothing does. No plan loses the game on its way."""
    if logic.won(state):
        return ()
    if logic.lost(state):
        return None
    actions = _useful(logic, state)
    if _reached(logic, actions, state) & logic.goal != logic.goal:
        return None
    must = [a for a in actions if not _is_go(a) and not _wins_without(logic, actions, state, a)]
    ways = [a for a in actions if a not in must]
    return _search(logic, state, must, ways, 1, _NODES) or _search(logic, state, must, ways, 5, 10 * _NODES)


def _search(
    logic: Logic, start: int, must: Sequence[Action], ways: Sequence[Action], weight: int, nodes: int
) -> tuple[str, ...] | None:
    """A* over the states; `weight` above 1 makes it hasty. It counts what must still be done."""
    best, came = {start: 0}, {start: (start, "")}
    todo = [(0, 0, start)]
    number = 0
    while todo and number < nodes:
        _, _, state = heapq.heappop(todo)
        if logic.won(state):
            return _path(came, state)
        cost = best[state] + 1
        due = next((a for a in must if _possible(state, a)), None)
        for action in ways if due is None else (due,):
            if not _possible(state, action):
                continue
            reached = logic.after(state, action)
            if logic.lost(reached) or best.get(reached, cost + 1) <= cost:
                continue
            best[reached], came[reached] = cost, (state, action.command)
            left = sum(1 for a in must if a.adds & ~reached)
            number += 1
            heapq.heappush(todo, (cost + weight * left, number, reached))
    return None


def _path(came: dict[int, tuple[int, str]], state: int) -> tuple[str, ...]:
    commands: list[str] = []
    while True:
        state, command = came[state]
        if not command:
            return tuple(reversed(commands))
        commands.append(command)


def _possible(state: int, action: Action) -> bool:
    """Whether an action is possible and brings something new."""
    return state & action.needs == action.needs and bool(action.adds & ~state)


def _useful(logic: Logic, state: int) -> list[Action]:
    """The actions that may be a part of a plan: possible some time, no loss, and needed for what the goal needs."""
    fatal = {mask for q in logic.quests if not state & q.done for mask in q.loses if mask.bit_count() == 1}
    actions = [
        a
        for a in logic.actions
        if not a.rule.startswith(_USELESS) and (a.adds & ~state or _is_go(a)) and not any(a.adds & m for m in fatal)
    ]
    actions = [_complete(logic, actions, state, a) for a in actions]
    reached = _reached(logic, actions, state)
    actions = [a for a in actions if reached & a.needs == a.needs]
    wanted = logic.goal
    while True:
        more = wanted
        for action in actions:
            if action.adds & wanted:
                more |= action.needs & ~state
        for quest in logic.quests:
            if quest.done & wanted:
                for mask in quest.wins:
                    more |= mask & ~state
        if more == wanted:
            break
        wanted = more
    return [a for a in actions if a.adds & wanted or _is_go(a)]


def _complete(logic: Logic, actions: Iterable[Action], state: int, action: Action) -> Action:
    """The action as the game has it: a meal needs ingredients that are ready, of which TextWorld's rule says nothing.
    They are ready when all quests are done that can be done without the meal.
    """
    if not action.rule.startswith("make/"):
        return action
    before = _reached(logic, [a for a in actions if a is not action], state) & logic.goal
    return replace(action, needs=action.needs | before)


def _wins_without(logic: Logic, actions: Iterable[Action], state: int, action: Action) -> bool:
    return _reached(logic, [a for a in actions if a is not action], state) & logic.goal == logic.goal


def _reached(logic: Logic, actions: Iterable[Action], state: int) -> int:
    """All that can become true if nothing becomes false."""
    left = list(actions)
    while True:
        before, waiting = state, []
        for action in left:
            if state & action.needs == action.needs:
                state |= action.adds
            else:
                waiting.append(action)
        state = logic.settled(state)
        if state == before:
            return state
        left = waiting


def _is_go(action: Action) -> bool:
    return action.rule.startswith("go/")
