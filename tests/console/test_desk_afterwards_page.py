"""The desk's page, besides an episode's own course: episodes that have ended, words that nobody heard, what was not
executed, and how likely each action is.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from embodied.store.amendments import changes_of, labels_of
from embodied.store.run import Run
from tests.console.desks import PATIENCE, at_desk
from tests.console.test_desk_page import OPENING, opened, take_control

pytestmark = pytest.mark.timeout(900)
RANDOM = ("--env", "babyai", "--task", "goto", "--agent", "random", "run.concurrency=1", "--wait")
TINY = ("--env", "babyai", "--task", "goto", "--agent", "tinyvlm-base", "--wait", "agent.follow=true")


@pytest.mark.slow
def test_an_episode_that_has_ended_is_labelled_and_played_again(page: Page, tmp_path: Path) -> None:
    with at_desk(tmp_path / "run", *RANDOM, "--episodes", "2") as desk:
        opened(page, desk.control)
        expect(page.locator(".table")).to_have_count(2, timeout=OPENING)
        first = page.locator(".table").first
        first.click()
        expect(first).to_have_attribute("aria-current", "true")
        take_control(page)
        page.get_by_test_id("step").click()
        expect(page.locator("#steps li")).to_have_count(1)
        page.get_by_test_id("end").click()
        expect(page.locator("#mode")).to_contain_text("Ended")
        expect(page.locator("#words")).to_be_disabled()
        page.get_by_test_id("success").click()
        expect(page.locator("#said")).to_contain_text("label success")
        page.get_by_test_id("restart").click()
        expect(page.locator(".table")).to_have_count(3)
        expect(page.locator(".table[aria-current]")).to_contain_text("a branch")
        expect(page.get_by_test_id("pause")).to_be_visible()
        page.goto("about:blank")
    run = Run(tmp_path / "run")
    ended = run.record.planned[0].id
    assert [label.text for label in labels_of(run, ended, changes_of(run, []), [])] == ["success"]
    (branch,) = run.record.branched
    assert (branch.spec.parent, branch.spec.from_step, branch.rewinds) == (ended, 0, False)


@pytest.mark.slow
def test_words_that_nobody_heard_are_said_again(page: Page, tmp_path: Path) -> None:
    words = (*RANDOM, "--episodes", "1")
    with at_desk(tmp_path / "run", *words) as desk:
        person = desk.person()
        episode = desk.episode(person)
        person.ask("take", episode)
        person.ask("take_over", episode)  # nobody decides meanwhile
        person.ask("pause", episode)
        person.ask("speak", episode, text="<b>turn left</b>", lasts=2)
        desk.process.kill()
        desk.process.wait(PATIENCE)
    with at_desk(tmp_path / "run", *words) as desk:
        opened(page, desk.control)
        take_control(page)
        expect(page.locator("#unheard")).to_contain_text("<b>turn left</b>")
        page.get_by_test_id("again-0").click()
        expect(page.locator("#unheard .word")).to_have_count(0)
        expect(page.locator("#said")).to_contain_text("<b>turn left</b>")
        page.get_by_test_id("step").click()
        expect(page.locator("#steps li")).to_contain_text("<b>turn left</b>")
        page.goto("about:blank")


@pytest.mark.slow
def test_a_watcher_sees_what_it_would_do_and_what_words_took_the_place_of(page: Page, tmp_path: Path) -> None:
    with at_desk(tmp_path / "run", *TINY, "--episodes", "1") as desk:
        opened(page, desk.control)
        take_control(page)
        intended = page.locator("#decision .intended")
        expect(intended).to_contain_text("would do", timeout=OPENING)
        before = intended.locator("code").inner_text()
        page.get_by_test_id("weigh").click()
        expect(page.locator(".chance").first).to_contain_text(before)
        expect(page.locator(".chance").nth(1)).to_be_visible()  # the runner-up
        context = page.context.browser.new_context()
        watcher = context.new_page()
        opened(watcher, desk.watch)
        expect(watcher.locator("#decision .intended")).to_have_text(f"would do {before}")
        expect(watcher.get_by_test_id("weigh")).to_have_count(0)
        wanted = "turn right" if before == "turn left" else "turn left"
        page.locator("#words").fill(wanted)
        page.locator("#words").press("Enter")
        expect(page.locator("#resolved")).to_contain_text("Enter sends")
        page.locator("#words").press("Enter")
        for one in (page, watcher):
            expect(one.locator("#decision .intended code")).to_have_text(wanted)
            expect(one.locator("#decision .superseded")).to_have_text(f"Not executed: it would have done {before}")
            expect(one.locator("#decision summary")).to_contain_text("The exact prompt of what was not executed")
        context.close()
        page.goto("about:blank")
