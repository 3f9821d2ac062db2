"""Writes the pictures of docs/desk.md: the desk on a desktop and a phone, the corrections afterwards, and a film of one
correction. It plays a run with a scripted person in a headless Chromium: `python docs/make_desk.py`.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

OUT = Path(__file__).parent / "images"
RUN = ("--env", "babyai", "--task", "goto", "--agent", "tinyvlm-base", "agent.follow=true", "--episodes", "2")
EPISODE = "goto 1"
"""In its first step the agent wants something else than the expert."""
FILM = (960, 720)
"""Pixels of the film's page; the film is drawn at three quarters of it."""
PATIENCE = 240_000
"""Milliseconds."""


@contextmanager
def address(*words: str) -> Iterator[str]:
    """The first address that a command prints, while it runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "embodied", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split(": ", 1)[1].strip()
        finally:
            process.terminate()


def opened(browser: Browser, at: str, width: int, height: int, scale: float = 1) -> Page:
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme="light", device_scale_factor=scale
    )
    page.set_default_timeout(PATIENCE)
    page.goto(at)
    return page


def save(png: bytes, name: str, width: int | None = None) -> None:
    """A small PNG of at most 256 colours."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    if width is not None:
        image = image.resize((width, image.height * width // image.width), Image.Resampling.LANCZOS)
    image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(OUT / name, optimize=True)
    print(OUT / name, (OUT / name).stat().st_size)


class Film:
    """What a page shows, moment by moment."""

    def __init__(self, page: Page):
        self._page = page
        self._frames: list[Image.Image] = []
        self._durations: list[int] = []

    def keep(self, milliseconds: int) -> None:
        shown = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        small = shown.resize((shown.width * 3 // 4, shown.height * 3 // 4), Image.Resampling.LANCZOS)
        self._frames.append(small)
        self._durations.append(milliseconds)

    def save(self, name: str) -> None:
        palette = self._frames[-1].quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self._frames]
        first.save(OUT / name, save_all=True, append_images=others, duration=self._durations, loop=0, optimize=True)
        print(OUT / name, (OUT / name).stat().st_size)


def disagreement(page: Page) -> str:
    """Plays on to a step in which the agent would do something else than the expert; what the expert would do."""
    wants, line, played = page.locator("#decision .intended code"), page.locator("#words"), page.locator("#steps li")
    for step in range(40):
        expect(page.locator("#decision .intended")).to_contain_text("would do", timeout=PATIENCE)
        page.get_by_test_id("advice").click()
        expect(line).not_to_have_value("")
        advice = line.input_value()
        page.keyboard.press("Escape")
        if advice != wants.inner_text():
            return advice
        page.keyboard.press(".")
        expect(played).to_have_count(step + 1)
    raise SystemExit("The agent did always what the expert would do: take another task.")


def correct(page: Page, film: Film) -> None:
    """One correction: the agent wants something, a person speaks, the agent obeys."""
    action = disagreement(page)
    words = f"No, {action}"
    page.wait_for_timeout(500)
    film.keep(2500)
    for letter in words:
        page.keyboard.type(letter)
        film.keep(90)
    page.keyboard.press("Enter")
    expect(page.locator("#resolved")).to_contain_text("Names the action")
    film.keep(2500)
    page.keyboard.press("Enter")
    expect(page.locator("#decision .intended code")).to_have_text(action)
    page.wait_for_timeout(300)
    film.keep(2200)
    page.keyboard.press(".")  # the line is left once the words are sent
    expect(page.locator("#steps li").first).to_contain_text(words)
    expect(page.locator("#steps li").first.locator("code")).to_have_text(action)
    page.wait_for_timeout(1500)
    film.keep(3500)


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        run = str(folder / "goto")
        with address("eval", *RUN, "--out", run, "--console", "--wait", "run.concurrency=2") as at:
            page = opened(browser, at, *FILM)
            page.locator(".table", has_text=EPISODE).click(timeout=2 * PATIENCE)
            page.get_by_test_id("take").click()
            page.evaluate("document.activeElement.blur()")
            film = Film(page)
            correct(page, film)
            film.save("desk.gif")
            page.set_viewport_size({"width": 1280, "height": 800})
            page.get_by_test_id("weigh").click()
            expect(page.locator(".chance").nth(1)).to_be_visible()  # the runner-up
            page.wait_for_timeout(500)
            save(page.screenshot(), "desk.png")
            key = page.evaluate("sessionStorage.getItem('desk')")
            page.close()
            phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark", device_scale_factor=2)
            phone.set_default_timeout(PATIENCE)
            phone.add_init_script(f"sessionStorage.setItem('desk', {key!r})")
            phone.goto(at)
            phone.locator(".table", has_text=EPISODE).click()
            expect(phone.get_by_test_id("pause")).to_be_visible(timeout=PATIENCE)
            phone.wait_for_timeout(800)
            save(phone.screenshot(), "desk-phone.png", 390)
        with address("console", run, "--corrections") as at:
            page = opened(browser, at, 1280, 800)
            expect(page.locator(".pair")).to_be_visible(timeout=PATIENCE)
            page.wait_for_timeout(500)
            save(page.screenshot(), "desk-corrections.png")
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
