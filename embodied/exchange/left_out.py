"""What exports say of corrections that they leave out, or that must not be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from embodied.rollout.lessons import Lesson
from embodied.store.run import Run


def left_out_note(lessons: Iterable[Lesson]) -> list[str]:
    """What `Exported.notes` say of lessons that give no example."""
    counts = Counter(lesson.left_out for lesson in lessons if lesson.left_out)
    if not counts:
        return []
    return [f"Corrections left out: {', '.join(f'{n} {why}' for why, n in counts.items())}."]


def wrong_note(run: Run) -> list[str]:
    """What `Exported.notes` say of an oracle that was told to give wrong advice."""
    corrector = run.record.config.get("corrector")
    wrong = corrector.get("wrong") if isinstance(corrector, dict) else None
    if not isinstance(wrong, int | float) or not wrong > 0:
        return []
    return [f"The corrector named wrong actions on purpose (corrector.wrong={wrong:g}), and no line says which."]
