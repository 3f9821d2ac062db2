"""PathEval's data as it is published, in and out.

A folder holds `2D/test_dataset_2D.json` and `2D/train_set_2D.json`, the same for 3D, and pictures beside them. A record
has `id`, `image`, `conversations` (the scenario as a question, the answer `Path 1` or `Path 2`) and `metrics` (the
seven descriptors of both paths). It has no paths and no map. What we write has the same four keys, and `embodied` with
the rest (paths, map, dense descriptors), so that reading it gives the same items again.

The label of a record is the rule's, from its metrics. Records whose written label is another one are left out, counted
and listed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from embodied.arrays import Floats, Pixels
from embodied.atomic import FULL, whole, write_whole
from embodied.errors import EmbodiedError, EnvironmentFailure, StoreError, UsageError
from embodied.planning import views
from embodied.planning.descriptors import NAMES
from embodied.planning.items import Item, ItemSet, MapKey, Pair, check, drawn, pair_from_json, pair_json
from embodied.planning.making import PARAMETERS
from embodied.planning.scenarios import SCENARIOS, recognise
from embodied.terminal import shell_word

FILES = {"test": "test_dataset_{}.json", "train": "train_set_{}.json", "dev": "dev_set_{}.json"}
"""Split -> name of its file; the originals have no dev."""
PATHS = ("Path 1", "Path 2")
KEYS = ("id", "image", "conversations", "metrics")
QUESTION = ". Which path better achieves the task?"
_ABOUT = "embodied.json"
_SHOWN = 5
"""Problems that an error names."""


@dataclass
class Reading:
    """What was found in one file."""

    path: Path
    records: int = 0
    items: list[Item] = field(default_factory=list)
    """Records whose written label is the rule's."""
    disagreements: list[str] = field(default_factory=list)
    """Records whose written label is not, a sentence each."""
    problems: list[str] = field(default_factory=list)
    """What cannot be read, a sentence each."""

    @property
    def agreement(self) -> float | None:
        """Share of the readable records whose written label is the rule's."""
        readable = len(self.items) + len(self.disagreements)
        return len(self.items) / readable if readable else None


def path_of(folder: str | Path, split: str, view: str) -> Path:
    """The file of a split in a view."""
    return Path(folder) / view.upper() / FILES[split].format(view.upper())


def read(folder: str | Path, split: str, view: str, pictures: str = "all") -> Reading:
    """Reads a file and checks every record.

    Args:
        folder: The folder that holds `2D` and `3D`.
        split: `test`, `train` or `dev`.
        view: `2d` or `3d`.
        pictures: Whose pictures must be there: `all`, those of records `without paths`, or `none`.

    Raises:
        UsageError: There is no such file, or it is not a JSON list.
    """
    path = path_of(folder, split, view)
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        there = [
            f"env.view={other}" for other in views.VIEWS if other != view and path_of(folder, split, other).is_file()
        ]
        way_out = (
            f"There is one for {there[0]}."
            if there
            else "data is the folder that holds 2D/ and 3D/ of PathEval, or one that `embodied data patheval` wrote."
        )
        raise UsageError(f"There is no {path}. {way_out}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(records, list):
        raise UsageError(f"{path} holds a {type(records).__name__}; PathEval's files hold a list of records.")
    reading = Reading(path, len(records))
    pairs: dict[Any, Pair] = {}
    ids: set[str] = set()
    for number, record in enumerate(records):
        try:
            item, written = _item(record, pairs, path, view, pictures)
        except _Unreadable as problem:
            reading.problems.append(f"record {number}: {problem}")
            continue
        if fault := _other_size(item.pair, pairs, view) or (_untrue(item) if pictures == "all" else ""):
            reading.problems.append(f"record {number}: {fault}")
            continue
        if item.id in ids:  # it identifies items
            item = replace(item, id=f"{item.id}#{number}")
        ids.add(item.id)
        rule = int(item.pair.labels()[item.scenario.number - 1])
        if rule == written:
            reading.items.append(item)
        else:
            ours = f"Path {rule}" if rule else "unresolved"
            reading.disagreements.append(
                f"record {item.id} ({item.scenario.name}): written Path {written}, by the rule {ours}"
            )
    return reading


def read_split(folder: str | Path, split: str, view: str, pictures: bool) -> ItemSet:
    """The items of a folder, for the environment.

    Raises:
        UsageError: There is no such file, or some of its records cannot be read: pictures are missing, keys are others.
            Names the first.
    """
    reading = read(folder, split, view, "without paths" if pictures else "none")
    if reading.problems:
        more = len(reading.problems) - _SHOWN
        raise UsageError(
            f"{reading.path} has {len(reading.problems)} of {reading.records} records that cannot be used: "
            + "; ".join(reading.problems[:_SHOWN])
            + (f"; and {more} more" if more > 0 else "")
            + f". `embodied data patheval --check {shell_word(folder)}` lists all."
        )
    if not reading.items:
        raise UsageError(f"{reading.path} has no record whose label is the rule's.")
    about = _about(folder, split)
    used = list(dict.fromkeys(item.pair for item in reading.items))
    whole = about and not reading.disagreements
    counts = {} if whole else {"records": reading.records, "left out": len(reading.disagreements)}
    return ItemSet(
        split, tuple(used), tuple(reading.items), about.get("recipe", {}), {**about.get("counts", {}), **counts}
    )


def _about(folder: str | Path, split: str) -> dict[str, Any]:
    path = Path(folder) / _ABOUT
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")).get(split, {}))
    except FileNotFoundError:
        return {}  # published data has none
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is damaged: {error}. It says what the data was made with; write the folder again, or remove the"
            " file."
        ) from error


# --------------------------------------------------------------------------- one record


class _Unreadable(EmbodiedError):
    """What is wrong with a record."""


def _item(record: Any, pairs: dict[Any, Pair], path: Path, view: str, pictures: str) -> tuple[Item, int]:
    """The item of a record, labelled as it is written, and that label."""
    if not isinstance(record, dict) or (missing := [key for key in KEYS if key not in record]):
        raise _Unreadable(
            f"it is not an object with {', '.join(KEYS)}"
            if not isinstance(record, dict)
            else f"it lacks {', '.join(missing)}"
        )
    if other := sorted(set(record) - {*KEYS, "embodied"}):
        raise _Unreadable(f"it has other keys: {', '.join(other)}")
    question, written = _conversation(record["conversations"])
    scenario = recognise(question)
    if scenario is None:
        raise _Unreadable(f"its scenario is not one of the {len(SCENARIOS)}: {question[:60]!r}")
    ours = record.get("embodied")
    picture = _picture(path, str(record["image"]))
    if pictures == "all" or (pictures == "without paths" and ours is None):
        if picture is None:
            raise _Unreadable(f"its picture {record['image']} is missing")
        if isinstance(fault := _size(picture), str):
            raise _Unreadable(f"its picture {record['image']} cannot be read ({fault})")
    metrics = _metrics(record["metrics"])
    if ours is not None:
        try:
            pair = pairs.setdefault(ours["name"], _whole(pair_from_json(ours, MapKey(*ours["map"]))))
        except (KeyError, TypeError, ValueError) as error:
            raise _Unreadable(f"its `embodied` part is damaged ({type(error).__name__}: {error})") from error
        if not np.array_equal(pair.paper, metrics):
            raise _Unreadable("its metrics are not those of its `embodied` part")
        return Item(f"{pair.name}-s{scenario.number:02}", pair, scenario, written), written
    key = metrics.tobytes()
    if key not in pairs:
        pairs[key] = Pair(metrics, name=f"pair{len(pairs)}", pictures={} if picture is None else {view: picture})
    return Item(str(record["id"]), pairs[key], scenario, written), written


def _conversation(turns: Any) -> tuple[str, int]:
    said = (
        {turn.get("from"): turn.get("value") for turn in turns if isinstance(turn, dict)}
        if isinstance(turns, list)
        else {}
    )
    human = said.get("human")
    if not isinstance(human, str) or said.get("gpt") not in PATHS:
        raise _Unreadable(
            "its conversations are not a question of `human` and an answer of `gpt` that is Path 1 or Path 2"
        )
    return human, PATHS.index(said["gpt"]) + 1


def _metrics(metrics: Any) -> Floats:
    if (
        not isinstance(metrics, dict)
        or set(metrics) != set(PATHS)
        or not all(isinstance(metrics[p], dict) for p in PATHS)
    ):
        raise _Unreadable("its metrics are not those of Path 1 and Path 2")
    for name in PATHS:
        if set(metrics[name]) != set(NAMES):
            raise _Unreadable(
                f"the metrics of {name} have other keys: {', '.join(sorted(set(metrics[name]) ^ set(NAMES)))}"
            )
    values = [[metrics[path][name] for name in NAMES] for path in PATHS]
    if not all(type(v) in (int, float) and np.isfinite(v) for row in values for v in row):
        raise _Unreadable("its metrics are not all numbers")
    return np.array(values, dtype=float)


def _whole(pair: Pair) -> Pair:
    """A pair of ours, if it has all its parts. Raises `ValueError`."""
    key, paths, dense = pair.parts()
    low, high = PARAMETERS.get(key.family, (1, 0))
    if not (low <= key.parameter <= high and isinstance(key.seed, int)):
        raise ValueError(f"there is no map {key.name}")
    if pair.paper.shape != (2, len(NAMES)) or dense.shape != pair.paper.shape or len(pair.radii) != 2:
        raise ValueError("descriptors or radii of a path are missing")
    if any(path.ndim != 2 or len(path) < 2 for path in paths):
        raise ValueError("a path has fewer than two vertices")
    return pair


@functools.cache
def _size(picture: Path) -> tuple[int, int] | str:
    """Width and height of a picture, or what is wrong with it; every file is decoded once."""
    try:
        with Image.open(picture) as file:
            file.load()
            return file.size
    except (OSError, SyntaxError, ValueError) as error:
        return str(error)


def _other_size(pair: Pair, pairs: Mapping[Any, Pair], view: str) -> str:
    """Says so where a pair's picture has another size than the first: an environment shows one size."""
    first = next(iter(pairs.values()))
    if (
        view not in pair.pictures
        or view not in first.pictures
        or _size(pair.pictures[view]) == _size(first.pictures[view])
    ):
        return ""
    return f"its picture has another size, {_size(pair.pictures[view])}, than the first, {_size(first.pictures[view])}"


def _untrue(item: Item) -> str:
    """What `items.check` has against an item's descriptors, where its paths are known. (Labels are compared by the
    caller.)
    """
    rule = int(item.pair.labels()[item.scenario.number - 1])
    try:
        check(replace(item, label=rule))
    except EnvironmentFailure as failure:
        return str(failure)
    return ""


def _picture(path: Path, image: str) -> Path | None:
    """Where a record's picture lies: as it says, from the file's folder or the one above."""
    return next((file for root in (path.parent, path.parent.parent) if (file := root / image).is_file()), None)


# --------------------------------------------------------------------------- published pictures


def picture_shape(items: ItemSet, view: str, layout: str) -> list[tuple[int, int]]:
    """The (H, W) of the pictures that `panels` gives of the first pair. Raises `UsageError` for a layout that published
    pictures cannot have.
    """
    return [panel.shape[:2] for panel in panels(items.pairs[0], view, layout, swapped=False)]


def panels(pair: Pair, view: str, layout: str, swapped: bool) -> list[Pixels]:
    """A published pair's picture as it is, or cut into its two panels; the panels change places with `swapped`.

    Raises:
        UsageError: The layout cannot be made from it, or the file is not a picture.
    """
    if layout == "overlay":
        raise UsageError(
            "Published pictures show two panels and no paths are published: overlay cannot be drawn. Choose"
            " side_by_side or separate."
        )
    try:
        with Image.open(pair.pictures[view]) as file:
            picture = np.array(file.convert("RGB"))
    except OSError as error:
        raise UsageError(f"{pair.pictures[view]} cannot be read as a picture: {error}.") from error
    half = picture.shape[1] // 2
    halves = [picture[:, :half], picture[:, half : 2 * half]]
    if swapped:
        halves.reverse()
    return halves if layout == "separate" else [views.side_by_side(halves)]


# --------------------------------------------------------------------------- writing


def write(
    folder: str | Path,
    sets: Iterable[ItemSet],
    dims: Iterable[str] = views.VIEWS,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Path]:
    """Writes sets in PathEval's format, a picture a pair; returns the JSON files.

    Args:
        folder: Made if it is not there. Files in it are replaced.
        sets: Of different splits.
        dims: The views to write, `2d` and `3d`.
        progress: Called with how many pictures are drawn.

    Raises:
        StoreError: The folder cannot be written.
    """
    folder, written, about, drawn_before = Path(folder), [], {}, 0
    try:
        for items in sets:
            about[items.split] = {"digest": items.digest, "recipe": dict(items.recipe), "counts": dict(items.counts)}
            for view in dims:
                path = path_of(folder, items.split, view)
                (path.parent / "combined_images").mkdir(parents=True, exist_ok=True)
                names = _draw(path.parent, items, view, _after(drawn_before, progress))
                drawn_before += len(names)
                records = [_record(number, item, names[item.pair]) for number, item in enumerate(items.items)]
                write_whole(path, json.dumps(records, separators=(",", ":")).encode())
                written.append(path)
        write_whole(folder / _ABOUT, json.dumps(about, indent=1).encode())
    except OSError as error:
        way_out = (
            "Free space and run the same command again" if error.errno in FULL else "Name another folder with --out"
        )
        raise StoreError(f"{folder} cannot be written: {error.strerror or error}. {way_out}.") from error
    return written


def _after(before: int, progress: Callable[[int], None]) -> Callable[[int], None]:
    """Tells `progress` of what was drawn `before` as well."""
    return lambda drawn_now: progress(before + drawn_now)


def _draw(folder: Path, items: ItemSet, view: str, progress: Callable[[int], None]) -> dict[Pair, str]:
    """Draws every pair once. Items of one pair share its picture."""
    names = {}
    for pair in items.pairs:
        names[pair] = f"combined_images/{pair.name}_{view.upper()}.png"
        key, paths, _ = pair.parts()
        with whole(folder / names[pair], ".png") as target:
            Image.fromarray(views.draw(drawn(key), paths, view=view)[0]).save(target, optimize=False)
        progress(len(names))
    return names


def _record(number: int, item: Item, image: str) -> Mapping[str, Any]:
    return {
        "id": number,
        "image": image,
        "conversations": [
            {"from": "human", "value": item.scenario.text.rstrip(".") + QUESTION},
            {"from": "gpt", "value": f"Path {item.label}"},
        ],
        "metrics": {
            path: dict(zip(NAMES, row.tolist(), strict=True)) for path, row in zip(PATHS, item.pair.paper, strict=True)
        },
        "embodied": {"map": list(item.pair.parts()[0]), **pair_json(item.pair)},
    }
