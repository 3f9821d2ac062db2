"""`embodied train tinyvlm`: from nothing to a version, in stages that a kill does not lose.

OUT/work/course.json         what is made, and how
OUT/work/tables.json         names of objects; patches.npy: the different patches
OUT/work/lessons-<k>.npz     lessons of the expert (0) and of the student's own episodes (1, 2, ...)
OUT/work/checkpoint.safetensors, progress.json
OUT/agent.json, OUT/parts/   the version
"""

from __future__ import annotations

import io
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import torch as safetensors

from embodied.agents.versions import AgentRecord, AgentVersion, Lineage, write
from embodied.catalog import ENTRIES
from embodied.errors import UsageError
from embodied.splits import Split
from embodied.store.disk import write_whole
from embodied.train.tinyvlm import architecture
from embodied.train.tinyvlm.architecture import Built, Shape
from embodied.train.tinyvlm.learning import Course, Student, Training
from embodied.train.tinyvlm.lessons import Arrays, Lessons, Notebook
from embodied.train.tinyvlm.playing import Played, World, lessons_of_expert, play

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Everything that decides what comes out: the same plan gives the same bytes, on one thread of the same CPU."""

    name: str
    """Of the version that comes out."""
    worlds: tuple[World, ...]
    sentences: tuple[str, ...]
    """They hold every word of the world's goals and of the names of its objects."""
    actions: tuple[str, ...]
    seed: int = 0
    episodes: int = 16_000
    """Of the experts; each world has as many."""
    noise: tuple[float, ...] = (0.0, 0.1, 0.25)
    shape: Shape = field(default_factory=Shape)
    course: Course = field(default_factory=Course)
    own: int = 150
    """Episodes of each task that the student plays itself, each time (DAgger: Ross et al. 2011)."""
    turns: tuple[float, ...] = (0.45, 0.65)
    """After which shares of the updates it does."""
    teach: int = 40
    """Steps of each of those episodes that become lessons."""
    dev: int = 60
    """Episodes of each task, variants in turn, that decide which checkpoint is kept."""

    def shortened(self, updates: int) -> Plan:
        """The plan with other updates, and as many fewer episodes of the student's own as there are fewer of them."""
        share = min(1.0, updates / self.course.updates)
        own, dev = math.ceil(self.own * share), math.ceil(self.dev * share)
        return replace(self, course=replace(self.course, updates=updates), own=own, dev=dev)


class Making:
    """The stages of one plan in one folder."""

    def __init__(self, plan: Plan, out: Path, device: torch.device, tell: Tell):
        self.plan, self.out, self.tell = plan, out, tell
        self.work = out / "work"
        self.built: Built = architecture.build(plan.actions, plan.sentences, plan.shape, plan.seed)
        self.notebook = Notebook.of(self.built, all(world.tiles for world in plan.worlds))
        self.student = Student(self.built, device)
        self.training = Training(self.student, plan.course)
        self.parts: list[Arrays] = []
        self.best = -1.0

    def make(self) -> AgentVersion:
        """Goes on where the folder stands, to the end.

        Raises:
            UsageError: The folder holds something else.
            TrainingFailed: The loss is not a number; the last checkpoint is kept.
        """
        self._open()
        updates = self.plan.course.updates
        stops = [*(int(share * updates) for share in self.plan.turns), updates]
        if not self.parts:
            self.tell(f"The expert plays {self.plan.episodes} episodes.")
            plan = self.plan
            each = plan.episodes // len(plan.worlds)
            self._keep([lessons_of_expert(w, self.notebook, each, plan.seed, plan.noise) for w in plan.worlds])
        for turn, stop in enumerate(stops):
            self._learn(stop)
            if turn < len(self.plan.turns) and len(self.parts) == turn + 1:
                self._practise(turn)
        return self._finish()

    def _open(self) -> None:
        wanted = json.loads(json.dumps(asdict(self.plan)))
        path = self.work / "course.json"
        if (self.out / "agent.json").exists():
            raise UsageError(f"{self.out} holds a finished agent. Name another folder with --out.")
        if path.exists():
            if json.loads(path.read_text()) != wanted:
                raise UsageError(f"{self.out} holds a training of another plan. Name another folder with --out.")
            self._restore()
        else:
            self.work.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(wanted, indent=1).encode())

    def _restore(self) -> None:
        tables = self.work / "tables.json"
        if not tables.exists():
            return
        for name in json.loads(tables.read_text()):
            self.notebook.sayings.number(tuple(name))
        self.notebook.patches.take(np.load(self.work / "patches.npy", allow_pickle=False))
        while (path := self.work / f"lessons-{len(self.parts)}.npz").exists():
            self.parts.append(Arrays.load(path))
        if (progress := self.work / "progress.json").exists():
            about = json.loads(progress.read_text())
            self._take(safetensors.load_file(self.work / about["checkpoint"]))
            self.training.done, self.best = about["done"], about["best"]
            self.tell(f"Goes on after update {self.training.done} of {self.plan.course.updates}.")

    def _keep(self, lessons: Sequence[Lessons]) -> None:
        arrays = reduce(add, map(Arrays.of, lessons))
        buffer = io.BytesIO()
        np.save(buffer, self.notebook.patches.array(), allow_pickle=False)
        write_whole(self.work / "patches.npy", buffer.getvalue())
        write_whole(self.work / "tables.json", json.dumps(list(self.notebook.sayings.numbers)).encode())
        arrays.save(self.work / f"lessons-{len(self.parts)}.npz")
        self.parts.append(arrays)
        self.tell(f"{len(arrays.labels)} lessons, {sum(len(p.labels) for p in self.parts)} in all.")

    def _learn(self, stop: int) -> None:
        """Makes the updates up to `stop`, with a checkpoint and a look at dev episodes every tenth of the course."""
        lessons = self.parts[0]
        for part in self.parts[1:]:
            lessons = lessons + part
        tenth = max(1, self.plan.course.updates // 10)
        while self.training.done < stop:
            until = min(stop, (self.training.done // tenth + 1) * tenth)
            start = time.monotonic()
            latest = self.training.run(self.notebook, lessons, until, self.plan.seed)
            said = ", ".join(f"{name} {value:.3f}" for name, value in latest.items())
            last = self.training.done >= self.plan.course.updates * 0.7
            score = self._dev() if last and self.plan.dev else None
            self.tell(
                f"update {self.training.done}/{self.plan.course.updates}  {said}"
                + (f"  dev {score:.3f}" if score is not None else "")
                + f"  {time.monotonic() - start:.0f} s"
            )
            if score is not None and score >= self.best:
                self.best = score
                architecture.save(self.built, self.work / "best")
            self._checkpoint()

    def _dev(self) -> float:
        played = self._played("dev", begin=0, each=self.plan.dev)
        if len(played) > 1:
            self.tell(", ".join(f"{w.env} {p.score:.3f}" for w, p in zip(self.plan.worlds, played, strict=True)))
        return sum(p.score for p in played) / len(played)

    def _practise(self, turn: int) -> None:
        begin = 500_000 + turn * 100_000
        played = self._played("train", begin=begin, each=self.plan.own, teach=self.plan.teach, noise=0.05)
        for world, own in zip(self.plan.worlds, played, strict=True):
            self.tell(f"The student plays {len(own.scores)} episodes of {world.env} itself: progress {own.score:.3f}.")
        self._keep([own.lessons for own in played])

    def _played(self, split: Split, **more: Any) -> list[Played]:
        choose, seed = self.student.choose, self.plan.seed
        return [play(w, self.notebook, choose, split=split, seed=seed, **more) for w in self.plan.worlds]

    def _checkpoint(self) -> None:
        name = f"checkpoint-{self.training.done}.safetensors"
        write_whole(self.work / name, safetensors.save(self._tensors()))
        about = {"done": self.training.done, "best": self.best, "checkpoint": name}
        write_whole(self.work / "progress.json", json.dumps(about).encode())
        for old in self.work.glob("checkpoint-*.safetensors"):
            if old.name != name:
                old.unlink()

    def _tensors(self) -> dict[str, torch.Tensor]:
        """The weights and the optimizer's moments, by number of the parameter."""
        found = {f"weight.{i}": p.detach().contiguous() for i, p in enumerate(self.student.parameters())}
        for i, parameter in enumerate(self.student.parameters()):
            state: dict[str, Any] = self.training.optimizer.state.get(parameter, {})
            found |= {f"{key}.{i}": torch.as_tensor(value).contiguous() for key, value in state.items()}
        return found

    def _take(self, tensors: dict[str, torch.Tensor]) -> None:
        for i, parameter in enumerate(self.student.parameters()):
            with torch.no_grad():
                parameter.copy_(tensors[f"weight.{i}"])
            state = {key: tensors[f"{key}.{i}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{key}.{i}" in tensors}
            if state:
                self.training.optimizer.state[parameter] = state

    def _finish(self) -> AgentVersion:
        model = self.work / "best"
        if not model.exists():
            architecture.save(self.built, model)
        plan = self.plan
        own = plan.own * len(plan.turns) * sum(len(world.tasks) for world in plan.worlds)
        used = {
            "seed": plan.seed,
            "episodes": plan.episodes + own,
            "lessons": sum(len(part.labels) for part in self.parts),
            "updates": plan.course.updates,
            "dev": round(self.best, 4),
        }
        record = AgentRecord(
            name=plan.name,
            settings=SETTINGS | {"agent.history.actions": plan.shape.past},
            worlds=tuple(w.env for w in plan.worlds),
            tasks={w.env: w.tasks for w in plan.worlds if w.tasks != ENTRIES[w.env].tasks},
            view={w.env: dict(w.view) for w in plan.worlds if w.view},
            lineage=Lineage(learner="tinyvlm", used=used),
        )
        version = write(self.out / "made", record, {"model": model})
        for item in version.folder.iterdir():
            item.rename(self.out / item.name)
        version.folder.rmdir()
        shutil.rmtree(self.work)
        return AgentVersion(self.out, version.record, version.hash)


SETTINGS = {
    "image": True,
    "agent.policy": "naive",
    "agent.history.text": 0,
    "agent.history.image": 1,
    "model.provider": "transformers",
    "model.max_tokens": 2,
    "model.temperature": 0.0,
    "model.threads": 1,
}
"""How tinyvlm is played, besides the actions that it remembers."""
