"""A card beside the CPU: how fast tinyvlm and a larger variant learn, see and play, and what bfloat16 changes.

    for part in training pictures rollouts bf16 larger; do python benchmarks/gpu.py $part --out gpu.json; done

- **training**: steps of the optimizer a second, on batches of 64 lessons.
- **pictures**: pictures a second through the CLIP tower and the projector, from bytes in the computer's memory.
- **rollouts**: steps a second of episodes of BabyAI that are played together, over the same one by one.
- **bf16**: how often bfloat16 and float32 choose the same action, and how far their scores are apart.
- **larger**: trains the larger variant for some time on each device, and plays episodes of the dev split.

Each takes at most three minutes (`--seconds`) and measures the card and the CPU in turn, in one process. It writes one
object into the file of `--out`: the card, versions, repeats, and each figure beside that of the CPU. Where there is no
CUDA it measures the CPU alone and says so. Times are wall times; `--threads` of the CPU (1) are recorded. `--small` is
for trying the script: it takes seconds, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from embodied import envs
from embodied.agents.versions import load
from embodied.arrays import Pixels
from embodied.seeding import derive
from embodied.train.tinyvlm import architecture
from embodied.train.tinyvlm.architecture import Built, Shape
from embodied.train.tinyvlm.learning import Course, Student, Training
from embodied.train.tinyvlm.lessons import Arrays, Notebook
from embodied.train.tinyvlm.playing import World, lessons_of_expert, play
from embodied.train.tinyvlm.worlds import plan

SHAPES = {"tinyvlm": Shape(), "larger": Shape(width=256, layers=6, heads=8, inner=512)}
NO_CARD = "No CUDA device was found: no card was measured. The figures are those of the CPU alone."
PLAN = plan("babyai")
(WORLD,) = PLAN.worlds
MOST_SECONDS = 130
"""Of measuring. Lessons, warming up and episodes of the dev split come on top: three minutes in all."""
DEV_STEPS = 32
"""Of an episode that the larger variant plays."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """How much is measured, and on what."""

    seconds: float
    """Of measuring, in all."""
    repeats: int
    small: bool
    agent: Path | None

    @property
    def devices(self) -> list[torch.device]:
        return [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]

    def size(self, usual: int, small: int) -> int:
        return small if self.small else usual

    def each(self, figures: int) -> float:
        """Seconds for one of so many figures, once."""
        return self.seconds / (figures * len(self.devices) * self.repeats)


def rates(bench: Bench, works: dict[str, Callable[[], int]], seconds: float) -> dict[str, list[float]]:
    """For each device what its work counts a second. The devices take turns, after one call that is not counted."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(bench.repeats):
        for name, work in works.items():
            start, count = now(), 0
            while (took := now() - start) < seconds or not count:
                count += work()
            found[name].append(count / took)
    return found


def now() -> float:
    """Seconds, when the card has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def beside(what: str, unit: str, found: dict[str, list[float]], **more: Any) -> Json:
    """A row: medians, and the card over the CPU, repeat by repeat."""
    row = {"what": what, "unit": unit, **more}
    row |= {name: round(statistics.median(values), 2) for name, values in found.items()}
    if "cuda" in found:
        times = [card / cpu for card, cpu in zip(found["cuda"], found["cpu"], strict=True)]
        row |= {"cuda over cpu": round(statistics.median(times), 2), "of each repeat": [round(t, 2) for t in times]}
    return row


# --------------------------------------------------------------------------- what is measured on


def built(shape: Shape) -> Built:
    return architecture.build(PLAN.actions, PLAN.sentences, shape, 0)


def parameters(model: Built) -> int:
    return sum(p.numel() for p in model.model.parameters())


def learned(bench: Bench) -> Built:
    """The agent's model, or one that learned for a moment."""
    if bench.agent is not None:
        (folder,) = (load(bench.agent).folder / "parts").iterdir()
        return architecture.load(folder)
    model, count = built(SHAPES["tinyvlm"]), bench.size(150, 10)
    notebook, student = Notebook.of(model), Student(model, torch.device("cpu"))
    lessons = lessons_of_expert(WORLD, notebook, bench.size(300, 5), 0, PLAN.noise)
    course = Course(updates=count, batch=bench.size(64, 8), warmup=10)
    Training(student, course).run(notebook, Arrays.of(lessons), count, 0)
    return model


# --------------------------------------------------------------------------- subcommands


def training(bench: Bench) -> list[Json]:
    rows = []
    for name, shape in SHAPES.items():
        model = built(shape)
        notebook = Notebook.of(model)
        lessons = Arrays.of(lessons_of_expert(WORLD, notebook, bench.size(200, 5), 0, PLAN.noise))
        course = Course(batch=bench.size(64, 4), rate=1e-4)
        works = {d.type: updating(model, notebook, lessons, course, d) for d in bench.devices}
        found = rates(bench, works, bench.each(len(SHAPES)))
        rows.append(beside(name, "steps a second", found, parameters=parameters(model), batch=course.batch))
    return rows


def updating(
    model: Built, notebook: Notebook, lessons: Arrays, course: Course, device: torch.device
) -> Callable[[], int]:
    """Makes one update on a device."""
    making = Training(Student(copied(model), device), course)

    def update() -> int:
        making.run(notebook, lessons, making.done + 1, 0)
        return 1

    return update


def copied(model: Built) -> Built:
    """A copy with weights of its own, which may go to another device."""
    return replace(model, model=copy.deepcopy(model.model))


def pictures(bench: Bench) -> list[Json]:
    rows, batch = [], bench.size(64, 4)
    rng = np.random.default_rng(derive(0, "pictures"))
    for name, shape in SHAPES.items():
        model = built(shape)
        frames = torch.from_numpy(rng.integers(0, 256, (batch, 3, shape.picture, shape.picture), dtype=np.uint8))
        works = {d.type: seeing(model, frames, d) for d in bench.devices}
        found = rates(bench, works, bench.each(len(SHAPES)))
        rows.append(beside(name, "pictures a second", found, parameters=parameters(model), batch=batch))
    return rows


def seeing(model: Built, frames: torch.Tensor, device: torch.device) -> Callable[[], int]:
    """Turns (B, 3, H, W) uint8 into what the Llama reads, on a device and back."""
    inner: Any = copied(model).model.model
    inner.to(device).eval()

    def see() -> int:
        with torch.inference_mode():
            pixels = frames.to(device).float() / 127.5 - 1
            inner.multi_modal_projector(inner.vision_tower(pixels).last_hidden_state[:, 1:]).cpu()
        return len(frames)

    return see


def rollouts(bench: Bench) -> list[Json]:
    model, episodes = learned(bench), bench.size(4, 1)
    tasks = WORLD.tasks[: bench.size(len(WORLD.tasks), 2)]
    options = ({"max_steps": bench.size(24, 4)},)
    students = {d.type: Student(copied(model), d) for d in bench.devices}
    notebook = Notebook.of(model)

    def work(device: str, together: bool) -> Callable[[], int]:
        student = students[device]
        student.model.eval()

        def run() -> int:
            count = 0

            def choose(pictures: Sequence[Pixels], prefixes: Sequence[list[int]]) -> list[str]:
                nonlocal count
                count += len(pictures)
                return student.choose(pictures, prefixes)

            worlds = [tasks] if together else [(task,) for task in tasks for _ in range(episodes)]
            for number, some in enumerate(worlds):
                world = World("babyai", some, options)
                first = 0 if together else number % episodes
                each = episodes if together else 1
                play(world, notebook, choose, split="dev", seed=0, begin=first, each=each)
            return count

        return run

    found = {
        together: rates(bench, {name: work(name, together) for name in students}, bench.each(2))
        for together in (False, True)
    }
    rows = [
        beside("one by one", "steps a second", found[False]),
        beside("together", "steps a second", found[True], episodes=len(tasks) * episodes),
    ]
    over = {name: statistics.median(found[True][name]) / statistics.median(found[False][name]) for name in students}
    return [*rows, {"what": "together over one by one", **{name: round(ratio, 2) for name, ratio in over.items()}}]


def bf16(bench: Bench) -> list[Json]:
    model = learned(bench)
    states = states_of_expert(bench.size(600, 6))
    with tempfile.TemporaryDirectory() as folder:
        architecture.save(model, Path(folder) / "model")
        scores = {
            (d.type, name): scored(Path(folder) / "model", model, states, d, dtype)
            for d in bench.devices
            for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
        }
    right = scores["cpu", "float32"]
    best, second = right.topk(2, dim=1).values.T
    rows: list[Json] = []
    for (device, name), found in scores.items():
        alike = found.argmax(1) == right.argmax(1)
        rows.append(
            {
                "what": f"{name} on {device}",
                "states": len(states),
                "same action as float32 on cpu": round(alike.float().mean().item(), 4),
                "largest difference of a logit": round((found - right).abs().max().item(), 5),
                "largest lead of an action that changed": round((best - second)[~alike].max().item(), 5)
                if not alike.all()
                else 0,
            }
        )
    return rows


def states_of_expert(count: int) -> list[tuple[str, list[str], np.ndarray]]:
    """Goal, actions so far and picture, along episodes of the expert in the dev split."""
    from embodied.splits import first_seed

    found: list[tuple[str, list[str], np.ndarray]] = []
    index = 0
    while len(found) < count:
        task = WORLD.tasks[index % len(WORLD.tasks)]
        env = envs.make("babyai", task, expert=True, image=True, distractors=3)
        seen, _ = env.reset(seed=first_seed("dev", 0, "babyai", task) + index)
        actions: list[str] = []
        over = False
        while not over:
            found.append((env.mission.goal, list(actions), seen["image"]))
            actions.append(seen["expert"])
            seen, _, terminated, truncated, _ = env.step(actions[-1])
            over = terminated or truncated
        index += 1
    return found[:count]


def scored(
    folder: Path,
    about: Built,
    states: Sequence[tuple[str, list[str], np.ndarray]],
    device: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    """(states, actions) the logits of the actions, in float32, as the provider `transformers` loads the folder."""
    model: Any = transformers.LlavaForConditionalGeneration.from_pretrained(folder, dtype=dtype).to(device).eval()
    reader = architecture.processor(about)
    reader.tokenizer.padding_side = "left"
    numbers = [about.number(action) for action in about.actions]
    rows = []
    for first in range(0, len(states), 16):
        some = states[first : first + 16]
        inputs = reader(
            text=[prompt(reader, goal, actions) for goal, actions, _ in some],
            images=[[picture] for *_, picture in some],
            padding=True,
            return_tensors="pt",
            add_special_tokens=False,
        )
        moved = {k: v.to(device, dtype) if v.is_floating_point() else v.to(device) for k, v in inputs.items()}
        with torch.inference_mode():
            rows.append(model(**moved).logits[:, -1, numbers].float().cpu())
    return torch.cat(rows)


def prompt(reader: Any, goal: str, actions: Sequence[str]) -> str:
    turns: list[Json] = [{"role": "user", "content": f"Your goal: {goal}"}]
    turns += [{"role": "assistant", "content": action} for action in actions]
    turns += [{"role": "user", "content": [{"type": "image"}]}]
    text: str = reader.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    return text


def larger(bench: Bench) -> list[Json]:
    model = built(SHAPES["larger"])
    notebook = Notebook.of(model)
    lessons = Arrays.of(lessons_of_expert(WORLD, notebook, bench.size(1500, 5), 0, PLAN.noise))
    rows = []
    for device in bench.devices:
        student = Student(copied(model), device)
        making = Training(student, Course(updates=1 << 30, batch=bench.size(64, 4), rate=5e-4, warmup=50))
        making.run(notebook, lessons, 1, 0)
        start, allowed = now(), bench.seconds / len(bench.devices)
        while (took := now() - start) < allowed:
            # the learning rate falls to nothing when the time is over
            left = (allowed - took) * (making.done - 1) / took if making.done > 1 else 100
            making.course = replace(making.course, updates=making.done + max(1, int(left)))
            making.run(notebook, lessons, making.done + 1, 0)
        variants = tuple({**variant, "max_steps": bench.size(DEV_STEPS, 4)} for variant in WORLD.variants)
        world = World("babyai", WORLD.tasks[: bench.size(5, 1)], variants)
        each = bench.size(len(variants), 1)
        dev = play(world, notebook, student.choose, split="dev", seed=0, begin=0, each=each)
        rows.append(
            {
                "what": f"larger on {device.type}",
                "parameters": parameters(model),
                "lessons": len(lessons.labels),
                "training seconds": round(took, 1),
                "updates": making.done,
                f"dev success within {DEV_STEPS} steps": round(dev.score, 3),
                "dev episodes": len(dev.scores),
            }
        )
    return rows


PARTS = {"training": training, "pictures": pictures, "rollouts": rollouts, "bf16": bf16, "larger": larger}


def about(bench: Bench) -> Json:
    """What the figures hold for."""
    card = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "card": card,
        **({} if card else {"note": NO_CARD}),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "repeats": bench.repeats,
        "small": bench.small,
    }


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--out", type=Path, help="File that takes the result, beside those of other parts.")
    parser.add_argument("--agent", type=Path, help="Folder of an agent, for rollouts and bf16.")
    parser.add_argument("--seconds", type=float, default=100.0, help=f"Of measuring, at most {MOST_SECONDS}.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="Of the CPU.")
    parser.add_argument("--small", action="store_true", help="Seconds, to try the script.")
    options = parser.parse_args(words)
    if not 0 < options.seconds <= MOST_SECONDS:
        parser.error(f"--seconds must be above 0 and at most {MOST_SECONDS}")
    torch.set_num_threads(options.threads)
    transformers.logging.disable_progress_bar()
    repeats = 1 if options.small or options.part in ("bf16", "larger") else options.repeats
    bench = Bench(0.2 if options.small else options.seconds, repeats, options.small, options.agent)
    start = time.perf_counter()
    rows = PARTS[options.part](bench)
    found = about(bench) | {"seconds": round(time.perf_counter() - start, 1), "rows": rows}
    print(json.dumps({options.part: found}, indent=1))
    if options.out is not None:
        before = json.loads(options.out.read_text()) if options.out.exists() else {}
        options.out.write_text(json.dumps(before | {options.part: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
