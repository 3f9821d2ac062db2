"""Decoding for transformers in which every row of a batch has its own settings, random stream, limits and
log-probabilities.

transformers' own sampling draws from PyTorch's global stream and has one setting for the whole batch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

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
    """Why it ended: stop or length; empty while it continues."""


@dataclass(frozen=True)
class Ending:
    """What ends replies, and fills up rows that have ended."""

    tokens: frozenset[int]
    padding: int


def choose(rows: Sequence[Row], scores: torch.Tensor, ending: Ending, logprobs: bool) -> list[int]:
    """Chooses the next token of every row from `scores`, (rows, vocabulary), and notes it in the row; padding for rows
    that have ended.
    """
    likeliest = scores.argmax(dim=-1).tolist()
    return [_next(row, scores[i], likeliest[i], ending, logprobs) for i, row in enumerate(rows)]


def _next(row: Row, scores: torch.Tensor, likeliest: int, ending: Ending, logprobs: bool) -> int:
    if row.ended:
        return ending.padding
    token = sample(row, scores) if row.temperature > 0 else likeliest
    row.tokens.append(token)
    if logprobs:
        row.logprobs.append(torch.log_softmax(scores.float(), dim=-1)[token].item())
    if token in ending.tokens:
        row.ended = "stop"
    elif len(row.tokens) >= row.max_tokens:
        row.ended = "length"
    return token


def sample(row: Row, scores: torch.Tensor) -> int:
    """Draws a place in `scores` (n,) by inverting the cumulative distribution at one uniform number."""
    probabilities = torch.softmax(scores.float() / row.temperature, dim=-1)
    order = None
    if row.top_k or row.top_p < 1:
        probabilities, order = _likeliest(probabilities, row.top_k, row.top_p)
    cumulative = probabilities.cumsum(dim=-1)
    found = torch.searchsorted(cumulative, cumulative[-1] * row.random.random(), right=True)
    place = min(int(found), len(cumulative) - 1)
    return place if order is None else int(order[place])


def _likeliest(probabilities: torch.Tensor, top_k: int, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The tokens that may be drawn, likeliest first: at most `top_k`, and of those the smallest set that together
    reaches `top_p` of them.
    """
    # A few hundred tokens nearly always hold top_p; sorting the whole vocabulary costs as much as a layer of a small
    # model.
    for size in (top_k or 256, len(probabilities)):
        kept, order = probabilities.topk(min(size, len(probabilities)))
        cumulative = kept.cumsum(dim=-1)
        total = cumulative[-1] if top_k else 1.0
        if top_k or float(cumulative[-1]) >= top_p or len(kept) == len(probabilities):
            break
    if top_p < 1:
        count = int((cumulative < top_p * total).sum()) + 1
        kept, order = kept[:count], order[:count]
    return kept, order


def stop(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase) -> None:
    """Ends the rows that contain one of their stop strings."""
    for row in rows:
        if row.stop and not row.ended and _stopped(row, tokenizer):
            row.ended = "stop"


def _stopped(row: Row, tokenizer: PreTrainedTokenizerBase) -> bool:
    # A character takes at most a few tokens, so a stop string that has just been completed lies within these.
    tail = tokenizer.decode(row.tokens[-4 * max(map(len, row.stop)) :])
    return any(text in tail for text in row.stop)


class Choose(LogitsProcessor):
    """`choose`, for transformers' own generation: leaves one token possible in every row."""

    def __init__(self, rows: Sequence[Row], ending: Ending, logprobs: bool):
        self._rows = rows
        self._ending = ending
        self._logprobs = logprobs

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Takes and returns scores of shape (rows, vocabulary)."""
        index = torch.tensor(choose(self._rows, scores, self._ending, self._logprobs), device=scores.device).unsqueeze(
            1
        )
        chosen = torch.full_like(scores, -torch.inf).scatter_(1, index, 0.0)
        return cast(torch.FloatTensor, chosen)


class Finish(StoppingCriteria):
    """`stop`, for transformers' own generation; ends everything when `halt` says so."""

    def __init__(self, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, halt: Callable[[], bool]):
        self._rows = rows
        self._tokenizer = tokenizer
        self._halt = halt

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: object) -> torch.BoolTensor:
        """Returns (rows,): which have ended."""
        stop(self._rows, self._tokenizer)
        halted = self._halt()
        ended = torch.tensor([halted or bool(row.ended) for row in self._rows], device=input_ids.device)
        return cast(torch.BoolTensor, ended)
