"""The updates of a fine-tuning: batches, checks on held-out examples, and checkpoints that a kill does not lose.

WORK/progress.json               how far it is, and of what
WORK/checkpoint-<n>.safetensors  weights and optimizer after update n, and the best weights so far
WORK/model/                      the model as it will be played, when it is finished
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import torch as safetensors

from embodied.errors import NothingLearned, PromptRefused, TrainingFailed
from embodied.seeding import generator
from embodied.store.disk import write_whole
from embodied.train.examples import Example
from embodied.train.tuning import Row, Tuner, finite

CHECKS = 10
"""In one course."""
PATIENCE = 4
"""Checks without a better one after which a course ends."""
_SLACK = 0.02
"""By how much of the parent's a held-out loss may be higher, and count as kept."""
_MOST_CHECKED = 400
"""Held-out examples of a kind that are checked; more cost time and say little more."""
_KEPT = 1 << 30
"""Bytes of prepared pictures that are kept in memory; others are prepared again in each update."""
_WARMUP = 0.1
"""Share of the updates in which the rate rises."""

Pick = Callable[[np.random.Generator, int], list[int]]
"""Draws the examples of a batch: so many numbers."""


@dataclass(frozen=True)
class Course:
    """How a model is fine-tuned."""

    updates: int
    rate: float
    batch: int
    negatives: float
    """Weight of the loss on rejected answers."""
    seed: int


@dataclass
class Rows:
    """The rows of examples, prepared when they are first needed."""

    tuner: Tuner
    examples: Sequence[Example]
    _known: dict[int, list[Row]] = field(default_factory=dict)
    _bytes: int = 0

    def of(self, number: int) -> list[Row]:
        """The wanted answer's row, and the rejected one's, where there is one."""
        if number in self._known:
            return self._known[number]
        example = self.examples[number]
        answers = [example.answer, *([example.rejected] if example.rejected else [])]
        rows = self.tuner.rows(example.prompt, answers, example.blobs)
        if self._bytes < _KEPT:
            self._known[number] = rows
            self._bytes += rows[0].bytes
        return rows


@dataclass(frozen=True)
class Trained:
    """What came out."""

    folder: Path
    """A model folder."""
    taken: int
    """The update after which its weights were taken."""
    before: dict[str, float]
    """Loss for each token on held-out examples, by kind, of the parent."""
    after: dict[str, float]
    """The same, of what came out."""


class Training:
    """One course of one model in one folder.

    Args:
        tuner: The model.
        course: How.
        examples: What is learned.
        pick: Which of them make a batch.
        checked: Held-out examples by kind; where there are none, the last weights are taken.
        work: The folder.
        identity: Of all that decides what comes out: a checkpoint of another one is not taken up.
        say: Takes a line for the person who waits.
    """

    def __init__(
        self,
        tuner: Tuner,
        course: Course,
        examples: Sequence[Example],
        pick: Pick,
        checked: Mapping[str, Sequence[Example]],
        work: Path,
        identity: str,
        say: Callable[[str], None],
    ):
        self.tuner, self.course, self.pick, self.work, self.say = tuner, course, pick, work, say
        self.identity = identity
        self.rows = Rows(tuner, examples)
        self.checked = {
            kind: [tuner.rows(e.prompt, [e.answer], e.blobs)[0] for e in some[:_MOST_CHECKED]]
            for kind, some in checked.items()
            if some
        }
        self.optimizer = torch.optim.AdamW(tuner.parameters, lr=course.rate, weight_decay=0.0, betas=(0.9, 0.98))
        self.done = 0
        self.first: dict[str, float] = {}
        self.best: dict[str, float] = {}
        self.taken = 0
        self.kept: list[torch.Tensor] = tuner.weights()

    def run(self) -> Trained:
        """Goes on where the folder stands, to the end.

        Raises:
            NothingLearned: No weights were better on held-out examples than the parent's.
            TrainingFailed: The loss is not a number.
        """
        self._restore()
        every = max(1, math.ceil(self.course.updates / CHECKS))
        if not self.done and self.checked and not self.first:
            self.first = self.best = self._check()
            self.say(f"Before: {_told(self.first)}")
        while self.done < self.course.updates and (self.done - self.taken < PATIENCE * every or not self.checked):
            loss = self._updates(min(self.course.updates, (self.done // every + 1) * every))
            found = self._check()
            if not self.checked or self._better(found):
                self.best, self.taken, self.kept = found, self.done, self.tuner.weights()
            self.say(f"Update {self.done} of {self.course.updates}: loss {loss:.3f}. {_told(found)}")
            self._checkpoint()
        if not self.taken:
            raise NothingLearned(
                "Held-out corrections and demonstrations became no likelier than they were for the parent, which stays."
                " Collect more episodes, or lower learner.rate."
            )
        self.tuner.take(self.kept)
        self.tuner.save(self.work / "model")
        return Trained(self.work / "model", self.taken, self.first, self.best)

    def _updates(self, until: int) -> float:
        """Makes updates up to `until`; returns the last loss."""
        last = 0.0
        while self.done < until:
            rng = generator(self.course.seed, "batch", self.done)
            chosen = [self.rows.of(i) for i in self.pick(rng, self.course.batch)]
            rejected = [row for rows in chosen for row in rows[1:]] if self.course.negatives else []
            for group in self.optimizer.param_groups:
                group["lr"] = self.course.rate * self._slope()
            loss = self.tuner.loss([rows[0] for rows in chosen], rejected, self.course.negatives)
            if not finite(loss):
                raise TrainingFailed(
                    f"The loss of update {self.done + 1} is {loss.item()}. The parent stays. Lower learner.rate."
                )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.tuner.parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.done += 1
            last = loss.item()
        return last

    def _slope(self) -> float:
        """What the rate is multiplied by: it rises along a line, and falls along half a cosine."""
        total, warm = self.course.updates, max(1, int(self.course.updates * _WARMUP))
        if self.done < warm:
            return (self.done + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (self.done - warm) / max(1, total - warm)))

    def _better(self, found: Mapping[str, float]) -> bool:
        """Whether weights are the best so far: the mean over the kinds is lower, and none is worse than the parent's.
        Where corrections are bought with demonstrations, the agent forgets more than it learns.
        """
        kept = all(found[kind] <= self.first[kind] * (1 + _SLACK) for kind in found)
        return kept and _mean(found) < _mean(self.best)

    def _check(self) -> dict[str, float]:
        return {kind: self.tuner.check(rows) for kind, rows in self.checked.items()}

    # ----------------------------------------------------------------- checkpoints

    def _checkpoint(self) -> None:
        name = f"checkpoint-{self.done}.safetensors"
        write_whole(self.work / name, safetensors.save(self._tensors()))
        about = {"identity": self.identity, "checkpoint": name, "done": self.done, "taken": self.taken}
        about |= {"first": self.first, "best": self.best}
        write_whole(self.work / "progress.json", json.dumps(about).encode())
        for old in self.work.glob("checkpoint-*.safetensors"):
            if old.name != name:
                old.unlink()

    def _tensors(self) -> dict[str, torch.Tensor]:
        found = {f"kept.{i}": w.contiguous() for i, w in enumerate(self.kept)}
        for i, parameter in enumerate(self.tuner.parameters):
            found[f"weight.{i}"] = parameter.detach().contiguous()
            state: dict[str, Any] = self.optimizer.state.get(parameter, {})
            found |= {f"{key}.{i}": torch.as_tensor(value).contiguous() for key, value in state.items()}
        return found

    def _restore(self) -> None:
        shutil.rmtree(self.work / "model", ignore_errors=True)
        progress = self.work / "progress.json"
        if not progress.exists():
            return
        about = json.loads(progress.read_text())
        if about["identity"] != self.identity:
            return
        device = str(self.tuner.device)
        tensors = safetensors.load_file(self.work / about["checkpoint"], device=device)
        self.tuner.take([tensors[f"weight.{i}"] for i in range(len(self.tuner.parameters))])
        self.kept = [tensors[f"kept.{i}"] for i in range(len(self.tuner.parameters))]
        for i, parameter in enumerate(self.tuner.parameters):
            state = {key: tensors[f"{key}.{i}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{key}.{i}" in tensors}
            if state:
                self.optimizer.state[parameter] = {**state, "step": state["step"].cpu()}
        self.done, self.taken = about["done"], about["taken"]
        self.first, self.best = about["first"], about["best"]
        self.say(f"Goes on after update {self.done} of {self.course.updates}.")


def readable(tuner: Tuner, examples: Sequence[Example]) -> tuple[list[Example], int]:
    """The examples whose prompts the model can read, and how many others there are."""
    kept = []
    for example in examples:
        try:
            tuner.rows(example.prompt, [example.answer], example.blobs)
        except PromptRefused:
            continue
        kept.append(example)
    return kept, len(examples) - len(kept)


def identity(course: Course, more: Sequence[str]) -> str:
    """What `Training` takes: the course, and whatever else decides what comes out."""
    return json.dumps([asdict(course), *more])


def _mean(found: Mapping[str, float]) -> float:
    """Of the kinds, each counted alike: corrections must not be learned at the price of demonstrations."""
    return sum(found.values()) / len(found)


def _told(found: Mapping[str, float]) -> str:
    return ", ".join(f"held-out {kind}s {loss:.3f}" for kind, loss in found.items())
