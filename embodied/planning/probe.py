"""Does a vision encoder carry the descriptors of a path? Linear probes on its features, held out by map.

Four questions a descriptor, each answered by ridge regression in closed form, its strength chosen by generalised
cross-validation (Golub, Heath, Wahba 1979):

- *differs*: do two panels show paths that differ in it by a threshold or more? From |f1 - f2| and f1 * f2 (PathEval's
  probe gives a linear unit f1 and f2 side by side, which cannot say whether they are alike). AUC.
- *by how much*: the size of the difference, from the same features. R2.
- *which has more*, of pairs that differ by a threshold or more: from f1 - f2. AUC.
- *value*: the descriptor of one path, from the features of its panel. R2.

All figures are of maps that the probe was not fitted on: the maps are dealt into folds, and each fold is judged by a
probe fitted on the others. Intervals are 95 % percentiles of a bootstrap over maps, since panels of one map are alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from embodied.arrays import Bools, Floats, Ints, Pixels
from embodied.blobs import decode_png, encode_png
from embodied.errors import UsageError
from embodied.planning import views
from embodied.planning.descriptors import DESCRIPTORS, THRESHOLDS
from embodied.planning.items import Pair, drawn
from embodied.planning.published import panels
from embodied.seeding import generator

RESAMPLES = 1_000
_STRENGTHS = 10.0 ** np.arange(-2, 7)
"""Of ridge, on standardised features."""
_FEWEST = 10
"""Pairs of either kind, for an AUC."""


class Panels:
    """The panels of pairs of paths: `panels[i]` is a picture (H, W, 3) uint8; 2k and 2k + 1 are the paths of pair k.
    Kept as PNG once drawn.
    """

    def __init__(self, pairs: Sequence[Pair], view: str = "2d"):
        if any(pair.map is None for pair in pairs):
            raise UsageError(
                "Published records do not say which map they are on, so nothing can be held out by map. Probe our sets"
                " (`embodied data patheval`)."
            )
        views.shapes(view, "separate", 2)
        self.pairs = tuple(pairs)
        self.view = view
        self._kept: list[tuple[bytes, ...] | None] = [None] * len(self.pairs)

    def __len__(self) -> int:
        return 2 * len(self.pairs)

    def __getitem__(self, at: int) -> Pixels:
        if not 0 <= at < len(self):
            raise IndexError(at)
        pair = self.pairs[at // 2]
        kept = self._kept[at // 2]
        if kept is None:
            if pair.pictures:
                pictures = panels(pair, self.view, "separate", False)
            else:
                key, paths, _ = pair.parts()
                pictures = views.draw(drawn(key), paths, view=self.view, layout="separate")
            kept = self._kept[at // 2] = tuple(encode_png(picture) for picture in pictures)
        return decode_png(kept[at % 2])

    def descriptors(self) -> Floats:
        """(2n, 7) float64, dense."""
        return np.concatenate([pair.descriptors("dense") for pair in self.pairs])


class Encoder(Protocol):
    """Turns panels into features."""

    name: str

    def features(self, panels: Panels, train: Ints) -> Floats:
        """Features of all panels, (2n, d) float64. What is learnt is learnt of the pairs `train` (int64) alone."""
        ...


@dataclass(frozen=True)
class ProbeEstimate:
    """A figure on held-out maps with its interval; None where too few pairs differ to say."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class ProbeRow:
    """What an encoder carries of one descriptor."""

    encoder: str
    descriptor: str
    differing: int
    """Pairs that differ by a threshold or more."""
    differs: ProbeEstimate | None
    """AUC; 0.5 is nothing."""
    size: ProbeEstimate | None
    """R2 of the absolute difference; 0 is what the mean of the training maps gives, below 0 is worse."""
    more: ProbeEstimate | None
    """AUC."""
    value: ProbeEstimate | None
    """R2."""


def folds_of(pairs: Sequence[Pair], folds: int, seed: int) -> Ints:
    """The fold of each pair, (n,) int64: all pairs of a map are in one.

    Raises:
        UsageError: Fewer maps than folds, or fewer than two folds.
    """
    of = [pair.parts()[0] for pair in pairs]
    maps = sorted(set(of))
    if not 2 <= folds <= len(maps):
        raise UsageError(
            f"The probe holds out maps: --folds is from 2 to the number of maps ({len(maps)}), not {folds}."
        )
    dealt = generator(seed, "patheval", "probe", "folds").permutation(len(maps)) % folds
    fold = dict(zip(maps, dealt, strict=True))
    return np.array([fold[key] for key in of])


def probe(encoder: Encoder, panels: Panels, *, folds: int = 5, seed: int = 0) -> list[ProbeRow]:
    """Fits and judges the probes of one encoder, a row a descriptor.

    Args:
        encoder: What is probed.
        panels: On at least `folds` maps.
        folds: Parts into which the maps are dealt.
        seed: Of the folds and the bootstrap.

    Raises:
        UsageError: Too few maps.
    """
    fold = folds_of(panels.pairs, folds, seed)
    values = panels.descriptors()
    gaps = values[0::2] - values[1::2]
    count = np.abs(gaps) >= THRESHOLDS
    signs = np.where(count, 1.0, -1.0)
    guesses = {
        name: np.full(shape, np.nan)
        for name, shape in (
            ("differs", gaps.shape),
            ("size", gaps.shape),
            ("more", gaps.shape),
            ("value", values.shape),
        )
    }
    means = {"size": np.empty(gaps.shape), "value": np.empty(values.shape)}
    for k in range(folds):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        features = encoder.features(panels, train)
        alike = np.concatenate([np.abs(features[0::2] - features[1::2]), features[0::2] * features[1::2]], axis=1)
        less = features[0::2] - features[1::2]
        guesses["differs"][test] = ridge(alike[train], signs[train], alike[test])
        guesses["size"][test] = ridge(alike[train], np.abs(gaps)[train], alike[test])
        for d in range(len(DESCRIPTORS)):
            use = train[count[train, d]]
            if len(use) >= _FEWEST:  # both ways round, so that order means nothing
                both, sign = np.concatenate([less[use], -less[use]]), np.sign(gaps[use, d])
                guesses["more"][test, d] = ridge(both, np.concatenate([sign, -sign])[:, None], less[test])[:, 0]
        ours, theirs = (np.stack([2 * which, 2 * which + 1], axis=1).ravel() for which in (train, test))
        guesses["value"][theirs] = ridge(features[ours], values[ours], features[theirs])
        means["size"][test], means["value"][theirs] = np.abs(gaps)[train].mean(axis=0), values[ours].mean(axis=0)
    draws = _draws(panels.pairs, seed)
    return list(_rows(encoder.name, fold, draws, values, gaps, count, guesses, means))


def _rows(
    name: str,
    fold: Ints,
    draws: Floats,
    values: Floats,
    gaps: Floats,
    count: Bools,
    guesses: dict[str, Floats],
    means: dict[str, Floats],
) -> Iterator[ProbeRow]:
    twice = np.repeat(draws, 2, axis=1)
    for d, descriptor in enumerate(DESCRIPTORS):
        differ = count[:, d]
        yield ProbeRow(
            encoder=name,
            descriptor=descriptor.key,
            differing=int(differ.sum()),
            differs=auc(guesses["differs"][:, d], differ, fold, draws),
            size=r2(guesses["size"][:, d], np.abs(gaps[:, d]), means["size"][:, d], draws),
            more=auc(guesses["more"][differ, d], gaps[differ, d] > 0, fold[differ], draws[:, differ]),
            value=r2(guesses["value"][:, d], values[:, d], means["value"][:, d], twice),
        )


# --------------------------------------------------------------------------- statistics


def ridge(x: Floats, y: Floats, to: Floats) -> Floats:
    """Predicts (m, k) at `to` (m, d) from `x` (n, d) and `y` (n, k). Each column of `y` has its own strength, by
    generalised cross-validation.
    """
    mean, spread = x.mean(axis=0), x.std(axis=0)
    some = spread > 1e-12 * max(1.0, float(np.abs(x).max()))
    x, to = ((a[:, some] - mean[some]) / spread[some] for a in (x, to))
    middle = y.mean(axis=0)
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    along = u.T @ (y - middle)
    kept = s**2 / (s**2 + _STRENGTHS[:, None])  # (strengths, rank)
    rest = ((y - middle) ** 2).sum(axis=0) - (along**2).sum(axis=0)
    errors = rest + np.einsum("lr,rk->lk", (1 - kept) ** 2, along**2)
    best = (errors / (len(x) - 1 - kept.sum(axis=1)[:, None]).clip(1e-9) ** 2).argmin(axis=0)
    shrunk = np.divide(s, s**2 + _STRENGTHS[best][:, None], out=np.zeros((y.shape[1], len(s))), where=s > 0)
    predicted: Floats = middle + to @ vt.T @ (shrunk.T * along)
    return predicted


def auc(scores: Floats, positive: Bools, fold: Ints, draws: Floats) -> ProbeEstimate | None:
    """Area under the ROC curve, within folds (their probes have scales of their own), over all folds; None with fewer
    than ten pairs of a kind.
    """
    if min(positive.sum(), (~positive).sum()) < _FEWEST or np.isnan(scores).any():
        return None
    won, pairs = np.zeros(len(draws)), np.zeros(len(draws))
    for k in np.unique(fold):
        yes, no = np.flatnonzero((fold == k) & positive), np.flatnonzero((fold == k) & ~positive)
        above = (scores[yes][:, None] > scores[no]) + 0.5 * (scores[yes][:, None] == scores[no])
        won += ((draws[:, yes] @ above) * draws[:, no]).sum(axis=1)
        pairs += draws[:, yes].sum(axis=1) * draws[:, no].sum(axis=1)
    return _estimate(np.divide(won, pairs, out=np.full(len(draws), np.nan), where=pairs > 0))


def r2(guesses: Floats, values: Floats, means: Floats, draws: Floats) -> ProbeEstimate | None:
    """1 - squared error / squared error of the training maps' mean."""
    error, rest = draws @ (guesses - values) ** 2, draws @ (means - values) ** 2
    return _estimate(1 - np.divide(error, rest, out=np.full(len(draws), np.nan), where=rest > 0))


def _draws(pairs: Sequence[Pair], seed: int) -> Floats:
    """How often each pair counts, (1 + RESAMPLES, n): once in the first, then as often as its map is drawn."""
    keys = [pair.parts()[0] for pair in pairs]
    maps = {key: at for at, key in enumerate(sorted(set(keys)))}
    of = np.array([maps[key] for key in keys])
    drawn_maps = generator(seed, "patheval", "probe", "bootstrap").multinomial(
        len(maps), np.full(len(maps), 1 / len(maps)), size=RESAMPLES
    )
    return np.concatenate([np.ones((1, len(pairs))), drawn_maps[:, of].astype(np.float64)])


def _estimate(found: Floats) -> ProbeEstimate | None:
    """From the figure itself and its resamples."""
    if np.isnan(found[0]):
        return None
    low, high = np.nanpercentile(found[1:], [2.5, 97.5])
    return ProbeEstimate(float(found[0]), float(low), float(high))
