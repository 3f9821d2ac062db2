"""What a person changes afterwards about the corrections of a run: the words, and whether a correction is excluded.

The record never changes. Each change is a line of `amendments.jsonl` in the run folder. Of several changes to one thing
the last one counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from embodied.blobs import pictures_of
from embodied.errors import StoreError, UsageError
from embodied.store.checks import MIB, check_place, is_line, read_plain
from embodied.store.disk import disk
from embodied.store.events import bare, spoken
from embodied.store.journal import append_to_journal
from embodied.store.run import Run
from embodied.terminal import shell_word
from embodied.types import Correction, Episode, Label, Observation, Recording, Step, Takeover

NAME = "amendments.jsonl"
LONGEST_JOURNAL = 64 * MIB
"""Bytes of `amendments.jsonl`."""
LONGEST_TEXT = 2_000
"""Characters of a correction, as many as a person can say to a running agent."""
LONGEST_LABEL = 100
"""Characters of the label of who made a change."""


class Amendment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the journal: a change to one correction or takeover, or a label of an episode that has ended."""

    episode: str
    id: str
    """As `Amended.id`. Of a label `label`, or `3-label`, where 3 is the step."""
    said: str
    """The words that were spoken, or the action of the takeover; of a label, how the episode ended. If the episode was
    played again, the change is not about what happened then.
    """
    by: str
    """A label of who made the change; not the name of an account."""
    time: str = ""
    """UTC, ISO 8601."""
    text: str | None = None
    """The words that take the place of those that were spoken; None leaves them. Of a label, the label."""
    excluded: bool | None = None
    """Whether exports must leave it out; None leaves that as it is."""
    recording_deleted: bool | None = None
    """True where the recording of the words was deleted; None leaves that as it is."""


Changes = Mapping[tuple[str, str], Amendment]
"""Episode and id -> what all changes together come to."""


@dataclass(frozen=True)
class Amended:
    """A correction, or one step of a takeover, with what was changed afterwards."""

    episode: str
    id: str
    """Of a correction its own; of a takeover `3-takeover`, where 3 is the step."""
    event: Correction | Takeover
    """As it was recorded; a correction as it was at its end."""
    text: str
    """The words as they are now; empty for a takeover."""
    excluded: bool
    by: str
    """Who changed it last; empty where nobody did."""
    place: int
    """The step in which the person was first heard or acted. Where nobody heard them: the step in which they spoke."""
    step: Step | None
    """The record of that step, with the decision that was executed; None where no decision heard the correction."""
    before: tuple[str, ...]
    """Digests of the pictures that were seen then, in order."""
    after: tuple[str, ...]
    """Digests of the pictures that were seen next."""
    recording: Recording | None = None
    """The sound of the words; None where there is none, or it was deleted."""

    @property
    def said(self) -> str:
        """What happened: the words that were spoken, or the action of the takeover."""
        return said(self.event)

    @property
    def edited(self) -> bool:
        """Whether the words are others than those that were spoken."""
        return isinstance(self.event, Correction) and self.text != self.event.text


def corrections_of(run: Run, damaged: list[str] | None = None) -> list[Amended]:
    """The corrections and takeovers of a run, in order, with what was changed afterwards and without any prompts.

    Args:
        run: The run.
        damaged: Lines that cannot be read are left out; it takes a sentence for each.

    Raises:
        StoreError: A file of the run cannot be read at all.
    """
    damaged = [] if damaged is None else damaged
    changes = changes_of(run, damaged)
    return [a for s in run.record.planned for a in amended(run, s.id, changes, damaged, prompts=False)]


def changes_of(run: Run, damaged: list[str]) -> Changes:
    """What all changes to a run's corrections come to; `damaged` takes a sentence for each line that cannot be read."""
    path = run.root / NAME
    found: dict[tuple[str, str], Amendment] = {}
    for number, line in enumerate((read_plain(path, LONGEST_JOURNAL) or b"").split(b"\n")[:-1], 1):
        if not line:
            continue
        try:
            new = msgspec.json.decode(line, type=Amendment)
            if not is_line(new.by, LONGEST_LABEL):
                raise UsageError("its label is not one short line")
            if new.text is not None and not new.text.strip():
                raise UsageError("its text is empty")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UsageError) as error:
            damaged.append(f"{path}, line {number}, is damaged: {error}")
            continue
        key = new.episode, new.id
        if (old := found.get(key)) is not None and old.said == new.said:
            kept = {k: getattr(old, k) for k in ("text", "excluded", "recording_deleted") if getattr(new, k) is None}
            new = msgspec.structs.replace(new, **kept)
        found[key] = new
    return found


def amended(run: Run, episode: str, changes: Changes, damaged: list[str], *, prompts: bool = True) -> Iterator[Amended]:
    """The corrections and takeovers of one episode, in the order in which they happened. Without `prompts`, what models
    were asked is left out.
    """
    happened: dict[int, Step] = {}
    after: dict[int, tuple[str, ...]] = {}
    newest: Step | None = None
    for step in run.steps(episode, damaged):
        if newest is not None and newest.index in happened:
            after[newest.index] = _digests(step.observation)
        newest = step
        if step.events:
            happened[step.index] = step if prompts else bare(step)
    result = _result(run, episode, damaged)
    last = () if result is None or result.last is None else _digests(result.last)
    if newest is not None:
        after[newest.index] = last
    events = [*(e for s in happened.values() for e in s.events), *(() if result is None else result.events)]
    found: list[tuple[int, str, Correction | Takeover]] = [
        (c.opened if c.applied is None else c.applied, c.id, c) for c in spoken(events)
    ]
    found += [
        (s.index, f"{s.index}-takeover", e) for s in happened.values() for e in s.events if isinstance(e, Takeover)
    ]
    for place, id_, event in sorted(found, key=lambda item: item[0]):
        heard = isinstance(event, Takeover) or event.applied is not None
        place = min(max(place, 0), 0 if newest is None else newest.index + 1)  # a record may say anything
        at = happened.get(place)
        change = changes.get((episode, id_))
        if change is not None and change.said != said(event):
            change = None
        text = event.text if isinstance(event, Correction) else ""
        yield Amended(
            episode,
            id_,
            event,
            change.text if change is not None and change.text is not None and text else text,
            change is not None and change.excluded is True,
            "" if change is None else change.by,
            place,
            at if heard else None,
            last if at is None else _digests(at.observation),
            after.get(place, ()) if heard else (),
            None if change is not None and change.recording_deleted else getattr(event, "recording", None),
        )


def amend(
    run: Run, episode: str, id_: str, *, text: str | None = None, excluded: bool | None = None, by: str
) -> Amended:
    """Changes a correction or takeover of a run; the change is on the disk when this returns.

    Args:
        run: The run.
        episode: The episode: its id, a unique beginning of it, or its number.
        id_: The correction, as `Amended.id` names it.
        text: The new words. Those that were spoken take the change back.
        excluded: Whether exports must leave it out.
        by: A label of who makes the change; not the name of an account.

    Returns:
        How it is now.

    Raises:
        UsageError: There is no such correction, or the words or the label cannot be taken.
        StoreError: There is no such episode, or the run folder cannot be written.
    """
    episode = run.find(episode)
    changes = changes_of(run, [])
    return Amending(run, by, list(amended(run, episode, changes, []))).change(episode, id_, text, excluded)


def label(run: Run, episode: str, text: str, *, step: int | None = None, by: str) -> Label:
    """Labels an episode that has ended, or a step of it; the label is on the disk when this returns. Of several later
    labels of one thing the last one counts. No label changes a score.

    Args:
        run: The run.
        episode: The episode: its id, a unique beginning of it, or its number.
        text: The label, for instance `success`.
        step: A step that was played; None for the whole episode.
        by: A label of who says so; not the name of an account.

    Raises:
        UsageError: The episode has not ended, has no such step, or the label cannot be taken.
        StoreError: There is no such episode, or the run folder cannot be written.
    """
    episode = run.find(episode)
    ended = run.episode(episode)
    if ended is None:
        raise UsageError(f"The episode {_shown(episode)} has not ended: a label of it stands in its record.")
    if step is not None and not 0 <= step < ended.steps:
        raise UsageError(f"Step {step} was not played: the episode has {ended.steps} steps.")
    if not text.strip():
        raise UsageError("An empty label says nothing.")
    _check_by(by)
    id_ = "label" if step is None else f"{step}-label"
    time = datetime.now(UTC).isoformat(timespec="seconds")
    text = check_text(text)
    _append(run, Amendment(episode=episode, id=id_, said=_end(ended), by=by, time=time, text=text))
    return Label(text=text, by=by, step=step)


def labels_of(run: Run, episode: str, changes: Changes, damaged: list[str]) -> list[Label]:
    """The labels of an episode and of its steps: those of its record, then those that were given after its end."""
    ended = _result(run, episode, damaged)
    steps = run.steps(episode, damaged) if _mentions_labels(run, episode) else ()
    events = [*(e for step in steps for e in step.events), *(() if ended is None else ended.events)]
    found = [event for event in events if isinstance(event, Label)]
    for (of, id_), change in changes.items():
        step, _, what = id_.rpartition("-") if id_ != "label" else ("", "", "label")
        about = of == episode and what == "label" and ((step.isascii() and step.isdigit()) or not step)
        if about and ended is not None and change.said == _end(ended) and change.text is not None:
            found.append(Label(text=change.text, by=change.by, step=int(step) if step else None))
    return found


def _mentions_labels(run: Run, episode: str) -> bool:
    """Whether a step may hold a label: most episodes have none, and reading them whole takes long."""
    try:
        with (run.folder(episode) / "steps.jsonl").open("rb") as lines:
            return any(b'"label"' in line for line in lines)
    except OSError:
        return False


def _end(ended: Episode) -> str:
    """What tells this end of an episode from that of another attempt."""
    return f"{ended.outcome} after {ended.steps} steps"


def carry(changes: Changes, episode: str, run: Run) -> None:
    """Writes what all changes to an episode come to into another run that takes the episode over."""
    for (of, _), change in changes.items():
        if of == episode:
            _append(run, change)


class Amending:
    """Changes many corrections of a run.

    Args:
        run: The run.
        by: A label of who makes the changes.
        known: The corrections that may be changed.

    Raises:
        UsageError: The label is not one short line.
    """

    def __init__(self, run: Run, by: str, known: Iterable[Amended]):
        _check_by(by)
        self.run, self.by = run, by
        self.known = {(a.episode, a.id): a for a in known}

    def change(self, episode: str, id_: str, text: str | None, excluded: bool | None) -> Amended:
        """As `amend`. What is so already is not written again."""
        now = self.known.get((episode, id_))
        if now is None:
            raise UsageError(
                f"{self.run.root} has no correction {_shown(id_)} in the episode {_shown(episode)}."
                f" `embodied export {shell_word(self.run.root)} --format corrections` writes all of them."
            )
        if text is not None:
            if isinstance(now.event, Takeover) and text:
                raise UsageError(f"{id_} is a takeover. It has no words to change; it can be excluded.")
            text = check_text(text) if isinstance(now.event, Correction) and text != now.event.text else text
        text = None if text == now.text else text
        excluded = None if excluded == now.excluded else excluded
        if text is None and excluded is None:
            return now
        self._write(now, text=text, excluded=excluded)
        now = replace(
            now,
            by=self.by,
            text=now.text if text is None else text,
            excluded=now.excluded if excluded is None else excluded,
        )
        self.known[episode, id_] = now
        return now

    def delete_recording(self, episode: str, id_: str) -> Amended:
        """Deletes the recording of a correction from the run folder; the words stay. A second call deletes what a kill
        between the two steps has left.

        Raises:
            UsageError: There is no such correction, or it never had a recording.
            StoreError: The run folder cannot be written.
        """
        now = self.known.get((episode, id_))
        recording = now.event.recording if now is not None and isinstance(now.event, Correction) else None
        if now is None or recording is None:
            raise UsageError(f"{self.run.root} has no recording of {_shown(id_)} in the episode {_shown(episode)}.")
        if now.recording is not None:
            self._write(now, recording_deleted=True)
        try:
            sound = self.run.blobs.get(recording.digest)[:4] == b"RIFF"  # a record may name anything
        except StoreError:  # it is gone already
            sound = False
        if sound:
            self.run.blobs.delete(recording.digest)
        now = self.known[episode, id_] = replace(now, by=self.by, recording=None)
        return now

    def _write(self, now: Amended, **changed: str | bool | None) -> None:
        time = datetime.now(UTC).isoformat(timespec="seconds")
        line = Amendment(episode=now.episode, id=now.id, said=now.said, by=self.by, time=time)
        _append(self.run, msgspec.structs.replace(line, **changed))


def _check_by(by: str) -> None:
    if not by.strip() or not is_line(by, LONGEST_LABEL):
        raise UsageError(f"Who makes the change must be one line of at most {LONGEST_LABEL} characters.")


def _append(run: Run, change: Amendment) -> None:
    path = run.root / NAME
    check_place(path, run.root)
    with disk(f"write {path}"):
        append_to_journal(path, change)


def said(event: Correction | Takeover) -> str:
    """The words that were spoken, or the action of the takeover."""
    return event.text if isinstance(event, Correction) else event.action


def check_text(text: str) -> str:
    """The words of a correction without blanks around them.

    Raises:
        UsageError: Nothing is left, they are too long, or they hold characters that are not text.
    """
    text = text.strip()
    if not text:
        raise UsageError("An empty correction says nothing: exclude it instead.")
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"The correction has {len(text):,} characters; {LONGEST_TEXT:,} is the most.")
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in text):
        raise UsageError("The correction holds control characters, which are not text.")
    return text


def _result(run: Run, episode: str, damaged: list[str]) -> Episode | None:
    try:
        return run.episode(episode)
    except StoreError as error:
        damaged.append(str(error))
        return None


def _digests(observation: Observation) -> tuple[str, ...]:
    return tuple(image.digest for image in pictures_of(observation))


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else name[:79] + "…")
