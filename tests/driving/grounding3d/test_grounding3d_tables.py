"""The tables of 3D grounding, over episodes played here."""

from collections.abc import Callable

import pytest

from embodied.driving.grounding3d.analysis import tables
from embodied.driving.grounding3d.env import Grounding3DEnv
from embodied.types import Decision, Episode, EpisodeSpec, Observation, Step, TaskSpec, Usage

COLUMNS = (
    "objects",
    "n",
    "answered",
    "median m off",
    "within 1 m",
    "within 2 m",
    "within 4 m",
    "BEV IoU",
    "AP-BEV 0.25",
    "AP-BEV 0.5",
)
Played = tuple[Episode, list[Step]]


def play(seed: int, answer: Callable[[dict, int], str], **options: str) -> Played:
    env = Grounding3DEnv(expert=True, **options)
    observation, reset = env.reset(seed=seed)
    steps: list[Step] = []
    over = False
    while not over:
        said = answer(observation | {"asked": reset}, len(steps))
        observation, reward, over, truncated, info = env.step(said)
        seen = Observation(observation["text"])
        steps.append(
            Step(
                len(steps),
                seen,
                Decision(said),
                said,
                info["valid"],
                reward,
                over,
                truncated,
                info["progress"],
                info,
                "",
                0.0,
                0.0,
            )
        )
    spec = EpisodeSpec(str(seed), TaskSpec("grounding3d", "locate", dict(options)), seed, seed, 0)
    asked = {key: value for key, value in reset.items() if key not in ("progress", "success", "valid")}
    episode = Episode(
        spec,
        "finished",
        len(steps),
        info["progress"],
        info["success"],
        reward,
        0,
        Usage(),
        0.0,
        metrics=info["metrics"],
        info=asked,
    )
    return episode, steps


def analysed(played: list[Played]):
    steps = {episode.spec.id: steps for episode, steps in played}
    return tables([episode for episode, _ in played], lambda episode: steps[episode.spec.id])


def test_oracle_silence_and_controls():
    (perfect,) = analysed([play(seed, lambda seen, _: seen["expert"]) for seed in range(30)])
    assert perfect.columns == COLUMNS and "none, direct" in perfect.title
    rows = {row[0]: row for row in perfect.rows}
    assert rows["all"][1] == 30 and rows["all"][2].startswith("1.00 [") and rows["all"][3] < 0.02
    assert rows["all"][-2:] == (1.0, 1.0) and rows["all"][7] > 0.9
    bands = ("0 to 15 m", "15 to 30 m", "beyond 30 m")
    assert sum(rows[name][1] for name in bands if name in rows) == 30
    groups = {row[0] for row in perfect.rows if not row[0].startswith("(")} - {"all", *bands}
    assert sum(rows[name][1] for name in groups) == 30 and len(groups) >= 4
    constant, geometric = rows["(control: one box)"], rows["(control: flat road)"]
    assert constant[-1] < 0.2 and constant[3] > geometric[3], "where a box ends in the picture says more than nothing"

    (silent,) = analysed([play(seed, lambda seen, _: "?") for seed in range(6)])
    assert silent.rows[0][2].startswith("0.00") and silent.rows[0][3] is None and silent.rows[0][7:] == (0.0, 0.0, 0.0)


def test_confidence_ranks():
    """Half the answers are right. Stated after the fact, confidence makes AP recall; unstated, AP is recall times
    precision.
    """

    def half(confidence: str) -> Callable[[dict, int], str]:
        def answer(seen: dict, _: int) -> str:
            right = seen["asked"]["box"][2] * 100 % 2 < 1
            return (seen["expert"] if right else "[0, 0, 500, 1, 1, 1, 0]") + (
                confidence.format(0.9 if right else 0.1) if confidence else ""
            )

        return answer

    (ranked,), (unranked,) = (analysed([play(seed, half(c)) for seed in range(20)]) for c in (" confidence: {}", ""))
    recall = ranked.rows[0][-1]
    assert 0 < recall < 1 and unranked.rows[0][-1] == pytest.approx(recall**2)
    assert "(20 of 20)" in ranked.note and "(0 of 20)" in unranked.note


def test_settings_apart_and_the_first_answer_of_a_chain():
    def answer(seen: dict, step: int) -> str:
        return "[0, 0, 2, 2]" if step == 0 and seen["asked"]["object"] % 2 else seen["expert"]

    played = [play(seed, lambda seen, _: seen["expert"], hint="box") for seed in range(3)]
    played += [play(100 + seed, answer, chain="box_first") for seed in range(12)]
    titles = {table.title: table for table in analysed(played)}
    assert sorted(titles) == [
        "3D grounding: hint box, direct",
        "3D grounding: hint none, box_first",
        "3D grounding: the first answer of box_first",
    ]
    right, wrong = titles["3D grounding: the first answer of box_first"].rows
    assert (
        right[1] + wrong[1] == 12
        and min(right[1], wrong[1]) > 0
        and right[3].startswith("1.00")
        and wrong[3].startswith("1.00")
    )
