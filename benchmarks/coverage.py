"""How often 95 % intervals cover, and how wide they are, beside the percentile bootstrap they replace:
`python benchmarks/coverage.py`.

Writes `benchmarks/coverage.json`. Successes are drawn by task; the truth is the mean over tasks of their chances (over
environments, of theirs). The bootstrap's score of coins is drawn from binomials, which is the same as drawing values.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from bootstrap import percentile_interval

from embodied.eval import statistics as st
from embodied.eval.intervals import interval

RUNS = 2_000
RESAMPLES = 1_000
SHAPES = ((5, 2), (5, 5), (5, 10), (10, 5), (40, 3))
IN_TURN = (0.02, 0.1, 0.3, 0.7, 0.98)
SUITE = {
    # environment: (episodes a task, chances of its tasks), of BALROG's shape
    "babyai": (10, (0.9, 0.7, 0.8, 0.3, 0.6)),
    "babaisai": (3, tuple(np.linspace(0, 0.6, 40))),
    "textworld": (10, (0.3, 0.0, 0.1)),
    "crafter": (10, (0.25,)),
    "nethack": (5, (0.0,)),
    "minihack": (5, (0.0, 0.0, 0.0, 0.1, 0.0, 0.0, 0.2, 0.0)),
}
POOR = {env: (n, tuple(0.02 for _ in chances)) for env, (n, chances) in SUITE.items()}
"""The same, where nearly all environments come out zero."""


def designs() -> dict[str, tuple[np.ndarray, int]]:
    """The 33: chances of the tasks, episodes a task."""
    found = {}
    for tasks, n in SHAPES:
        for p in (0.5, 0.1, 0.98):
            found[f"{tasks}x{n} all {p}"] = (np.full(tasks, p), n)
        found[f"{tasks}x{n} in turn"] = (np.resize(IN_TURN, tasks), n)
        found[f"{tasks}x{n} .97, one .1"] = (np.r_[np.full(tasks - 1, 0.97), 0.1], n)
        found[f"{tasks}x{n} .97, half .03"] = (np.r_[np.full((tasks + 1) // 2, 0.97), np.full(tasks // 2, 0.03)], n)
    return found | {f"1x10 {p}": (np.array([p]), 10) for p in (0.5, 0.9, 0.98)}


def strata(tasks: list[np.ndarray], env: str = "env") -> list[st.Stratum]:
    return st.stratify({(env, str(i)): values for i, values in enumerate(tasks)})


def bootstrap(found: list[st.Stratum], rng: np.random.Generator) -> tuple[float, float]:
    """The interval until now: percentile bootstrap, Wilson's where every task is constant. Values are 0 or 1."""
    spread = st.spread_of(found)
    if spread.error == 0:
        total = sum(len(s.values) for s in found)
        return st.wilson(st.mean(found) * total, total)
    draws = np.zeros(RESAMPLES)
    for s in found:
        n, share = len(s.values), s.values.mean()
        draws += s.weight * (share if share in (0, 1) else rng.binomial(n - 1, share, size=RESAMPLES) / (n - 1))
    return percentile_interval(draws, spread.freedom)


def measure(draw, truth: float, rng: np.random.Generator, runs: int = RUNS) -> dict[str, float]:
    """Coverage and mean width of both, over `runs` draws."""
    sums = np.zeros(4)
    for _ in range(runs):
        found = draw()
        for at, (low, high) in ((0, bootstrap(found, rng)), (2, interval(found))):
            sums[at : at + 2] += (low - 1e-12 <= truth <= high + 1e-12, high - low)
    before, width, covers, wide = (sums / runs).tolist()
    return {
        "bootstrap covers": round(before, 4),
        "bootstrap width": round(width, 4),
        "covers": round(covers, 4),
        "width": round(wide, 4),
    }


def coins(chances: np.ndarray, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    return list((rng.random((len(chances), n)) < np.asarray(chances)[:, None]).astype(float))


def suite(shape: dict, rng: np.random.Generator) -> list[st.Stratum]:
    return st.stratify(
        {
            (env, str(i)): v
            for env, (n, chances) in shape.items()
            for i, v in enumerate(coins(np.array(chances), n, rng))
        }
    )


def continuous(rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Progress that is not a coin: coverage and width of the interval, where there is one."""
    kinds = {
        "Beta(1, 4)": (lambda n: rng.beta(1, 4, n), 0.2),
        "Beta(5, 5)": (lambda n: rng.beta(5, 5, n), 0.5),
        "0 seven times in ten, else uniform": (lambda n: rng.random(n) * (rng.random(n) < 0.3), 0.15),
        "0.3 or 0.7 evenly": (lambda n: np.where(rng.random(n) < 0.5, 0.3, 0.7), 0.5),
        "of 22 achievements": (lambda n: rng.binomial(22, 0.1, n) / 22, 0.1),
    }
    rows = {}
    for name, (draw, truth) in kinds.items():
        for tasks, n in ((1, 3), (1, 5), (1, 10), (1, 30), (5, 5), (40, 3)):
            found = [i for _ in range(RUNS) if (i := interval(strata([draw(n) for _ in range(tasks)]))) is not None]
            covers = np.mean([low - 1e-12 <= truth <= high + 1e-12 for low, high in found])
            rows[f"{tasks}x{n} {name}"] = {
                "intervals": len(found),
                "covers": round(float(covers), 4),
                "width": round(float(np.mean([h - w for w, h in found])), 4),
            }
    return rows


def main() -> None:
    rng = np.random.default_rng(20)
    rows = {}
    for name, (chances, n) in designs().items():
        rows[name] = measure(lambda c=chances, n=n: strata(coins(c, n, rng)), float(chances.mean()), rng)
        print(name, rows[name], flush=True)
    totals = {}
    for name, shape in (("six environments", SUITE), ("six environments, nearly all zero", POOR)):
        truth = float(np.mean([np.mean(chances) for _, chances in shape.values()]))
        totals[name] = measure(lambda s=shape: suite(s, rng), truth, rng)
        print(name, totals[name], flush=True)
    body = {"runs": RUNS, "designs": rows, "suites": totals, "continuous": continuous(rng)}
    Path(__file__).with_suffix(".json").write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
