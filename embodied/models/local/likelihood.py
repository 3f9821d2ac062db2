"""The only answers that a call allows, weighed: how likely the model is to give each of them, and to end there.

The probability of an answer is the product of the probabilities of its tokens and of the end of the turn behind them.
It is the probability with which the model, sampled freely, writes exactly this reply. So the answers are events that
exclude one another ("go" is not the beginning of "go north": it is "go" and then the end), their probabilities are
shares of one whole, and long and short answers need no normalisation by length. Only the model's usual spelling of an
answer in tokens counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from embodied.models.local.decoding import Ending, Row, sample

NOTED = 8
"""Answers whose log-probability a reply records, besides the one that was taken."""
_TAIL = 64
"""Characters at the end of a prompt whose tokens an answer behind them may change."""
ROOT = -1
"""In place of a node's number: the end of the prompt."""


@dataclass(frozen=True)
class Answers:
    """Answers as a tree of tokens: what several begin with is evaluated once."""

    texts: tuple[str, ...]
    tokens: tuple[int, ...]
    """Of each node. Parents come before their children."""
    parents: tuple[int, ...]
    """The number of each node's parent; `ROOT` for the first token of an answer."""
    depths: tuple[int, ...]
    """How many nodes are above each node."""
    leaves: tuple[int, ...]
    """The node that each answer ends at; `ROOT` for an empty one."""

    @classmethod
    def of(cls, texts: Sequence[str], spelled: Sequence[Sequence[int]]) -> Answers:
        """The tree of `texts`, each with its tokens."""
        children: dict[tuple[int, int], int] = {}
        tokens: list[int] = []
        parents: list[int] = []
        depths: list[int] = []
        leaves: list[int] = []
        for spelling in spelled:
            node = ROOT
            for depth, token in enumerate(spelling):
                if (node, token) not in children:
                    children[node, token] = len(tokens)
                    tokens.append(token)
                    parents.append(node)
                    depths.append(depth)
                node = children[node, token]
            leaves.append(node)
        return cls(tuple(texts), tuple(tokens), tuple(parents), tuple(depths), tuple(leaves))

    def path(self, answer: int) -> list[int]:
        """The nodes of an answer, in order."""
        nodes = []
        node = self.leaves[answer]
        while node != ROOT:
            nodes.append(node)
            node = self.parents[node]
        return nodes[::-1]


@dataclass(frozen=True)
class Weights:
    """What the model makes of the answers."""

    tokens: tuple[float, ...]
    """Natural logarithm of the probability of each node's token behind what is above it."""
    totals: tuple[float, ...]
    """The same of each whole answer, the end of the turn included."""


def spell(tokenizer: Any, prompt: str, texts: Sequence[str]) -> tuple[int, list[list[int]]]:
    """The tokens of each of `texts` behind `prompt`.

    A tokenizer may join the end of a prompt and the beginning of an answer in one token.

    Returns:
        How many tokens at the end of the prompt's own belong to the answers, and the answers' tokens with those.
    """
    tail = prompt[-_TAIL:]
    before = _tokens(tokenizer, tail)
    whole = [_tokens(tokenizer, tail + text) for text in texts]
    shared = min(_common(before, tokens) for tokens in whole)
    return len(before) - shared, [tokens[shared:] for tokens in whole]


def weigh(answers: Answers, root: torch.Tensor, below: torch.Tensor, ending: Ending) -> Weights:
    """Reads the weights out of scores, `root` (vocabulary,) at the end of the prompt and `below` (nodes, vocabulary) at
    each node.
    """
    ends = sorted(ending.tokens)
    tokens = [0.0] * len(answers.tokens)
    totals = [0.0] * len(answers.texts)
    wanted: dict[int, list[int]] = {}
    for node, parent in enumerate(answers.parents):
        wanted.setdefault(parent, []).append(node)
    finished: dict[int, list[int]] = {}
    for answer, leaf in enumerate(answers.leaves):
        finished.setdefault(leaf, []).append(answer)
    for place in sorted(wanted.keys() | finished.keys()):
        logs = torch.log_softmax((root if place == ROOT else below[place]).float(), dim=-1)
        nodes = wanted.get(place, [])
        found = logs[[answers.tokens[node] for node in nodes]].tolist()
        for node, value in zip(nodes, found, strict=True):
            tokens[node] = value
        for answer in finished.get(place, ()):
            totals[answer] = torch.logsumexp(logs[ends], dim=-1).item()
    sums = _sums(answers, tokens)
    return Weights(
        tuple(tokens),
        tuple(
            total + (sums[leaf] if leaf != ROOT else 0.0) for leaf, total in zip(answers.leaves, totals, strict=True)
        ),
    )


def take(answers: Answers, weights: Weights, row: Row) -> int:
    """Takes an answer for `row`, and notes its tokens there: the likeliest at temperature 0, else one drawn.

    What is drawn from is the distribution over the answers: at temperature 1 that of the model's own replies among
    them, at others its power 1 / temperature. top_p and top_k leave out unlikely answers.
    """
    totals = torch.tensor(weights.totals, dtype=torch.float64)
    taken = sample(row, totals) if row.temperature > 0 else int(totals.argmax())
    path = answers.path(taken)
    row.tokens = [answers.tokens[node] for node in path]
    row.logprobs = [weights.tokens[node] for node in path]
    row.ended = "stop"
    return taken


def noted(answers: Answers, weights: Weights, taken: int) -> dict[str, float]:
    """The log-probabilities that a reply records, likeliest first."""
    order = sorted(range(len(answers.texts)), key=lambda i: -weights.totals[i])
    kept = order[:NOTED] + ([taken] if taken not in order[:NOTED] else [])
    return {answers.texts[i]: round(weights.totals[i], 4) for i in kept}


def _tokens(tokenizer: Any, text: str) -> list[int]:
    tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tokens


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    length = min(len(a), len(b))
    return next((i for i in range(length) if a[i] != b[i]), length)


def _sums(answers: Answers, tokens: Sequence[float]) -> list[float]:
    """Of each node: the sum over it and what is above it."""
    sums: list[float] = []
    for parent, value in zip(answers.parents, tokens, strict=True):
        sums.append(value + (sums[parent] if parent != ROOT else 0.0))
    return sums
