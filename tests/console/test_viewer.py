"""The viewer in a real browser, as a person uses it: keys, search, filters, links, comparing; and what hostile or
damaged records do to it.
"""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.console.conftest import PAYLOAD

NUMBER = "#detail .number"


@pytest.fixture
def opened(page, address, runs):
    """Opens an episode (by its number in the plan) of a run's viewer, and waits for its step."""

    def open_(name: str = "deep", episode: int | None = None, step: str = "") -> Page:
        link = ""
        if episode is not None:
            link = f"#{runs['deep' if name == 'both' else name].record.planned[episode].id}" + (
                f"/{step}" if step else ""
            )
        page.goto(address(name) + link)
        expect(page.locator(NUMBER).first).to_be_visible()
        return page

    return open_


def at(page: Page, step: int | str) -> None:
    expect(page.locator(NUMBER).first).to_have_text("End" if step == "end" else f"Step {step}")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_first_paint_reads_only_what_it_shows(opened):
    page = opened()
    at(page, 0)
    page.wait_for_load_state("networkidle")
    asked = [url.split("/api/")[1] for url in page.requested if "/api/" in url]
    rows = [url for url in asked if url.startswith(("rows", "steps"))]
    assert len(rows) <= 3 and not any("stop=1000" in url or "start=9" in url for url in rows), asked
    assert not [url for url in asked if url.startswith(("messages", "image", "search"))]
    assert page.locator("#step-list .row").count() < 60, "10,000 steps, and only the rows in sight are in the document"


def test_keys_step_through_the_episode(opened):
    page = opened()
    press(page, "j", "ArrowDown", "ArrowRight")
    at(page, 3)
    press(page, "k", "ArrowUp")
    at(page, 1)
    press(page, "PageDown")
    at(page, 11)
    press(page, "PageUp", "PageUp")
    at(page, 0)
    press(page, "End")
    at(page, "end")
    expect(page.locator("#detail .badge").first).to_have_text("step limit")
    press(page, "k")
    at(page, 9999)
    press(page, "Home", "k")
    at(page, 0)
    assert page.url.endswith("/0")
    selected = page.locator("#step-list [aria-selected=true]")
    expect(selected).to_have_count(1)
    assert page.locator("#step-list").get_attribute("aria-activedescendant") == selected.get_attribute("id")


def test_a_key_held_down_ends_where_it_should(opened):
    page = opened()
    for _ in range(150):
        page.keyboard.down("j")  # repeats without being let go
    page.keyboard.up("j")
    at(page, 150)
    expect(page.locator("#detail .observed")).to_contain_text("150 drops")


def test_scrolling_10_000_steps_keeps_the_document_small(opened):
    page = opened()
    for y in (30_000, 150_000, 299_000, 12_000):
        page.locator("#step-list").evaluate("(list, y) => { list.scrollTop = y }", y)
        expect(page.locator(f"#step-list-{y // 30 + 3} .what")).not_to_have_text("…")
    assert page.locator("#step-list .row").count() < 60
    page.locator("#step-list-405").click()
    at(page, 405)


def test_everything_about_a_step_is_shown(opened, runs):
    page = opened(episode=1, step="59")
    step = list(runs["deep"].steps(runs["deep"].record.planned[1].id))[59]
    detail = page.locator("#detail")
    expect(detail.locator(".action")).to_have_text(step.executed)
    expect(detail.locator(".said code")).to_have_text("fly over wall 59")
    expect(detail.locator(".badge").first).to_have_text("invalid")
    expect(detail.locator(".thought").first).to_have_text(step.decision.thought)
    expect(detail.locator(".reply")).to_have_text(step.decision.calls[0].reply.text)
    assert detail.locator(".observed").evaluate("(node) => node.textContent") == step.observation.text, (
        "not a character of the map is lost"
    )
    expect(detail).to_contain_text("HP: ")
    expect(detail).to_contain_text(f"{step.decision.calls[0].reply.usage.input} in")
    press(page, "p")
    expect(detail.locator(".message")).to_have_count(len(step.decision.calls[0].messages))
    shown = detail.locator(".message").evaluate_all(
        "(nodes) => nodes.map((n) => [n.querySelector('.role').textContent, n.querySelector('pre').textContent])"
    )
    assert shown == [[m.role, m.parts[0].text] for m in step.decision.calls[0].messages], (
        "the prompt exactly as it was sent"
    )
    assert 1 <= detail.locator(".message.fresh").count() <= 4, "what is new in the prompt is marked"
    press(page, "j")
    at(page, "end")
    expect(detail.locator(".observed")).to_contain_text("60 drops")
    expect(detail).to_contain_text("Reach the stairs.")


def test_pictures_are_shown_as_recorded(opened, runs):
    page = opened(episode=3, step="7")
    picture = page.locator("#detail .frame img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("(i) => i.decode().then(() => [i.naturalWidth, i.naturalHeight])") == [240, 84]
    image = list(runs["deep"].steps(runs["deep"].record.planned[3].id))[7].observation.image
    assert image.digest in picture.get_attribute("src")
    assert sum("api/image" in url for url in page.requested) <= 2, "this picture and the next"


def test_search(opened):
    page = opened()
    press(page, "/")
    page.keyboard.type("barrel, number 99")
    press(page, "Enter")
    expect(page.locator("#hits")).to_have_text("1 / 3")
    at(page, 99)
    marked = "[...CSS.highlights.get('search')].map((range) => range.toString())"
    assert page.evaluate(marked) == ["barrel, number 99"]
    press(page, "Enter")
    at(page, 999)
    page.locator(NUMBER).click()  # out of the field
    press(page, "n")
    at(page, 9999)
    press(page, "N", "N")
    at(page, 99)
    press(page, "Escape", "/")
    page.keyboard.type("no such words")
    expect(page.locator("#hits")).to_have_text("none")
    press(page, "Escape")
    expect(page.locator("#words")).to_have_value("")
    expect(page.locator("#hits")).to_have_text("")
    at(page, 99)


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [("invalid", "1,200", [9, 19, 24]), ("errors", "250", [39, 79, 119]), ("corrections", "100", [99, 199, 299])],
)
def test_filters(opened, name, count, first):
    page = opened()
    page.locator(f"[data-filter={name}]").click()
    expect(page.locator(f"[data-filter={name}] small")).to_have_text(count)
    at(page, first[0])
    press(page, "j", "j")
    at(page, first[2])
    press(page, "k")
    at(page, first[1])
    assert [page.locator(f"#step-list-{n} .n").text_content() for n in range(3)] == [str(n) for n in first]
    page.locator("[data-filter=all]").click()
    press(page, "j")
    at(page, first[1] + 1)


def test_deep_links(opened, address, runs):
    page = opened(episode=2, step="41")
    at(page, 41)
    page.evaluate("location.hash = location.hash.replace('/41', '/7')")
    at(page, 7)
    page.reload()
    at(page, 7)
    page.locator("#episode-list .row").nth(1).click()
    at(page, 0)
    assert runs["deep"].record.planned[1].id in page.url
    page.go_back()
    at(page, 7)
    opened(episode=2, step="end")
    at(page, "end")
    page.goto(address("deep") + "#no-such-episode/3")
    page.reload()
    expect(page.locator("#detail")).to_contain_text("There is no episode 'no-such-episode' here.")
    page.problems.clear()  # the browser reports the 404
    page.locator("#episode-list .row").nth(1).click()
    at(page, 0)


def test_first_difference(opened, runs):
    page = opened("both", episode=1)
    expect(page.locator("#compare optgroup").first).to_have_attribute("label", "Same task and seed")
    page.select_option("#compare", runs["twin"].record.planned[0].id)
    expect(page.locator(NUMBER)).to_have_count(2)
    press(page, "d")
    expect(page.locator("#detail .found")).to_have_text("First difference: step 30, what was executed.")
    expect(page.locator(NUMBER)).to_have_text(["Step 30", "Step 30"])
    expect(page.locator("#detail .action").nth(1)).to_have_text("dance")
    press(page, "j")
    expect(page.locator(NUMBER)).to_have_text(["Step 31", "Step 31"])
    expect(page.locator("#chart .other")).to_have_count(1)


def test_episode_list(opened, runs):
    page = opened()
    rows = page.locator("#episode-list .row:visible")
    expect(rows).to_have_count(7)
    page.fill("#episode-words", "short")
    expect(rows).to_have_count(2)
    page.fill("#episode-words", "")
    page.select_option("#episode-outcome", "none")
    expect(rows).to_have_count(2)
    page.select_option("#episode-outcome", "")
    press(page, "Escape")
    page.locator(NUMBER).click()
    press(page, "]")
    expect(page.locator("#title b")).to_have_text("short")
    press(page, "[")
    expect(page.locator("#title b")).to_have_text("deep")


def test_chart_seeks(opened):
    page = opened(episode=1)
    box = page.locator("#chart").bounding_box()
    page.mouse.click(box["x"] + 46 + (box["width"] - 60) / 2, box["y"] + 40)
    at(page, 30)
    assert page.locator("#chart").get_attribute("aria-valuenow") == "30"
    assert page.locator("#chart .curve").count() == 1 and page.locator("#chart .mark.bad").count() == 1


def test_help_theme_and_play(opened):
    page = opened(episode=1)
    press(page, "?")
    expect(page.locator("#keys")).to_be_visible()
    press(page, "j")
    at(page, 0)
    press(page, "Escape")
    expect(page.locator("#keys")).to_be_hidden()
    press(page, "t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    at(page, 0)
    press(page, " ")
    at(page, 3)
    press(page, " ")


def test_an_episode_being_played_grows(page, tmp_path):
    from tests.console.conftest import viewing
    from tests.console.recorded import new_run, record

    run = new_run(tmp_path / "run", {"hall": 1})
    spec = run.record.planned[0]
    record(run, spec, 30, end=False)
    path = run.folder(spec.id) / "steps.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:12]) + b'{"torn')
    with viewing(run.root) as base:
        page.goto(base)
        at(page, 0)
        press(page, "End", "k")
        at(page, 11)
        path.write_bytes(whole)
        expect(page.locator("#detail .of")).to_have_text("of 30")
        record_end = record(run, spec, 30)
        assert record_end is not None
        expect(page.locator("#title .badge")).to_have_text("step limit")


def test_damaged_lines_are_skipped_counted_and_shown(opened):
    page = opened(episode=5)
    expect(page.locator("#banner")).to_contain_text(
        "2 damaged lines of steps.jsonl could not be read and are left out: line 11, 12."
    )
    press(page, *"jjjjjjjjj")
    at(page, 9)
    press(page, "j")
    at(page, 12)
    expect(page.locator("#detail .events")).to_contain_text("2 damaged lines before this step could not be read.")
    assert page.url.endswith("/12")
    page.reload()
    at(page, 12)


def test_nothing_a_model_says_is_markup(opened):
    page = opened("hostile", episode=0)
    press(page, "p")
    expect(page.locator("#detail .message").first).to_be_visible()
    assert page.locator("#detail .observed").text_content() == PAYLOAD
    assert page.locator("#detail .reply").text_content() == PAYLOAD
    press(page, "/")
    page.keyboard.type("<img")
    press(page, "Enter", "Escape")
    press(page, "End")
    expect(page.locator("#banner")).to_contain_text("onerror")
    page.wait_for_timeout(200)
    assert page.evaluate("window.pwned") is None
    assert page.locator("#detail img, #title img, #banner img, .row img, script:not([src])").count() == 0


def test_the_page_never_makes_markup_of_text():
    from importlib.resources import files

    pages = [files(f"embodied.console.{name}") / "static" for name in ("viewer", "arena")]
    scripts = [path for page in pages for path in page.iterdir() if path.name.endswith(".js")]
    assert scripts
    for path in scripts:
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|DOMParser",
            path.read_text(),
        ), path.name


def test_an_empty_run_and_an_unplayed_episode(page, address, opened):
    page.goto(address("empty"))
    expect(page.locator("#detail")).to_have_text("This run has no episodes yet.")
    opened(episode=6)
    at(page, "end")
    expect(page.locator("#detail")).to_contain_text("The episode has not ended")


@pytest.mark.parametrize("width", [420, 900])
def test_narrow_windows(opened, width):
    page = opened(episode=3, step="5")
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#step-list .row").first).to_be_visible()
    expect(page.locator("#episode-list")).to_be_hidden()
    page.locator("#drawer").click()
    expect(page.locator("#episode-list")).to_be_visible()
    page.locator("#episode-list .row").nth(1).click()
    expect(page.locator("#title b")).to_have_text("short")
    expect(page.locator("#episode-list")).to_be_hidden()


def test_a_missing_picture_is_said(page, tmp_path):
    from tests.console.conftest import viewing
    from tests.console.recorded import new_run, record

    run = new_run(tmp_path / "run", {"hall": 1})
    record(run, run.record.planned[0], 3, pictures=True)
    for blob in (run.root / "blobs").rglob("*"):
        if blob.is_file():
            blob.write_bytes(json.dumps("no picture").encode())
    with viewing(run.root) as base:
        page.goto(base)
        expect(page.locator("#detail .frame")).to_have_text("This picture is missing or damaged.")
    page.problems.clear()  # the browser reports the 404
