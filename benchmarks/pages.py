"""Viewer and report on long runs, generated through the store's own API: CPU seconds and peak memory. Prints a table;
asserts nothing.

python benchmarks/pages.py                                 # 10,000 steps in the viewer; 5,000 episodes of 200 steps in
the report python benchmarks/pages.py --episodes 500 --folder /tmp/runs  # smaller; the runs are kept and used again
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from embodied.console.viewer.library import Library
from embodied.console.viewer.page import write_page
from embodied.store.codec import encode
from embodied.store.run import Run
from tests.console.recorded import new_run, record

REPORT = """
import resource, sys, time
from embodied.eval.report import gather
from embodied.eval.report_page import page
from embodied.store.run import Run
start = time.process_time()
document = page(gather(Run(sys.argv[1])), {})
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(document) / 1e6)
"""


def generated(root: Path, tasks: dict[str, int], steps: int, prompts: bool) -> Run:
    """A run of these episodes, played where it is not yet."""
    run = new_run(root, tasks)
    for spec in run.record.planned:
        if not run.scored(spec.id):
            record(run, spec, steps, prompts=prompts)
    return run


def line(what: str, seconds: float, more: str = "") -> None:
    print(f"{what:44} {seconds:8.3f} s CPU  {more}", flush=True)


def viewer(run: Run) -> None:
    """What the page asks for when it opens an episode, and on."""
    key = run.record.planned[0].id
    size = sum(p.stat().st_size for p in run.folder(key).iterdir()) / 1e6
    library = Library([run])
    questions = {
        f"open an episode of {run.episode(key).steps:,} steps ({size:.0f} MB)": lambda: encode(library.episode(key)),
        "200 rows of the list": lambda: encode(library.rows(key, 5000, 5200)),
        "20 steps": lambda: library.steps(key, 5000, 5020),
        "search it whole": lambda: encode(library.search(key, "no such words")),
    }
    for what, ask in questions.items():
        start = time.process_time()
        answer = ask()
        line(what, time.process_time() - start, f"{len(answer) / 1000:.0f} kB sent")
    start = time.process_time()
    path = write_page(library, key, run.root / "page.html")
    line("export it as one file", time.process_time() - start, f"{path.stat().st_size / 1e6:.0f} MB")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--episodes", type=int, default=5000)
    options.add_argument("--steps", type=int, default=200)
    options.add_argument("--folder", type=Path, help="Keep the generated runs here.")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        viewer(generated(root / "long", {"deep": 1}, 10_000, prompts=True))
        tasks = {f"task {n}": given.episodes // 10 for n in range(10)}
        run = generated(root / f"many-{given.episodes}", tasks, given.steps, prompts=False)
        done = subprocess.run([sys.executable, "-c", REPORT, str(run.root)], capture_output=True, text=True, check=True)
        seconds, peak, size = map(float, done.stdout.split())
        line(
            f"report of {given.episodes * given.steps:,} steps", seconds, f"{peak:.0f} MiB peak, {size:.1f} MB written"
        )


if __name__ == "__main__":
    main()
