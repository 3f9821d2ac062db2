"""The corrections of a run for a page: a list of them, one with what was seen before and after, and changes to them.

It knows no HTTP. The record never changes: changes go to the journal of `embodied.store.amendments`.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import msgspec

from embodied.blobs import check_png, pictures_of
from embodied.console.desk.learning import learning
from embodied.console.viewer.library import Library
from embodied.errors import StoreError
from embodied.rollout.branching import first_own
from embodied.rollout.understanding import wanted
from embodied.store.amendments import NAME, Amended, Amending, Changes, amended, changes_of, label, labels_of
from embodied.store.run import Run
from embodied.terminal import shell_word
from embodied.types import Correction, Episode, EpisodeSpec, Label, Observation, Takeover

Json = dict[str, Any]

EXPORTS = {
    "corrections": "Chat examples: the prompt before the words, and the answer that was wanted.",
    "dpo": "Preference pairs: the answer after the words, and the one before them.",
    "lerobot": "All steps as a LeRobot v3.0 dataset, with the words and who acted.",
}
"""Formats that hold corrections, with what each writes."""
LONGEST = 2_000
"""Characters of a recorded text in the list."""
LONGEST_SEEN = 20_000
"""Characters of an observation."""


class Corrections:
    """The corrections and takeovers of a run, those of its branches too. Methods may be called from several threads.

    Args:
        run: The run. It may be growing; `listed` reads what is new.
    """

    def __init__(self, run: Run):
        self._root = run.root
        self._run = run
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Amended] = {}
        self._specs: dict[str, EpisodeSpec] = {}
        self._damaged: list[str] = []
        self._read: dict[Path, tuple[int, int]] | None = None
        """Size and time of each file when it was read."""

    def listed(self) -> Json:
        """All that the page begins with.

        Raises:
            StoreError: A file of the run cannot be read at all.
        """
        with self._lock:
            self._refresh()
            folder = shell_word(self._root)
            return {
                "run": self._root.resolve().name,
                "rows": [self._row(one) for one in self._known.values()],
                "episodes": self._plays(),
                "damaged": self._damaged[:20],
                "damaged_count": len(self._damaged),
                "improve": learning(self._run),
                "exports": [
                    {"format": name, "about": about, "command": f"embodied export {folder} --format {name}"}
                    for name, about in EXPORTS.items()
                ],
            }

    def one(self, episode: str, id_: str) -> Json | None:
        """What was seen and decided around one correction; None where there is no such one.

        Raises:
            StoreError: The episode cannot be read.
        """
        with self._lock:
            self._refresh()
            found = self._known.get((episode, id_))
            if found is None:
                return None
            step, event = found.step, found.event
            superseded = event.superseded
            ended = self._ended(episode)
            mission = None if ended is None else ended.mission
            return {
                **self._row(found),
                "goal": "" if mission is None else mission.goal[:LONGEST_SEEN],
                "before": _seen(step.observation) if step is not None else self._last(episode),
                "after": self._after(found),
                "thought": step.decision.thought[:LONGEST_SEEN] if step is not None else "",
                "superseded_thought": superseded.thought[:LONGEST_SEEN] if superseded is not None else "",
                "names": self._names(found),
            }

    def change(self, episode: str, id_: str, text: str | None, excluded: bool | None, by: str) -> Json:
        """Changes the words of a correction, or whether it is excluded. The change is on the disk when this returns.

        Returns:
            The row as it is now.

        Raises:
            UsageError: There is no such correction, or the words or the label cannot be taken.
            StoreError: The run folder cannot be written.
        """
        with self._lock:
            self._refresh()
            amending = Amending(self._run, by, self._known.values())
            now = self._known[episode, id_] = amending.change(episode, id_, text, excluded)
            assert self._read is not None
            self._read[self._root / NAME] = _state(self._root / NAME)
            return self._row(now) | {"names": self._names(now)}

    def delete_recording(self, episode: str, id_: str, by: str) -> Json:
        """Deletes the recording of a correction; the words stay.

        Returns:
            The row as it is now.

        Raises:
            UsageError: There is no such recording, or the label cannot be taken.
            StoreError: The run folder cannot be written.
        """
        with self._lock:
            self._refresh()
            now = Amending(self._run, by, self._known.values()).delete_recording(episode, id_)
            self._known[episode, id_] = now
            assert self._read is not None
            self._read[self._root / NAME] = _state(self._root / NAME)
            return self._row(now) | {"names": self._names(now)}

    def sound(self, digest: str) -> bytes:
        """A recording that belongs to a correction. Raises `StoreError` where there is no such one."""
        with self._lock:
            self._refresh()
            if not any(one.recording is not None and one.recording.digest == digest for one in self._known.values()):
                raise StoreError("There is no such recording.")
            found = self._run.blobs.get(digest)
        if found[:4] != b"RIFF":
            raise StoreError("This is not a recording.")
        return found

    def label(self, episode: str, text: str, by: str) -> Json:
        """Labels an episode that has ended. The label is on the disk when this returns.

        Returns:
            The episode as it is now, as `listed` tells it.

        Raises:
            UsageError: It has not ended, or the label cannot be taken.
            StoreError: There is no such episode, or the run folder cannot be written.
        """
        with self._lock:
            self._refresh()
            label(self._run, episode, text, by=by)
            return self._play(self._specs[episode], changes_of(self._run, []))

    def picture(self, digest: str) -> bytes:
        """A PNG of the run. Raises `StoreError` where it is missing or damaged."""
        return check_png(self._run.blobs.get(digest), digest)

    # ----------------------------------------------------------------- inside

    def _refresh(self) -> None:
        """Reads the run again if a file of it has changed."""
        run = Run(self._root)
        specs = [*run.record.planned, *(branch.spec for branch in run.record.branched)]
        files = [run.folder(s.id) / name for s in specs for name in ("steps.jsonl", "episode.json")]
        state = {path: _state(path) for path in [self._root / NAME, *files]}
        if state == self._read:
            return
        damaged: list[str] = []
        changes = changes_of(run, damaged)
        self._known = {
            (one.episode, one.id): one
            for spec in specs
            for one in amended(run, spec.id, changes, damaged, prompts=False)
            if one.place >= first_own(spec)
        }
        self._run, self._specs, self._damaged, self._read = run, {spec.id: spec for spec in specs}, damaged, state
        self._library = Library([run])

    def _row(self, one: Amended) -> Json:
        spec, event = self._specs[one.episode], one.event
        spoken = event if isinstance(event, Correction) else None
        superseded = event.superseded
        return {
            "episode": one.episode,
            "id": one.id,
            "number": spec.index,
            "task": f"{spec.task.env} {spec.task.task}".strip(),
            "branch": isinstance(spec.parent, str),
            "step": one.place,
            "kind": "takeover" if spoken is None else "correction",
            "how": "takeover" if spoken is None else spoken.how,
            "by": event.by,
            "said": one.said[:LONGEST],
            "text": one.text[:LONGEST],
            "edited": one.edited,
            "excluded": one.excluded,
            "changed_by": one.by,
            "status": "acted" if spoken is None else spoken.status,
            "why": "" if spoken is None else spoken.why,
            "resolved": event.action if isinstance(event, Takeover) else (event.resolved or "")[:LONGEST],
            "superseded": None if superseded is None else superseded.action[:LONGEST],
            "executed": None if one.step is None else one.step.executed[:LONGEST],
            "recording": None if one.recording is None else one.recording.digest,
            "heard": None if spoken is None or spoken.recording is None else spoken.recording.heard[:LONGEST],
        }

    def _plays(self) -> list[Json]:
        """The episodes that have ended, with their labels."""
        changes = changes_of(self._run, [])
        return [self._play(spec, changes) for spec in self._specs.values() if self._ended(spec.id) is not None]

    def _play(self, spec: EpisodeSpec, changes: Changes) -> Json:
        ended = self._ended(spec.id)
        whole = [label for label in self._labels(spec.id, changes) if label.step is None]
        own = "imported" not in self._run.record.config
        return {
            "episode": spec.id,
            "number": spec.index,
            "task": f"{spec.task.env} {spec.task.task}".strip(),
            "branch": isinstance(spec.parent, str),
            "outcome": "" if ended is None else ended.outcome,
            "progress": None if ended is None else ended.progress,
            "steps": 0 if ended is None else ended.steps,
            "label": whole[-1].text if whole else "",
            "labelled_by": whole[-1].by if whole else "",
            "command": f"embodied branch {shell_word(self._root)} {spec.id}" if own else "",
        }

    def _labels(self, episode: str, changes: Changes) -> list[Label]:
        """The labels of an episode; of those in its steps only where a step of it holds one."""
        return labels_of(self._run, episode, changes, [])

    def _names(self, one: Amended) -> str:
        """The action that exports teach for the words as they are now; empty where they name none."""
        if isinstance(one.event, Takeover):
            return one.event.action
        ended = self._ended(one.episode)
        return "" if ended is None else wanted(one, ended)

    def _ended(self, episode: str) -> Episode | None:
        """The result of an episode; None where there is none, or it is damaged."""
        try:
            return self._run.episode(episode)
        except StoreError:
            return None

    def _last(self, episode: str) -> Json | None:
        ended = self._ended(episode)
        return None if ended is None or ended.last is None else _seen(ended.last)

    def _after(self, one: Amended) -> Json | None:
        """What was seen after the step; None where nobody heard the words, or nothing came after it."""
        if one.step is None:
            return None
        rows = self._library.rows(one.episode, 0, one.place + 2)
        for number in range(len(rows) - 1, -1, -1):
            if rows[number]["index"] == one.place + 1:
                (step,) = msgspec.json.decode(self._library.steps(one.episode, number, number + 1))
                return _seen(msgspec.convert(step["observation"], Observation))
        return self._last(one.episode)


def _seen(observation: Observation) -> Json:
    return {
        "text": observation.text[:LONGEST_SEEN],
        "status": observation.status[:LONGEST_SEEN],
        "images": [image.digest for image in pictures_of(observation)][:4],
    }


def _state(path: Path) -> tuple[int, int]:
    """What tells whether a file has changed."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns
