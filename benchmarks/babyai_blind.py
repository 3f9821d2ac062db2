"""What BabyAI's five tasks give to who never reads the instruction: success, the first object touched and the length of
the path (SPL), beside minigrid's bot and random actions.

python benchmarks/babyai_blind.py [--episodes 100]     # writes benchmarks/babyai_blind.json and the package's figures

The blind walker gets the text of every observation and nothing else. It goes to objects in random order, picks each up,
carries it to the others, sets it down beside them and takes it up again; a key whose locked door it has seen comes
first. Everything is a function of the seeds.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from embodied import envs
from embodied.catalog import entry
from embodied.games.babyai.paths import bot_path
from embodied.seeding import generator

RESULT = Path(__file__).with_suffix(".json")
SHOWN = Path(__file__).parents[1] / "embodied/games/babyai/data/reading.json"
"""The figures that stand beside the measures of a run."""
MEASURES = ("success", "first_object_named", "spl")
DISTRACTORS = (0, 3, 8)
FIRST_SEED = 1000

Cell = tuple[int, int]
_HEADINGS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""North, east, south, west, as the walker counts from where it began."""
_LINE = re.compile(
    r"an? (?:(open|locked|closed) )?(?:(\w+) )?(\w+)(?: (\d) steps? (left|right))?(?: and)?(?: (\d) steps? forward)?"
)
_REACH, _SIDE = 6, 3
"""Cells in sight ahead and to each side."""


class BlindWalker:
    """Remembers where it saw what; does not know what it is asked for. The room is taken for a rectangle."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng
        self._at, self._heading = (0, 0), 0
        self._things: dict[Cell, tuple[str, str, str]] = {}  # cell -> (state, color, type)
        self._bounds = {0: 99, 1: 99, 2: 99, 3: 99}  # how far the walls are, by heading, from the beginning
        self._carried: tuple[str, str] | None = None
        self._target: Cell | None = None
        self._done: set[Cell] = set()  # visited since the walker last took something new
        self._taken: set[Cell] = set()  # where things lie that it has carried already
        self._shown: Cell | None = None  # beside which it has set its load down
        self._load: Cell | None = None  # where it did
        self._turns = 0

    def act(self, text: str) -> str:
        """The next action, after reading an observation."""
        self._see(text)
        action = self._choose()
        if action == "turn right":
            self._heading = (self._heading + 1) % 4
        elif action == "turn left":
            self._heading = (self._heading - 1) % 4
        elif action == "go forward" and self._free(self._ahead(1)):
            self._at = self._ahead(1)
        return action

    # ----------------------------------------------------------------- what it knows

    def _see(self, text: str) -> None:
        seen: dict[Cell, tuple[str, str, str]] = {}
        self._carried = None
        for line in text.splitlines():
            if line.startswith("You carry a "):
                color, kind = line.removeprefix("You carry a ").split()
                self._carried = (color, kind)
            elif match := _LINE.fullmatch(line):
                state, color, kind, aside, side, ahead = match.groups()
                right = int(aside or 0) * (1 if side == "right" else -1)
                if kind == "wall":
                    self._wall((self._heading + (right > 0) - (right < 0)) % 4, self._cell(int(ahead or 0), right))
                else:
                    seen[self._cell(int(ahead or 0), right)] = (state or "", color, kind)
        view = {self._cell(ahead, right) for ahead in range(_REACH + 1) for right in range(-_SIDE, _SIDE + 1)}
        self._things = {cell: thing for cell, thing in self._things.items() if cell not in view} | seen

    def _wall(self, heading: int, cell: Cell) -> None:
        dx, dy = _HEADINGS[heading]
        self._bounds[heading] = min(self._bounds[heading], dx * cell[0] + dy * cell[1])

    def _cell(self, ahead: int, right: int) -> Cell:
        (dx, dy), (rx, ry) = _HEADINGS[self._heading], _HEADINGS[(self._heading + 1) % 4]
        return self._at[0] + ahead * dx + right * rx, self._at[1] + ahead * dy + right * ry

    def _ahead(self, steps: int) -> Cell:
        return self._cell(steps, 0)

    def _free(self, cell: Cell) -> bool:
        inside = all(dx * cell[0] + dy * cell[1] < self._bounds[heading] for heading, (dx, dy) in enumerate(_HEADINGS))
        return inside and cell not in self._things

    # ----------------------------------------------------------------- what it does

    def _choose(self) -> str:
        if self._target not in self._things or self._target in self._done:
            self._target = self._next()
        if self._target is None:
            return self._without_target()
        if self._ahead(1) == self._target:
            return self._touch(self._target)
        thing = self._things[self._target]
        if self._carried and thing[2] != "door":
            if self._shown != self._target and self._ahead(2) == self._target and self._free(self._ahead(1)):
                self._shown = self._target
                self._load = self._ahead(1)
                return "drop"
            if self._shown != self._target and (action := self._toward(self._target, 2)):
                return action
        elif not self._carried and self._shown == self._target and self._ahead(1) == self._load:
            return "pick up"
        if action := self._toward(self._target, 1):
            return action
        self._done.add(self._target)
        return "turn right"

    def _touch(self, cell: Cell) -> str:
        """What it does to the thing in front of it."""
        kind = self._things[cell][2]
        self._done.add(cell)
        if kind == "door":
            return "toggle"
        if self._carried is None:
            self._done = {cell}
            self._taken.add(cell)
            self._shown = None
            return "pick up"
        return "turn left"

    def _without_target(self) -> str:
        """Looks around, once; then sets down what it carries and begins with another thing."""
        self._turns += 1
        if self._turns < 4:
            return "turn right"
        self._turns = 0
        self._done.clear()
        if self._carried and self._free(self._ahead(1)):
            self._taken.add(self._ahead(1))
            return "drop"
        if len(self._taken) >= len(self._things):
            self._taken.clear()
        return "go forward" if self._free(self._ahead(1)) else "turn left"

    def _next(self) -> Cell | None:
        left = [
            cell
            for cell in sorted(self._things)
            if cell not in self._done and (self._carried or cell not in self._taken)
        ]
        doors = {color for state, color, kind in self._things.values() if kind == "door" and state == "locked"}
        if self._carried and self._carried[1] == "key" and self._carried[0] in doors:
            left = [c for c in left if self._things[c][1:] == (self._carried[0], "door")] or left
        elif not self._carried:
            keys = [c for c in left if self._things[c][2] == "key" and self._things[c][1] in doors]
            left = keys or [c for c in left if self._things[c][2] != "door" or self._things[c][0] != "locked"]
        return left[self._rng.integers(len(left))] if left else None

    def _toward(self, goal: Cell, distance: int) -> str | None:
        """The first step of a shortest way to face `goal` from so many cells away, with free cells between."""
        start = (self._at, self._heading)
        first: dict[tuple[Cell, int], str | None] = {start: None}
        queue = deque([start])
        while queue:
            state = (x, y), heading = queue.popleft()
            dx, dy = _HEADINGS[heading]
            if (x + distance * dx, y + distance * dy) == goal and all(
                self._free((x + k * dx, y + k * dy)) for k in range(1, distance)
            ):
                return first[state]
            for action, after in (
                ("turn right", ((x, y), (heading + 1) % 4)),
                ("turn left", ((x, y), (heading - 1) % 4)),
                ("go forward", ((x + dx, y + dy), heading)),
            ):
                near = abs(after[0][0] - self._at[0]) + abs(after[0][1] - self._at[1]) < 16
                if after not in first and near and (action != "go forward" or self._free(after[0])):
                    first[after] = first[state] or action
                    queue.append(after)
        return None


def episodes(task: str, distractors: int, player: str, seeds: Iterable[int]) -> Iterator[tuple[float, float, float]]:
    """Plays; yields the `MEASURES` of each."""
    env = envs.make("babyai", task=task, distractors=distractors, expert=player == "bot")
    phrases = list(env.action_space)
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        rng = generator(seed, "babyai_blind", player)
        walker = BlindWalker(rng)
        choose: dict[str, Callable[[dict], str]] = {
            "bot": lambda seen: seen["expert"],
            "blind": lambda seen, walker=walker: walker.act(seen["text"]),
            "random": lambda seen, rng=rng: phrases[rng.integers(len(phrases))],
        }
        over, steps = False, 0
        while not over:
            observation, _, terminated, truncated, info = env.step(choose[player](observation))
            over, steps = terminated or truncated, steps + 1
        _, shortest = bot_path(task.rpartition("/")[2], distractors, seed)
        yield (
            float(info["success"]),
            info["metrics"]["first_object_named"],
            info["success"] * shortest / max(steps, shortest),
        )
    env.close()


def summary(values: np.ndarray) -> dict[str, float]:
    """Mean of (tasks, episodes) and its standard error, the tasks being given."""
    error = float(np.sqrt((values.var(axis=1, ddof=1) / values.shape[1]).sum()) / values.shape[0])
    return {"mean": round(float(values.mean()), 4), "standard_error": round(error, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100, help="of each task")
    options = parser.parse_args()
    tasks = entry("babyai").tasks
    seeds = range(FIRST_SEED, FIRST_SEED + options.episodes)
    rows = []
    for distractors in DISTRACTORS:
        for player in ("bot", "blind", "random"):
            found = np.array([list(episodes(task, distractors, player, seeds)) for task in tasks])
            measures = {name: found[:, :, k] for k, name in enumerate(MEASURES)}
            row = {"distractors": distractors, "player": player, "episodes": found[:, :, 0].size} | {
                name: summary(values) for name, values in measures.items()
            }
            row["tasks"] = {
                task.rpartition("/")[2]: {n: summary(v[k : k + 1]) for n, v in measures.items()}
                for k, task in enumerate(tasks)
            }
            rows.append(row)
            print(distractors, player, *(row[name] for name in MEASURES), flush=True)
    about = {
        "environment": entry("babyai").id,
        "command": f"python benchmarks/babyai_blind.py --episodes {options.episodes}",
        "episodes_a_task": options.episodes,
        "first_seed": FIRST_SEED,
    }
    short = [{key: value for key, value in row.items() if key != "tasks"} for row in rows]
    for path, shown in ((RESULT, rows), (SHOWN, short)):
        path.write_text(json.dumps({**about, "rows": shown}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
