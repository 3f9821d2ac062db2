"""Where the scenes of an episode come from: the procedural set of this package, or one split of the user's CODA-LM.
Never both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from embodied.driving.codalm import load, vqa
from embodied.driving.records import LANGUAGES, SPLITS, Problem, Question, Scene, Task
from embodied.errors import UsageError
from embodied.registry import unknown
from embodied.seeding import derive
from embodied.terminal import shell_word

PROCEDURAL = "procedural"
REAL_NAME, PROCEDURAL_NAME = "codalm", "codalm-procedural"
"""Names of the two datasets, in every record and every table. Their numbers are never merged: one is photographs, the
other is drawn.
"""


@dataclass(frozen=True)
class SceneSet:
    """Scenes that are asked about together."""

    dataset: str
    """`codalm` or `codalm-procedural`."""
    name: str
    """The split."""
    language: str
    scenes: tuple[Scene, ...]
    problems: tuple[Problem, ...] = ()
    """What is wrong with the files of a real split."""

    def faults(self, scene: str) -> list[str]:
        """What is wrong with one scene, in sentences."""
        return [p.text for p in self.problems if Path(p.file).stem == scene]

    def questions(self, task: Task) -> tuple[Question, ...]:
        return vqa.questions(self.scenes, task)

    def turns(self, task: Task) -> tuple[Question, ...]:
        """The questions in the order of seeds. They were shuffled once, so that the first hundred are a sample of all
        scenes.
        """
        return tuple(sorted(self.questions(task), key=lambda q: derive(0, "codalm", *q.key)))


def open_set(split: str, data: str | None = None, language: str = "english", partial: bool = False) -> SceneSet:
    """The scenes of a split.

    Args:
        split: `procedural`, or a split of CODA-LM.
        data: Folder of CODA-LM; None for the one in EMBODIED_CODA_ROOT.
        language: english or chinese.
        partial: If files are missing or damaged, or references are not published, use the rest.

    Raises:
        UnknownName: No such split or language.
        UsageError: The folder is not CODA-LM's, or something in it cannot be used and `partial` is false.
    """
    split, language = split.casefold(), language.casefold()
    if split not in (PROCEDURAL, *SPLITS):
        raise unknown("split of codalm", split, [PROCEDURAL, *SPLITS], "embodied show codalm")
    if split != PROCEDURAL:
        return _real(split, data, language, partial)
    if data is not None:
        raise UsageError(
            f"data={data} is a folder of the real CODA-LM: say which split of it, for instance env.split=mini"
            f" ({', '.join(SPLITS)})."
        )
    if language != "english":
        known = language in LANGUAGES
        raise (
            UsageError("Procedural scenes are in English only.")
            if known
            else unknown("language of codalm", language, list(LANGUAGES), "embodied show codalm")
        )
    return procedural()


@lru_cache(maxsize=1)
def procedural() -> SceneSet:
    """The embedded set of 48 scenes."""
    from embodied.driving.scene.sets import scenes

    return SceneSet(PROCEDURAL_NAME, PROCEDURAL, "english", tuple(sorted(scenes(), key=lambda s: s.name)))


def _real(split: str, data: str | None, language: str, partial: bool) -> SceneSet:
    found = load.cached(str(load.data_root(data)), split, language)
    hindering = [p for p in found.problems if p.fatal or p.kind == "no answer"]
    if hindering and not partial:
        first, more = hindering[0], f" and {len(hindering) - 1} more" if len(hindering) > 1 else ""
        raise UsageError(
            f"The split {split} in {found.root} cannot be scored whole: {first.file}: {first.text}{more}."
            f" `embodied codalm check {shell_word(found.root)}` lists everything; env.partial=true uses the rest."
        )
    return SceneSet(REAL_NAME, split, language, found.scenes, found.problems)
