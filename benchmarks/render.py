"""CPU seconds a frame of the driving scenes at both sizes, and panels of paths a CPU second, on one core; and whether
two runs give the same bytes.

Targets: 1.5 s at 1280 x 720, 0.25 s at 640 x 360; 50 panels a second from above, 4 in 3D.

    python benchmarks/render.py [--scenes 8] [--panels 20]
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np

from embodied.driving.scene import render, sets
from embodied.planning import views
from embodied.planning.maps import FAMILIES, generate
from embodied.planning.planners.space import GOAL, START

SIZES = ((1280, 720), (640, 360))
PARAMETERS = {"maze": 18, "rings": 2, "waves": 10, "random": 20}
"""The fullest maps of each family."""


def timed(draw: Callable[[], np.ndarray]) -> tuple[float, str]:
    """CPU seconds of one picture, and the digest of its bytes."""
    start = time.process_time()
    picture = draw()
    return time.process_time() - start, hashlib.sha256(picture.tobytes()).hexdigest()


def measured(draws: Iterable[Callable[[], np.ndarray]]) -> tuple[list[float], bool]:
    """Seconds of every picture (the quicker of two), and whether it was the same both times."""
    seconds, same = [], True
    for draw in draws:
        (a, one), (b, other) = timed(draw), timed(draw)
        seconds.append(min(a, b))
        same &= one == other
    return seconds, same


def frames(scenes: int) -> None:
    specs = sets.specs()[:: max(1, len(sets.specs()) // scenes)][:scenes]
    for size in SIZES:
        render.frame(specs[0], size=size)
        seconds, same = measured([lambda spec=spec, size=size: render.frame(spec, size=size).color for spec in specs])
        words = f"{statistics.median(seconds):6.3f} s (slowest {max(seconds):.3f})"
        print(
            f"driving scene {size[0]:4} x {size[1]:3}  {words}  of {len(specs)} scenes; bytes"
            f" {'equal' if same else 'DIFFER'} on two runs"
        )


def panels(count: int) -> None:
    path = np.array([START, (30.0, -36.0), (-36.0, 35.0), GOAL])
    for view in views.VIEWS:
        for family in FAMILIES:
            drawn = generate(family, PARAMETERS[family], 0)
            views.draw(drawn, [path], view=view)
            seconds, same = measured([lambda drawn=drawn, view=view: views.draw(drawn, [path], view=view)[0]] * count)
            rate = 1 / statistics.median(seconds)
            print(
                f"path panel {view} {family:7} {rate:7.1f} panels/s  ({len(drawn.polygons)} obstacles); bytes"
                f" {'equal' if same else 'DIFFER'} on two runs"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--panels", type=int, default=20)
    options = parser.parse_args()
    frames(options.scenes)
    panels(options.panels)


if __name__ == "__main__":
    main()
