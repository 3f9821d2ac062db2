"""Writes docs/envs/: a page for every environment from its docstring, and a picture of it as an agent sees it."""

from __future__ import annotations

import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from embodied import envs
from embodied.catalog import ENTRIES, Entry

OUT = Path(__file__).parent / "envs"
STEPS = 12
"""Random steps before the picture is taken, so that there is something to see."""


INDEX = """# Environments

```console
$ embodied list tasks --env patheval
patheval           decide
patheval           perceive
patheval           abstract
patheval           integrate
$ embodied eval --env patheval --agent random --task decide --episodes 15
```

`embodied show NAME` prints the page of an environment. `docs/make.py` writes these pages from the docstrings. Each
environment is a plain Gymnasium environment, too:

```python
import embodied
import gymnasium

env = gymnasium.make("embodied/Crafter-v0", image=True)
observation, info = env.reset(seed=1)
print(env.unwrapped.mission.goal)
observation, reward, terminated, truncated, info = env.step("Move West")
print(observation["text"], observation["image"].shape, info["progress"])
```

`embodied check NAME` or `embodied check module:class` checks an environment of your own against the same contract.

## Progress

Progress is in [0, 1]. Each page says exactly what it counts.

| environment | progress is |
|---|---|
| nethack | the share of human games won, of those that got this deep or this experienced |
| minihack | 1 when the goal of the level is reached |
| babyai | 1 when the instruction is carried out |
| crafter | the share of 22 achievements |
| textworld | the share of the game's points |
| babaisai | 1 when the level is won |
| patheval | 1 when the answer is right |
| patheval_loop | 1 - regret against the best policy over the same proposals |
| codalm | `grounded-v1`, the score on facts |
| corner_case_drive | the smaller of NAVSIM's numbers with and without the corner case, if both roads went well |
| grounding3d | how near the named place is |
| highway | whether the goal was reached without a collision, and how fast |

{experts}
## Pages

"""
EXPERTS = """## Experts

An expert plays (`--agent expert`), and advises (`--corrector oracle`). As a corrector it must know what to do wherever
play leads. So `benchmarks/experts.py` lets the agent `random` play ten actions first (three in patheval_loop), and
follows the expert from then on. The table says how many episodes were won. It counts those apart that the random
actions ended.

{table}

{without} and `gym:ID` have no expert, and so no `--agent expert` and no `--corrector oracle`.

- crafter and codalm have no success: the numbers are mean progress.
- An episode of patheval, codalm and grounding3d is one answer. Where it is two, or where the agent looks closer before
  it answers, the advice stays right.
- In babaisai and in MiniHack's Boxoban, random actions may leave no way to win. The expert then says the default
  action.
- In corner_case_drive, ten random decisions take half of a road. The car leaves that road, or comes too late, and the
  episode is lost with it. After two random decisions the driver wins 8 of 8 episodes, after four 5 of 8.
- In highway, random actions end in collisions. A car that has left the road once has lost lane-keeping and racetrack.
"""
RESULTS = Path(__file__).parents[1] / "benchmarks" / "experts.json"
PROGRESS = ("codalm", "crafter")
"""Environments in which nothing is won."""
BY_TASK = ("textworld", "highway")
"""Environments whose tasks have a row each: their experts differ much from task to task, or the tasks are few."""
WIDTH = 118


def item(entry: Entry) -> str:
    return textwrap.fill(f"- [{entry.name}]({entry.name}.md): {entry.summary}", WIDTH, subsequent_indent="  ")


def experts() -> str:
    """How good the experts are, from the start and after random actions."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in json.loads(RESULTS.read_text())["rows"]:
        name = f"{row['env']} {row['task']}" if row["env"] in BY_TASK else row["env"]
        groups.setdefault((name, row["expert"]), []).append(row)
    lines = ["| environment, task | expert | from the start | after random actions | ended before |", "|---" * 5 + "|"]
    for (name, expert), rows in groups.items():
        start, after = (reached([row[when] for row in rows], rows[0]["env"]) for when in ("from_start", "after_random"))
        ended = sum(row["after_random"]["ended_before"] for row in rows)
        lines.append(f"| {name} | `{expert}` | {start} | {after} | {ended} |")
    without = [f"`{entry.name}`" for entry in ENTRIES.ours.values() if not entry.experts]
    return EXPERTS.replace("{table}", "\n".join(lines)).replace("{without}", ", ".join(without))


def reached(found: list[dict[str, Any]], env: str) -> str:
    """What was reached in the episodes that went on: how many were won, or the progress where nothing can be won."""
    cases = sum(one["cases"] for one in found)
    if not cases:
        return ""
    if env in PROGRESS:
        return f"progress {sum(one['progress'] * one['cases'] for one in found) / cases:.2f}"
    return f"{sum(one['won'] for one in found)} of {cases}"


def page(entry: Entry) -> str:
    lines = [
        f"# {entry.id.split('/')[1]}",
        "",
        f"`gymnasium.make({entry.id!r})` · `embodied eval --env {entry.name}` · `pip install {package(entry)}`",
        "",
        f"Experts: {', '.join(f'`{name}`' for name in entry.experts)}." if entry.experts else "There is no expert.",
        "",
    ]
    if entry.picture:
        lines += [f"![{entry.name} as an agent sees it]({entry.name}.png)", ""]
    lines += [
        inspect.cleandoc(envs.load(entry).__doc__),
        "",
        "## Tasks",
        "",
        *(f"- `{task}`" for task in entry.tasks),
        "",
    ]
    env = envs.make(entry.name)
    observation, _ = env.reset(seed=0)
    lines += [
        "## An observation",
        "",
        f"The first of `{entry.tasks[0]}` with seed 0. Goal: {env.mission.goal}",
        "",
        "```text",
        observation["text"].rstrip(),
        "```",
        "",
    ]
    if observation.get("status"):
        lines += ["Status:", "", "```text", observation["status"].rstrip(), "```", ""]
    env.close()
    return "\n".join(lines)


def package(entry: Entry) -> str:
    return f"'embodied-suite[{entry.extra}]'" if entry.extra else "embodied-suite"


def picture(entry: Entry) -> None:
    env = envs.make(entry.name, image=True)
    observation, _ = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(STEPS):
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            observation, _ = env.reset(seed=0)
    frame = Image.fromarray(np.asarray(observation["image"]))
    factor = max(1, 384 // frame.height)
    frame.resize((frame.width * factor, frame.height * factor), Image.Resampling.NEAREST).save(
        OUT / f"{entry.name}.png", optimize=True
    )
    env.close()


def main() -> None:
    OUT.mkdir(exist_ok=True)
    for entry in ENTRIES.ours.values():
        (OUT / f"{entry.name}.md").write_text(page(entry))
        if entry.picture:
            picture(entry)
        print(f"docs/envs/{entry.name}.md")
    (OUT / "README.md").write_text(
        INDEX.replace("{experts}", experts()) + "\n".join(map(item, ENTRIES.ours.values())) + "\n"
    )


if __name__ == "__main__":
    main()
