"""The format `corrections`: what persons and correctors wanted, as chat JSONL; and the way back, for a file that
somebody has edited.

A line of `corrections.jsonl` is a correction or a step of a takeover: `messages` (the prompt as it was before the
words, then the answer with the wanted action), `images` as in `sft`, and what is known of the correction. Corrections
that give no example stand in `left-out.jsonl`, without `messages` and with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from embodied.errors import StoreError, UsageError
from embodied.exchange import Export, Exported
from embodied.exchange.chat import Chat, about, good_enough
from embodied.exchange.files import damaged_note, split_note, write_lines
from embodied.exchange.left_out import left_out_note, wrong_note
from embodied.rollout.lessons import Lesson, lessons
from embodied.rollout.turns import shows_pictures
from embodied.store.amendments import Amending, changes_of, corrections_of
from embodied.store.checks import LONGEST_LINE, MIB, check_place
from embodied.store.disk import disk
from embodied.store.run import Run
from embodied.terminal import plain
from embodied.types import Correction, Episode, Json

LINES = "corrections.jsonl"
LEFT_OUT = "left-out.jsonl"


# --------------------------------------------------------------------------- out


def write_corrections(export: Export) -> Exported:
    """Writes `corrections.jsonl`, `images/`, and `left-out.jsonl` where something is left out.

    Raises:
        UsageError: Nobody corrected the agent in these episodes.
        StoreError: A file cannot be written.
    """
    run = export.run
    damaged: list[str] = []
    changes = changes_of(run, damaged)
    ended = [e for id_ in export.ids if (e := run.episode(id_)) is not None]
    chosen = [e for e in ended if _wanted(e, export)]
    chat = Chat(export.out, any(shows_pictures(e) for e in chosen))
    left_out: list[tuple[Episode, Lesson]] = []

    count = 0

    def lines() -> Iterator[Json]:
        nonlocal count
        for episode in chosen:
            for lesson in lessons(run, episode, changes, damaged):
                if lesson.left_out:
                    left_out.append((episode, lesson))
                    continue
                count += 1
                messages, images = chat.messages(run, lesson.prompt)
                yield {
                    "messages": [*messages, chat.answer(lesson.answer)],
                    "images": images,
                    **about(episode),
                    **_known(lesson),
                    **(_recorded(export, lesson) if export.recordings else {}),
                }

    written = Exported([write_lines(export.out / LINES, lines())])
    if not count:
        written.paths.pop().unlink()
        if not left_out:
            raise UsageError(
                f"Nobody corrected the agent in these episodes of {run.root}. `embodied eval ... --corrector oracle`"
                " plays episodes with corrections."
            )
    if left_out:
        rest = ({**about(e), **_known(a), "left_out": a.left_out} for e, a in left_out)
        written.paths.append(write_lines(export.out / LEFT_OUT, rest))
    else:
        (export.out / LEFT_OUT).unlink(missing_ok=True)
    if len(chosen) < len(ended):
        written.notes.append(f"Episodes left out, not scored or not good enough: {len(ended) - len(chosen)}.")
    written.notes += left_out_note(lesson for _, lesson in left_out)
    written.notes += [*wrong_note(run), *damaged_note(damaged), *split_note(run)]
    return written


def _wanted(episode: Episode, export: Export) -> bool:
    """Whether to export an episode's corrections: an episode without a score has good ones, too."""
    return good_enough(episode, export) or not (export.min_progress or export.success)


def _recorded(export: Export, lesson: Lesson) -> Json:
    """Writes the recording of spoken words, and says where it is and what the recognizer had understood."""
    recording = lesson.of.recording
    if recording is None:
        return {}
    data = export.run.blobs.get(recording.digest)  # the name is a digest, or this raises
    if data[:4] != b"RIFF":
        raise StoreError(f"The recording {recording.digest} is damaged: it is not a WAV file.")
    path = export.out / "recordings" / f"{recording.digest}.wav"
    check_place(path, export.run.root)
    with disk(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return {"recording": f"recordings/{path.name}", "heard": recording.heard, "recognizer": recording.model}


def _known(lesson: Lesson) -> Json:
    """What a line says of its correction."""
    of, event = lesson.of, lesson.of.event
    spoken = event if isinstance(event, Correction) else None
    return {
        "step": of.place,
        "id": of.id,
        "kind": "takeover" if spoken is None else "correction",
        "text": of.text,
        "said": of.said,
        "how": "takeover" if spoken is None else spoken.how,
        "by": event.by,
        "status": "" if spoken is None else spoken.status,
        "why": "" if spoken is None else spoken.why,
        "resolved": lesson.action,
        "followed": lesson.followed,
        "superseded": None if lesson.superseded is None else lesson.superseded.action,
        "asked": lesson.asked,
        "excluded": of.excluded,
        "changed_by": of.by,
    }


# --------------------------------------------------------------------------- back in


class Line(msgspec.Struct):
    """What counts of a line that comes back."""

    episode: str
    id: str = ""
    text: str | None = None
    said: str | None = None
    excluded: bool | None = None
    source: str | None = None
    """Of a preference pair: where it is from."""


@dataclass
class Imported:
    """What an import did."""

    edited: int = 0
    excluded: int = 0
    included: int = 0
    """Corrections that had been excluded before."""
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)
    """A sentence for each line that changed nothing because of what it says."""


def read_corrections(run: Run, path: Path, by: str) -> Imported:
    """Takes in a file that `write_corrections` or `write_dpo` wrote and somebody edited: `text` and `excluded` of each
    line become changes to the run's corrections. All other fields are ignored, and a line that is missing changes
    nothing. Preference pairs that are about no correction are passed over.

    Args:
        run: The run that was exported.
        path: The file.
        by: A label of who changed it.

    Raises:
        UsageError: The label is not one short line.
        StoreError: The file cannot be read, or the run folder not be written.
    """
    amending = Amending(run, by, corrections_of(run))
    done, seen = Imported(), dict[tuple[str, str], int]()
    try:
        file = path.open("rb")
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error.strerror or error}.") from error
    with file:
        for number, data in enumerate(_lines(file), 1):
            try:
                line = _line(data)
                if line is None:
                    continue
                if (first := seen.setdefault((line.episode, line.id), number)) != number:
                    raise UsageError(f"it changes the same correction as line {first}.")
                change(amending, line, done)
            except UsageError as error:
                done.problems.append(f"{path}, line {number}, changes nothing: {error}")
    return done


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a file; None for one that is too long."""
    while line := file.readline(LONGEST_LINE + 1):
        whole = len(line) <= LONGEST_LINE
        yield line if whole else None
        while not whole and line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE + 1)


def _line(data: bytes | None) -> Line | None:
    """What a line says; None for an empty one. Raises `UsageError` where it is not a line of an export."""
    if data is None:
        raise UsageError(f"it is longer than {LONGEST_LINE // MIB} MiB.")
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    if not data:
        return None
    try:
        line = msgspec.json.decode(data, type=Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"it is not a line of an export ({str(error)[:200]}).") from error
    if line.source in ("reask", "episode"):
        return None
    if not line.id:
        raise UsageError(
            "it has no `id`, so it is not known which correction it is about. Export it again with this version."
            if line.source == "correction"
            else "it is not a line of an export (it has no `id`)."
        )
    return line


def change(amending: Amending, line: Line, done: Imported) -> None:
    """Makes the change that a line names, and counts it. Raises `UsageError` where it cannot be made."""
    before = amending.known.get((line.episode, line.id))
    if before is not None and line.said is not None and line.said != before.said:
        raise UsageError(f"what was said there is {plain(before.said)[:100]!r}, not {plain(line.said)[:100]!r}.")
    after = amending.change(line.episode, line.id, line.text, line.excluded)
    assert before is not None  # else `change` raised
    done.edited += after.text != before.text
    done.excluded += after.excluded and not before.excluded
    done.included += before.excluded and not after.excluded
    done.unchanged += after is before
