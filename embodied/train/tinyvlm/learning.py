"""How tinyvlm learns: the expert's next action, and two things about the picture that make it read its goal.

A policy that never reads earns nearly everything where a room holds little but the named objects. So at every object
the model also says whether the goal speaks of it, and its projector must place the object beside the words for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from embodied.arrays import Pixels
from embodied.errors import TrainingFailed
from embodied.seeding import derive
from embodied.train.tinyvlm.architecture import Built
from embodied.train.tinyvlm.lessons import Arrays, Ints, Notebook, fit
from embodied.train.tinyvlm.words import ANSWER, END, PAD


@dataclass(frozen=True)
class Course:
    """How a model is trained."""

    updates: int = 5600
    batch: int = 64
    rate: float = 2e-3
    """Learning rate of AdamW at its highest; it falls along half a cosine."""
    warmup: int = 100
    decay: float = 0.01
    named: float = 1.0
    """Weight of the loss "does the goal speak of this object?"."""
    naming: float = 0.5
    """Weight of the loss that ties an object to its words."""
    sharpness: float = 10.0
    """What cosines are multiplied by in the naming loss."""


class Student:
    """The model, and the one head that it has in training alone."""

    def __init__(self, built: Built, device: torch.device):
        self.built = built
        self.device = device
        self.model = built.model
        torch.nn.Module.to(self.model, device)  # transformers' own `to` has no types
        torch.manual_seed(derive(0, "head", bits=31))
        self.named = torch.nn.Linear(built.shape.width, 1).to(device)
        self._patches = torch.empty(0, dtype=torch.uint8)
        self._actions = torch.tensor([built.number(a) for a in built.actions], device=device)

    def parameters(self) -> list[torch.nn.Parameter]:
        return [*self.model.parameters(), *self.named.parameters()]

    def see(self, notebook: Notebook) -> None:
        """Takes in patches that are new."""
        if len(self._patches) < len(notebook.patches):
            self._patches = torch.from_numpy(notebook.patches.array()).to(self.device)

    def forward(self, pictures: torch.Tensor, prefixes: torch.Tensor, answers: torch.Tensor) -> _Seen:
        """One pass over prompts, each followed by an answer.

        Args:
            pictures: (B, H, W, 3) uint8.
            prefixes: (B, L) tokens, padded at the left.
            answers: (B,) the token that follows the prompt.
        """
        size, number, inner = len(pictures), self.built.number, self.model.model
        pixels = pictures.permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
        features = inner.vision_tower(pixels).last_hidden_state[:, 1:]
        objects = inner.multi_modal_projector(features)
        embed = self.model.get_input_embeddings()
        ask = torch.full((size, 1), number(ANSWER), device=self.device)
        embedded = torch.cat([embed(prefixes), objects, embed(ask), embed(answers[:, None])], 1)
        real = torch.ones(embedded.shape[:2], dtype=torch.long, device=self.device)
        real[:, : prefixes.shape[1]] = (prefixes != number(PAD)).long()
        hidden = inner.language_model(
            inputs_embeds=embedded,
            attention_mask=real,
            position_ids=(real.cumsum(1) - 1).clamp(min=0),
            use_cache=False,
        ).last_hidden_state
        return _Seen(self.model.lm_head(hidden[:, -2:]), hidden[:, prefixes.shape[1] : -2], objects)

    def pictures(self, grids: Ints) -> torch.Tensor:
        """(B, H, W, 3) uint8: pictures put together of patches that `see` took in, by number, (B, patches)."""
        side, patch = self.built.shape.picture // self.built.shape.patch, self.built.shape.patch
        cells = self._patches[self.tensor(grids)].view(-1, side, side, patch, patch, 3)
        return cells.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * patch, side * patch, 3)

    def choose(self, pictures: Sequence[Pixels], prefixes: Sequence[list[int]]) -> list[str]:
        """The likeliest action for each of several prompts.

        Args:
            pictures: (H, W, 3) uint8 each; those of another size are scaled.
            prefixes: What stands before each picture.
        """
        longest = max(map(len, prefixes))
        padded = [[self.built.number(PAD)] * (longest - len(p)) + p for p in prefixes]
        shown = np.stack([fit(picture, self.built.shape.picture) for picture in pictures])
        with torch.inference_mode():
            answers = torch.zeros(len(shown), dtype=torch.long, device=self.device)
            seen = self.forward(torch.from_numpy(shown).to(self.device), self.tensor(padded), answers)
            best = seen.logits[:, 0, self._actions].argmax(1).tolist()
        return [self.built.actions[i] for i in best]

    def tensor(self, rows: Any) -> torch.Tensor:
        """Whole numbers on the student's device."""
        return torch.as_tensor(np.asarray(rows, np.int64), device=self.device)


@dataclass
class _Seen:
    """What one pass gives."""

    logits: torch.Tensor
    """(B, 2, words): after the prompt, and after the answer."""
    cells: torch.Tensor
    """(B, patches, width) the Llama's last layer at each patch."""
    objects: torch.Tensor
    """(B, patches, width) the projector's output."""


def batches(arrays: Arrays, size: int, rng: np.random.Generator, count: int) -> list[Ints]:
    """The rows of `count` batches. Prompts of like length go together: less padding."""
    rows = rng.integers(len(arrays.labels), size=size * count)
    rows = rows[np.argsort(arrays.lengths[rows], kind="stable")]
    return [rows[i * size : (i + 1) * size] for i in rng.permutation(count)]


def losses(
    student: Student, notebook: Notebook, arrays: Arrays, rows: Ints, course: Course
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of one batch, and its parts."""
    take, number = student.tensor, student.built.number
    padding = arrays.prefixes.shape[1] - int(arrays.lengths[rows].max())
    labels, names = take(arrays.labels[rows]), take(arrays.names[rows])
    seen = student.forward(student.pictures(arrays.grids[rows]), take(arrays.prefixes[rows][:, padding:]), labels)
    action = functional.cross_entropy(seen.logits[:, 0], labels)
    ends = torch.full_like(labels, number(END))
    total = action + 0.1 * functional.cross_entropy(seen.logits[:, 1], ends)
    objects = names > 0
    parts = {"action": action.item()}
    if objects.any():
        truth = torch.as_tensor(arrays.named[rows], device=student.device)[objects].float()
        named = functional.binary_cross_entropy_with_logits(student.named(seen.cells[objects]).squeeze(-1), truth)
        naming = _naming(student, notebook, seen.objects[objects], names[objects], course.sharpness)
        total = total + course.named * named + course.naming * naming
        parts |= {"named": named.item(), "naming": naming.item()}
    return total, parts


def _naming(
    student: Student, notebook: Notebook, features: torch.Tensor, names: torch.Tensor, sharpness: float
) -> torch.Tensor:
    """How far objects are from the words for them: for each place in a name, cross-entropy over its words."""
    table = student.tensor(notebook.sayings.table())[names]
    embed = student.model.get_input_embeddings()
    features = functional.normalize(features, dim=-1)
    loss = features.new_zeros(())
    for place, known in enumerate(notebook.sayings.slots()):
        tokens = student.tensor(known)
        scores = sharpness * features @ functional.normalize(embed(tokens), dim=-1).T
        loss = loss + functional.cross_entropy(scores, torch.searchsorted(tokens, table[:, place].contiguous()))
    return loss


class Training:
    """The updates of one course."""

    def __init__(self, student: Student, course: Course):
        self.student = student
        self.course = course
        self.done = 0
        self.optimizer = torch.optim.AdamW(
            student.parameters(), lr=course.rate, weight_decay=course.decay, betas=(0.9, 0.98)
        )

    def run(self, notebook: Notebook, arrays: Arrays, until: int, seed: int) -> dict[str, float]:
        """Makes updates until there were `until` in all; returns the parts of the last loss.

        Raises:
            TrainingFailed: The loss is not a number.
        """
        self.student.see(notebook)
        self.student.model.train()
        course = self.course
        parts: dict[str, float] = {}
        while self.done < until:
            rng = np.random.default_rng(derive(seed, "batches", self.done))
            for rows in batches(arrays, course.batch, rng, min(8, until - self.done)):
                rate = course.rate * min(1.0, (self.done + 1) / course.warmup)
                for group in self.optimizer.param_groups:
                    group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * self.done / course.updates))
                total, parts = losses(self.student, notebook, arrays, rows, course)
                if not math.isfinite(total.item()):
                    raise TrainingFailed(
                        f"The loss of update {self.done} is {total.item()}. The last checkpoint is kept. Try another"
                        " --seed with another --out."
                    )
                total.backward()
                torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
                self.done += 1
        self.student.model.eval()
        return parts
