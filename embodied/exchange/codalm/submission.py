"""The challenge's submission: three jsonl files of answers, written byte for byte as its organisers write them, and
read without trust.

Source: the sample submission of the ECCV 2024 W-CODA workshop's track 1. A line is the JSON object of `question_id`,
`image`, `question`, `answer`, in that order and with everything outside ASCII escaped.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from embodied.atomic import named, write_whole
from embodied.driving.codalm.vqa import key_of, line, made
from embodied.driving.records import TASKS, Key, Question, Task
from embodied.errors import UsageError

FILES: dict[Task, str] = {task: f"{task}_answer.jsonl" for task in TASKS}
_FIELDS = ("question_id", "image", "question", "answer")
_LARGEST = 200_000_000
"""Bytes of one file: two hundred times the organisers' own."""


@dataclass(frozen=True)
class SubmittedAnswer:
    """One line of a submission."""

    question_id: int
    image: str
    question: str
    answer: str


@dataclass(frozen=True)
class Submission:
    """A submission as it was read."""

    path: str
    rows: dict[Task, tuple[SubmittedAnswer, ...]]
    """Of the files that are there, every line that could be read."""
    problems: tuple[str, ...]
    """A sentence for each line that could not, and for each picture that is answered twice or has an unknown name."""

    @property
    def answers(self) -> dict[Key, str]:
        """Answers by task, scene and region; of a picture that is answered twice the first."""
        found: dict[Key, str] = {}
        for task, rows in self.rows.items():
            for row in rows:
                if (key := key_of(task, row.image)) is not None:
                    found.setdefault(key, row.answer)
        return found


def write(folder: Path, questions: Iterable[Question], answers: Mapping[Key, str]) -> list[Path]:
    """Writes the questions that have an answer, a file a task; ids are those of the questions.

    Args:
        folder: Is made where it is not there.
        questions: Of any tasks.
        answers: Text by key.
    """
    made(folder)
    lines: dict[Task, list[bytes]] = {}
    for q in questions:
        if q.key in answers:
            lines.setdefault(q.task, []).append(line(q.id, q.image, q.text, answers[q.key]))
    paths = []
    for task, said in lines.items():
        path = folder / FILES[task]
        with named(path):
            write_whole(path, b"".join(said))
        paths.append(path)
    return paths


def read(path: str | Path) -> Submission:
    """Reads a submission: a folder with the files, or a zip of them; each file is optional, one must be there.

    Raises:
        UsageError: It is neither, or holds none of the three files.
    """
    found = _contents(Path(path))
    if not found:
        raise UsageError(
            f"{path} holds no submission: expected {', '.join(FILES.values())}, or some of them, in a folder or a zip."
        )
    problems: list[str] = []
    rows = {task: _rows(task, data, problems) for task, data in found.items()}
    return Submission(str(path), rows, tuple(problems))


def _contents(path: Path) -> dict[Task, bytes]:
    if path.is_dir():
        return {task: (path / name).read_bytes() for task, name in FILES.items() if (path / name).is_file()}
    if not path.is_file():
        raise UsageError(f"There is no submission {path}: name a folder or a zip with {', '.join(FILES.values())}.")
    try:
        with zipfile.ZipFile(path) as archive:
            found = [
                m
                for m in archive.infolist()
                if "__MACOSX" not in m.filename and Path(m.filename).name in FILES.values()
            ]
            members = {Path(m.filename).name: m for m in found}
            if len(members) < len(found):
                raise UsageError(
                    f"{path} holds a file twice: {', '.join(m.filename for m in found)}. Leave one of each."
                )
            if large := next((m for m in members.values() if m.file_size > _LARGEST), None):
                raise UsageError(
                    f"{path}: {large.filename} would be {large.file_size:,} bytes; no submission is that large."
                )
            return {task: archive.read(members[name]) for task, name in FILES.items() if name in members}
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        zlib.error,
        RuntimeError,
        EOFError,
        OSError,
    ) as error:  # RuntimeError: encrypted
        raise UsageError(f"{path} is neither a folder nor a zip that can be read ({error}).") from None


def _rows(task: Task, data: bytes, problems: list[str]) -> tuple[SubmittedAnswer, ...]:
    rows: list[SubmittedAnswer] = []
    seen: dict[Key, int] = {}
    for number, said in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not said.strip():
            continue
        where = f"{FILES[task]} line {number}"
        try:
            row = _row(said)
        except (ValueError, RecursionError) as error:
            problems.append(f"{where}: {error}.")
            continue
        rows.append(row)
        key = key_of(task, row.image)
        if key is None:
            problems.append(f"{where}: {row.image!r} is not the name of a picture of {task}.")
        elif key in seen:
            problems.append(f"{where}: {row.image} is answered a second time; line {seen[key]} counts.")
        else:
            seen[key] = number
    return tuple(rows)


def _row(said: bytes) -> SubmittedAnswer:
    try:
        body = json.loads(said)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not text ({error})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(body, dict):
        raise ValueError("is not a JSON object")
    if missing := [field for field in _FIELDS if field not in body]:
        raise ValueError(f"has no {missing[0]!r}")
    values = [body[field] for field in _FIELDS]
    if not isinstance(values[0], int) or not all(isinstance(v, str) for v in values[1:]):
        raise ValueError("question_id must be a whole number, image, question and answer texts")
    return SubmittedAnswer(*values)
