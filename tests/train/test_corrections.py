"""The learner `corrections`: what it learns from, that it learns it on the bytes that are played, and what stops it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import embodied
from embodied.agents.versions import AgentRecord, AgentVersion, load, write
from embodied.config import restore
from embodied.errors import NothingLearned, TrainingFailed, UnknownName, UsageError
from embodied.models.config import ModelConfig
from embodied.models.local.transformers import Transformers
from embodied.store.amendments import amend, corrections_of
from embodied.store.run import Run
from embodied.train import LEARNERS
from embodied.train.corrections import PRESETS, batches_of, learn, weights_of
from embodied.train.examples import distinct, fingerprint, held_out, of_corrected, of_expert
from embodied.train.tuning import PEFT, MissingPeft, Tuner
from embodied.types import Settings, Text
from embodied.versions import settings

CPU = torch.device("cpu")
QUICK = {"updates": 6, "batch": 8, "demonstrations": 1, "held_out": 0.0}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def play(agent: str, folder: Path, episodes: int, **more: Any) -> Run:
    options = {"env.distractors": 3, "run.workers": 1}
    embodied.evaluate(
        "babyai",
        agent,
        task="goto,pickup",
        split="train",
        episodes=episodes,
        steps=12,
        out=folder,
        options=options,
        **more,
    )
    return Run(folder)


@pytest.fixture(scope="module")
def parent(tiny_agent: Path) -> AgentVersion:
    return load(tiny_agent)


@pytest.fixture(scope="module")
def corrected(parent: AgentVersion, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play(str(parent.folder), tmp_path_factory.mktemp("runs") / "corrected", 3, corrector="oracle")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play("expert", tmp_path_factory.mktemp("runs") / "shown", 3, image=True)


@dataclass
class Lesson:
    """A `Practice` whose expert has played already."""

    runs: tuple[Run, ...]
    shown: Run
    work: Path
    settings: dict[str, Any]
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    said: list[str] = field(default_factory=list)
    stops: str = "never"

    def say(self, text: str) -> None:
        self.said.append(text)
        if self.stops in text:
            raise KeyboardInterrupt

    def play(self, agent: Any, episodes: int, *, name: str, **more: Any) -> Run:
        return self.shown

    def ask(self, prompts: Any, *, name: str) -> Any:
        raise UsageError("There is no model to ask.")


@pytest.fixture
def lesson(corrected: Run, shown: Run, tmp_path: Path):
    def made(name: str = "work", **more: Any) -> Lesson:
        (tmp_path / name).mkdir(exist_ok=True)
        return Lesson((corrected,), shown, tmp_path / name, {**learn.defaults, **QUICK, **more})

    return made


def advised(run: Run, to: Path, advice: str) -> Run:
    """A copy of a run whose expert would have advised something else."""
    shutil.copytree(run.root, to)
    for path in to.glob("episodes/*/steps.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line["observation"]["expert"] = advice
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Run(to)


def test_it_is_a_learner():
    assert LEARNERS.get("corrections") is learn
    assert learn.needs_corrector


def test_the_experts_advice_teaches_nothing(corrected: Run, shown: Run, parent: AgentVersion, tmp_path: Path):
    config = restore({}, (), settings(parent)).agent
    other = advised(corrected, tmp_path / "a", "toggle"), advised(shown, tmp_path / "b", "toggle")
    assert fingerprint(of_corrected(corrected, 0, 1, [])) == fingerprint(of_corrected(other[0], 0, 1, []))
    assert fingerprint(of_expert(shown, 0, config, [])) == fingerprint(of_expert(other[1], 0, config, []))


def test_examples(corrected: Run, shown: Run, parent: AgentVersion):
    found = of_corrected(corrected, 0, 0, [])
    said = {e.answer for e in found if e.kind == "correction"}
    assert said and {e.kind for e in found} <= {"correction", "approved"}
    assert all(e.rejected != e.answer for e in found)
    assert any(e.rejected for e in found if e.kind == "correction")
    words = [p.text for e in found for m in e.prompt for p in m.parts if isinstance(p, Text)]
    assert words and not any("A person who watches" in text for text in words)
    told = of_expert(shown, 1, restore({}, (), settings(parent)).agent, [])
    asked = corrected.episode(corrected.record.planned[0].id)
    assert asked is not None
    step = next(iter(corrected.steps(asked.spec.id)))
    first = next(e for e in found if e.episode == asked.spec.id)
    assert [m.role for m in told[0].prompt] == [m.role for m in first.prompt] and step.index == 0


def test_the_paper_teaches_the_step_before(corrected: Run):
    without = [e for e in of_corrected(corrected, 0, 0, []) if e.kind == "correction"]
    more = [e for e in of_corrected(corrected, 0, 1, []) if e.kind == "correction"]
    assert len(more) > len(without)
    assert {e.key for e in without} <= {e.key for e in more}


def test_presets_weigh_examples(corrected: Run, shown: Run, parent: AgentVersion):
    old = distinct(of_corrected(corrected, 0, 0, []))
    new = [replace(e, run=2) for e in old if e.kind == "correction"]
    demos = of_expert(shown, 1, restore({}, (), settings(parent)).agent, [])
    examples = [*old, *new, *demos]
    drawn = batches_of(PRESETS["recommended"], examples)(np.random.default_rng(0), 4000)
    for kind, share in PRESETS["recommended"].shares.items():
        assert np.mean([examples[i].kind == kind for i in drawn]) == pytest.approx(share, abs=0.03)
    drawn = batches_of(PRESETS["paper"], examples)(np.random.default_rng(0), 4000)
    assert np.mean([examples[i].run == 2 for i in drawn]) == pytest.approx(0.1, abs=0.02)


def test_whole_episodes_are_held_out(corrected: Run):
    examples = of_corrected(corrected, 0, 0, [])
    kept, out = held_out(examples, 0.5, 3)
    assert out and len(kept) + len(out) == len(examples)
    assert not {(e.kind, e.episode) for e in kept} & {(e.kind, e.episode) for e in out}


def test_it_is_trained_on_what_is_played(corrected: Run, parent: AgentVersion):
    """The likelihood of an answer in training is the one by which playing weighs it."""
    some = of_corrected(corrected, 0, 0, [])[:6]
    folder = weights_of(parent)
    tuner = Tuner(folder, CPU, 0, 0)
    with torch.inference_mode():
        learned = tuner.likelihoods([tuner.rows(e.prompt, [e.answer], corrected.blobs)[0] for e in some]).tolist()
    player = Transformers(ModelConfig("transformers", str(folder), threads=1), corrected.blobs)
    answers = tuple(dict.fromkeys(e.answer for e in some))
    choices = answers if len(answers) > 1 else (*answers, "toggle")
    for example, value in zip(some, learned, strict=True):
        reply = player.generate_batch([(example.prompt, Settings(choices=choices))])[0]
        assert reply.weighed[example.answer] == pytest.approx(value, abs=2e-3)


def test_it_makes_a_version_that_plays(lesson, parent: AgentVersion, tmp_path: Path):
    practice = lesson()
    made = learn(practice, parent, tmp_path / "child")
    assert made.hash != parent.hash and made.record.settings == parent.record.settings
    assert made.record.lineage.parent == parent.hash and made.record.lineage.used["corrections"] > 0
    names = {p.name: p.read_bytes() for p in made.part("model").iterdir()}
    before = {p.name: p.read_bytes() for p in parent.part("model").iterdir()}
    assert {n for n in before if names[n] != before[n]} == {"model.safetensors"}
    done = embodied.evaluate(
        "babyai", str(made.folder), task="goto", split="dev", episodes=1, steps=3, out=tmp_path / "run"
    )
    assert done.episodes


def test_the_same_again_and_after_a_kill(lesson, parent: AgentVersion, tmp_path: Path):
    whole = learn(lesson("a", held_out=0.4, rate=1e-4), parent, tmp_path / "whole")
    practice = lesson("b", held_out=0.4, rate=1e-4)
    practice.stops = "Update 3 "
    with pytest.raises(KeyboardInterrupt):
        learn(practice, parent, tmp_path / "again")
    practice.stops = "never"
    again = learn(practice, parent, tmp_path / "again")
    assert any("Goes on after update 2" in text for text in practice.said)
    assert again.hash == whole.hash


def test_few_examples_at_a_high_rate_forget(lesson, parent: AgentVersion, shown: Run, tmp_path: Path):
    """What the gate is for: corrections are learned, and what demonstrations show is lost."""
    practice = lesson(rate=0.02, demonstrations=0, updates=30)
    made = learn(practice, parent, tmp_path / "child")
    told = of_expert(shown, 1, restore({}, (), settings(parent)).agent, [])

    def loss(version: AgentVersion) -> float:
        tuner = Tuner(weights_of(version), CPU, 0, 0)
        return tuner.check([tuner.rows(e.prompt, [e.answer], shown.blobs)[0] for e in told[:40]])

    assert loss(made) > loss(parent) + 0.3


def test_weights_that_forget_are_not_kept(lesson, parent: AgentVersion, tmp_path: Path):
    with pytest.raises(NothingLearned, match="became no likelier than they were for the parent"):
        learn(lesson(rate=0.5, updates=10, held_out=0.4), parent, tmp_path / "child")
    assert not (tmp_path / "child").exists()


def test_a_loss_that_is_no_number(lesson, parent: AgentVersion, tmp_path: Path):
    with pytest.raises(TrainingFailed, match=r"loss of update \d+ is nan"):
        learn(lesson(rate=1e30, updates=10), parent, tmp_path / "child")
    assert not (tmp_path / "child").exists()


def test_nobody_corrected(lesson, shown: Run, parent: AgentVersion, tmp_path: Path):
    practice = lesson()
    practice.runs = (shown,)
    with pytest.raises(NothingLearned, match="Nobody corrected the agent"):
        learn(practice, parent, tmp_path / "child")


def test_one_answer_teaches_nothing(lesson, corrected: Run, parent: AgentVersion, tmp_path: Path):
    """All corrections but one are excluded afterwards; the preset paper takes no approved steps."""
    shutil.copytree(corrected.root, tmp_path / "run")
    run = Run(tmp_path / "run")
    for found in corrections_of(run)[1:]:
        amend(run, found.episode, found.id, excluded=True, by="me")
    practice = lesson(demonstrations=0, preset="paper")
    practice.runs = (run,)
    with pytest.raises(NothingLearned, match="have the one answer"):
        learn(practice, parent, tmp_path / "child")


def test_no_weights(lesson, tmp_path: Path):
    record = AgentRecord("far", {"agent.policy": "naive", "model.provider": "openai", "model.name": "gpt-4o"})
    with pytest.raises(UsageError, match=r"needs weights that can be trained.*take the learner prompt or memory"):
        learn(lesson(), write(tmp_path / "far", record, {}), tmp_path / "child")


@pytest.mark.parametrize(
    ("key", "value"),
    [("updates", 0), ("batch", 0), ("rate", 0.0), ("rate", float("nan")), ("held_out", 1.0), ("lora", -1)],
)
def test_settings_without_a_sense(lesson, parent: AgentVersion, tmp_path: Path, key: str, value: Any):
    with pytest.raises(UsageError, match=f"learner.{key} must be"):
        learn(lesson(**{key: value}), parent, tmp_path / "child")


def test_a_preset_that_is_not_there(lesson, parent: AgentVersion, tmp_path: Path):
    with pytest.raises(UnknownName, match="'mine' is not one of recommended, paper"):
        learn(lesson(preset="mine"), parent, tmp_path / "child")


def test_lora(lesson, parent: AgentVersion, tmp_path: Path):
    try:
        import peft  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingPeft, match=f"pip install --no-deps {PEFT}"):
            learn(lesson(lora=4), parent, tmp_path / "child")
        return
    made = learn(lesson("a", lora=4), parent, tmp_path / "child")
    again = learn(lesson("b", lora=4), parent, tmp_path / "again")
    assert made.hash == again.hash != parent.hash
