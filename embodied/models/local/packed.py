"""Several text prompts answered together: prompts evaluated before are loaded, new tokens are prefilled in buckets of
similar length, and all are decoded as one batch.
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
from embodied.models.local.likelihood import ROOT, Answers, Weights, weigh
from embodied.models.local.prefixes import Evaluated, Prefixes, Slab

WASTE = 1.5
"""How many times the tokens that are new a bucket may compute, padding included."""


SCORES = 1 << 26
"""Scores that are computed at a time when answers are weighed: a quarter of a gigabyte in float32."""


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


@dataclass
class _Begun:
    """Prompts that have been evaluated."""

    found: list[_Prompt]
    slab: Slab
    mask: torch.Tensor
    """(rows, columns): 1 where there is a token of a prompt."""
    end: int
    """The column behind all prompts."""
    scores: torch.Tensor
    """(rows, vocabulary): of the next token."""


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
        began = self._prefilled(prompts, rows, max(row.max_tokens for row in rows), halt)
        if began is None:
            return [0] * len(rows)
        self._decode(began, halt)
        return [p.length for p in sorted(began.found, key=lambda p: p.number)]

    @torch.inference_mode()
    def weigh(
        self,
        prompts: Sequence[Sequence[int]],
        rows: Sequence[Row],
        answers: Sequence[Answers],
        halt: Callable[[], bool],
    ) -> list[tuple[int, Weights]]:
        """Weighs the answers to each prompt, which are evaluated together, each token once.

        Returns:
            For each prompt how many of its tokens were known, and the weights; nothing where `halt` said so.
        """
        began = self._prefilled(prompts, rows, max(len(a.tokens) for a in answers), halt)
        below = [] if began is None else self._below(began, [answers[p.number] for p in began.found], halt)
        if began is None or below is None:
            return []
        weighed = {
            p.number: (p.length, weigh(answers[p.number], root, rest, self._ending))
            for p, root, rest in zip(began.found, began.scores, below, strict=True)
        }
        return [weighed[number] for number in range(len(prompts))]

    def _prefilled(
        self, prompts: Sequence[Sequence[int]], rows: Sequence[Row], room: int, halt: Callable[[], bool]
    ) -> _Begun | None:
        """Evaluates what is new in prompts, with `room` for more tokens behind them; None where `halt` said so."""
        found = [
            self._found(number, tokens, row) for number, (tokens, row) in enumerate(zip(prompts, rows, strict=True))
        ]
        # By content, not by arrival: rounding may differ with the place in a batch.
        found.sort(key=lambda p: (p.new, p.tokens.tolist()))
        buckets = _buckets(found)
        end = max(max(p.length for p in bucket) + bucket[-1].new for bucket in buckets)
        for bucket in buckets:
            start = end - bucket[-1].new
            for prompt in bucket:
                prompt.columns = slice(start - prompt.length, start), slice(end - prompt.new, end)
        slab = Slab(
            self._layers,
            end + room,
            [(p.known, p.length, p.columns[0].stop) for p in found],
        )
        mask = self._mask(found, end + room)
        first, scores = 0, []
        for bucket in buckets:
            if halt():
                return None
            part = slice(first, first := first + len(bucket))
            scores.append(self._prefill(bucket, slab, mask[part, :end], part))
        for number, prompt in enumerate(found):
            if self.prefixes.capacity:
                self.prefixes.put(Evaluated(prompt.tokens, slab.row(number, *prompt.columns)))
        return _Begun(found, slab, mask, end, torch.cat(scores))

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

    def _below(self, began: _Begun, trees: Sequence[Answers], halt: Callable[[], bool]) -> list[torch.Tensor] | None:
        """The scores behind every node of every row's answers, (nodes, vocabulary) each; None where `halt` said so.

        A node attends to its row's prompt and to the nodes above it, as if its answer stood there alone.
        """
        most = max(len(tree.tokens) for tree in trees)
        tokens = torch.full((len(trees), most), self._ending.padding)
        positions = torch.zeros_like(tokens)
        seen = torch.zeros((len(trees), most, began.end + most), dtype=torch.bool)
        seen[:, :, : began.end] = began.mask[:, None, : began.end].bool().cpu()
        for row, (tree, prompt) in enumerate(zip(trees, began.found, strict=True)):
            tokens[row, : len(tree.tokens)] = torch.tensor(tree.tokens, dtype=torch.long)
            positions[row, : len(tree.tokens)] = len(prompt.tokens) + torch.tensor(tree.depths, dtype=torch.long)
            for node, parent in enumerate(tree.parents):
                if parent != ROOT:
                    seen[row, node, began.end :] = seen[row, parent, began.end :]
                seen[row, node, began.end + node] = True
        scores: list[list[torch.Tensor]] = [[] for _ in trees]
        step = max(1, SCORES // (len(trees) * began.scores.shape[-1]))
        for first in range(0, most, step):
            if halt():
                return None
            part = slice(first, min(most, first + step))
            mask = self._additive(seen[:, part, : began.end + part.stop])
            found = self._forward(
                tokens[:, part], positions[:, part], mask, began.slab, slice(None), began.end + first, all_scores=True
            )
            for row, tree in enumerate(trees):
                scores[row].append(found[row, : max(0, len(tree.tokens) - first)])
        empty = began.scores[:0]
        return [
            torch.cat(parts)[: len(tree.tokens)] if parts else empty for parts, tree in zip(scores, trees, strict=True)
        ]

    def _additive(self, seen: torch.Tensor) -> torch.Tensor:
        """(rows, 1, tokens, columns) in the model's type: 0 where a token attends, the least number elsewhere."""
        kind = self._model.dtype
        mask = torch.full(seen.shape, torch.finfo(kind).min, dtype=kind).masked_fill_(seen, 0.0)
        return mask.unsqueeze(1).to(self._model.device)

    def _decode(self, began: _Begun, halt: Callable[[], bool]) -> None:
        found, slab, mask, end, scores = began.found, began.slab, began.mask, began.end, began.scores
        rows = [p.row for p in found]
        lengths = torch.tensor([len(p.tokens) for p in found])
        while True:
            tokens = choose(rows, scores, self._ending, self._logprobs)
            stop(rows, self._tokenizer)
            going = [number for number, row in enumerate(rows) if not row.ended]
            if not going or halt():
                return
            if len(going) <= len(rows) / 2:  # below that, copying costs more than computing scores that are not needed
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
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
        slab: Slab,
        rows: slice,
        start: int,
        all_scores: bool = False,
    ) -> torch.Tensor:
        """Evaluates tokens; returns the scores behind the last of each row, (rows, vocabulary), or behind all of them,
        (rows, tokens, vocabulary).
        """
        device = self._model.device
        logits: torch.Tensor = self._model(
            input_ids=tokens.to(device),
            position_ids=positions.to(device),
            attention_mask=mask,
            past_key_values=slab.window(rows, start),
            use_cache=True,
            logits_to_keep=0 if all_scores else 1,
        ).logits
        return logits if all_scores else logits[:, -1]


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
