"""A run folder, and the only code that writes into it.

    run.json                        what was planned and with what: RunRecord
    episodes/<id>/steps.jsonl       one Step a line, appended as it happens
    episodes/<id>/messages.jsonl    every distinct message of the episode's prompts, once; steps refer to them by id
    episodes/<id>/episode.json      Episode, with a checksum; its presence means the episode ended
    episodes/<id>/events.jsonl      what was said and stands in no step yet; the episode's end takes it in
    episodes/<id>/attempt-<n>/      what earlier attempts left and the episode cannot use
    blobs/                          images by content
    amendments.jsonl                what a person changed afterwards about corrections; the record stays as it is

A step is flushed to the operating system before the next begins, so a kill costs at most the step in progress. A torn
last line is dropped. While a process plays an episode it holds a lock on the episode's folder, so that no two write
into it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from embodied.errors import Rewound, StoreError
from embodied.store import said
from embodied.store.blobs import FileBlobs
from embodied.store.branches import branch_id, check_step, copy_beginning, restore_beginning
from embodied.store.checks import LONGEST_RUN, check_record, check_tree, read_plain
from embodied.store.codec import decode, encode
from embodied.store.disk import TEMPORARY, disk, locked, write_whole
from embodied.store.mending import salvage, set_aside
from embodied.store.record import BRANCHED, SCORED, Branched, RunRecord, check_format
from embodied.store.steps import read_result, read_steps
from embodied.store.writer import EpisodeWriter, lock_episode, ready_to_append
from embodied.terminal import shell_word
from embodied.types import Episode, EpisodeSpec, Event, Step

UNFINISHED = "unfinished"
"""A file in a run folder that is not whole: an import is writing it, or was killed."""


class Run:
    """A run folder, opened for reading; writing begins with `create` or `extend`."""

    def __init__(self, root: str | os.PathLike[str], *, unfinished: bool = False):
        """Opens an existing run.

        Args:
            root: The folder.
            unfinished: Open it although it is being made by `made_whole`, or an import into it did not finish.

        Raises:
            StoreError: `root` is not a run folder, is not whole, or holds what a run of ours never does.
        """
        self.root = Path(root)
        path = self.root / "run.json"
        if not unfinished and os.path.lexists(self.root / UNFINISHED):
            raise StoreError(
                f"{self.root} holds an import that did not finish. Run the same import again: it continues."
            )
        data = read_plain(path, LONGEST_RUN)
        if data is None:
            raise StoreError(
                f"{self.root} is not a run folder: it has no run.json. `embodied list runs` shows yours;"
                f" `embodied eval ... --out {shell_word(self.root)}` makes one."
            )
        self._take(data)
        check_tree(self.root)
        self.blobs = FileBlobs(self.root / "blobs")

    def _take(self, data: bytes) -> None:
        """Takes the record in `run.json` in."""
        path = str(self.root / "run.json")
        check_format(data, self.root)
        self.record = decode(data, RunRecord, path)
        check_record(self.record, path)
        self._specs = {spec.id: spec for spec in self.record.specs}

    @classmethod
    def create(cls, root: str | os.PathLike[str], record: RunRecord, *, unfinished: bool = False) -> Run:
        """Makes the folder, or opens it if it is a run of the same identity, and adds the episodes not yet planned.

        Raises:
            StoreError: `root` is a file, is not writable, holds something else, or holds a run of another plan.
        """
        root = Path(root)
        with disk(f"write the run folder {root}"):
            if root.exists() and not root.is_dir():
                raise StoreError(f"{root} is a file. Name a folder with --out.")
            root.mkdir(parents=True, exist_ok=True)
            with locked(root):  # of several processes that start in one folder, each finds it empty or finds the run
                return cls._created(root, record, unfinished)

    @classmethod
    def _created(cls, root: Path, record: RunRecord, unfinished: bool) -> Run:
        if (root / "run.json").exists():
            run = cls(root, unfinished=unfinished)
            if run.record.identity != record.identity:
                raise run.another_plan(run.record.difference(record))
            have = {spec.id for spec in run.record.specs}
            new = tuple(spec for spec in record.planned if spec.id not in have)
            branches = tuple(branch for branch in record.branched if branch.spec.id not in have)
            if not new and not branches:
                return run
            record = replace(run.record, planned=run.record.planned + new)
            if branches:
                record = replace(record, branches=(*record.branched, *branches), format=BRANCHED)
        elif strange := [path.name for path in root.iterdir() if not _left_by_a_start(path)]:
            raise StoreError(
                f"{root} is not empty ({strange[0]}) and is not a run folder. Name another folder with --out."
            )
        for left in root.glob(f"run.json.*{TEMPORARY}"):
            left.unlink()
        _write(root, record)
        (root / "episodes").mkdir(exist_ok=True)
        return cls(root, unfinished=unfinished)

    @classmethod
    @contextmanager
    def made_whole(cls, root: str | os.PathLike[str], record: RunRecord) -> Iterator[Run]:
        """As `create`, for a run that is written at once (an import): it cannot be opened before the block has ended
        without an error.

        Raises:
            StoreError: As `create`. Another call continues what a kill or an error left.
        """
        root = Path(root)
        marker = root / UNFINISHED
        with disk(f"write the run folder {root}"):
            if not root.exists() or (root.is_dir() and (not any(root.iterdir()) or (root / "run.json").exists())):
                root.mkdir(parents=True, exist_ok=True)
                write_whole(marker, b"This run is being written. It is whole when this file is gone.\n")
        try:
            run = cls.create(root, record, unfinished=True)
        except StoreError:
            if (root / "run.json").exists():  # a run of another plan, which was whole before and is
                marker.unlink(missing_ok=True)
            raise
        yield run
        with disk(f"write the run folder {root}"):
            marker.unlink(missing_ok=True)

    def another_plan(self, what: str) -> StoreError:
        """The error for a plan that is not this run's; `what` says how it differs."""
        own = "imported" not in self.record.config
        resume = f", or continue that run: `embodied resume {shell_word(self.root)}`" if own else ""
        return StoreError(f"{self.root} holds a run of another plan ({what}). Name another folder with --out{resume}.")

    # ----------------------------------------------------------------- reading

    def episode(self, id_: str) -> Episode | None:
        """The episode's result, or None while it has none."""
        return read_result(self.folder(id_), self._specs.get(id_))

    def episodes(self, damaged: list[str] | None = None, *, branches: bool = False) -> list[Episode]:
        """All planned episodes that have ended, in the order of the plan.

        Args:
            damaged: If given, damaged results are left out; it takes a sentence for each.
            branches: The branches instead, which count in no score.

        Raises:
            StoreError: A result is damaged, and `damaged` was not given.
        """
        found = []
        for spec in (branch.spec for branch in self.record.branched) if branches else self.record.planned:
            try:
                episode = self.episode(spec.id)
            except StoreError as error:
                if damaged is None:
                    raise
                damaged.append(str(error))
                continue
            if episode is not None:
                found.append(episode)
        return found

    def steps(self, id_: str, damaged: list[str] | None = None) -> Iterator[Step]:
        """The episode's steps in order, with their prompts restored; a torn last line is left out.

        Args:
            id_: The episode.
            damaged: If given, damaged lines are skipped; it takes a sentence for each.

        Raises:
            StoreError: A line is damaged, and `damaged` was not given.
        """
        return read_steps(self.folder(id_), damaged)

    def find(self, name: str) -> str:
        """The id of the episode that `name` names: an id, a unique beginning of one, or a number from 0 in the plan. A
        beginning names a branch only where no planned episode begins so.
        """
        if name in self._specs:
            return name
        ids = [spec.id for spec in self.record.planned]
        if name.isdigit() and int(name) < len(ids):
            return ids[int(name)]
        matches = [i for i in ids if i.startswith(name)] or [i for i in self._specs if i.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        what = f"{len(matches)} episodes that begin with" if matches else "no episode named"
        raise StoreError(
            f"{self.root} has {what} {name!r}. `embodied score {shell_word(self.root)} --episodes` lists them."
        )

    # ----------------------------------------------------------------- writing

    def claim(self, spec: EpisodeSpec, again: bool = False, *, scored_too: bool = False) -> EpisodeWriter | None:
        """Claims an episode, to continue after its last whole step. If the record is damaged, the episode continues
        after the last step before the damage. With `again` it begins again. Old parts of the record are kept in
        `attempt-<n>/`.

        Args:
            spec: The episode.
            again: Begin again.
            scored_too: With `again`: also if the episode has a score.

        Returns:
            None when the episode is over, or another process is playing it.

        Raises:
            StoreError: The folder cannot be written.
        """
        folder = self.folder(spec.id)
        with disk(f"write {folder}"), ExitStack() as held:
            if not lock_episode(folder, held) or (self.over(spec.id) and not scored_too):
                return None
            left: tuple[Event, ...] = ()
            if again:
                set_aside(folder)
            else:
                left = self._left(spec.id)
                said.keep(folder, left)  # before the result goes, which holds them
                if not self._consistent(spec.id):
                    salvage(folder)
            ready_to_append(folder)
            if isinstance(spec.parent, str) and isinstance(spec.from_step, int):
                restore_beginning(folder, self.folder(spec.parent), spec.from_step)
            return EpisodeWriter(folder, held.pop_all(), left)

    def result(self, id_: str) -> Episode | None:
        """The episode's result where there is one that can be read. Of a damaged one, playing on makes another from the
        recorded steps.
        """
        try:
            return self.episode(id_)
        except StoreError:
            return None

    def scored(self, id_: str) -> bool:
        """Whether the episode has ended with a score."""
        episode = self.result(id_)
        return episode is not None and episode.outcome in SCORED

    def _left(self, id_: str) -> tuple[Event, ...]:
        """What was said in earlier attempts and stands in no step."""
        result = self.result(id_)
        return said.left(self.folder(id_), self.steps(id_, []), None if result is None else result.events)

    def over(self, id_: str) -> bool:
        """Whether nothing of an episode is left to play: it has a score, or somebody rewound it."""
        episode = self.result(id_)
        return episode is not None and (episode.outcome in SCORED or episode.error_kind == Rewound.__name__)

    # ----------------------------------------------------------------- branches

    def next_branch(self, parent: str, step: int) -> EpisodeSpec:
        """The episode that would go on from step `step` of `parent`. Writes nothing.

        Raises:
            StoreError: `parent` has no such step, or ended with the step before.
        """
        check_step(self.folder(parent), step)
        spec = self._specs[parent]
        return replace(spec, id=branch_id(parent, step, self._specs.keys()), parent=parent, from_step=step)

    def branch(
        self, parent: str, step: int, *, by: str = "person", rewinds: bool = False, say: str = "", lasts: int = 1
    ) -> EpisodeSpec:
        """Begins an episode that repeats the first `step` steps of `parent` and then goes on by itself. It is on disk
        when this returns. The process that plays the run plays it, or `embodied resume`.

        Args:
            parent: An episode of this run, planned or a branch.
            step: How many of its steps are repeated; they must be recorded.
            by, rewinds, say, lasts: See `Branched`.

        Raises:
            StoreError: `parent` has no such step, or ended with the step before; or the folder cannot be written.
        """
        with disk(f"write {self.root}"), locked(self.root):
            data = read_plain(self.root / "run.json", LONGEST_RUN)
            if data is not None:
                self._take(data)  # another process may have begun a branch, too
            spec = self.next_branch(parent, step)
            copy_beginning(self.folder(parent), self.folder(spec.id), step)
            new = Branched(spec, by, rewinds, say, lasts)
            self.record = replace(self.record, branches=(*self.record.branched, new), format=BRANCHED)
            _write(self.root, self.record)
            self._specs[spec.id] = spec
        return spec

    def _consistent(self, id_: str) -> bool:
        """Whether the steps can all be read and are without a gap."""
        try:
            return all(step.index == number for number, step in enumerate(self.steps(id_)))
        except StoreError:
            return False

    def folder(self, id_: str) -> Path:
        """Where the episode's files are."""
        return self.root / "episodes" / id_


def _write(root: Path, record: RunRecord) -> None:
    write_whole(root / "run.json", msgspec.json.format(encode(record), indent=2) + b"\n")


def _left_by_a_start(path: Path) -> bool:
    """Whether a start that did not come to the end (a kill, a full disk) leaves such a thing in a new run folder."""
    if path.is_symlink():
        return False
    if path.name == "episodes":
        return path.is_dir() and not any(path.iterdir())
    if path.name == UNFINISHED:
        return path.is_file()
    return path.name.startswith("run.json.") and path.name.endswith(TEMPORARY) and path.is_file()
