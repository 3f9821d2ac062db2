"""A memory of 100,000 records: how long a search takes, an insertion, and what a kill loses.

    OMP_NUM_THREADS=1 nice -n 10 python benchmarks/memory.py [--records 100000] [--part numpy,lance,kill]

Writes benchmarks/memory.json: CPU milliseconds of this process, all its threads together. A part that `--part` does not
name stays as it was written.

- **numpy**, **lance**: the five best of the memories of one of four environments, by three facets of 384 numbers (as
  minilm's, but random: nothing is embedded); and of all environments. `lance` is exact, and again with an index that
  looks at 8 partitions; `found` is how many of the five exact ones it finds then.
- **kill**: a process adds 10,000 records in batches of 100 and is killed in the middle (SIGKILL). Of those that it
  said were added, none may be missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from embodied.agents.memory.building import Building
from embodied.agents.memory.embedding import TEXTS
from embodied.agents.memory.record import Memory, Provenance
from embodied.agents.memory.retrieval import Among, Backend, Exact, Hit, Retrieval, in_order, search
from embodied.seeding import generator

RESULT = Path(__file__).with_suffix(".json")
ENVIRONMENTS = 4
SIZE = 384
"""Numbers in a vector of minilm."""
QUERIES = 40
KILLED = 10_000
BATCH = 100


class Random:
    """What `LanceBackend` must know of an embedding."""

    name, sha256 = "random", "0" * 64
    dimensions: Mapping[str, int] = MappingProxyType({**dict.fromkeys(TEXTS, SIZE), "picture": 1})


def records(count: int) -> tuple[Memory, ...]:
    """Records of some 500 bytes."""
    made = (
        Memory(
            id=f"{number:08d}",
            env=f"world{number % ENVIRONMENTS}",
            task="goto",
            goal=f"go to thing {number % 97}",
            observation="You see a wall 2 steps forward and a grey key 1 step left. " * 3,
            actions=("turn left", "go forward", "pick up"),
            lessons=("A key that is seen once stays where it is.",),
            provenance=Provenance(run="r", episode=f"e{number // 2}", split="train", by="rules"),
            status="verified",
        )
        for number in range(count)
    )
    return in_order(made)


def vectors(rows: int, name: str) -> dict[str, np.ndarray]:
    """Unit vectors in 200 bunches a facet: embeddings of texts lie in bunches, and an index lives on that."""
    found = {}
    for facet in TEXTS:
        rng = generator(0, "vectors", facet)
        middles = rng.normal(size=(200, SIZE)).astype(np.float32)
        rng = generator(0, "vectors", facet, name)
        matrix = middles[rng.integers(200, size=rows)] + rng.normal(size=(rows, SIZE), scale=0.7).astype(np.float32)
        found[facet] = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return found


def timed(action: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = action()
    return 1000 * (time.process_time() - start), result


def searches(backend: Backend, env: str) -> tuple[dict[str, float], list[list[Hit]]]:
    """p50 and p95 of a search, and what was found."""
    asked = vectors(QUERIES, "queries")
    among, how = Among(env, "", ("verified",)), Retrieval()
    ask = lambda n: search(backend, {facet: asked[facet][n] for facet in TEXTS}, among, how)  # noqa: E731
    ask(0)
    done = [timed(lambda n=n: ask(n)) for n in range(QUERIES)]
    times = [milliseconds for milliseconds, _ in done]
    summary = {"p50": round(float(np.percentile(times, 50)), 1), "p95": round(float(np.percentile(times, 95)), 1)}
    return summary, [hits for _, hits in done]


def numpy(count: int) -> dict[str, object]:
    found = records(count)
    backend = Exact(found, vectors(count, "records"))
    one, _ = searches(backend, "world1")
    every, _ = searches(backend, "")
    return {"one_environment": one, "all": every}


def lance(count: int, folder: Path) -> dict[str, object]:
    from embodied.agents.memory.lance import LanceBackend

    found, matrices = records(count), vectors(count, "records")
    exact = searches(Exact(found, matrices), "world1")[1]
    with LanceBackend.open(folder / "lance", Random(), write=True) as backend:

        def fill() -> None:
            for start in range(0, count, 10_000):
                part = slice(start, start + 10_000)
                backend.add(found[part], {facet: matrix[part] for facet, matrix in matrices.items()})

        insertion, _ = timed(fill)
        flat, hits = searches(backend, "world1")
        indexing, _ = timed(backend.index)
        bitmap, _ = searches(backend, "world1")
    with LanceBackend.open(folder / "lance", Random(), probes=8) as backend:
        probed, near = searches(backend, "world1")
    size = sum(path.stat().st_size for path in (folder / "lance").rglob("*") if path.is_file())
    same = [{hit.memory.id for hit in a} & {hit.memory.id for hit in b} for a, b in zip(exact, near, strict=True)]
    return {
        "insertion_s": round(insertion / 1000, 1),
        "index_s": round(indexing / 1000, 1),
        "mib": size >> 20,
        "exact": flat,
        "exact_equal_to_numpy": [ids(a) == ids(b) for a, b in zip(exact, hits, strict=True)].count(True) / QUERIES,
        "exact_with_bitmap": bitmap,
        "probes_8": {**probed, "found": round(float(np.mean([len(each) for each in same])), 2)},
    }


def ids(hits: list[Hit]) -> list[str]:
    return [hit.memory.id for hit in hits]


def add_and_say(folder: Path) -> None:
    """The process that is killed."""
    found = records(KILLED)
    with Building(folder) as built:
        for start in range(0, KILLED, BATCH):
            built.add(found[start : start + BATCH])
            print(*(memory.id for memory in found[start : start + BATCH]), flush=True)


def kill(folder: Path) -> dict[str, object]:
    whole, _ = timed(lambda: add_all(folder / "whole"))
    lost, acknowledged = [], []
    for tries in range(5):
        child = subprocess.Popen(
            [sys.executable, __file__, "--adding", folder / f"killed{tries}"], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(KILLED // BATCH // 2)]
        os.kill(child.pid, signal.SIGKILL)
        said += [line for line in child.stdout if line.endswith("\n")]
        child.wait()
        with Building(folder / f"killed{tries}") as built:
            kept = {memory.id for memory in built.records}
        acknowledged.append(sum(len(line.split()) for line in said))
        lost.append(len({id for line in said for id in line.split()} - kept))
    return {"add_10000_cpu_ms": round(whole), "acknowledged": acknowledged, "lost": lost}


def add_all(folder: Path) -> None:
    found = records(KILLED)
    with Building(folder) as built:
        for start in range(0, KILLED, BATCH):
            built.add(found[start : start + BATCH])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--records", type=int, default=100_000)
    options.add_argument("--part", default="numpy,lance,kill")
    options.add_argument("--adding", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.adding:
        add_and_say(given.adding)
        return
    result = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    folder = Path(tempfile.mkdtemp())
    parts = {
        "numpy": lambda: {"records": given.records, **numpy(given.records)},
        "lance": lambda: {"records": given.records, **lance(given.records, folder)},
        "kill": lambda: kill(folder),
    }
    try:
        for part in given.part.split(","):
            result[part] = parts[part]()
            print(part, json.dumps(result[part]), flush=True)
            RESULT.write_text(json.dumps(result, indent=1) + "\n")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
