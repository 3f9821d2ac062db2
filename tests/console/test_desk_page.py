"""The desk in a real browser: the whole way by keyboard, who may do what, hostile texts, phones and both themes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from embodied.store.events import corrections
from embodied.store.run import Run
from embodied.types import Label, Takeover
from tests.console.desks import PATIENCE, Desk, at_desk
from tests.console.legible import FAINT, NAMELESS
from tests.console.shouting import SHOUT

GOTO = ("--env", "babyai", "--task", "goto", "--episodes", "1", "run.concurrency=1")
SIZES = ({"width": 1400, "height": 900}, {"width": 390, "height": 844})
OPENING = 120_000
"""Milliseconds until an episode is there: importing torch takes a while on a loaded machine."""


def opened(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#link")).to_have_text("connected")
    expect(page.locator("#live")).to_be_visible(timeout=OPENING)


def press_until(page: Page, name: str, key: str = "Tab") -> None:
    """Moves the focus to a control, as somebody without a mouse does."""
    for _ in range(80):
        focused = page.evaluate("document.activeElement.dataset.testid ?? document.activeElement.id")
        if focused == name:
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not reach {name}")


def take_control(page: Page) -> None:
    expect(page.get_by_test_id("take")).to_be_enabled(timeout=OPENING)  # a page that has gone keeps its control a while
    press_until(page, "take")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("pause")).to_be_visible()


@pytest.mark.slow
def test_the_whole_way_by_keyboard(page: Page, tmp_path: Path) -> None:
    words = ("--agent", "tinyvlm-base", "agent.follow=true")
    with at_desk(tmp_path / "run", *GOTO, *words, "--wait") as desk:
        opened(page, desk.control)
        take_control(page)
        steps, resolved, mode = page.locator("#steps li"), page.locator("#resolved"), page.locator("#mode")
        expect(page.locator("#decision .intended")).to_contain_text("would do", timeout=OPENING)
        page.keyboard.press(".")
        expect(steps).to_have_count(1)
        page.keyboard.type("No, turn left!")  # the first letter begins the line
        expect(page.locator("#words")).to_have_value("No, turn left!")
        page.keyboard.press("Enter")
        expect(resolved).to_contain_text("Names the action “turn left”")
        page.keyboard.press("Enter")
        expect(resolved).to_have_text("Sent.")  # and the line is left: the keys for steps work again
        expect(page.locator("#decision .intended code")).to_have_text("turn left")
        page.keyboard.press(".")
        expect(steps).to_have_count(2)
        expect(steps.first.locator("code")).to_have_text("turn left")  # it obeys; the newest stands on top
        press_until(page, "takeover")
        page.keyboard.press("Enter")
        expect(mode).to_have_text("A person decides")
        second = page.get_by_test_id("chip-1").inner_text().removeprefix("2 ")
        page.keyboard.press("2")
        expect(steps).to_have_count(3)
        expect(steps.first.locator("code")).to_have_text(second)
        press_until(page, "pause")
        page.keyboard.press("Enter")  # gives back, and holds: the agent could play to the end before another key
        expect(mode).to_have_text("Paused")
        press_until(page, "success")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("label success")
        press_until(page, "moment")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#moment-number")).to_have_text("1")
        press_until(page, "rewind")
        page.keyboard.press("Enter")
        expect(page.locator(".table")).to_have_count(2)
        expect(page.locator(".table[aria-current]")).to_contain_text("a branch")
        expect(page.get_by_test_id("pause")).to_be_visible()  # who rewinds has control of the branch
        expect(page.locator("#decision .intended")).to_be_visible(timeout=OPENING)
        expect(steps).to_have_count(1)  # what the branch repeats
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(".")
        expect(steps).to_have_count(2)
        expect(page.locator("#clock")).to_contain_text("step 2 of")
        press_until(page, "end")
        page.keyboard.press("Enter")
        expect(mode).to_contain_text("Ended")
        page.goto("about:blank")
        desk.process.wait(PATIENCE)
    run = Run(tmp_path / "run")
    (planned,) = run.record.planned
    played = list(run.steps(planned.id))
    ended = run.episode(planned.id) or run.result(planned.id)
    assert ended is not None
    (spoken,) = corrections(played)
    assert (spoken.text, spoken.by, spoken.how) == ("No, turn left!", "person 1", "typed")
    assert [step.executed for step in played[1:3]] == ["turn left", second]
    events = [event for step in played for event in step.events] + list(ended.events)
    assert [event.text for event in events if isinstance(event, Label)] == ["success"]
    assert any(isinstance(event, Takeover) for event in events)


@pytest.fixture(scope="module")
def shouting(tmp_path_factory) -> Iterator[Desk]:
    words = ("--env", "gym:tests.console.shouting:Shouting-v0", "--agent", "random", "--episodes", "1")
    with at_desk(tmp_path_factory.mktemp("shouting") / "run", *words, "run.concurrency=1", "--wait") as desk:
        yield desk


def test_texts_stay_texts(page: Page, shouting: Desk) -> None:
    opened(page, shouting.control)
    take_control(page)
    page.locator("#words").fill(SHOUT)
    page.keyboard.press("Enter")
    expect(page.locator("#resolved")).to_contain_text("<img")
    page.keyboard.press("Enter")
    expect(page.locator("#resolved")).to_have_text("Sent.")
    expect(page.locator("#said")).to_contain_text(SHOUT)
    page.keyboard.press("Escape")
    page.keyboard.press(".")
    expect(page.locator("#steps li")).to_have_count(1)
    expect(page.locator("#steps")).to_contain_text(SHOUT)
    page.get_by_test_id("takeover").click()
    expect(page.locator("#mode")).to_have_text("A person decides")
    page.locator("#words").fill(f"fly {SHOUT}")
    page.keyboard.press("Enter")
    expect(page.locator("#resolved")).to_contain_text("is not an action here")
    page.locator("#words").fill("")
    page.get_by_test_id("chip-0").click()
    expect(page.locator("#steps li")).to_have_count(2)
    for where in ("#goal", "#text", "#chips", "#steps"):
        expect(page.locator(where)).to_contain_text("<script>window.pwned=1</script>")
    page.get_by_test_id("pause").click()
    page.get_by_test_id("leave").click()
    assert page.evaluate("[window.pwned, document.images.length, document.scripts.length]") == [None, 0, 4]


def test_one_page_controls_and_the_others_watch(page: Page, shouting: Desk) -> None:
    opened(page, shouting.control)
    take_control(page)
    context = page.context.browser.new_context()
    second, watcher = context.new_page(), context.new_page()
    problems: list[str] = []
    for other in (second, watcher):
        other.on("pageerror", lambda error: problems.append(str(error)))
        other.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    opened(second, shouting.control)
    expect(second.get_by_test_id("take")).to_be_disabled()
    expect(second.get_by_test_id("take")).to_have_text(re.compile(r"person \d+ controls"))
    opened(watcher, shouting.watch)
    expect(watcher.locator("#role")).to_contain_text("watching")
    expect(watcher.locator("#buttons button")).to_have_count(0)
    expect(watcher.locator("#words")).to_be_disabled()
    expect(watcher.locator("#rewind")).to_be_disabled()
    expect(watcher.locator("#chips button")).to_have_count(0)
    before = page.locator("#steps li").count()
    for other in (second, watcher):
        for key in (" ", ".", "a", "1", "Escape"):
            other.keyboard.press(key)
    # not even its own program can act: the desk refuses
    for kind in ("take", "pause", "step", "end", "take_over", "leave"):
        answer = watcher.evaluate("(kind) => wire.ask(kind, front)", kind)
        assert "only watches" in answer["error"]
    for kind in ("pause", "step", "end", "leave"):
        assert "Take control first" in second.evaluate("(kind) => wire.ask(kind, front)", kind)["error"]
    assert page.locator("#steps li").count() == before
    page.get_by_test_id("leave").click()
    expect(second.get_by_test_id("take")).to_be_enabled()
    second.get_by_test_id("take").click()
    expect(second.get_by_test_id("pause")).to_be_visible()
    expect(page.get_by_test_id("take")).to_be_disabled()
    second.get_by_test_id("leave").click()
    expect(page.get_by_test_id("take")).to_be_enabled()
    context.close()
    assert problems == []


def test_a_button_stays_while_the_episode_plays(page: Page, shouting: Desk) -> None:
    """Who presses a button presses it for some time; steps come meanwhile."""
    opened(page, shouting.control)
    take_control(page)
    page.evaluate("window.pressed = document.querySelector('[data-testid=pause]')")
    before = page.locator("#steps li").count()
    page.keyboard.press(".")
    expect(page.locator("#steps li")).to_have_count(before + 1)
    assert page.evaluate("document.querySelector('[data-testid=pause]') === window.pressed")
    page.get_by_test_id("leave").click()


def test_a_page_that_is_loaded_again_keeps_its_control(page: Page, shouting: Desk) -> None:
    opened(page, shouting.control)
    take_control(page)
    name = page.locator("#role").inner_text()
    page.reload()
    expect(page.get_by_test_id("pause")).to_be_visible()
    expect(page.locator("#role")).to_have_text(name)
    page.get_by_test_id("leave").click()
    expect(page.get_by_test_id("take")).to_be_enabled()


@pytest.fixture(scope="module")
def drive(tmp_path_factory) -> Iterator[Desk]:
    words = ("--env", "corner_case_drive", "--agent", "random", "--episodes", "1", "run.concurrency=1")
    with at_desk(tmp_path_factory.mktemp("drive") / "run", *words, "--image", "--wait") as desk:
        yield desk


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_legible_and_usable_on_a_desktop_and_a_phone(page: Page, drive: Desk, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=theme)
    opened(page, drive.control)
    take_control(page)
    before = page.locator("#steps li").count()
    expect(page.locator("#decision .intended")).to_be_visible()
    page.keyboard.press(".")
    expect(page.locator("#steps li")).to_have_count(before + 1)
    assert page.evaluate("window.deskFrames()") > 0
    expect(page.locator("#picture")).to_be_visible()
    page.keyboard.type("slow down")
    page.keyboard.press("Enter")
    expect(page.locator("#resolved")).to_contain_text("Enter sends")
    found: dict[str, object] = {}
    for acting in (False, True):
        if acting:
            page.keyboard.press("Enter")
            page.get_by_test_id("takeover").click()
            expect(page.locator("#mode")).to_have_text("A person decides")
        for size in SIZES:
            page.set_viewport_size(size)
            where = f"{size['width']} {'acting' if acting else 'speaking'}"
            sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if size["width"] < 500:  # a person sees what the agent sees while they speak
                page.evaluate("document.getElementById('live').scrollTop = 0")
                for part in ("#picture", "#decision .intended", "#line", "#help"):
                    expect(page.locator(part)).to_be_in_viewport(ratio=1)
            violations = axe.run(page).response["violations"]
            asked = {
                "nameless": page.evaluate(NAMELESS),
                "faint": page.evaluate(FAINT),
                "sideways": max(0, sideways),
                "axe": [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in violations if grave(one)],
            }
            found |= {f"{what} at {where}": answer for what, answer in asked.items() if answer}
            if folder := os.environ.get("EMBODIED_SCREENSHOTS"):
                path = Path(folder) / f"desk-{theme}-{where.replace(' ', '-')}.png"
                page.screenshot(path=path, full_page=size["width"] < 500)
    page.get_by_test_id("pause").click()
    page.get_by_test_id("leave").click()
    assert found == {}


def grave(violation: dict[str, object]) -> bool:
    return violation["impact"] in ("serious", "critical")
