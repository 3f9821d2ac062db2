"""What is found, in which order, and why; and controls that show a cheat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from embodied.agents.memory.embedding import Query, embedding
from embodied.agents.memory.record import Provenance, Stats
from embodied.agents.memory.retrieval import Among, Exact, Retrieval, episode_of, in_order, search, usefulness
from embodied.agents.memory.store import Memories, write_memories
from embodied.errors import UsageError
from tests.agents.memory.examples import example, many
from tests.agents.memory.ranking import by_hand, draw

QUERY = Query("babyai", "go to the red ball", "goto", "a red ball 2 steps forward", "room 1")


def opened(folder: Path, count: int = 300, episodes: int | None = None) -> Memories:
    return write_memories(folder / "m", many(count, episodes=episodes), embedding())


@pytest.mark.parametrize("seed", range(25))
def test_the_ranking_is_the_definition(tmp_path: Path, seed: int):
    drawn = draw(seed)
    memories = write_memories(tmp_path / "m", drawn.records, embedding())
    for query, how in drawn.asked:
        found = [(round(hit.score, 9), hit.memory.id) for hit in memories.search(query, how)]
        assert found == by_hand(memories, query, how)


def test_equal_scores_are_ordered_by_id_and_each_episode_stands_once(tmp_path: Path):
    same = [example(raw=(f"{n}",), provenance=Provenance(run="r", episode=f"e{n // 2}")) for n in range(400)]
    memories = write_memories(tmp_path / "m", same, embedding())
    found = memories.search(QUERY, Retrieval(k=5))
    assert [hit.memory.id for hit in found] == sorted(hit.memory.id for hit in found)
    assert len({hit.memory.provenance.episode for hit in found}) == 5
    assert min(m.id for m in same) == found[0].memory.id
    one_episode = [example(raw=(f"{n}",), provenance=Provenance(run="r", episode="e")) for n in range(400)]
    memories = write_memories(tmp_path / "n", one_episode, embedding())
    assert len(memories.search(QUERY)) == 1


def test_the_parts_add_up_to_the_score(tmp_path: Path):
    how = Retrieval(usefulness=0.3)
    for hit in opened(tmp_path).search(QUERY, how):
        assert hit.parts.keys() == {"task", "observation", "state", "usefulness"}
        weights = {**how.weights, "usefulness": how.usefulness}
        assert hit.score == pytest.approx(sum(weights[name] * value for name, value in hit.parts.items()))


def test_usefulness_begins_in_the_middle_and_moves_slowly():
    assert usefulness(Stats()) == 0.5
    assert usefulness(Stats(in_success=1)) == pytest.approx(2 / 3)
    assert usefulness(Stats(in_failure=98)) == 0.01
    assert usefulness(Stats(retrieved=7)) == 0.5


def test_random_asks_no_query_and_repeats_with_the_seed(tmp_path: Path):
    memories = opened(tmp_path, episodes=40)
    ids = lambda query, seed: [  # noqa: E731
        hit.memory.id for hit in memories.search(query, Retrieval(control="random", seed=seed))
    ]
    assert ids(QUERY, 1) == ids(Query("babyai", "something else"), 1)
    assert len({tuple(ids(QUERY, seed)) for seed in range(20)}) == 20
    for seed in range(20):
        found = memories.search(QUERY, Retrieval(control="random", seed=seed))
        assert {(hit.memory.env, hit.memory.status) for hit in found} == {("babyai", "verified")}
        assert len({episode_of(hit.memory) for hit in found}) == 5


def test_shuffled_finds_other_memories_by_the_same_scores(tmp_path: Path):
    memories = opened(tmp_path, 900)
    shuffled = lambda seed: memories.search(  # noqa: E731
        QUERY, Retrieval(control="shuffled", seed=seed, weights={"task": 1.0})
    )
    right = memories.search(QUERY, Retrieval(weights={"task": 1.0}))
    wrong = shuffled(3)
    assert wrong == shuffled(3)
    assert wrong[0].score == right[0].score and wrong[0].memory.id != right[0].memory.id
    assert {(hit.memory.env, hit.memory.status) for hit in wrong} == {("babyai", "verified")}
    assert np.mean([hit.memory.goal == QUERY.goal for hit in right]) == 1
    goals = [hit.memory.goal == QUERY.goal for seed in range(20) for hit in shuffled(seed)]
    assert np.mean(goals) < 0.2


def test_another_worlds_memories_are_found_by_its_name(tmp_path: Path):
    found = opened(tmp_path).search(Query("textworld", "go to the red ball"))
    assert {hit.memory.env for hit in found} == {"textworld"}


def test_an_unknown_environment_has_no_memories(tmp_path: Path):
    assert opened(tmp_path).search(Query("nethack", "go")) == []


def test_equal_rows_have_equal_scores_wherever_they_stand():
    """BLAS adds in another order at the end of a matrix, so float32 scores of equal rows differ there."""
    rng = np.random.default_rng(0)
    row = rng.normal(size=384).astype(np.float32)
    row /= np.linalg.norm(row)
    records = in_order(example(raw=(str(n),)) for n in range(1003))
    backend = Exact(records, {"task": np.tile(row, (1003, 1))})
    vector = rng.normal(size=384).astype(np.float32)
    found = search(backend, {"task": vector}, Among("babyai", "", ("verified",)), Retrieval(k=1003))
    assert len({hit.score for hit in found}) == 1
    assert [hit.memory.id for hit in found] == sorted(memory.id for memory in records)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": 0}, "finds none"),
        ({"weights": {"smell": 1.0}}, "no facet 'smell'"),
        ({"weights": {"task": -1.0}}, "weight of task is -1.0"),
        ({"weights": {"task": float("nan")}}, "weight of task is nan"),
        ({"usefulness": float("inf")}, "weight of usefulness is inf"),
        ({"control": "blind"}, "no control 'blind'"),
        ({"statuses": ("good",)}, "no status 'good'"),
    ],
)
def test_settings_that_make_no_sense(given: dict, said: str):
    with pytest.raises(UsageError, match=said):
        Retrieval(**given)
