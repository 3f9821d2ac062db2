"""Branches in the viewer: a tree in the list, links between parents and branches, and a page to share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from embodied.console.viewer.library import Library
from embodied.console.viewer.page import write_page
from embodied.store.run import Run
from tests.console.conftest import viewing
from tests.console.recorded import new_run, record

WORDS = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def branched(tmp_path_factory) -> Run:
    """Two episodes. The first has a branch that ended, which has a branch that is played, and one that rewound it."""
    run = new_run(tmp_path_factory.mktemp("branches") / "run", {"short": 2})
    first, second = run.record.planned
    record(run, first, 30)
    record(run, second, 12)
    late = run.branch(first.id, 20, by="person 2", rewinds=True)
    early = run.branch(first.id, 5, by=WORDS)
    writer = run.claim(early)
    for step in list(run.steps(first.id))[5:15]:
        writer.append(step)
    writer.close()
    run.branch(early.id, 8)
    assert late.id.endswith("-b20.1")
    return run


def test_the_list_is_a_tree(branched):
    plan = Library([branched]).runs()["episodes"]
    first, second = (spec.id for spec in branched.record.planned)
    early = f"{first}-b5.1"
    found = [(e["key"], e.get("depth"), e.get("parent"), e.get("from_step")) for e in plan]
    assert found == [
        (first, None, None, None),
        (early, 1, first, 5),
        (f"{early}-b8.1", 2, early, 8),
        (f"{first}-b20.1", 1, first, 20),
        (second, None, None, None),
    ]


def test_two_runs_beside_each_other_keep_their_branches_apart(branched):
    library = Library([branched, Run(branched.root)])
    plan = library.runs()["episodes"]
    first = branched.record.planned[0].id
    assert plan[6]["key"] == f"{first}-b5.1@1" and plan[6]["parent"] == f"{first}@1"
    told = library.episode(f"{first}-b5.1@1")
    assert told["parent"] == f"{first}@1" and [b["key"] for b in told["branches"]] == [f"{first}-b5.1-b8.1@1"]


def test_an_episode_links_its_parent_and_its_branches(branched, page: Page):
    first = branched.record.planned[0].id
    with viewing(branched.root) as address:
        page.goto(f"{address}#{first}-b5.1")
        rows = page.locator("#episode-list .row")
        expect(rows).to_have_count(5)
        expect(rows.nth(1)).to_have_class(re.compile("branch"))
        expect(rows.nth(1)).to_contain_text("from step 5")
        indent = "row => parseFloat(getComputedStyle(row).paddingLeft)"
        left = [rows.nth(n).evaluate(indent) for n in range(5)]
        assert left[0] == left[4] < left[1] == left[3] < left[2], "branches stand to the right of their parents"
        family = page.locator("#family")
        expect(family).to_contain_text("Branch: steps 0 to 4 are those of the episode it goes on from")
        expect(page.locator("#step-list .row.repeated")).to_have_count(5)
        family.get_by_role("link", name="the episode it goes on from").click()
        expect(page.locator("#detail .number").first).to_have_text("Step 5")
        expect(family).to_contain_text(
            f"Branches: from step 20 by person 2 (this one ended there), from step 5 by {WORDS}."
        )
        family.get_by_role("link", name="from step 20").click()
        expect(family).to_contain_text("Branch: steps 0 to 19")


def test_a_page_of_a_branch_links_nothing_that_it_does_not_hold(branched, page: Page, tmp_path: Path):
    first = branched.record.planned[0].id
    path = write_page(Library([branched]), f"{first}-b5.1", tmp_path / "branch.html")
    page.goto(path.as_uri())
    expect(page.locator("#family")).to_contain_text("Branch: steps 0 to 4")
    assert page.locator("#family a").count() == 0
