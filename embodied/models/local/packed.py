"""Several text prompts answered together: what was evaluated before is loaded, what is new prefilled in buckets of like
length, all decoded as one batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from embodied.models.local.decoding import Ending, Row, choose, stop
from embodied.models.local.prefixes import Evaluated, Prefixes, Slab

WASTE = 1.5
"""How many times the tokens that are new a bucket may compute, padding included."""


def packable(model: Any) -> bool:
    """Whether a model's attention sees every earlier token, at positions that are counted one by one: what loading a
    prefix relies on.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    sections = "mrope_section" in (getattr(config, "rope_parameters", None) or {})
    known = inspect.signature(model.forward).parameters
    return (
        kinds == {"full_attention"}
        and not getattr(config, "sliding_window", None)
        and not sections
        and {"position_ids", "logits_to_keep"} <= set(known)
    )


@dataclass
class _Prompt:
    """A prompt on its way."""

    row: Row
    tokens: np.ndarray
    known: Evaluated | None
    length: int
    """How many of its tokens are known."""
    number: int
    """Its place in the call."""
    columns: tuple[slice, slice] = (slice(0), slice(0))
    """Where it stands in the slab: what was known, what was new."""

    @property
    def new(self) -> int:
        return len(self.tokens) - self.length


class Packed:
    """Answers batches of tokenized prompts.

    Args:
        model: For which `packable` is true.
        tokenizer: Its tokenizer.
        ending: What ends replies.
        logprobs: Whether rows note the log-probabilities of their tokens.
        prefixes: Where evaluated prompts are kept.
    """

    def __init__(
        self, model: Any, tokenizer: PreTrainedTokenizerBase, ending: Ending, logprobs: bool, prefixes: Prefixes
    ):
        self._model = model
        self._tokenizer = tokenizer
        self._ending = ending
        self._logprobs = logprobs
        self.prefixes = prefixes
        self._layers = model.config.get_text_config().num_hidden_layers

    @torch.inference_mode()
    def answer(self, prompts: Sequence[Sequence[int]], rows: Sequence[Row], halt: Callable[[], bool]) -> list[int]:
        """Writes the replies into `rows`. Returns how many tokens of each prompt were known and not computed again."""
        found = [
            self._found(number, tokens, row) for number, (tokens, row) in enumerate(zip(prompts, rows, strict=True))
        ]
        # By content, not by who came first: rounding may differ with the place in a batch.
        found.sort(key=lambda p: (p.new, p.tokens.tolist()))
        buckets = _buckets(found)
        end = max(max(p.length for p in bucket) + bucket[-1].new for bucket in buckets)
        for bucket in buckets:
            start = end - bucket[-1].new
            for prompt in bucket:
                prompt.columns = slice(start - prompt.length, start), slice(end - prompt.new, end)
        slab = Slab(
            self._layers,
            end + max(row.max_tokens for row in rows),
            [(p.known, p.length, p.columns[0].stop) for p in found],
        )
        mask = self._mask(found, end + max(row.max_tokens for row in rows))
        first, scores = 0, []
        for bucket in buckets:
            if halt():
                return [0] * len(found)
            part = slice(first, first := first + len(bucket))
            scores.append(self._prefill(bucket, slab, mask[part, :end], part))
        for number, prompt in enumerate(found):
            if self.prefixes.capacity:
                self.prefixes.put(Evaluated(prompt.tokens, slab.row(number, *prompt.columns)))
        self._decode(found, slab, mask, end, torch.cat(scores), halt)
        return [p.length for p in sorted(found, key=lambda p: p.number)]

    def _found(self, number: int, tokens: Sequence[int], row: Row) -> _Prompt:
        array = np.asarray(tokens, dtype=np.int64)
        return _Prompt(row, array, *self.prefixes.longest(array), number)

    def _mask(self, found: Sequence[_Prompt], columns: int) -> torch.Tensor:
        """(rows, columns): 1 where there is a token."""
        mask = torch.zeros((len(found), columns), dtype=torch.long)
        for number, prompt in enumerate(found):
            for part in prompt.columns:
                mask[number, part] = 1
        return mask.to(self._model.device)

    def _prefill(self, bucket: Sequence[_Prompt], slab: Slab, mask: torch.Tensor, rows: slice) -> torch.Tensor:
        """Evaluates what is new in a bucket; returns the scores of the next token, (rows, vocabulary)."""
        longest = bucket[-1].new
        tokens = torch.full((len(bucket), longest), self._ending.padding)
        positions = torch.zeros_like(tokens)
        for number, prompt in enumerate(bucket):
            tokens[number, longest - prompt.new :] = torch.from_numpy(prompt.tokens[prompt.length :])
            positions[number, longest - prompt.new :] = torch.arange(prompt.length, len(prompt.tokens))
        return self._forward(tokens, positions, mask, slab, rows, mask.shape[1] - longest)

    def _decode(
        self,
        found: Sequence[_Prompt],
        slab: Slab,
        mask: torch.Tensor,
        end: int,
        scores: torch.Tensor,
        halt: Callable[[], bool],
    ) -> None:
        rows = [p.row for p in found]
        lengths = torch.tensor([len(p.tokens) for p in found])
        while True:
            tokens = choose(rows, scores, self._ending, self._logprobs)
            stop(rows, self._tokenizer)
            going = [number for number, row in enumerate(rows) if not row.ended]
            if not going or halt():
                return
            if len(going) <= len(rows) / 2:  # below that, copying is dearer than computing what nobody needs
                slab.keep(going)
                rows, tokens, lengths, mask = (
                    [rows[n] for n in going],
                    [tokens[n] for n in going],
                    lengths[going],
                    mask[going],
                )
            mask[:, end] = 1
            scores = self._forward(
                torch.tensor(tokens).unsqueeze(1), lengths.unsqueeze(1), mask[:, : end + 1], slab, slice(None), end
            )
            lengths, end = lengths + 1, end + 1

    def _forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, slab: Slab, rows: slice, start: int
    ) -> torch.Tensor:
        device = self._model.device
        scores: torch.Tensor = self._model(
            input_ids=tokens.to(device),
            position_ids=positions.to(device),
            attention_mask=mask,
            past_key_values=slab.window(rows, start),
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return scores


def _buckets(found: Sequence[_Prompt]) -> list[list[_Prompt]]:
    """Cuts prompts, which are sorted by what is new in them, so that padding stays within `WASTE`."""
    buckets: list[list[_Prompt]] = []
    for prompt in found:
        last = buckets[-1] if buckets else []
        if last and prompt.new * (len(last) + 1) <= WASTE * (sum(p.new for p in last) + prompt.new):
            last.append(prompt)
        else:
            buckets.append([prompt])
    return buckets
