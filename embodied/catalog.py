"""The list of environments: light facts that the command line reads without importing a simulator.

Other distributions add environments through the entry-point group `embodied.environments`. The target is an `Entry`, a
sequence of them, or a function that returns either. Its module should import nothing heavy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from embodied.errors import UsageError
from embodied.registry import OURS, Plugin, clash, plugins, report, unknown


@dataclass(frozen=True)
class Entry:
    """One environment."""

    name: str
    """Command-line name."""
    id: str
    """Gymnasium id."""
    target: str
    """`module:class`, imported when the environment is made."""
    tasks: tuple[str, ...]
    """Task names, BALROG's where it has the task; the first is the default of `gymnasium.make`."""
    episodes: int
    """Episodes per task by default; for the games those of BALROG (balrog/config/config.yaml,
    eval.num_episodes).
    """
    extra: str = ""
    """The pip extra of this package that installs the simulator; empty for environments of other distributions."""
    summary: str = ""
    """What it is, in one line."""
    picture: bool = True
    """Whether it can be asked for an image."""
    seen: bool = False
    """Whether its questions are about pictures: models that read pictures then get them, unless `--text` is given."""
    views: tuple[str, ...] = ()
    """Options that say how its pictures are drawn and nothing else: an agent's folder may set them."""
    experts: tuple[str, ...] = ()
    """Its own experts (`agent.expert` chooses one); the first is the default."""
    analysis: str = ""
    """`module:function` that makes the environment's own tables from scored episodes (see `embodied.eval.analysis`)."""
    data_tasks: str = ""
    """Published files (`data`) are for tasks whose names begin with this; all tasks by default."""
    can_succeed: bool = True
    """False if there is only progress, not success (as `LanguageEnv.can_succeed`)."""
    splits: tuple[str, ...] = ("test",)
    """Splits that it can be played on (`embodied.splits`). An environment whose seeds generate worlds has all three;
    one that has published items alone has `test`.
    """
    split_options: tuple[tuple[str, str, str | bool], ...] = ()
    """(split, option, value): what has to be set beside the seeds, where the items of a split are other items."""
    test_only: tuple[str, ...] = ()
    """Tasks that have no split but `test`, since every seed gives the same episode."""
    item_keys: tuple[str, ...] = ()
    """Keys of the reset's info that name what the seed chose. Empty where nothing has a name: then the goal and the
    first observation stand for it (`embodied.splits.item_of`).
    """
    versions: tuple[str, ...] = ()
    """Distributions that can move its scores. Their versions are recorded with a run, as is that of `distribution`."""
    revised: tuple[tuple[str, str], ...] = ()
    """(option, version), the newest first: episodes played with the option (not with 0, nothing or false) have this
    version. Those without it are what they were, and have the version in the id.
    """
    options: str = ""
    """`package:file.yaml` with the options and their defaults. Empty: the keyword parameters of the constructor."""
    distribution: str = ""
    """Who brings it: empty for ours. The catalog sets it for a plugin."""

    @property
    def family(self) -> str:
        """The Gymnasium id without its version: `embodied/MiniHack`."""
        return self.id.rpartition("-")[0]

    @property
    def version(self) -> str:
        """The version in the Gymnasium id: `v1`. Scores of two versions are not comparable."""
        return self.id.rpartition("-")[2]

    def version_of(self, played: Iterable[Mapping[str, Any]]) -> str:
        """The version of a run: that in the id, or the one of an option (`revised`).

        Args:
            played: The options of each task of the run.
        """
        if not self.revised:
            return self.version
        return next((version for o in played for option, version in self.revised if o.get(option)), self.version)


_BABA = ["distr_obj_rule", "distr_obj", "distr_rule", "distr_obj-irrelevant_rule"]


def _baba_tasks() -> tuple[str, ...]:
    plain = ["goto_win", "make_win"]
    rooms = [
        f"two_room-{r}"
        for r in ("goto_win", "break_stop-goto_win", "maybe_break_stop-goto_win", "make_win", "break_stop-make_win")
    ]
    tasks = [f"env/{base}{suffix}" for base in plain + rooms for suffix in ("", *(f"-{s}" for s in _BABA))]
    tasks += [f"env/two_room-{r}-distr_win_rule" for r in ("goto_win", "make_win")]
    return (*tasks, "env/two_room-make_you", "env/two_room-make_you-make_win", "env/two_room-make_wall_win")


_MINIHACK = (
    "Boxoban-Hard",
    "Boxoban-Medium",
    "MazeWalk-9x9",
    "MazeWalk-15x15",
    "Corridor-R3",
    "CorridorBattle-Dark",
    "Quest-Easy",
    "Quest-Medium",
)
_BABYAI = ("goto", "pickup", "open", "putnext", "pick_up_seq_go_to")


def _game(name: str, id: str, tasks: tuple[str, ...], episodes: int, summary: str, **more: Any) -> Entry:
    cls = id.partition("-")[0]
    return Entry(
        name, f"embodied/{id}", f"embodied.games.{name}.env:{cls}Env", tasks, episodes, "games", summary, **more
    )


_SEEDED = ("test", "train", "dev")
"""Splits of an environment whose seeds generate its worlds."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ID = re.compile(r"[\w.-]+/[\w.-]+-v\d+")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


class Catalog(Mapping[str, Entry]):
    """Every environment by name. Ours are always loaded; those of plugins are read when a name is not ours, or when all
    are listed.
    """

    def __init__(self, ours: Sequence[Entry]):
        self.ours = {e.name: e for e in ours}
        """Those of this package."""
        self._plugins: dict[str, Entry] | None = None
        self._clashes: dict[str, str] = {}

    def __getitem__(self, name: str) -> Entry:
        if name in self.ours:
            return self.ours[name]
        return self._of_plugins()[name]

    def entry(self, name: str) -> Entry:
        """The environment of that name. Raises `UnknownName`, or `UsageError` where two plugins claim the name."""
        if name in self:
            return self[name]
        if name in self._clashes:
            raise UsageError(f"{self._clashes[name]}. Uninstall one of them.")
        raise unknown("environment", name, self, "embodied list envs")

    def __contains__(self, name: object) -> bool:
        return name in self.ours or name in self._of_plugins()

    def __iter__(self) -> Iterator[str]:
        return iter([*self.ours, *self._of_plugins()])

    def __len__(self) -> int:
        return len(self.ours) + len(self._of_plugins())

    def plugins(self) -> list[Entry]:
        """The environments of other distributions."""
        return list(self._of_plugins().values())

    def _of_plugins(self) -> dict[str, Entry]:
        if self._plugins is None:
            self._plugins = {}
            for plugin in plugins("environment"):
                try:
                    for e in _entries(plugin):
                        self._add(self._plugins, e)
                except UsageError as error:
                    report(error)
            for name, sentence in self._clashes.items():
                del self._plugins[name]
                report(f"{sentence}. Both are left out.")
        return self._plugins

    def _add(self, found: dict[str, Entry], e: Entry) -> None:
        if e.name in self.ours:
            report(f"{clash('environment', e.name, OURS, e.distribution)}, which is left out.")
        elif e.name in found:
            self._clashes[e.name] = clash("environment", e.name, found[e.name].distribution, e.distribution)
        else:
            found[e.name] = e


def _entries(plugin: Plugin) -> list[Entry]:
    """The checked entries of a plugin. Raises `UsageError`, which names the distribution."""
    found = plugin.load()
    if callable(found):
        try:
            found = found()
        except (Exception, SystemExit) as error:  # a stranger's function may raise anything
            raise plugin.bad(f"cannot say what it brings ({type(error).__name__}: {error})") from error
    found = [found] if isinstance(found, Entry) else found
    if not isinstance(found, list | tuple) or not all(isinstance(e, Entry) for e in found):
        raise plugin.bad("is not an embodied.catalog.Entry, nor a list of them, nor a function that returns either")
    for e in found:
        if wrong := _wrong(e):
            raise plugin.bad(f"has a bad entry: {wrong}")
    return [replace(e, distribution=plugin.distribution) for e in found]


def _wrong(e: Entry) -> str:
    """What is wrong with a stranger's entry; empty when it is good."""
    for f in fields(e):
        value = getattr(e, f.name)
        if f.type == "str" and not isinstance(value, str):
            return f"{f.name} must be text, not {value!r}"
        if f.type == "tuple[str, ...]" and not (isinstance(value, tuple) and all(isinstance(v, str) for v in value)):
            return f"{f.name} must be a tuple of texts, not {value!r}"
    if not _NAME.fullmatch(e.name):
        return f"name must be lower-case letters, digits, _ and -, not {e.name!r}"
    if not _ID.fullmatch(e.id) or e.id.startswith("embodied/"):
        return f"id must be a Gymnasium id with a namespace of its own, such as mine/World-v0, not {e.id!r}"
    if any(target and not _TARGET.fullmatch(target) for target in (e.target, e.analysis)) or not e.target:
        return "target (and analysis) must be package.module:name"
    if not e.tasks or len(set(e.tasks)) != len(e.tasks) or any("," in t or not t.strip() for t in e.tasks):
        return "tasks must be one name or more, all different, without commas"
    if "test" not in e.splits or not set(e.splits) <= set(_SEEDED):
        return f"splits must be of {', '.join(_SEEDED)}, test among them, not {e.splits!r}"
    if not isinstance(e.split_options, tuple) or any(
        not isinstance(o, tuple) or len(o) != 3 or o[0] not in e.splits or not isinstance(o[1], str)
        for o in e.split_options
    ):
        return f"split_options must be a tuple of (split, option, value), not {e.split_options!r}"
    if not isinstance(e.episodes, int) or e.episodes < 1:
        return f"episodes must be a whole number above 0, not {e.episodes!r}"
    return ""


ENTRIES = Catalog(
    (
        _game(
            "nethack",
            "NetHack-v0",
            ("NetHackChallenge-v0",),
            5,
            "the whole dungeon, scored by how deep and how experienced the hero gets",
            views=("crop",),
            splits=_SEEDED,
        ),
        _game(
            "minihack",
            "MiniHack-v1",
            tuple(f"MiniHack-{t}-v0" for t in _MINIHACK),
            5,
            "small NetHack levels with one goal: mazes, battles, Boxoban, quests",
            data_tasks="MiniHack-Boxoban",
            experts=("solver", "explorer"),
            views=("crop",),
            item_keys=("boxoban",),
            splits=_SEEDED,
        ),
        _game(
            "babyai",
            "BabyAI-v0",
            tuple(f"BabyAI-MixedTrainLocal-v0/{t}" for t in _BABYAI),
            10,
            "one room, one instruction: go to, pick up, open, put next",
            experts=("bot",),
            analysis="embodied.games.babyai.analysis:tables",
            splits=_SEEDED,
        ),
        _game(
            "crafter",
            "Crafter-v0",
            ("default",),
            10,
            "open-world survival, scored by 22 achievements",
            experts=("settler", "surveyor"),
            views=("cell",),
            splits=_SEEDED,
            item_keys=("world_seed",),
        ),
        _game(
            "textworld",
            "TextWorld-v1",
            ("treasure_hunter", "the_cooking_game", "coin_collector"),
            10,
            "text adventures: a treasure, a meal, a coin",
            picture=False,
            experts=("walkthrough",),
            splits=_SEEDED,
            split_options=(("train", "generate", True), ("dev", "generate", True)),
            item_keys=("sha256",),
        ),
        _game(
            "babaisai",
            "BabaIsAI-v0",
            _baba_tasks(),
            3,
            "puzzles in which the rules are blocks one can push",
            experts=("search",),
            splits=_SEEDED,
        ),
        Entry(
            "patheval",
            "embodied/PathEval-v0",
            "embodied.planning.env:PathEvalEnv",
            ("decide", "perceive", "abstract", "integrate"),
            150,
            "",
            "which of two robot paths suits a scenario: judging, seeing, knowing what matters",
            seen=True,
            experts=("oracle",),
            analysis="embodied.planning.analysis:tables",
            splits=_SEEDED,
            split_options=(("train", "split", "train"), ("dev", "split", "dev")),
            item_keys=("map",),
        ),
        Entry(
            "patheval_loop",
            "embodied/PathEvalLoop-v1",
            "embodied.planning.loop:PathEvalLoopEnv",
            ("drive",),
            30,
            "",
            "a robot that drives the paths an agent chooses, among obstacles that appear; scored by regret",
            seen=True,
            experts=("oracle", "shortest_path"),
            analysis="embodied.planning.loop_analysis:tables",
            splits=_SEEDED,
            item_keys=("map",),
        ),
        Entry(
            "codalm",
            "embodied/CodaLM-v0",
            "embodied.driving.codalm.env:CodaLMEnv",
            ("general_perception", "region_perception", "driving_suggestion"),
            48,
            "",
            "corner cases on the road: what is there, what is in the box, what to do",
            seen=True,
            experts=("oracle",),
            analysis="embodied.driving.codalm.analysis:tables",
            revised=(("zoom", "v0.1"),),
            splits=_SEEDED,
            split_options=(("train", "split", "train"), ("dev", "split", "val")),
            item_keys=("dataset", "scene"),
        ),
        Entry(
            "corner_case_drive",
            "embodied/CornerCaseDrive-v1",
            "embodied.driving.closed_loop.env:CornerCaseDriveEnv",
            ("drive",),
            24,
            "",
            "the corner cases in motion, each road with and without one: decide once or twice a second, arrive, hit"
            " nothing, stop for nothing",
            seen=True,
            experts=("rule_driver",),
            analysis="embodied.driving.closed_loop.analysis:tables",
            item_keys=("pair",),
        ),
        Entry(
            "grounding3d",
            "embodied/Grounding3D-v0",
            "embodied.driving.grounding3d.env:Grounding3DEnv",
            ("locate",),
            48,
            "",
            "where is it: a 3D box in metres from one picture",
            seen=True,
            experts=("oracle",),
            analysis="embodied.driving.grounding3d.analysis:tables",
            splits=_SEEDED,
            split_options=(("train", "generate", True), ("dev", "generate", True)),
            item_keys=("scene",),
        ),
        Entry(
            "highway",
            "embodied/Highway-v1",
            "embodied.driving.highway.env:HighwayEnv",
            (
                "highway",
                "merge",
                "roundabout",
                "intersection",
                "parking",
                "exit",
                "two-way",
                "u-turn",
                "lane-keeping",
                "racetrack",
            ),
            10,
            "driving",
            "highway-env's roads in words: lanes, gaps and speeds",
            experts=("rule_driver",),
            analysis="embodied.driving.highway.analysis:tables",
            splits=_SEEDED,
            test_only=("lane-keeping", "lane-keeping-v0"),
        ),
    )
)


def entry(name: str) -> Entry:
    """The environment named `name`. Raises `UnknownName`."""
    return ENTRIES.entry(name)


def has_picture(name: str) -> bool:
    """Whether the environment named `name` can be asked for an image; for any other Gymnasium environment the answer is
    yes.
    """
    return name.startswith("gym:") or entry(name).picture


def check_task(e: Entry, task: str) -> str:
    """The full name of a task of `e`: `task` itself, or the one task that it is the end or a part of (`goto`).

    MiniHack and highway-env: also any text that looks like one of their ids; the environment looks it up.

    Raises:
        UnknownName: No task has it in its name.
        UsageError: Several have.
    """
    if (
        task in e.tasks
        or (e.name == "minihack" and task.startswith("MiniHack-"))
        or (e.name == "highway" and task[-3:-1] == "-v")
    ):
        return task
    found = _meant(e.tasks, task)
    if not found:
        known = [*e.tasks, *(full.rpartition("/")[2] for full in e.tasks)]
        raise unknown(f"task of {e.name}", task, known, f"embodied list tasks --env {e.name}")
    if len(found) > 1:
        shown = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        raise UsageError(f"{task!r} is part of the name of {len(found)} tasks of {e.name}: {shown}. Name one of them.")
    return found[0]


def _meant(tasks: tuple[str, ...], short: str) -> list[str]:
    """The tasks that `short` may stand for: those whose last part it is, else those that end with it, else those that
    have it somewhere; upper and lower case are the same.
    """
    short = short.casefold()
    if not short:
        return []
    names = {task: task.casefold() for task in tasks}
    last = [task for task, name in names.items() if name.rpartition("/")[2] == short]
    ends = [task for task, name in names.items() if name.endswith(short)]
    return last or ends or [task for task, name in names.items() if short in name]
