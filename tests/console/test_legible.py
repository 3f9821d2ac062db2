"""Every page in both themes: controls have names, texts a contrast of 4.5, tables a head; a phone shows it without
scrolling sideways.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from embodied.console.viewer.library import Library
from embodied.console.viewer.page import write_page
from embodied.eval.leaderboard.board import boards
from embodied.eval.leaderboard.site import write_site
from embodied.eval.report import gather
from embodied.eval.report_page import page as report_page
from embodied.eval.results import read
from tests.console.legible import FAINT, HEADLESS, NAMELESS
from tests.console.recorded import new_run, record
from tests.console.test_arena import serving
from tests.eval.runs import make_run

WAIT = {"viewer": "#detail .number", "episode": "#detail .number", "arena": ".side .action"}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def pages(tmp_path_factory, runs, address) -> dict[str, str]:
    """Name of a page -> its address."""
    root = tmp_path_factory.mktemp("legible")
    rng = np.random.default_rng(0)
    task = "BabyAI-MixedTrainLocal-v0/goto"
    made = []
    for name, provider, chance, vision in (
        ("gpt-5", "openai", 0.8, False),
        ("gpt-4o-mini", "openai", 0.5, True),
        ("smollm2", "gguf", 0.1, False),
    ):
        results = {
            ("babyai", task): [float(v < chance) for v in rng.random(20)],
            ("crafter", "default"): [float(v) for v in rng.random(5)],
        }
        made.append(
            make_run(
                root / name, results, suite="s", config={"model": {"provider": provider, "name": name}, "image": vision}
            )
        )
    made.append(
        make_run(root / "holes", {("babyai", task): [1.0] * 19 + [None], ("crafter", "default"): [1.0] * 5}, suite="s")
    )
    site = root / "site"
    write_site(boards([read(r) for r in made]), site, {})
    (root / "report.html").write_bytes(report_page(gather(runs["deep"]), {}, made[0]))
    (root / "failed.html").write_bytes(report_page(gather(made[-1]), {}))
    write_page(Library([runs["deep"]]), runs["deep"].record.planned[1].id, root / "episode.html")
    files = {
        "site": site / "index.html",
        "entry": site / "entries/gpt-5-naive.html",
        "report": root / "report.html",
        "failed": root / "failed.html",
    }
    files["episode"] = root / "episode.html"
    fighters = [new_run(root / name, {"short": 1}, agent=name) for name in ("naive", "cot")]
    for fighter, pictured in zip(fighters, (True, False), strict=True):
        record(fighter, fighter.record.planned[0], 12, pictures=pictured)
    with serving(root / "votes.jsonl", *(f.root for f in fighters)) as (_, arena):
        yield {
            "viewer": f"{address('both')}#{runs['deep'].record.planned[1].id}/31",
            "arena": arena,
            **{name: path.as_uri() for name, path in files.items()},
        }


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["viewer", "arena", "site", "entry", "report", "failed", "episode"])
def test_names_contrast_and_heads(page, pages, name, theme):
    page.emulate_media(color_scheme=theme)
    page.goto(pages[name])
    if name in WAIT:
        expect(page.locator(WAIT[name]).first).to_be_visible()
    if name == "viewer":
        page.locator("#compare").select_option(index=1)
        expect(page.locator("#settings-diff")).to_be_visible()
        page.keyboard.press("p")
        page.locator(".differ").first.click()
        expect(page.locator("h4").first).to_be_visible()
    found = {}
    for size in ({"width": 1280, "height": 800}, PHONE):
        page.set_viewport_size(size)
        page.wait_for_timeout(200)
        for what, ask in (("nameless", NAMELESS), ("faint", FAINT), ("headless", HEADLESS)):
            found |= {f"{what} at {size['width']}": answer} if (answer := page.evaluate(ask)) else {}
        if folder := os.environ.get("EMBODIED_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{theme}-{size['width']}.png")
    assert found == {}


@pytest.mark.parametrize("name", ["site", "entry", "report", "arena"])
def test_a_phone_does_not_scroll_sideways(page, pages, name):
    page.set_viewport_size(PHONE)
    page.goto(pages[name])
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_cost_plot_is_legible_on_a_phone(page, pages):
    page.set_viewport_size(PHONE)
    page.goto(pages["site"])
    plot = page.locator("svg.narrow")
    expect(plot).to_be_visible()
    expect(page.locator("svg.broad")).to_be_hidden()
    drawn = plot.evaluate("(svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width * 11")
    assert drawn >= 10, "pixels of a letter"
    expect(page.locator("ol.key li")).to_have_count(page.locator("svg.narrow .point").count())


def test_a_report_begins_with_the_goal_and_axes_reach_to_the_end(page, pages):
    page.goto(pages["report"])
    goal = page.locator("header .goal").first
    expect(goal).to_contain_text("Goal of ")
    assert goal.bounding_box()["y"] < 400
    expect(page.locator("figure svg text", has_text="100 %").first).to_be_visible()


def test_the_viewer_shows_goal_prompt_and_settings_differences(page, address, runs):
    page.goto(f"{address('both')}#{runs['deep'].record.planned[1].id}/31")
    expect(page.locator("#goal")).to_contain_text("Goal: ")
    page.keyboard.press("p")
    page.locator(".differ").first.click()
    changes = page.locator("#detail .diff").first
    expect(changes.locator(".added").first).to_be_visible()
    expect(page.locator("#detail h4").first).to_have_text("Against the prompt of the step before")
    page.locator("#compare").select_option(index=1)
    settings = page.locator("#settings-diff")
    expect(settings).to_contain_text("agent.policy")
    expect(settings).to_contain_text("cot")
