"""Branches on disk: what `run.json` says of them, what older versions make of that, and what strangers may try."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from embodied.errors import StoreError
from embodied.store.branches import branch_id
from embodied.store.checks import LONGEST_ID, is_id
from embodied.store.merge import merge
from embodied.store.record import BRANCHED
from embodied.store.run import Run
from embodied.types import Branch, Episode
from tests.eval.runs import ended, finish, step
from tests.store.hostile import good_run


def branched(root: Path) -> Run:
    """A good run with a branch from step 1 of its first episode that ended."""
    run = good_run(root)
    new = run.branch(run.record.planned[0].id, 1, by="person 1", say="go back")
    finish(run, ended(new, 1.0, steps=2), [step(1, "wait", last=True)])
    return run


def same(run: Run) -> bool:
    return all(run.scored(spec.id) for spec in run.record.planned)


def edited(root: Path, **changes: object) -> None:
    """Changes the spec of the first branch in `run.json`."""
    path = root / "run.json"
    record = json.loads(path.read_text())
    record["branches"][0]["spec"] |= changes
    path.write_text(json.dumps(record))


def test_a_run_without_branches_does_not_mention_them(tmp_path):
    text = (good_run(tmp_path / "run").root / "run.json").read_text()
    assert not any(word in text for word in ("branch", "parent", "from_step"))


def test_a_branch_stands_beside_the_plan_and_raises_the_format(tmp_path):
    run = Run(branched(tmp_path / "run").root)
    (branch,) = run.record.branched
    assert (branch.by, branch.say, branch.rewinds) == ("person 1", "go back", False)
    assert run.record.format == BRANCHED == 3, "versions that read formats up to 1 or 2 refuse it"
    assert len(run.record.planned) == 2 == len(run.episodes()) and len(run.episodes(branches=True)) == 1
    assert [s.index for s in run.steps(branch.spec.id)] == [0, 1]
    first = next(iter(run.steps(branch.spec.parent)))
    assert next(iter(run.steps(branch.spec.id))) == first, "with its prompts"


def test_names_of_branches_find_them_and_the_parent_is_found_as_before(tmp_path):
    run = branched(tmp_path / "run")
    parent, other = (spec.id for spec in run.record.planned)
    assert run.find(parent[:-1]) == run.find("0") == parent
    assert run.find(f"{parent}-b") == run.find(f"{parent}-b1.1") == f"{parent}-b1.1"
    assert run.find("1") == other
    with pytest.raises(StoreError, match="no episode named '2'"):
        run.find("2")


def test_names_never_grow_too_long_for_a_file():
    name = "cellar-stairs-000-0"
    names: list[str] = []
    for _ in range(80):
        name = branch_id(name, 123, names)
        assert is_id(name) and len(name) <= LONGEST_ID and name not in names
        names.append(name)


def test_what_a_parent_says_of_its_branches_is_not_repeated(tmp_path):
    run = good_run(tmp_path / "run")
    spec = run.record.planned[0]
    told = (Branch(episode="another", by="person"),)
    (run.folder(spec.id) / "episode.json").unlink()
    (run.folder(spec.id) / "steps.jsonl").unlink()
    finish(
        run, ended(spec, 1.0, steps=3), [replace(step(0, "go"), events=told), step(1, "go"), step(2, "go", last=True)]
    )
    new = run.branch(spec.id, 2)
    assert [s.events for s in run.steps(new.id)] == [(), ()]
    lines = [(run.folder(id_) / "steps.jsonl").read_bytes().splitlines() for id_ in (spec.id, new.id)]
    assert b"events" not in lines[1][0] and lines[0][1] == lines[1][1], "byte for byte"


def test_two_people_who_branch_at_once_get_two_branches(tmp_path):
    first = good_run(tmp_path / "run")
    second, parent = Run(first.root), first.record.planned[0].id
    made = [run.branch(parent, 1).id for run in (first, second, first)]
    assert made == [f"{parent}-b1.{n}" for n in (1, 2, 3)]
    assert [b.spec.id for b in Run(first.root).record.branched] == made


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "../../etc"}, "not a name of its own"),
        ({"id": "cellar-stairs-000-0"}, "not a name of its own"),
        ({"parent": "nobody"}, "of an episode that it does not have"),
        ({"task": {"env": "gym:os:System-v0", "task": "", "kwargs": {}}}, "does not go on from a step of its parent"),
        ({"seed": 5}, "does not go on from a step of its parent"),
        ({"from_step": -1}, "does not go on from a step of its parent"),
        ({"parent": None}, "is damaged"),
    ],
)
def test_a_branch_from_a_stranger_is_what_its_parent_is_or_nothing(tmp_path, changes, said):
    run = branched(tmp_path / "run")
    edited(run.root, **changes)
    with pytest.raises(StoreError, match=said):
        Run(run.root)


def test_a_branch_does_not_stand_in_the_plan(tmp_path):
    run = branched(tmp_path / "run")
    record = json.loads((run.root / "run.json").read_text())
    record["planned"].append(record.pop("branches")[0]["spec"])
    (run.root / "run.json").write_text(json.dumps(record))
    with pytest.raises(StoreError, match="as an episode that counts"):
        Run(run.root)


def test_a_damaged_step_cannot_be_repeated_and_nothing_is_written(tmp_path):
    run = good_run(tmp_path / "run")
    parent = run.record.planned[0].id
    (run.folder(parent) / "steps.jsonl").write_bytes(b"{}\n")
    with pytest.raises(StoreError, match="is not step 0"):
        run.branch(parent, 1)
    assert not Run(run.root).record.branched


def test_merging_keeps_branches_and_says_where_two_have_one_name(tmp_path):
    one, two = branched(tmp_path / "one"), good_run(tmp_path / "two")
    parent = one.record.planned[0].id
    new = two.branch(parent, 1)
    finish(two, ended(new, 0.0, steps=2), [step(1, "go"), step(2, "go", last=True)])
    other = two.branch(two.record.planned[1].id, 0, rewinds=True)
    left_out: list[str] = []
    merged = merge([one, two], tmp_path / "merged", lambda a, b: "", left_out)
    assert [b.spec.id for b in merged.record.branched] == [new.id, other.id]
    assert merged.record.branched[1].rewinds and merged.record.format == BRANCHED
    assert left_out == [f"{new.id} is another branch in {one.root} than in {two.root}, whose branch is kept."]
    assert same(merged) and len(merged.record.planned) == 2


def test_a_result_of_an_older_episode_has_the_bytes_that_it_had(tmp_path):
    run = good_run(tmp_path / "run")
    episode = run.episode(run.record.planned[0].id)
    assert isinstance(episode, Episode)
    assert "parent" not in msgspec.to_builtins(episode)["spec"]
