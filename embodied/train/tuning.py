"""Fine-tuning of a local chat model on examples: all of its weights, or LoRA (Hu et al. 2021) through PEFT.

A model is trained on the very tokens that it reads when it plays (`embodied.models.local.prompts`), and to give an
answer with the probability by which playing weighs answers (`embodied.models.local.likelihood`): that of its tokens
and of the end of the turn behind them.
"""

from __future__ import annotations

import inspect
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from embodied.blobs import Blobs
from embodied.errors import MissingExtra
from embodied.models.local.likelihood import spell
from embodied.models.local.loading import ends, load
from embodied.models.local.prompts import Prompts
from embodied.models.services.wire import storable
from embodied.types import Message

PEFT = "peft==0.21.2"
_TOKENS = 8_192
"""Tokens that are computed at a time, padding included; more than that go one part after the other."""


class MissingPeft(MissingExtra):
    """LoRA is asked for, and PEFT is not installed."""

    def __init__(self) -> None:
        # Without its dependencies: the extra `local` brings them, in tested releases.
        Exception.__init__(self, f"learner.lora needs PEFT. Install it with: pip install --no-deps {PEFT}")
        self.extra = ""


@dataclass(frozen=True)
class Row:
    """A prompt with an answer behind it, in tokens."""

    tokens: tuple[int, ...]
    begin: int
    """Where the answer begins."""
    more: dict[str, torch.Tensor]
    """What else the processor made of the prompt: pixels, and what tells kinds of tokens apart."""

    @property
    def scored(self) -> int:
        """Tokens of the answer, with its end."""
        return len(self.tokens) - self.begin + 1

    @property
    def bytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in self.more.values())

    def shape(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Rows of one shape can be computed together."""
        return tuple((name, tuple(t.shape[1:])) for name, t in sorted(self.more.items()) if not self._along(t))

    def _along(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor has a value for each token."""
        return tensor.ndim == 2 and tensor.shape[1] == len(self.tokens)


class Tuner:
    """A model that is trained.

    Args:
        source: Its folder.
        device: Where it is trained; in float32.
        lora: Rank; 0 trains all weights.
        seed: Of LoRA's first weights.
        thinks: Whether the chat template may leave room for a thought; false where answers are a choice.

    Raises:
        UsageError: The folder cannot be loaded.
        MissingPeft: `lora` is above 0, and PEFT is not installed.
    """

    def __init__(self, source: Path, device: torch.device, lora: int, seed: int, thinks: bool = True):
        self.source = source
        self.device = device
        self.name = f"transformers/{source.name}"
        self.thinks = thinks
        self.model: Any
        self.model, self._processor = load(self.name, str(source), torch.float32, device)
        self._tokenizer = getattr(self._processor, "tokenizer", self._processor)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._ends = sorted(ends(self.model, self._tokenizer))
        self._sparing = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        self._lora = lora
        if lora:
            self.model = _with_lora(self.model, lora, seed)
        self.parameters: list[torch.nn.Parameter] = [p for p in self.model.parameters() if p.requires_grad]

    def rows(self, messages: Sequence[Message], answers: Sequence[str], blobs: Blobs) -> list[Row]:
        """A row for each answer behind one prompt.

        Raises:
            PromptRefused: The model cannot read the prompt.
            StoreError: A picture is missing or damaged.
        """
        prompts = Prompts(self.name, self._processor, blobs)
        prompts.check(messages)
        text = prompts.render(messages, self.thinks)
        inputs = prompts.inputs(text, prompts.images(messages))
        back, spelled = spell(self._tokenizer, text, [storable(answer) for answer in answers])
        length = inputs["input_ids"].shape[1]
        prompt = inputs["input_ids"][0, : length - back].tolist()
        more = {name: t for name, t in inputs.items() if name not in ("input_ids", "attention_mask")}
        return [
            Row((*prompt, *tokens), len(prompt), {n: _longer(t, length, back, len(tokens)) for n, t in more.items()})
            for tokens in spelled
        ]

    def likelihoods(self, rows: Sequence[Row]) -> torch.Tensor:
        """(rows,) natural logarithm of the probability that the model gives each row's answer and ends there."""
        order = sorted(range(len(rows)), key=lambda i: (rows[i].shape(), len(rows[i].tokens)))
        found: list[tuple[int, torch.Tensor]] = []
        while order:
            part = [order.pop(0)]
            while order and rows[order[0]].shape() == rows[part[0]].shape():
                if len(rows[order[0]].tokens) * (len(part) + 1) > _TOKENS:
                    break
                part.append(order.pop(0))
            found += zip(part, self._together([rows[i] for i in part]), strict=True)
        return torch.stack([value for _, value in sorted(found, key=lambda pair: pair[0])])

    def _together(self, rows: Sequence[Row]) -> list[torch.Tensor]:
        """As `likelihoods`, for rows of one shape. Padding stands behind the tokens, where none of them sees it."""
        longest = max(len(row.tokens) for row in rows)
        tokens = torch.full((len(rows), longest), self._tokenizer.pad_token_id)
        mask = torch.zeros_like(tokens)
        for i, row in enumerate(rows):
            tokens[i, : len(row.tokens)] = torch.tensor(row.tokens)
            mask[i, : len(row.tokens)] = 1
        first = min(row.begin for row in rows) - 1
        more = {name: _joined(name, rows, longest).to(self.device) for name in rows[0].more}
        kept = {"logits_to_keep": torch.arange(first, longest, device=self.device)} if self._sparing else {}
        logits = self.model(
            input_ids=tokens.to(self.device), attention_mask=mask.to(self.device), use_cache=False, **more, **kept
        ).logits
        logs = torch.log_softmax((logits if self._sparing else logits[:, first:]).float(), dim=-1)
        found = []
        for i, row in enumerate(rows):
            begin, end = row.begin - 1 - first, len(row.tokens) - 1 - first
            answer = torch.tensor(row.tokens[row.begin :], device=self.device, dtype=torch.long)
            said = logs[i, begin:end].gather(1, answer[:, None]).sum()
            found.append(said + torch.logsumexp(logs[i, end, self._ends], dim=-1))
        return found

    def loss(self, wanted: Sequence[Row], rejected: Sequence[Row], weight: float) -> torch.Tensor:
        """Of a batch: cross-entropy for each token of the wanted answers, and unlikelihood of the rejected ones
        (Welleck et al. 2020), `-log(1 - p)`, times `weight` and their share of the batch.
        """
        found = self.likelihoods([*wanted, *rejected])
        loss = -found[: len(wanted)].sum() / sum(row.scored for row in wanted)
        if rejected:
            sure = found[len(wanted) :].clamp(max=-1e-4)
            loss = loss - weight * torch.log1p(-sure.exp()).sum() / len(wanted)
        return loss

    @torch.inference_mode()
    def check(self, rows: Sequence[Row]) -> float:
        """The loss for each token on examples that it did not learn from."""
        total = sum(self.likelihoods(rows[i : i + 64]).sum().item() for i in range(0, len(rows), 64))
        return -total / sum(row.scored for row in rows)

    def weights(self) -> list[torch.Tensor]:
        """A copy of what is trained."""
        return [p.detach().clone() for p in self.parameters]

    def take(self, weights: Sequence[torch.Tensor]) -> None:
        """Takes what `weights` gave."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, weights, strict=True):
                parameter.copy_(value)

    def save(self, folder: Path) -> None:
        """Writes a model folder that the provider `transformers` plays. LoRA is merged into the weights: the models are
        small, and nothing must load an adapter. Everything but the weights is the parent's, byte for byte. Weights are
        written in float32, as they were trained and checked. The trained model cannot be trained on after this.
        """
        shutil.rmtree(folder, ignore_errors=True)
        model = self.model.merge_and_unload() if self._lora else self.model
        model.save_pretrained(folder)
        for path in self.source.iterdir():
            if path.is_file() and path.suffix != ".safetensors" and not path.name.endswith(".index.json"):
                shutil.copyfile(path, folder / path.name)


def finite(loss: torch.Tensor) -> bool:
    """Whether a loss is a number."""
    return math.isfinite(loss.item())


def _with_lora(model: Any, rank: int, seed: int) -> Any:
    try:
        import peft
    except ModuleNotFoundError as error:
        raise MissingPeft from error
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**63)
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear")
        return peft.get_peft_model(model, config)


def _longer(tensor: torch.Tensor, length: int, back: int, more: int) -> torch.Tensor:
    """A tensor with a value for each token of a prompt, for the prompt with an answer; any other as it is."""
    if tensor.ndim != 2 or tensor.shape[1] != length:
        return tensor
    return torch.cat([tensor[:, : length - back], tensor.new_zeros((1, more))], dim=1)


def _joined(name: str, rows: Sequence[Row], longest: int) -> torch.Tensor:
    """A tensor of several rows as one; those with a value for each token are filled up."""
    tensors = [row.more[name] for row in rows]
    if all(t.ndim == 2 and t.shape[1] == len(row.tokens) for t, row in zip(tensors, rows, strict=True)):
        tensors = [torch.nn.functional.pad(t, (0, longest - t.shape[1])) for t in tensors]
    return torch.cat(tensors)
