"""Decoding for transformers in which every row of a batch has its own settings, random stream, limits and log-probabilities.

transformers' own sampling draws from PyTorch's global stream and has one setting for the whole batch. Here the choice of a token is made in a
logits processor, which leaves a single token possible; generation itself is greedy.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from transformers import LogitsProcessor, PreTrainedTokenizerBase, StoppingCriteria


@dataclass
class Row:
    """One reply in the making."""

    temperature: float
    """0 takes the likeliest token."""
    top_p: float
    top_k: int
    """0 for no limit."""
    max_tokens: int
    stop: tuple[str, ...]
    random: random.Random
    tokens: list[int] = field(default_factory=list)
    """The reply so far, with the token that ended it."""
    logprobs: list[float] = field(default_factory=list)
    """Natural logarithm of each token's probability under the model itself, before temperature, top_p and top_k."""
    ended: str = ""
    """Why it ended: stop or length; empty while it goes on."""


class Choose(LogitsProcessor):
    """Chooses the next token of every row."""

    def __init__(self, rows: Sequence[Row], ends: frozenset[int], padding: int, logprobs: bool):
        self._rows = rows
        self._ends = ends
        self._padding = padding
        self._logprobs = logprobs

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Takes and returns scores of shape (rows, vocabulary)."""
        likeliest = scores.argmax(dim=-1).tolist()
        chosen = [self._next(row, scores[i], likeliest[i]) for i, row in enumerate(self._rows)]
        index = torch.tensor(chosen, device=scores.device).unsqueeze(1)
        return torch.full_like(scores, -torch.inf).scatter_(1, index, 0.0)

    def _next(self, row: Row, scores: torch.Tensor, likeliest: int) -> int:
        if row.ended:
            return self._padding
        token = _sample(row, scores) if row.temperature > 0 else likeliest
        row.tokens.append(token)
        if self._logprobs:
            row.logprobs.append(torch.log_softmax(scores.float(), dim=-1)[token].item())
        if token in self._ends:
            row.ended = "stop"
        elif len(row.tokens) >= row.max_tokens:
            row.ended = "length"
        return token


def _sample(row: Row, scores: torch.Tensor) -> int:
    """Draws a token by inverting the cumulative distribution at one uniform number."""
    probabilities, order = torch.softmax(scores.float() / row.temperature, dim=-1).sort(descending=True)
    if row.top_k:
        probabilities = probabilities[: row.top_k]
    cumulative = probabilities.cumsum(dim=-1)
    if row.top_p < 1:
        # The smallest set of likeliest tokens that together reach top_p; always at least one.
        kept = int((cumulative < row.top_p * cumulative[-1]).sum()) + 1
        cumulative = cumulative[:kept]
    place = torch.searchsorted(cumulative, cumulative[-1] * row.random.random(), right=True)
    return int(order[min(int(place), len(cumulative) - 1)])


class Finish(StoppingCriteria):
    """Ends rows that have ended, rows that contain one of their stop strings, and everything when `halt` says so."""

    def __init__(self, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, halt: Callable[[], bool]):
        self._rows = rows
        self._tokenizer = tokenizer
        self._halt = halt

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: object) -> torch.BoolTensor:
        """Returns (rows,): which have ended."""
        for row in self._rows:
            if row.stop and not row.ended and self._stopped(row):
                row.ended = "stop"
        halted = self._halt()
        return torch.tensor([halted or bool(row.ended) for row in self._rows], device=input_ids.device)

    def _stopped(self, row: Row) -> bool:
        # A character takes at most a few tokens, so a stop string that has just been completed lies within these.
        tail = self._tokenizer.decode(row.tokens[-4 * max(map(len, row.stop)) :])
        return any(stop in tail for stop in row.stop)
