"""A game's rules in bits: what is true, what each command changes, when the game is won or lost.

The rules come from the game's JSON. The events that Inform prints after `tw-trace-actions` say which of them played.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

_EVENT = re.compile(r"^\[(?:\(\d+\) )?(.+) - succeeded\]$", re.MULTILINE)
"""What Inform prints once an action has succeeded. A number stands before an action that is a part of another."""
_ARTICLE = re.compile(r"\b(?:the|some) ")
_ALWAYS = ("look", "inventory", "examine/")
"""Rules that change nothing."""


@dataclass(frozen=True)
class Action:
    """One rule of the game with things and rooms put in. Sets of facts are bits of a number."""

    rule: str
    """TextWorld's name of the rule: `go/north`, `take/c`."""
    command: str
    events: tuple[str, ...]
    """What Inform calls it, in lower case and without articles."""
    needs: int
    adds: int
    removes: int


@dataclass(frozen=True)
class Quest:
    """One of the game's quests."""

    done: int
    """The fact that it is done."""
    wins: tuple[int, ...]
    """It is done as soon as the facts of one of these are true."""
    loses: tuple[int, ...]
    """The game is lost when the facts of one of these are true and the quest is not done."""


@dataclass(frozen=True)
class Logic:
    """What can be done in a game. A state is the number whose bits are the facts that are true."""

    start: int
    actions: tuple[Action, ...]
    quests: tuple[Quest, ...]
    goal: int
    """What is true when the game is won: every quest that counts is done."""

    def won(self, state: int) -> bool:
        """Whether the game is won."""
        return state & self.goal == self.goal

    def lost(self, state: int) -> bool:
        """Whether the game is lost."""
        return any(not state & q.done and any(state & m == m for m in q.loses) for q in self.quests)

    def after(self, state: int, action: Action) -> int:
        """The state that an action leads to."""
        return self.settled(state & ~action.removes | action.adds)

    def settled(self, state: int) -> int:
        """The state in which the quests that are fulfilled are done."""
        for quest in self.quests:
            if any(state & mask == mask for mask in quest.wins):
                state |= quest.done
        return state

    def heard(self, state: int, screen: str) -> int:
        """The state after what a tracing interpreter has printed."""
        for said in _EVENT.findall(screen):
            event = _plain(said)
            found = [a for a in self._named.get(event, ()) if state & a.needs == a.needs]
            if found:  # several: the rule that asks for most is the one that Inform has carried out
                state = self.after(state, max(found, key=lambda action: action.needs.bit_count()))
        return state

    def commanded(self, state: int, command: str) -> Action | None:
        """The action that a command in the walkthrough's words carries out; None where it changes nothing."""
        found = [a for a in self._commands.get(command, ()) if state & a.needs == a.needs]
        return max(found, key=lambda action: action.needs.bit_count()) if found else None

    @functools.cached_property
    def _named(self) -> dict[str, list[Action]]:
        return _grouped((event, action) for action in self.actions for event in action.events)

    @functools.cached_property
    def _commands(self) -> dict[str, list[Action]]:
        return _grouped((action.command, action) for action in self.actions)


def logic(data: bytes) -> Logic:
    """The rules of a game.

    Args:
        data: `textworld.Game.serialize`, as JSON.

    Raises:
        ValueError, KeyError: It is not a description that this release of TextWorld reads.
    """
    from textworld.generator import Game
    from textworld.generator.inform7.world2inform7 import Inform7Game

    game = Game.deserialize(json.loads(data))
    inform, bits = Inform7Game(game), _Bits()
    grounded = _grounded(game)
    commands, events = inform.gen_commands_from_actions(grounded), _Events(game)
    actions = [
        Action(a.name, command, events.of(a), bits.of(a.preconditions), bits.of(a.added), bits.of(a.removed))
        for a, command in zip(grounded, commands, strict=True)
    ]
    quests = [_quest(number, quest, bits) for number, quest in enumerate(game.quests)]
    goal = sum(made.done for made, quest in zip(quests, game.quests, strict=True) if made.wins and not quest.optional)
    made = Logic(bits.of(game.world.state.facts), tuple(_best_recipe(actions)), tuple(quests), goal)
    return replace(made, start=made.settled(made.start))


class _Bits:
    """Numbers facts in the order in which they are met."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}

    def of(self, facts: Iterable[Any]) -> int:
        """The bits of some facts."""
        return sum(1 << self._numbers.setdefault(fact, len(self._numbers)) for fact in set(facts))


def _grounded(game: Any) -> list[Any]:
    """Every action of the game that could ever be possible, and some that could not, in an order that is always the
    same. For a start, the player is everywhere and all doors are open as well as closed.
    """
    from textworld.logic import Proposition

    rules = [rule for rule in game.kb.rules.values() if not rule.name.startswith(_ALWAYS)]
    state = game.world.state.copy()
    rooms = state.variables_of_type("r")
    (player,) = state.variables_of_type("P")
    state.add_facts(Proposition("at", (player, room)) for room in rooms)
    for fact in list(state.facts):
        if fact.name == "link":
            state.add_fact(Proposition("free", (fact.arguments[0], fact.arguments[2])))
    found: dict[Any, None] = {}
    while True:
        new = [a for a in state.all_applicable_actions(rules, game.kb.types.constants_mapping) if a not in found]
        if not new:
            return sorted(found, key=lambda action: (action.name, [v.name for v in action.variables]))
        for action in new:
            found[action] = None
            state.add_facts(action.postconditions)


def _best_recipe(actions: list[Action]) -> list[Action]:
    """The actions with, of the rules that prepare a meal, the one that uses all ingredients: TextWorld has one for each
    number of ingredients, and does not say which one is the game's.
    """
    makes = [a for a in actions if a.rule.startswith("make/recipe")]
    best = max(makes, key=lambda a: a.needs.bit_count(), default=None)
    return [a for a in actions if a not in makes or a is best]


def _quest(number: int, quest: Any, bits: _Bits) -> Quest:
    wins = tuple(bits.of(event.condition.preconditions) for event in quest.win_events)
    loses = tuple(bits.of(event.condition.preconditions) for event in quest.fail_events)
    return Quest(bits.of([("done", number)]), wins, loses)


class _Events:
    """What Inform calls actions."""

    def __init__(self, game: Any) -> None:
        self._kb = game.kb
        self._names = {key: info.name for key, info in game.infos.items()}
        links = (fact.arguments for fact in game.world.state.facts if fact.name == "link")
        self._doors = {(here.name, there.name): door.name for here, door, there in links}

    def of(self, action: Any) -> tuple[str, ...]:
        """The events of an action: one takes or removes a thing, and goes north or through a door."""
        things = {place.name: thing.name for place, thing in self._kb.rules[action.name].match(action).items()}
        named = {place: self._names[thing] for place, thing in things.items()}
        events = [self._kb.inform7_events[action.name].format(**named)]
        if action.name.startswith("take/"):
            events.append(f"taking {named['o']}")
        if action.name.startswith("go/") and (door := self._doors.get((things["r"], things["r'"]))):
            events.append(f"going {self._names[door]}")
        return tuple(_plain(event) for event in events)


def _plain(event: str) -> str:
    return _ARTICLE.sub("", event.lower())


def _grouped(pairs: Iterable[tuple[str, Action]]) -> dict[str, list[Action]]:
    groups: dict[str, list[Action]] = {}
    for key, action in pairs:
        groups.setdefault(key, []).append(action)
    return groups
