"""Answers weighed by any model and behind any input: for models and inputs that `embodied.models.local.packed` cannot
take.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from embodied.models.local.decoding import Ending
from embodied.models.local.likelihood import Answers, Weights, weigh


@torch.inference_mode()
def weigh_whole(
    model: Any,
    inputs: dict[str, torch.Tensor],
    length: int,
    answers: Answers,
    ending: Ending,
    size: int,
    halt: Callable[[], bool],
) -> Weights | None:
    """Evaluates a prompt, with its pictures, once, and each answer behind a copy of it.

    Args:
        model: Takes `inputs`.
        inputs: The prompt as the processor made it, one row.
        length: Tokens of the prompt; those beyond it belong to the answers.
        answers: What is weighed.
        ending: What ends replies.
        size: Answers that are evaluated together at most.
        halt: Asked between evaluations.

    Returns:
        None where `halt` said so.
    """
    whole = inputs["input_ids"].shape[1]
    cut = {n: t[:, :length] if t.ndim == 2 and t.shape[1] == whole else t for n, t in inputs.items()}
    begun = model(**cut, use_cache=True, logits_to_keep=1)
    paths = [answers.path(number) for number in range(len(answers.texts))]
    below = begun.logits.new_zeros((len(answers.tokens), begun.logits.shape[-1]))
    wanted = [path for path in paths if path]
    for first in range(0, len(wanted), size):
        if halt():
            return None
        some = wanted[first : first + size]
        scores = _behind(model, begun.past_key_values, cut["attention_mask"], some, answers, ending)
        for row, path in enumerate(some):
            below[path] = scores[row, : len(path)]
    return weigh(answers, begun.logits[0, -1], below, ending)


def _behind(
    model: Any, begun: Any, mask: torch.Tensor, paths: list[list[int]], answers: Answers, ending: Ending
) -> torch.Tensor:
    """The scores behind each token of some answers: (answers, tokens, vocabulary)."""
    longest = max(map(len, paths))
    tokens = torch.full((len(paths), longest), ending.padding)
    seen = torch.zeros((len(paths), longest), dtype=mask.dtype)
    for row, path in enumerate(paths):
        tokens[row, : len(path)] = torch.tensor([answers.tokens[node] for node in path])
        seen[row, : len(path)] = 1
    cache = copy.deepcopy(begun)
    cache.batch_repeat_interleave(len(paths))
    attended = torch.cat([mask.expand(len(paths), -1), seen.to(mask.device)], dim=1)
    logits: torch.Tensor = model(
        input_ids=tokens.to(mask.device), attention_mask=attended, past_key_values=cache, use_cache=True
    ).logits
    return logits
