"""What environments there are: light facts, read by the command line without importing a simulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from embodied.registry import unknown


@dataclass(frozen=True)
class Entry:
    """One environment of the suite."""

    name: str
    """Command-line name."""
    id: str
    """Gymnasium id."""
    target: str
    """`module:class`, imported when the environment is made."""
    tasks: tuple[str, ...]
    """Task names, BALROG's where it has the task; the first is the default of `gymnasium.make`."""
    episodes: int
    """Episodes per task in the suite `balrog` (balrog/config/config.yaml, eval.num_episodes)."""
    extra: str
    """The pip extra that installs the simulator."""
    summary: str
    picture: bool = True
    """Whether it can be asked for an image."""
    expert: bool = False
    """Whether it has an expert of its own."""
    data_tasks: str = ""
    """How the names of the tasks begin that published files (`data`) can be given for; all of them by default."""


_BABA = ["distr_obj_rule", "distr_obj", "distr_rule", "distr_obj-irrelevant_rule"]


def _baba_tasks() -> tuple[str, ...]:
    plain = ["goto_win", "make_win"]
    rooms = [f"two_room-{r}" for r in ("goto_win", "break_stop-goto_win", "maybe_break_stop-goto_win", "make_win", "break_stop-make_win")]
    tasks = [f"env/{base}{suffix}" for base in plain + rooms for suffix in ("", *(f"-{s}" for s in _BABA))]
    tasks += [f"env/two_room-{r}-distr_win_rule" for r in ("goto_win", "make_win")]
    return (*tasks, "env/two_room-make_you", "env/two_room-make_you-make_win", "env/two_room-make_wall_win")


_MINIHACK = ("Boxoban-Hard", "Boxoban-Medium", "MazeWalk-9x9", "MazeWalk-15x15", "Corridor-R3", "CorridorBattle-Dark", "Quest-Easy", "Quest-Medium")
_BABYAI = ("goto", "pickup", "open", "putnext", "pick_up_seq_go_to")


def _game(name: str, cls: str, tasks: tuple[str, ...], episodes: int, summary: str, **more: Any) -> Entry:
    return Entry(name, f"embodied/{cls}-v0", f"embodied.envs.games.{name}.env:{cls}Env", tasks, episodes, "games", summary, **more)


ENTRIES: dict[str, Entry] = {
    e.name: e
    for e in (
        _game("nethack", "NetHack", ("NetHackChallenge-v0",), 5, "the whole dungeon, scored by how deep and how experienced the hero gets"),
        _game(
            "minihack",
            "MiniHack",
            tuple(f"MiniHack-{t}-v0" for t in _MINIHACK),
            5,
            "small NetHack levels with one goal: mazes, battles, Boxoban, quests",
            data_tasks="MiniHack-Boxoban",
        ),
        _game(
            "babyai",
            "BabyAI",
            tuple(f"BabyAI-MixedTrainLocal-v0/{t}" for t in _BABYAI),
            10,
            "one room, one instruction: go to, pick up, open, put next",
            expert=True,
        ),
        _game("crafter", "Crafter", ("default",), 10, "open-world survival, scored by 22 achievements"),
        _game(
            "textworld",
            "TextWorld",
            ("treasure_hunter", "the_cooking_game", "coin_collector"),
            10,
            "text adventures: a treasure, a meal, a coin",
            picture=False,
            expert=True,
        ),
        _game("babaisai", "BabaIsAI", _baba_tasks(), 3, "puzzles in which the rules are blocks one can push", expert=True),
    )
}


def entry(name: str) -> Entry:
    """The environment named `name`. Raises `UnknownName`."""
    if name not in ENTRIES:
        raise unknown("environment", name, list(ENTRIES), "embodied list envs")
    return ENTRIES[name]


def has_picture(name: str) -> bool:
    """Whether the environment named `name` can be asked for an image; any other Gymnasium environment is taken to."""
    return name.startswith("gym:") or entry(name).picture


def check_task(e: Entry, task: str) -> str:
    """Returns `task` if `e` has it (MiniHack: any registered MiniHack id). Raises `UnknownName`."""
    if task in e.tasks or (e.name == "minihack" and task.startswith("MiniHack-")):
        return task
    raise unknown(f"task of {e.name}", task, list(e.tasks), f"embodied list tasks --env {e.name}")
