"""What a person at the desk sees of a drive: frames a second that the page draws, and how old they are.

    nice -n 5 python benchmarks/desk.py [--seconds 15]

Writes benchmarks/desk.json. For two sizes of picture, in real time and as fast as possible:

- **shown**: frames that the page drew (`window.deskFrames()`) in a second of the clock, from the start until the last
  frame of the episode, or for the seconds given: also while the environment is between two steps.
- **latency**: from the moment at which the desk has a frame of the environment's worker until the page has drawn it, in
  headless Chromium on the same machine: WebSocket, decoding of the PNG, drawing. Rendering in the worker comes before.
- **cores**: CPU seconds of the run and its workers in a second of the clock: the world, rendering, encoding, serving.
  The browser's are not in it. (Linux.)

A desk and a page for each of the four; the agent is `random`, which decides at once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.console.conftest import FLAGS
from tests.console.desks import at_desk

RESULT = Path(__file__).with_suffix(".json")
WIDTHS = (320, 640)
LOADING = 120_000
"""Milliseconds until an episode is there."""
MEASURE = """() => {
  window.ages = [];
  window.numbers = [];
  window.lastly = 0;
  const heads = [], show = wire.see, draw = paint;
  wire.see = (head, png) => { heads.push(head); show(head, png); };
  paint = (bitmap) => {
    draw(bitmap);
    lastly = performance.now();
    const head = heads.shift();
    ages.push(performance.timeOrigin + performance.now() - 1000 * head.at);
    numbers.push([head.step, head.frame]);
  };
}"""
"""Keeps the age of each frame at the moment at which it is drawn, in milliseconds, and its numbers."""


def cpu_seconds(pid: int) -> float:
    """Of a process and of all that descend from it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return own + sum(cpu_seconds(int(child)) for path in children for child in path.read_text().split())


def measured(browser: Browser, width: int, real_time: bool, seconds: float) -> dict[str, Any]:
    """One desk, one page, so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ("--env", "corner_case_drive", "--agent", "random", "--episodes", "40", "run.concurrency=1")
        with at_desk(Path(folder) / "run", *flags, f"env.width={width}", "--wait") as desk:
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(desk.control)
            page.get_by_test_id("take").click(timeout=LOADING)
            page.wait_for_selector("#decision .intended")
            page.evaluate("(real_time) => command('pace', { real_time })", real_time)
            page.evaluate(MEASURE)
            before = page.evaluate("[window.deskFrames(), performance.now(), front]")
            used = cpu_seconds(desk.process.pid)
            page.evaluate("command('go_on')")
            page.wait_for_function(
                "([from, ms, id]) => performance.now() - from > ms || episodes.get(id).outcome",
                arg=[before[1], 1000 * seconds, before[2]],
                timeout=LOADING,
            )
            used = cpu_seconds(desk.process.pid) - used
            after = page.evaluate("[window.deskFrames(), window.lastly]")
            ages, numbers = page.evaluate("[window.ages, window.numbers]")
            page.close()
    clock = (after[1] - before[1]) / 1000
    whole: dict[int, set[int]] = {}
    for step, frame in numbers:
        whole.setdefault(step, set()).add(frame)
    sent = sum(max(frames) + 1 for frames in whole.values())
    return {
        "size": f"{width}x{width * 9 // 16}",
        "pace": "real time" if real_time else "as fast as possible",
        "seconds": round(clock, 1),
        "frames": after[0] - before[0],
        "frames a second": round((after[0] - before[0]) / clock, 1),
        "shown of those made": round(len(numbers) / sent, 3),
        "cores": round(used / clock, 2),
        "latency ms, median": round(median(ages), 1),
        "latency ms, p95": round(quantiles(ages, n=20)[-1], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    seconds: float = parser.parse_args().seconds
    path = next(found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        found = []
        for width in WIDTHS:
            for real_time in (True, False):
                found.append({"load": round(os.getloadavg()[0], 1), **measured(browser, width, real_time, seconds)})
                print(json.dumps(found[-1]), flush=True)
        version = browser.version
        browser.close()
    told = {"cores": os.cpu_count(), "chromium": version, "measured": found}
    RESULT.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
