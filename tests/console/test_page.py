"""An episode as one file: the same viewer, with nothing to ask anybody for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from embodied.console.viewer.library import Library
from embodied.console.viewer.page import write_page
from embodied.errors import StoreError
from tests.console.conftest import PAYLOAD


@pytest.fixture
def exported(runs, tmp_path):
    def export(name: str, episode: int) -> Path:
        return write_page(Library([runs[name]]), runs[name].record.planned[episode].id, tmp_path / "page.html")

    return export


def test_the_page_works_from_a_file(page, exported, runs):
    path = exported("deep", 3)
    page.goto(path.as_uri() + f"#{runs['deep'].record.planned[3].id}/9")
    number = page.locator("#detail .number")
    expect(number).to_have_text("Step 9")
    picture = page.locator("#detail .frame img").first
    assert picture.evaluate("(i) => i.decode().then(() => i.naturalWidth)") == 240 and picture.get_attribute(
        "src"
    ).startswith("data:image/png;base64,")
    page.keyboard.press("j")
    expect(number).to_have_text("Step 10")
    page.keyboard.press("p")
    expect(page.locator("#detail .message")).to_have_count(10)
    page.keyboard.press("/")
    page.keyboard.type("LOOKED 30 TIMES")
    page.keyboard.press("Enter")
    expect(number).to_have_text("Step 30")
    expect(page.locator("#hits")).to_have_text("1 / 1")
    page.locator("[data-filter=invalid] small").click()
    expect(number).to_have_text("Step 39")
    page.keyboard.press("End")
    page.keyboard.press("Escape")
    page.locator("[data-filter=all]").click()
    page.keyboard.press("End")
    expect(number).to_have_text("End")
    assert page.requested and all(url.startswith(("file://", "data:")) for url in page.requested)


def test_nothing_in_it_is_markup(page, exported):
    path = exported("hostile", 0)
    page.goto(path.as_uri())
    expect(page.locator("#detail .observed")).to_have_text(PAYLOAD)
    page.keyboard.press("p")
    expect(page.locator("#detail .message").first).to_be_visible()
    page.keyboard.press("End")
    expect(page.locator("#banner")).to_contain_text("onerror")
    assert page.evaluate("window.pwned") is None
    text = path.read_text()
    assert text.count("</script>") == text.count("<script") == 6 and 'onerror="' not in text.replace('onerror=\\"', "")


def test_its_policy_names_its_scripts(exported):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', exported("deep", 1).read_text())[1]
    assert (
        policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy and "http" not in policy
    )


def test_damage_is_shown_in_it_too(page, exported):
    page.goto(exported("deep", 5).as_uri())
    expect(page.locator("#banner")).to_contain_text("2 damaged lines")
    page.keyboard.press("End")
    page.keyboard.press("k")
    expect(page.locator("#detail .number")).to_have_text("Step 49")


def test_a_page_that_cannot_be_written_is_said(runs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot write"):
        write_page(Library([runs["deep"]]), runs["deep"].record.planned[1].id, tmp_path / "file" / "page.html")
    with pytest.raises(StoreError, match="no episode"):
        write_page(Library([runs["deep"]]), "nothing", tmp_path / "page.html")


def test_command(runs, tmp_path):
    command = [
        sys.executable,
        "-m",
        "embodied",
        "export",
        str(runs["deep"].root),
        "1",
        "--format",
        "html",
        "--out",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (
        Path(done.stdout.strip()) == tmp_path / f"{runs['deep'].record.planned[1].id}.html"
        and Path(done.stdout.strip()).is_file()
    )
