"""A run folder, and the only code that writes into it.

    run.json                        what was planned and with what: RunRecord
    episodes/<id>/steps.jsonl       one Step a line, appended as it happens
    episodes/<id>/messages.jsonl    every distinct message of the episode's prompts, once; steps refer to them by id
    episodes/<id>/episode.json      Episode, with a checksum; its presence means the episode ended
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

from embodied.errors import StoreError
from embodied.store.blobs import FileBlobs
from embodied.store.checks import LONGEST_RUN, check_record, check_tree, read_plain
from embodied.store.codec import decode, encode
from embodied.store.disk import TEMPORARY, disk, locked, write_whole
from embodied.store.mending import salvage, set_aside
from embodied.store.record import SCORED, RunRecord, check_format
from embodied.store.steps import read_result, read_steps
from embodied.store.writer import EpisodeWriter, lock_episode, ready_to_append
from embodied.terminal import shell_word
from embodied.types import Episode, EpisodeSpec, Step

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
        check_format(data, self.root)
        self.record = decode(data, RunRecord, str(path))
        check_record(self.record, str(path))
        check_tree(self.root)
        self._specs = {spec.id: spec for spec in self.record.planned}
        self.blobs = FileBlobs(self.root / "blobs")

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
            have = {spec.id for spec in run.record.planned}
            new = tuple(spec for spec in record.planned if spec.id not in have)
            if not new:
                return run
            record = replace(run.record, planned=run.record.planned + new)
        elif strange := [path.name for path in root.iterdir() if not _left_by_a_start(path)]:
            raise StoreError(
                f"{root} is not empty ({strange[0]}) and is not a run folder. Name another folder with --out."
            )
        for left in root.glob(f"run.json.*{TEMPORARY}"):
            left.unlink()
        write_whole(root / "run.json", msgspec.json.format(encode(record), indent=2) + b"\n")
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

    def episodes(self, damaged: list[str] | None = None) -> list[Episode]:
        """All ended episodes, in the order of the plan.

        Args:
            damaged: If given, damaged results are left out; it takes a sentence for each.

        Raises:
            StoreError: A result is damaged, and `damaged` was not given.
        """
        found = []
        for spec in self.record.planned:
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
        """The id of the planned episode that `name` names: an id, a unique beginning of one, or a number from 0."""
        ids = [spec.id for spec in self.record.planned]
        if name in ids:
            return name
        if name.isdigit() and int(name) < len(ids):
            return ids[int(name)]
        matches = [i for i in ids if i.startswith(name)]
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
            None when the episode is scored, or another process is playing it.

        Raises:
            StoreError: The folder cannot be written.
        """
        folder = self.folder(spec.id)
        with disk(f"write {folder}"), ExitStack() as held:
            if not lock_episode(folder, held) or (self.scored(spec.id) and not scored_too):
                return None
            if again:
                set_aside(folder)
            elif not self._consistent(spec.id):
                salvage(folder)
            ready_to_append(folder)
            return EpisodeWriter(folder, held.pop_all())

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

    def _consistent(self, id_: str) -> bool:
        """Whether the steps can all be read and are without a gap."""
        try:
            return all(step.index == number for number, step in enumerate(self.steps(id_)))
        except StoreError:
            return False

    def folder(self, id_: str) -> Path:
        """Where the episode's files are."""
        return self.root / "episodes" / id_


def _left_by_a_start(path: Path) -> bool:
    """Whether a start that did not come to the end (a kill, a full disk) leaves such a thing in a new run folder."""
    if path.is_symlink():
        return False
    if path.name == "episodes":
        return path.is_dir() and not any(path.iterdir())
    if path.name == UNFINISHED:
        return path.is_file()
    return path.name.startswith("run.json.") and path.name.endswith(TEMPORARY) and path.is_file()
