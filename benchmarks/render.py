"""CPU seconds a frame of the driving scenes at both sizes, and panels of paths a CPU second, on one core; and whether
two runs give the same bytes. Then the frames of the closed loop that a person watches: drawn and encoded, beside the
time that `embreex` (Embree, from PyPI; skipped where it is missing) takes to find what is visible of the same solids.

Targets: 1.5 s at 1280 x 720, 0.25 s at 640 x 360; 50 panels a second from above, 4 in 3D. Watching: 10 ms at 320 x 180,
40 ms at 640 x 360.

    python benchmarks/render.py [--scenes 8] [--panels 20]
    python benchmarks/render.py --watched [--against FOLDER] [--pairs 5]

`--watched` measures frames of the closed loop alone and writes benchmarks/render.json. `--against` names a folder with
another version of the package: both are measured in turn, in processes of their own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embodied.blobs import encode_png
from embodied.driving.closed_loop.world import World, route
from embodied.driving.scene import render, sets
from embodied.planning import views
from embodied.planning.maps import FAMILIES, generate
from embodied.planning.planners.space import GOAL, START

if TYPE_CHECKING:
    from embodied.raster import Camera, Faces

SIZES = ((1280, 720), (640, 360))
WATCHED = ((320, 180), (640, 360))
RESULT = Path(__file__).with_suffix(".json")
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


Moment = Callable[[tuple[int, int]], render.Rendering]


def drives() -> Iterable[list[Moment]]:
    """Eight ticks, one after the other, of every third road with a corner case; a lane change begins at the fifth."""
    for spec in [s for s in sets.specs() if s.name.endswith("_1")][::3]:
        world, moments = World(route(spec)), []
        for tick in range(8):
            if tick == 4:
                world.command("right")
            world.tick()
            pose = (world.state.x, world.state.y, float(np.degrees(world.state.heading)))
            given = (world.plan.spec, pose, [m.posed() for m in world.movers])
            moments.append(lambda size, given=given: render.frame(*given, size=size))
        yield moments


def milliseconds(do: Callable[[], object]) -> float:
    start = time.process_time()
    do()
    return (time.process_time() - start) * 1e3


def watched() -> dict[str, float]:
    """CPU milliseconds of a frame, drawn and encoded; the medians of each drive, of these the median and the most."""
    found = {}
    for size in WATCHED:
        ways = {"drawn": [], "encoded as recorded": [], "encoded for watchers": []}
        for moments in drives():
            pictures = [draw(size).color for draw in moments]
            ways["drawn"].append(statistics.median(milliseconds(partial(draw, size)) for draw in moments))
            for name, encode in {"encoded as recorded": encode_png, "encoded for watchers": for_watchers()}.items():
                ways[name].append(statistics.median(milliseconds(partial(encode, p)) for p in pictures))
        for name, values in ways.items():
            found[f"{size[0]} x {size[1]} {name}, ms"] = statistics.median(values)
            found[f"{size[0]} x {size[1]} {name}, ms, slowest drive"] = max(values)
    return found


def for_watchers() -> Callable[[np.ndarray], bytes]:
    """How frames are encoded for who watches; in older versions, as recorded pictures are."""
    try:
        from embodied.rollout.worlds.frame_png import encode_frame
    except ImportError:
        return encode_png
    return encode_frame


def embree() -> dict[str, float]:
    """CPU milliseconds that Embree takes for what `visible` does, of the same solids: it builds its tree (of all, as
    things move) and casts a ray a pixel. Empty where it is not installed.
    """
    try:
        import embreex  # noqa: F401
    except ImportError:
        print("embreex is not installed, so Embree is not measured: pip install embreex.")
        return {}
    from embodied.driving.scene.objects import build
    from embodied.raster import Faces

    found = {}
    scenes = [s for s in sets.specs() if s.name.endswith("_1")][::3]
    for size in WATCHED:
        columns = []
        for spec in scenes:
            faces = Faces.of([*map(build, spec.actors), *render.roadside(spec)], ((0.0, 0.0, 1.0), 1.0, 0.0))
            columns.append(beside_embree(faces, render.camera(size=size)))
        names = ("ours, ms", "Embree builds its tree, ms", "Embree casts rays, ms", "share of pixels alike")
        for name, values in zip(names, zip(*columns, strict=True), strict=True):
            found[f"{size[0]} x {size[1]} visible, {name}"] = statistics.median(values)
    return found


def beside_embree(faces: Faces, view: Camera) -> tuple[float, float, float, float]:
    """Milliseconds of ours, of Embree's tree and of its rays, and the share of pixels with the same triangle."""
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    from embodied.raster.fragments import visible

    x, y = ((np.arange(n) + 0.5 - n / 2) / view.focal for n in (view.width, view.height))
    rays = np.stack([*(a.ravel() for a in np.meshgrid(x, y)), np.ones(len(x) * len(y))], axis=1)
    rays = (view.out_of(rays) - view.eye).astype(np.float32)
    eyes = np.tile(np.asarray(view.eye, dtype=np.float32), (len(rays), 1))
    vertices = np.ascontiguousarray(faces.vertices.T, dtype=np.float32)
    corners = np.ascontiguousarray(faces.corners.T, dtype=np.int32)
    scene, hits, seen = EmbreeScene(), [], []

    def build() -> None:
        TriangleMesh(scene, vertices, corners)
        scene.run(eyes[:1], rays[:1])  # the tree is built by the first ray

    built = milliseconds(build)
    cast = milliseconds(lambda: hits.append(scene.run(eyes, rays)))
    ours = milliseconds(lambda: seen.append(visible(faces.vertices, faces.corners, faces.two_sided, view)[0]))
    return ours, built, cast, float((hits[0] == seen[0]).mean())


def compared(against: str, pairs: int) -> dict[str, dict[str, float]]:
    """`watched` of another version and of this one in turn, and the ratio of each pair."""
    here = str(Path(__file__).parents[1])
    rounds = []
    for _ in range(pairs):
        told = [
            subprocess.run(
                [sys.executable, __file__, "--watched", "--tell"],
                env=os.environ | {"PYTHONPATH": folder},
                capture_output=True,
                check=True,
            ).stdout
            for folder in (against, here)
        ]
        rounds.append([json.loads(text) for text in told])
    made = {}
    for name in rounds[0][0]:
        before, after = ([pair[k][name] for pair in rounds] for k in (0, 1))
        ratios = sorted(b / a for a, b in zip(before, after, strict=True))
        made[name] = {
            "before": round(statistics.median(before), 2),
            "after": round(statistics.median(after), 2),
            "ratio": round(statistics.median(ratios), 3),
            "from": round(ratios[0], 3),
            "to": round(ratios[-1], 3),
        }
    return made


def watching(against: str | None, pairs: int) -> None:
    made = {
        "command": " ".join(["python", "benchmarks/render.py", *sys.argv[1:]]),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "frames": compared(against, pairs) if against else {k: round(v, 2) for k, v in watched().items()},
        "embree": {name: round(value, 4) for name, value in embree().items()},
    }
    for name, value in (made["frames"] | made["embree"]).items():
        print(f"{name:60} {value}")
    RESULT.write_text(json.dumps(made, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--panels", type=int, default=20)
    parser.add_argument("--watched", action="store_true", help="frames of the closed loop alone")
    parser.add_argument("--against", metavar="FOLDER", help="measure the package in this folder beside this one")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tell", action="store_true", help="print the figures of --watched as JSON, and no more")
    options = parser.parse_args()
    if options.tell:
        print(json.dumps(watched()))
        return
    if options.watched:
        watching(options.against, options.pairs)
        return
    frames(options.scenes)
    panels(options.panels)


if __name__ == "__main__":
    main()
