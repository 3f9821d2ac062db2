"""Answers to score or submit: of a run of CodaLM-v0, or of a submission, each beside its question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from embodied.driving.codalm.sources import PROCEDURAL, REAL_NAME, SceneSet, open_set
from embodied.driving.records import TASKS, Key, Question, Task
from embodied.errors import UsageError
from embodied.eval.settings import describe
from embodied.exchange.codalm import submission
from embodied.store.run import Run
from embodied.types import EpisodeSpec
from embodied.variables import resolved

ENV = "codalm"


@dataclass(frozen=True)
class Answers:
    """Answers with their questions."""

    path: str
    set: SceneSet
    questions: tuple[Question, ...]
    """What was asked: of a submission all of the split, for the files it has; of runs what they planned."""
    texts: dict[Key, str]
    """Those of the questions that were answered."""
    notes: tuple[str, ...]
    """A sentence for everything that was not as it should be."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(task for task in TASKS if any(q.task == task for q in self.questions))

    @property
    def missing(self) -> list[Question]:
        return [q for q in self.questions if q.key not in self.texts]


def read(
    paths: Sequence[str], data: str | None, split: str | None, language: str | None, *, partial: bool = False
) -> Answers:
    """Reads run folders, or one submission.

    Args:
        paths: Run folders of one split, or one folder or zip of a submission.
        data: Folder of the real CODA-LM; None for the one the run names, or EMBODIED_CODA_ROOT.
        split: Of a submission; None for test, or for what the run names.
        language: None for english, or what the run names.
        partial: See `sources.open_set`.

    Raises:
        UsageError: The runs are of several splits, hold no episode of CodaLM-v0, or nothing in them belongs to the
            split.
        StoreError: A run is damaged.
    """
    if all((Path(path) / "run.json").is_file() for path in paths):
        return _of_runs([Run(path) for path in paths], data, split, language, partial)
    if len(paths) > 1:
        raise UsageError(
            "If several folders are named, each must be a run:"
            f" {next(p for p in paths if not (Path(p) / 'run.json').is_file())} is not one."
        )
    return _of_submission(paths[0], data, split or "test", language or "english", partial)


def _of_submission(path: str, data: str | None, split: str, language: str, partial: bool) -> Answers:
    found = submission.read(path)
    scenes = open_set(split, data, language, partial)
    if scenes.dataset != REAL_NAME:
        raise UsageError("A submission is for the real CODA-LM: name one of its splits with --split.")
    questions = tuple(q for task in found.rows for q in scenes.questions(task))
    texts = found.answers
    known = {q.key for q in questions}
    if not known & texts.keys():
        raise UsageError(
            f"No answer in {path} belongs to the split {split}: it begins with {_first(found)!r}. Name the right one"
            " with --split."
        )
    notes = list(found.problems)
    if strange := [key for key in texts if key not in known]:
        notes.append(
            f"{len(strange)} answers belong to no question of the split {split}, the first to"
            f" {' '.join(filter(None, strange[0]))}; they do not count."
        )
    return _answers(path, scenes, questions, texts, notes)


def _first(found: submission.Submission) -> str:
    return next((row.image for rows in found.rows.values() for row in rows), "nothing")


def _of_runs(runs: Sequence[Run], data: str | None, split: str | None, language: str | None, partial: bool) -> Answers:
    specs = [(run, spec) for run in runs for spec in run.record.planned if spec.task.env == ENV]
    if not specs:
        raise UsageError(f"{runs[0].root} has no episode of {ENV}. `embodied eval --env {ENV}` makes a run of it.")
    of_run = {_source(spec) for _, spec in specs}
    if len(of_run) > 1:
        raise UsageError(
            "The runs are of different sets of scenes, which are never mixed:"
            f" {', '.join(' '.join(s) for s in sorted(of_run))}."
        )
    planned_split, planned_language = of_run.pop()
    split, language = split and split.casefold(), language and language.casefold()
    if (split or planned_split) != planned_split or (language or planned_language) != planned_language:
        raise UsageError(
            f"The run is of the split {planned_split} in {planned_language}, not of {split or planned_split} in"
            f" {language or planned_language}."
        )
    folder = None if planned_split == PROCEDURAL else data or resolved(specs[0][1].task.kwargs).get("data")
    scenes = open_set(planned_split, folder, planned_language, partial)
    turns: dict[str, tuple[Question, ...]] = {task: scenes.turns(task) for task in TASKS}
    asked: dict[Key, Question] = {}
    texts: dict[Key, str] = {}
    again = 0
    for run, spec in specs:
        questions = turns[cast(Task, spec.task.task)]
        question = questions[spec.seed % len(questions)]
        again += question.key in asked
        asked.setdefault(question.key, question)
        if (text := _answer(run, spec, question)) is not None:
            texts.setdefault(question.key, text)
    notes = [f"{again} questions were asked more than once; their first answers count."] if again else []
    if controls := sorted(filter(None, {describe(run.record).control for run, _ in specs})):
        notes.append(f"The answers were given under the control {', '.join(controls)}: they are not the agent's own.")
    if len(who := {describe(run.record).name for run, _ in specs}) > 1:
        notes.append(f"The answers are of different agents: {', '.join(sorted(who))}.")
    there = sum(len(scenes.questions(task)) for task in TASKS if any(key[0] == task for key in asked))
    if len(asked) < there:
        notes.append(
            f"{len(asked)} of the {there} questions of these tasks in the split {scenes.name} were asked: the score is"
            " that of a sample."
        )
    return _answers(
        ", ".join(str(run.root) for run in runs),
        scenes,
        tuple(sorted(asked.values(), key=lambda q: (TASKS.index(q.task), q.id))),
        texts,
        notes,
    )


def _source(spec: EpisodeSpec) -> tuple[str, str]:
    return (
        str(spec.task.kwargs.get("split", PROCEDURAL)).casefold(),
        str(spec.task.kwargs.get("language", "english")).casefold(),
    )


def _answer(run: Run, spec: EpisodeSpec, question: Question) -> str | None:
    """The answer of an episode; None if it has none. Raises `UsageError` where the episode asked
    something else.
    """
    episode = run.episode(spec.id)
    if episode is None or episode.outcome != "finished":
        return None
    if (episode.info.get("scene"), episode.info.get("region", "")) != question.key[1:]:
        raise UsageError(
            f"Episode {spec.id} of {run.root} asked about {episode.info.get('scene')}, not {question.scene}: the data"
            " is not what it was played on."
        )
    *_, last = run.steps(spec.id)
    return str(last.info.get("answer", ""))


def _answers(
    path: str, scenes: SceneSet, questions: tuple[Question, ...], texts: dict[Key, str], notes: list[str]
) -> Answers:
    if faulty := [p for p in scenes.problems if p.kind != "count"]:
        notes.append(
            f"The data have {len(faulty)} faults, the first: {faulty[0].file}: {faulty[0].text}. `embodied codalm"
            " check` lists them."
        )
    known = {q.key for q in questions}
    unpublished = sum(not q.answer.strip() for q in questions)
    if questions and unpublished == len(questions):
        raise UsageError(
            f"The split {scenes.name} holds no reference answers (Test files from before October 2024 do not): nothing"
            " can be scored."
        )
    if unpublished:
        notes.append(f"{unpublished} questions have no reference and are not part of the score.")
    return Answers(path, scenes, questions, {key: text for key, text in texts.items() if key in known}, tuple(notes))
