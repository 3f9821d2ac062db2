"""Answers the requests of the page of many runs: a row for each run of a folder, and the run behind each row.

Knows nothing of HTTP.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from embodied.console.viewer.improvements import Improved, role
from embodied.console.viewer.library import Library, NotFound
from embodied.errors import EmbodiedError, StoreError
from embodied.eval.summary import DAMAGED, FINISHED, Summary, Wanted, find, summary
from embodied.store.playing import held
from embodied.store.run import Run
from embodied.terminal import shell_word
from embodied.train.pages.reading import is_improvement
from embodied.types import Json

OPEN = 8
"""Runs whose episodes are kept at hand."""
BESIDE = 8
"""Runs in one viewer."""
_KEY = 16
"""Hexadecimal digits of a run's key."""


class Shelf:
    """The runs of one folder. Methods may be called from several threads.

    A run goes by a key that is made of its place in the folder, so that its address stays the same while other runs
    come and go. Keys with a `+` between them are runs beside each other.

    Args:
        folder: A folder with run folders in it.
        wanted: Which of them to show.

    Raises:
        StoreError: `folder` cannot be read.
    """

    def __init__(self, folder: Path, wanted: Wanted | None = None):
        self.folder = folder
        self._wanted = wanted or Wanted()
        self._lock = threading.Lock()
        self._places = {_key(path, folder): path for path in find(folder)}
        self._ended: dict[Path, tuple[tuple[int, int, int], Summary]] = {}
        self._open: OrderedDict[str, Library] = OrderedDict()
        self._improved: dict[str, Improved] = {}

    def __len__(self) -> int:
        return len(self._places)

    def index(self) -> Json:
        """Every run as it is now: `{"folder": ..., "wanted": ..., "total": ..., "runs": [...], "improvements": {...}}`,
        each run a `Summary` as plain values with its `key`. A run of an improvement also has the improvement's key as
        `group`, its `role` in words, and its `turn` there.
        """
        locks, rows = held(), []
        places = {_key(path, self.folder): path for path in find(self.folder)}
        improved: dict[str, Improved] = {}
        for key, path in places.items():
            found = self._summary(path, locks)
            if not self._wanted.takes(found):
                continue
            row = {"key": key, **found.json()}
            if (root := improvement_of(path, self.folder)) is not None:
                group = _key(root, self.folder)
                one = improved.setdefault(group, Improved(root, _name(root, self.folder)))
                turn, words = role(path.relative_to(root).parts)
                row |= {"group": group, "turn": turn, "role": words, "group_name": one.name}
            rows.append(row)
        with self._lock:
            self._places, self._improved = places, improved
        return {
            "folder": str(self.folder),
            "wanted": self._wanted.words(),
            "total": len(places),
            "runs": rows,
            "improvements": {group: one.json() for group, one in improved.items()},
        }

    def curve(self, key: str) -> bytes:
        """The page of an improvement. Raises `NotFound` where there is none, `StoreError` where it cannot be read."""
        with self._lock:
            one = self._improved.get(key)
        if one is None:
            self.index()  # an address that was kept from an earlier call
            with self._lock:
                one = self._improved.get(key)
        if one is None:
            raise NotFound(f"There is no improvement {key!r} in this folder.")
        return one.page()

    def library(self, key: str) -> Library:
        """The episodes of a run, or of several. Raises `NotFound` where there is no such run, `StoreError` where it
        cannot be read.
        """
        names = list(dict.fromkeys(key.split("+")))
        with self._lock:
            paths, opened = [self._places.get(name) for name in names], self._open.pop(key, None)
        for name, path in zip(names, paths, strict=True):
            if path is None:
                raise NotFound(f"There is no run {name!r} in this folder.")
        if len(names) > BESIDE:
            raise NotFound(f"At most {BESIDE} runs are shown beside each other.")
        opened = opened or Library([Run(path) for path in paths if path is not None])
        with self._lock:
            self._open[key] = opened
            while len(self._open) > OPEN:
                self._open.popitem(last=False)
        return opened

    def _summary(self, path: Path, locks: frozenset[int] | None) -> Summary:
        """A run's row. One that has ended is read again only when its plan has changed."""
        stamp = _stamp(path / "run.json")
        with self._lock:
            before = self._ended.get(path)
        if before is not None and before[0] == stamp:
            return before[1]
        name = str(path.relative_to(self.folder))
        try:
            found = replace(summary(Run(path), locks), name=name)
        except EmbodiedError as error:
            return Summary(name, str(path), DAMAGED, str(error))
        if found.state == FINISHED and not found.problem and stamp is not None:
            with self._lock:
                self._ended[path] = (stamp, found)
        return found


def require_runs(shelf: Shelf) -> None:
    """Raises `StoreError` where a folder has no runs."""
    if not len(shelf):
        raise StoreError(
            f"{shelf.folder} is not a run folder, and there is none in it. `embodied eval ... --out"
            f" {shell_word(shelf.folder / 'NAME')}` makes one."
        )


def _key(path: Path, folder: Path) -> str:
    return hashlib.sha256(os.fsencode(path.relative_to(folder))).hexdigest()[:_KEY]


def improvement_of(run: Path, folder: Path) -> Path | None:
    """The improvement in `folder` that a run belongs to; None where it belongs to none."""
    for place in run.parents:
        if not place.is_relative_to(folder):
            return None
        if is_improvement(place):
            return place
    return None


def _name(place: Path, folder: Path) -> str:
    return folder.resolve().name if place == folder else str(place.relative_to(folder))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
