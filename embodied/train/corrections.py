"""The learner `corrections`: fine-tunes a local model on what people said to it, so that they need not say it again.

After Yell At Your Robot (Shi et al. 2024, arXiv 2403.12910): the prompt of a corrected decision, as it was before
anybody spoke, gets the answer that the person wanted. Examples come from four sources: corrections; approved decisions
(somebody watched and did not object: weak positives); demonstrations, which an expert plays now and which are told as
the agent itself would have been asked; and the answers that corrections took the place of, as negatives.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from embodied.agents.config import AgentConfig
from embodied.agents.versions import AgentVersion, Lineage, write
from embodied.config import restore
from embodied.errors import MissingExtra, NothingLearned, UnknownName, UsageError
from embodied.models.local.weights import EMBEDDED, embedded
from embodied.seeding import derive
from embodied.terminal import line
from embodied.train.examples import KINDS, Example, Kind, distinct, fingerprint, held_out, of_corrected, of_expert
from embodied.train.learner import EXPERT, Practice
from embodied.types import Json
from embodied.versions import MODEL, settings

if TYPE_CHECKING:
    import numpy as np

    from embodied.train.course import Trained


@dataclass(frozen=True)
class Preset:
    """How examples are weighed."""

    shares: Mapping[Kind, float]
    """Of each batch; what there is no example of goes to the others."""
    newest: float | None = None
    """Share of the newest corrections, where all other examples, older corrections among them, are drawn alike."""
    before: int = 0
    """Steps before a correction that are taught what it says."""
    negatives: bool = True
    checks: bool = True
    """Whether held-out episodes decide which weights are kept."""


PRESETS = {
    # Facts of a prototype: approved decisions made the first round from pixels .96 in place of .65, with as many
    # corrections. The words are about the decision that was just made, so nothing before it is taught.
    "recommended": Preset({"demonstration": 0.3, "approved": 0.4, "correction": 0.3}),
    # The paper's code: a tenth of each batch is from the newest corrections, the rest uniformly from all older data;
    # two seconds before the words are taught them, half a decision, here one step; no validation while post-training.
    "paper": Preset({"demonstration": 1.0, "correction": 1.0}, newest=0.1, before=1, negatives=False, checks=False),
}


class Corrections:
    """Fine-tunes the parent's model.

    Settings:
        preset: recommended or paper, see `PRESETS`.
        updates: Of AdamW. Where episodes are held out, the best checked weights are kept; more do not harm then.
        rate: Highest learning rate: a twentieth of what trained tinyvlm from nothing, because it must not
            forget. At 3e-4 it did.
        batch: Examples an update.
        negatives: Weight of the loss that makes superseded answers unlikely. Where answers are one token, the wanted
            one takes their probability already, so a little is enough.
        demonstrations: Episodes of each task that the expert plays in each round. They keep the rest of the agent's
            skill. 0 for an environment without an expert.
        lora: Rank; 0 trains all weights. For models with more than some million weights.
        held_out: Share of the episodes that are not learned from. Their loss, on corrections and on demonstrations,
            decides which weights are kept, and when to stop. 0 takes the last weights.
    """

    defaults: ClassVar[Json] = {
        "preset": "recommended",
        "updates": 300,
        "rate": 1e-4,
        "batch": 32,
        "negatives": 0.1,
        "demonstrations": 20,
        "lora": 0,
        "held_out": 0.15,
    }
    needs_corrector = True

    def check(self, parent: AgentVersion, settings: Mapping[str, Any]) -> None:
        """Raises `UsageError` for a parent without weights that can be trained, and for settings that make no sense."""
        _checked(settings)
        weights_of(parent)

    def __call__(self, practice: Practice, parent: AgentVersion, out: Path) -> AgentVersion:
        """Makes the version.

        Raises:
            UsageError: The parent has no weights that can be trained, or a setting makes no sense.
            NothingLearned: There are no corrections to learn from, or held-out examples became no likelier.
            TrainingFailed: The loss is not a number.
            MissingExtra: PyTorch or PEFT is not installed.
        """
        preset = _checked(practice.settings)
        source = weights_of(parent)
        _needs_torch()
        examples, episodes = _collected(practice, parent, preset)
        trained = _trained(practice, source, preset, examples)
        used: Json = {
            "seed": practice.seed,
            "corrections": sum(e.kind == "correction" for e in examples),
            "demonstrations": episodes,
            "examples": len(examples),
            "update": trained.taken,
            "settings": dict(sorted(practice.settings.items())),
        }
        record = msgspec.structs.replace(
            parent.record, settings=_playing(parent), base=None, lineage=Lineage(parent.hash, "corrections", used)
        )
        parts = {name: parent.part(name) for name in parent.record.parts if name != MODEL}
        return write(out, record, {**parts, MODEL: trained.folder})


learn = Corrections()


def weights_of(version: AgentVersion) -> Path:
    """The model folder from which a version is trained on; a GGUF file is converted.

    Raises:
        UsageError: There are no weights that can be trained.
    """
    model = restore({}, (), settings(version)).model
    part = version.part(MODEL) if MODEL in version.record.parts else None
    if model.provider not in ("transformers", "gguf") or (part is None and model.name != EMBEDDED):
        raise UsageError(
            f"The learner corrections needs weights that can be trained, and {version.label} has none (its model is"
            f" {model.provider}/{model.name}): take the learner prompt or memory."
        )
    if part is not None and part.is_dir():
        return part
    _needs_torch()
    from embodied.models.local.convert import converted

    return converted(embedded() if part is None else part)


def batches_of(preset: Preset, examples: Sequence[Example]) -> Callable[[np.random.Generator, int], list[int]]:
    """Draws a batch as a preset says, with replacement. What there is no example of leaves its share to the others."""
    groups: list[tuple[float, list[int]]]
    if preset.newest is None:
        of = {kind: [i for i, e in enumerate(examples) if e.kind == kind] for kind in KINDS}
        groups = [(preset.shares[kind], some) for kind, some in of.items() if some]
    else:
        newest = max(e.run for e in examples if e.kind == "correction")
        new = [i for i, e in enumerate(examples) if e.kind == "correction" and e.run == newest]
        old = [i for i in range(len(examples)) if i not in set(new)]
        groups = [(share, some) for share, some in ((preset.newest, new), (1 - preset.newest, old)) if some]
    total = sum(share for share, _ in groups)

    def pick(rng: np.random.Generator, size: int) -> list[int]:
        which = rng.choice(len(groups), size=size, p=[share / total for share, _ in groups])
        return [groups[int(g)][1][int(rng.integers(len(groups[int(g)][1])))] for g in which]

    return pick


def _checked(given: Mapping[str, Any]) -> Preset:
    """The preset. Raises `UsageError` for a setting that makes no sense."""
    if given["preset"] not in PRESETS:
        raise UnknownName(f"learner.preset={given['preset']!r} is not one of {', '.join(PRESETS)}.")
    for key in ("updates", "batch"):
        if given[key] < 1:
            raise UsageError(f"learner.{key} must be 1 or above, not {given[key]}.")
    for key in ("negatives", "demonstrations", "lora"):
        if not 0 <= given[key] < math.inf:
            raise UsageError(f"learner.{key} must be 0 or above, not {given[key]}.")
    if not 0 < given["rate"] < math.inf:
        raise UsageError(f"learner.rate must be above 0, not {given['rate']}.")
    if not 0 <= given["held_out"] < 1:
        raise UsageError(f"learner.held_out must be at least 0 and below 1, not {given['held_out']}.")
    return PRESETS[given["preset"]]


def _needs_torch() -> None:
    for module in ("torch", "transformers"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra("The learner corrections", "local")


def _collected(practice: Practice, parent: AgentVersion, preset: Preset) -> tuple[list[Example], int]:
    """The examples of all runs, and how many episodes the expert played for them."""
    damaged: list[str] = []
    found: list[Example] = []
    for number, run in enumerate(practice.runs):
        found += of_corrected(run, number, preset.before, damaged)
    if not any(e.kind == "correction" for e in found):
        raise NothingLearned(
            "Nobody corrected the agent in these episodes in words that name an action, so there is nothing to learn."
            " Play more episodes, or name another --corrector."
        )
    count = 0
    if episodes := int(practice.settings["demonstrations"]):
        run = practice.play(EXPERT, episodes, name="demonstrations")
        config = _agent(practice, parent)
        found += of_expert(run, len(practice.runs), config, damaged)
        count = len(run.record.planned)
    found = distinct(e for e in found if e.kind in preset.shares)
    if len({e.answer for e in found}) == 1:
        raise NothingLearned(
            f"All {len(found)} examples have the one answer {line(found[0].answer)!r}: from these a model learns to say"
            " it always. Play more episodes, or more tasks."
        )
    for sentence in damaged:
        practice.say(sentence)
    return found, count


def _agent(practice: Practice, parent: AgentVersion) -> AgentConfig:
    """The agent as it was asked in the newest run."""
    for run in reversed(practice.runs):
        config = restore(run.record.config).agent
        if config.version:
            return config
    return restore({}, (), settings(parent)).agent


def _playing(parent: AgentVersion) -> Json:
    """The settings with which the child is played: the parent's, on the provider that plays its new weights."""
    kept = {k: v for k, v in parent.record.settings.items() if k not in ("model.name", "model.sha256")}
    return {**kept, "model.provider": "transformers"}


def _trained(practice: Practice, source: Path, preset: Preset, examples: Sequence[Example]) -> Trained:
    import torch

    from embodied.models.local.loading import device_of
    from embodied.train.course import Course, Training, identity, readable
    from embodied.train.tuning import Tuner

    given = practice.settings
    seed = derive(practice.seed, "corrections")
    threads = torch.get_num_threads()
    torch.set_num_threads(practice.threads)
    try:
        held = _agent_format(practice) == "choice"
        tuner = Tuner(source, device_of(practice.device), int(given["lora"]), seed, thinks=not held)
        examples, unread = readable(tuner, examples)
        if unread:
            practice.say(f"Examples whose prompts the model cannot read, which are left out: {unread}.")
        kept, out = held_out(examples, float(given["held_out"]) if preset.checks else 0.0, seed)
        if not any(e.kind == "correction" for e in kept):
            raise NothingLearned("No correction is left to learn from. Play more episodes, or lower learner.held_out.")
        counts = ", ".join(f"{sum(e.kind == kind for e in kept)} {kind}s" for kind in preset.shares)
        practice.say(f"Learns from {counts}; {len(out)} examples are held out.")
        negatives = float(given["negatives"]) if preset.negatives else 0.0
        course = Course(int(given["updates"]), float(given["rate"]), int(given["batch"]), negatives, seed)
        checked = {kind: [e for e in out if e.kind == kind] for kind in ("correction", "demonstration")}
        of = identity(course, [str(given["preset"]), str(given["lora"]), fingerprint(kept), fingerprint(out)])
        return Training(tuner, course, kept, batches_of(preset, kept), checked, practice.work, of, practice.say).run()
    finally:
        torch.set_num_threads(threads)


def _agent_format(practice: Practice) -> str | None:
    return restore(practice.runs[-1].record.config).agent.format
