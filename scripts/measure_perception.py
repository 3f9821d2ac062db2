"""Measures what `agent.perception=vector` says of PathEval's paths: is what a text-only judge would have to know in the
text, and is it right?

    nice python scripts/measure_perception.py            # both views of the test set; about 10 CPU minutes

Length, turns and greatest angle of both paths are read out of the text, by its words and the corner points it lists, as
a reader of nothing else could. Then a rule judges the 1,050 items with them: the scenario's weights times the
differences in thresholds (at most 3 each), summed up. Clearance is not read, though the obstacles are in the text as
far as there is room.
"""

from __future__ import annotations

import argparse
import re

import numpy as np

from embodied.agents.perception.perception import vector
from embodied.agents.perception.shapes import Shape
from embodied.blobs import MemoryBlobs, put_frame
from embodied.eval.tables import share
from embodied.planning import views
from embodied.planning.descriptors import DESCRIPTORS, THRESHOLDS
from embodied.planning.items import ItemSet, Pair, drawn, embedded

READ = (3, 4, 5, 6)
"""Descriptors that are read: length, total turning, sharp turns, maximum angle."""
UNITS = {"2d": 480 / 80, "3d": 7.3}
"""Pixels of a map unit; in 3D at the middle of the map, where it is 89 units away and the focal length 652 pixels."""
LINE = re.compile(r"^- red line: .*?length (\d+) .*?(?:corners (.*))?$", re.MULTILINE)
POINT = re.compile(r"\((-?\d+), (-?\d+)\)")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, help="only the first pairs of the set")
    parser.add_argument("--view", choices=views.VIEWS, action="append", help="only this view")
    arguments = parser.parse_args()
    count = arguments.pairs
    items = embedded("test")
    for view in arguments.view or views.VIEWS:
        pairs = items.pairs[:count]
        _report(view, items, pairs, np.stack([read(pair, view) for pair in pairs]))


def read(pair: Pair, view: str) -> np.ndarray:
    """(2, 4) descriptors of both paths as the text says them."""
    blobs = MemoryBlobs()
    (picture,) = views.draw(drawn(pair.map), pair.paths, view=view)
    text = vector([put_frame(blobs, picture)], blobs)
    found = np.zeros((2, len(READ)))
    for length, corners in LINE.findall(text):
        points = np.array(POINT.findall(corners), dtype=float)
        ends = (
            np.array(
                POINT.findall(text[text.index(f"length {length} ") - 60 : text.index(f"length {length} ")]), dtype=float
            )
            if not len(points)
            else points
        )
        panel = int(ends[:, 0].mean() >= picture.shape[1] / 2)
        found[panel, 0] += int(length) / UNITS[view]
        if len(points) > 2:
            steps = np.diff(points, axis=0)
            sharp = int(((steps[:-1] * steps[1:]).sum(axis=1) < 0).sum())
            turning, greatest = Shape("line", "red", points, (0, 0), (0, 0), 0, 0).turning
            found[panel, 1:] = found[panel, 1] + turning, found[panel, 2] + sharp, max(found[panel, 3], greatest)
    return found


def _report(view: str, items: ItemSet, pairs: tuple[Pair, ...], said: np.ndarray) -> None:
    true = np.stack([pair.dense[:, READ] for pair in pairs])
    print(f"{view}: {len(pairs)} pairs, both paths found in {int((said[..., 0] > 20).all(axis=1).sum())}")
    for d, at in enumerate(READ):
        gap, told = true[:, 0, d] - true[:, 1, d], said[:, 0, d] - said[:, 1, d]
        differ = np.abs(gap) >= THRESHOLDS[at]
        right = int((np.sign(told) == np.sign(gap))[differ].sum())
        error, bias = np.abs(said - true)[..., d].mean(), (said - true)[..., d].mean()
        print(
            f"  {DESCRIPTORS[at].key:14} mean error {error:7.2f} (bias {bias:+7.2f})   which has more, of pairs that"
            f" differ: {share(right, int(differ.sum()))}"
        )
    number = {id(pair): k for k, pair in enumerate(pairs)}
    judged = [item for item in items.items if id(item.pair) in number]
    for name, values in (("from the text", said), ("from the true values of these four", true)):
        right = 0
        for item in judged:
            one, other = values[number[id(item.pair)]]
            weights = np.array(item.scenario.weights)[list(READ)]
            score = float((weights * ((one - other) / THRESHOLDS[list(READ)]).clip(-3, 3)).sum())
            right += (1 if score >= 0 else 2) == item.label
        print(f"  judged by weights {name}: {share(right, len(judged))} of {len(judged)}")


if __name__ == "__main__":
    main()
