"""The demo's page: everything in one file, every text escaped, readable in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from embodied.cli.demo.figures import GAMES, READING, Row
from embodied.cli.demo.films import Film
from embodied.cli.demo.page import page as demo_page

HOSTILE = "</style></title><script>window.pwned = 1</script><img src=x onerror='window.pwned=1'>\""


@pytest.fixture
def written(tmp_path) -> Path:
    """A page in which every text is hostile."""
    gif = tmp_path / "film.gif"
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "blue")]
    frames[0].save(gif, save_all=True, append_images=frames[1:], loop=0)
    film = Film(HOSTILE, HOSTILE, HOSTILE, gif)
    reading = [Row((HOSTILE,) * len(READING), 0.5, (0.3, 0.7), HOSTILE), Row(("plain",) * len(READING))]
    path = tmp_path / "index.html"
    path.write_bytes(demo_page(tmp_path / HOSTILE, 4, [film] * 3, reading, [film], [Row((HOSTILE,) * len(GAMES))]))
    return path


def test_every_text_is_escaped(written):
    text = written.read_text(encoding="utf-8")
    assert "<script" not in text and "onerror='" not in text and text.count("</style>") == text.count("</title>") == 1
    assert {source.partition(",")[0] for source in re.findall(r'src="([^"]*)"', text)} == {"data:image/gif;base64"}
    assert not re.search(r"https?://", text)


def test_a_browser_shows_it_and_asks_for_nothing(page, written):
    page.goto(written.as_uri())
    assert page.evaluate("window.pwned") is None
    assert page.locator("h2").all_inner_texts() == ["Does it look? Does it read?", "Six games", "Next"]
    widths = page.locator("img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert widths == [40] * 4
    assert page.locator("pre").count() == 3
    assert [url for url in page.requested if not url.startswith("data:")] == [written.as_uri()]


def test_without_films_there_are_tables(tmp_path):
    text = demo_page(tmp_path, 4, [], [Row(("a",) * len(READING))], [], []).decode()
    assert "<img" not in text and text.count("<table") == 2
