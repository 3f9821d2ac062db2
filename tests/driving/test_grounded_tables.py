"""The tables of a run of CodaLM-v0: the environment is really played, one dataset a table, missing data said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from embodied.driving.codalm.analysis import tables
from embodied.driving.codalm.env import CodaLMEnv
from embodied.types import Decision, Episode, EpisodeSpec, Observation, Step, TaskSpec, Usage
from tests.driving.codalm import coda_folder


def _play(task: str, seed: int, answer: str, **options: object) -> tuple[Episode, list[Step]]:
    env = CodaLMEnv(task, **options)  # type: ignore[arg-type]
    _, started = env.reset(seed=seed)
    _, reward, _, _, info = env.step(answer)
    info = dict(info)
    spec = EpisodeSpec(
        f"{task}-{seed}-{options.get('split', '')}", TaskSpec("codalm", task, dict(options)), seed, seed, 0
    )
    step = Step(
        0,
        Observation(""),
        Decision(answer),
        answer,
        True,
        float(reward),
        True,
        False,
        info["progress"],
        info,
        "",
        0.0,
        0.0,
    )
    episode = Episode(
        spec, "finished", 1, info["progress"], None, float(reward), 0, Usage(), 0.0, info["metrics"], info=dict(started)
    )
    return episode, [step]


def test_datasets_have_tables_of_their_own(tmp_path: Path) -> None:
    root = coda_folder.build(tmp_path / "coda", 2)
    real = {"split": "mini", "data": str(root)}
    played = [
        *(_play("general_perception", n, "A car on the left.") for n in range(4)),
        *(_play("driving_suggestion", n, "Stop.") for n in range(48)),
        _play("region_perception", 0, "A traffic cone.", **real),
        _play("region_perception", 1, "Ein Lastwagen steht auf der Straße.", **real),
    ]
    steps = {episode.spec.id: taken for episode, taken in played}
    found = tables([e for e, _ in played], lambda e: steps[e.spec.id])
    titles = [t.title for t in found if "/overlap" not in t.title]
    assert titles == [
        "codalm-procedural/grounded-v1: general perception",
        (
            "codalm-procedural/grounded-v1: general perception, mean F1 by group, over the scenes that have it or are"
            " said to"
        ),
        "codalm-procedural/grounded-v1: driving suggestion",
        "codalm mini english/grounded-v1: region perception",
        "codalm mini english/grounded-v1: region perception, group named, by the group of the region",
        "codalm-procedural/grounded-v1: twins, general perception",
        "codalm-procedural/grounded-v1: twins, driving suggestion",
    ]
    by_title = {t.title: [dict(zip(t.columns, row, strict=True)) for row in t.rows] for t in found}
    region = by_title[titles[3]][0]
    assert (region["answers"], region["n"], region["unreadable"], region["of readable"]) == ("this run", 2, 1, 1.0)
    assert str(region["score"]).startswith("0.50 ")
    stops = by_title[titles[-1]][0]
    assert (stops["answers"], stops["pairs"], stops["understanding"]) == ("this run", 24, 0.0)
    assert str(stops["twin accuracy"]).startswith("0.00 ")


def test_data_that_has_gone_is_said(tmp_path: Path) -> None:
    root = coda_folder.build(tmp_path / "coda", 1)
    episode, steps = _play("region_perception", 0, "A traffic cone.", split="mini", data=str(root))
    task = replace(episode.spec.task, kwargs={"split": "mini", "data": str(tmp_path / "gone")})
    found = tables([replace(episode, spec=replace(episode.spec, task=task))], lambda e: steps)
    assert [t.note for t in found] == [f"No tables without the data: There is no folder {tmp_path / 'gone'}."]
