"""The leaderboard's site in a real browser: tabs, filters, sorting, pages, both themes. Problems and requests to
elsewhere fail any test.
"""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from embodied.eval.leaderboard.board import boards
from embodied.eval.leaderboard.site import write_site
from embodied.eval.results import read
from tests.eval.runs import make_run


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Four entries on one board, one of them unranked, and one entry on another."""
    root = tmp_path_factory.mktemp("site")
    rng = np.random.default_rng(0)
    runs = []
    for name, provider, chance, vision in (
        ("gpt-5", "openai", 0.8, False),
        ("gpt-4o", "openai", 0.5, True),
        ("smollm2", "gguf", 0.1, False),
    ):
        results = {
            ("a", "x"): [float(v < chance) for v in rng.random(20)],
            ("b", "y"): [float(v) for v in rng.random(5)],
        }
        runs.append(
            make_run(
                root / name, results, suite="s", config={"model": {"provider": provider, "name": name}, "image": vision}
            )
        )
    runs.append(
        make_run(
            root / "holes",
            {("a", "x"): [1.0] * 19 + [None], ("b", "y"): [1.0] * 5},
            suite="s",
            config={"model": {"provider": "openai", "name": "holes"}},
        )
    )
    runs.append(make_run(root / "other", {("c", "z"): [1.0, 0.0]}))
    write_site(boards([read(r) for r in runs]), root / "site", {})
    return (root / "site/index.html").as_uri()


def names(page) -> list[str]:
    return page.locator(".panel:not([hidden]) tbody tr:not([hidden]) .who > a").all_inner_texts()


def test_sorting(page, site):
    page.goto(site)
    assert names(page) == ["gpt-5 · naive", "gpt-4o · naive", "smollm2 · naive", "holes · naive"]
    page.get_by_role("button", name="score").click()
    assert names(page)[0] == "holes · naive" and page.locator("th[aria-sort=descending]").inner_text().startswith(
        "score"
    )
    page.get_by_role("button", name="score").click()
    assert names(page)[0] == "smollm2 · naive"
    page.get_by_role("button", name="entry").click()
    assert names(page) == sorted(names(page))
    page.get_by_role("button", name="cost").click()
    assert names(page)[0] == "smollm2 · naive" and names(page)[-1] == "holes · naive", "without a price: below"


def test_filters(page, site):
    page.goto(site)
    page.get_by_label("Sees").select_option("vision")
    assert names(page) == ["gpt-4o · naive"]
    expect(page.locator(".panel:not([hidden]) .count")).to_have_text("1 of 4 entries")
    assert page.locator(".point:visible").count() == 1
    page.get_by_label("Sees").select_option("")
    page.get_by_label("Model").select_option("open")
    assert names(page) == ["smollm2 · naive"]
    page.get_by_label("Model").select_option("")
    page.locator(".panel:not([hidden])").get_by_label("unranked").uncheck()
    assert len(names(page)) == 3


def test_tabs_and_links(page, site):
    page.goto(site)
    page.get_by_role("tab", name="c 1").click()
    assert names(page) == ["gpt-4o · naive"] and page.url.endswith("#c")
    page.keyboard.press("ArrowLeft")
    assert len(names(page)) == 4
    page.goto(site + "#c")
    page.locator(".panel:not([hidden]) .who > a").click()
    expect(page.locator("h1")).to_have_text("gpt-4o · naive")
    assert "c z" in page.inner_text("main")
    page.get_by_role("link", name="← c").click()
    expect(page.locator(".panel:not([hidden]) h2").first).to_have_text("c")


def test_themes(page, site):
    page.goto(site)
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light / dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
