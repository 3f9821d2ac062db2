"""A stranger's distribution: a folder with metadata and modules, to be put on the path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
FACTS = """
    from embodied.catalog import Entry
    ENTRY = Entry("corridor", "stranger/Corridor-v0", "stranger.env:Corridor", ("walk",), 6, picture=False,
                  summary="a corridor", versions=("numpy",), analysis="stranger.env:tables")
    def several():
        return [ENTRY]
    BAD = Entry("Bad Name", "stranger/Bad-v0", "stranger.env:Corridor", ("walk",), 1)
    CRAFTER = Entry("crafter", "stranger/Crafter-v0", "stranger.env:Corridor", ("walk",), 1)
"""
ENV = """
    from embodied.envs.base import LanguageEnv, Transition
    from embodied.envs.spaces import Choice
    from embodied.eval.tables import Table
    from embodied.types import Mission

    class Corridor(LanguageEnv):
        '''A corridor.'''
        def __init__(self, length: int = 4, *, max_steps: int = 12, render_mode=None):
            super().__init__(action_space=Choice(("left", "right")), default_action="left", max_steps=max_steps,
                             render_mode=render_mode)
            self.length = length
        @property
        def mission(self):
            return Mission("Reach the right end.", {"left": "", "right": ""}, default_action="left",
                           max_steps=self.max_steps)
        def _reset(self, seed, options):
            self.at = seed % 3
            return {"start": self.at}
        def _step(self, action):
            self.at = max(0, self.at + (1 if action == "right" else -1))
            done = self.at >= self.length
            return Transition(float(done), done, progress=min(1, self.at / self.length), success=done or None)
        def _text(self):
            return f"You stand at {self.at} of {self.length}."

    def tables(episodes, steps):
        return [Table("Corridors", ("length",), ((len(episodes),),))]
"""
AGENTS = """
    from embodied.types import Decision

    class Walker:
        needs_model = False
        def __init__(self, kit): pass
        def begin(self, mission, rng): self.rng = rng
        async def act(self, observation): return Decision("right")
        def recall(self, step): pass
        def hear(self, correction): pass
        def end(self, outcome): pass

    class Stumbler(Walker):
        async def act(self, observation):
            return Decision("right" if self.rng.random() < 0.7 else "left")
        def recall(self, step): self.rng.random()
"""
REST = """
    from pathlib import Path
    from embodied.eval.metrics import Metric
    from embodied.eval.suites import Suite
    from embodied.exchange import Exported

    def turns(episode, steps):
        return None if episode.spec.task.env != "corridor" else sum(s.executed == "left" for s in steps)
    BACKWARD = Metric("steps backward", turns, range=None, higher_is_better=False)
    BOUNDED = Metric("share backward", lambda e, steps: 100 * turns(e, steps) / e.steps, range=(0, 100),
                     higher_is_better=False)
    FAILS = Metric("fails", lambda e, steps: 1 / 0)
    WIDE = Metric("too wide", lambda e, steps: 7)
    NOT = "no metric"
    WALKS = Suite("walks", "1", (("corridor", "walk", 3),))
    def lost_suite():
        return Suite("lost", "1", (("corridor", "fly", 3),))
    def lines(request):
        request.out.mkdir(parents=True, exist_ok=True)
        path = request.out / "lines.txt"
        path.write_text("\\n".join(request.ids))
        return Exported([path], ["a note \\x1b[31min red"])

    class Diary:
        def __init__(self, context):
            self.path = Path(context.run.root / "diary.txt")
            self.said = [f"before {len(context.before)}"]
        def started(self, spec): self.said.append("started")
        def stepped(self, spec, step): self.said.append("stepped")
        def ended(self, episode): self.said.append("ended")
        def close(self): self.path.write_text("\\n".join(self.said))

    class Fails(Diary):
        def stepped(self, spec, step):
            import os
            raise RuntimeError("no more \\x1b[31mink, says " + os.environ["STRANGER_API_KEY"])
"""
POINTS = {
    "environments": {"corridor": "stranger.facts:several"},
    "agents": {"walker": "stranger.agents:Walker", "stumbler": "stranger.agents:Stumbler"},
    "metrics": {"backward": "stranger.rest:BACKWARD", "backward_share": "stranger.rest:BOUNDED"},
    "suites": {"walks": "stranger.rest:WALKS"},
    "exports": {"lines": "stranger.rest:lines"},
    "listeners": {"diary": "stranger.rest:Diary", "fails": "stranger.rest:Fails"},
}


def write(folder: Path, points: dict[str, dict[str, str]], name: str = "stranger") -> Path:
    """Writes the distribution `name` with these entry points by group, and returns the folder for the path."""
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    groups = [
        f"[embodied.{group}]\n" + "\n".join(f"{key} = {target}" for key, target in found.items())
        for group, found in points.items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    package = folder / "stranger"
    package.mkdir(exist_ok=True)
    for module, text in {"__init__": "", "facts": FACTS, "env": ENV, "agents": AGENTS, "rest": REST}.items():
        (package / f"{module}.py").write_text(dedent(text))
    return folder


def run(folder: Path, *arguments: object, cwd: Path, **variables: str) -> tuple[int, str, str]:
    """Calls the command line in a process that finds the distributions in `folder`: exit code, output, errors."""
    path = os.pathsep.join([str(ROOT), str(folder)])
    done = subprocess.run(
        [sys.executable, "-m", "embodied", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=200,
    )
    return done.returncode, done.stdout, done.stderr
