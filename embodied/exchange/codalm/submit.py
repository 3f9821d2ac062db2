"""A submission from runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embodied.driving.codalm.sources import REAL_NAME
from embodied.driving.records import TASKS
from embodied.errors import UsageError
from embodied.exchange.codalm import answers, submission


@dataclass(frozen=True)
class Written:
    """What was written."""

    files: tuple[tuple[Path, int], ...]
    """Each file with its number of answers."""
    missing: int
    """Questions of the split without an answer."""
    notes: tuple[str, ...]


def write(runs: Sequence[str], data: str | None, out: Path, partial: bool = False) -> Written:
    """Writes the answers of runs of CodaLM-v0 as the challenge wants them; ids are those of the whole split.

    Raises:
        UsageError: The runs are of procedural scenes or of several splits, or answers are missing and `partial` is
            false.
    """
    found = answers.read(runs, data, None, None, partial=partial)
    if found.set.dataset != REAL_NAME:
        raise UsageError(
            f"These runs are of {found.set.dataset}: a submission is for the real CODA-LM (env.split=test --data DIR)."
        )
    questions = [q for task in TASKS for q in found.set.questions(task)]
    missing = [q for q in questions if q.key not in found.texts]
    if missing and not partial:
        by_task = ", ".join(
            f"{sum(q.task == task for q in missing)} of {task}"
            for task in TASKS
            if any(q.task == task for q in missing)
        )
        raise UsageError(
            f"{len(missing)} questions of the split {found.set.name} have no answer ({by_task}). Play them (--episodes"
            " as many as a task has questions; several runs may be named), or write what is there with --partial."
        )
    paths = submission.write(out, questions, found.texts)
    counts = tuple((path, len(path.read_bytes().splitlines())) for path in paths)
    return Written(
        counts, len(missing), (*found.notes, *([f"Questions without an answer: {len(missing)}."] if missing else []))
    )
